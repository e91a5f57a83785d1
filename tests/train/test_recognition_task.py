from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import seed_everything

from tests.train.tiny import tiny_trainer
from tests.train.tiny_skeleton import clips, recognised, skeleton_data, skeleton_model
from tgst.loader import ClipBatch
from tgst.nn.models import LateFusion
from tgst.train import AtomicCheckpointIO, RecognitionTask
from tgst.transforms.clips import CenterRoot, ResampleTime, Streams
from tgst.utils.repeat_graph import repeat_graph


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    return recognised(tmp_path_factory.mktemp("run"))


def ready(**kwargs):
    r"""A task that knows its data, without a fit."""
    task, data = RecognitionTask(skeleton_model(), **kwargs), skeleton_data()
    data.setup("fit")
    task.use_data(data)
    return task, data


def first_batch(data):
    return next(iter(data.train_dataloader()))


def test_a_batch_equals_the_batch_of_pyg():
    task, data = ready()
    task.eval()
    batch = next(iter(data.val_dataloader()))
    graphs = data.loader(data._parts["val"]).dataset.clips[:8]
    for clip, logits in zip(graphs, task(batch), strict=True):
        one = data.graph
        expected = task.model(
            clip.x, one.edge_index, one.edge_type, one.edge_weight, mask=clip.mask, e_id=one.e_id
        )
        torch.testing.assert_close(logits, expected[0])


def test_two_persons_are_the_disjoint_union_of_their_graphs():
    task, data = ready()
    task.eval()
    one, two = data._parts["train"][0], data._parts["train"][9]
    frames = min(one.x.size(1), two.x.size(1))
    x = torch.cat([one.x[:, :frames], two.x[:, :frames]])
    mask = torch.ones(x.shape[:2], dtype=torch.bool)
    mask[25] = False
    batch = ClipBatch(x.unsqueeze(1), mask.unsqueeze(1), torch.tensor([0]), torch.tensor([0]))
    pair = repeat_graph(data.graph, 2)
    expected = task.model(
        x,
        pair.edge_index,
        pair.edge_type,
        pair.edge_weight,
        mask=mask,
        e_id=pair.e_id,
        person=pair.person,
    )
    torch.testing.assert_close(task(batch), expected)
    assert not torch.allclose(
        task(batch), task(batch._replace(mask=torch.ones_like(mask)[:, None]))
    )
    with pytest.raises(ValueError, match="x: expected a multiple of 20 nodes, got 30"):
        task(batch._replace(x=batch.x[:30], mask=batch.mask[:30]))


def test_the_class_of_views_is_that_of_their_mean_probability():
    task, data = ready()
    task.eval()
    batch = first_batch(data)
    alone = task(batch).softmax(-1)
    views = batch._replace(y=batch.y[::2], clip=batch.clip[::2])
    together = task(views)
    torch.testing.assert_close(together.exp(), alone.view(4, 2, -1).mean(1))
    torch.testing.assert_close(task.predict_step(views, 0), alone.view(4, 2, -1).mean(1))


def test_the_loss_of_views_is_finite_where_all_are_sure_of_another_class():
    task, data = ready()
    task.eval()
    batch = first_batch(data)
    views = batch._replace(y=batch.y[::2], clip=batch.clip[::2])
    with torch.no_grad():
        task.model.head.weight.mul_(0)
        task.model.head.bias.mul_(0)[0] = 500.0  # its probability rounds to one, the others to zero
    logits = task(views)
    torch.testing.assert_close(logits[:, 1:], torch.full_like(logits[:, 1:], -500.0))
    torch.testing.assert_close(logits[:, 0], torch.zeros(len(views.y)))


def test_balanced_classes_by_hand():
    data = skeleton_data()
    train = clips()
    few = [i for i in range(len(train)) if not (train.y[i] == 0 and train.subjects[i] > 1)]
    data._datasets["train"] = train[torch.tensor(few)]
    data.setup("fit")
    # three clips of the class 0 lie outside, subject 9 of all classes validates: 1 and 7 x 4
    expected = torch.tensor([29 / 8, *[29 / (8 * 4)] * 7])
    task = RecognitionTask(skeleton_model(), class_balanced=True)
    task.use_data(data)
    torch.testing.assert_close(task.class_weight, expected)
    batch = first_batch(data)
    torch.manual_seed(0)
    loss = task.train()._loss([logits := torch.randn(8, 8)], batch.y)
    each = F.cross_entropy(logits, batch.y, reduction="none") * expected[batch.y]
    torch.testing.assert_close(loss, each.sum() / expected[batch.y].sum())
    plain = RecognitionTask(skeleton_model())
    plain.use_data(data)
    torch.testing.assert_close(plain._loss([logits], batch.y), F.cross_entropy(logits, batch.y))


def test_smoothed_labels_by_hand():
    task, _ = ready(label_smoothing=0.2)
    logits, y = torch.randn(4, 8), torch.tensor([0, 3, 7, 1])
    target = torch.full((4, 8), 0.2 / 8)
    target[torch.arange(4), y] += 0.8
    torch.testing.assert_close(
        task._loss([logits], y), -(target * logits.log_softmax(-1)).sum(1).mean()
    )


def test_mixed_clips_and_labels_by_hand(monkeypatch):
    task, data = ready(mixup=0.5)
    task.eval()  # no dropout, no batch statistics
    batch = first_batch(data)
    order = torch.tensor([3, 2, 1, 0, 7, 6, 5, 4])
    monkeypatch.setattr("torch.randperm", lambda number: order)
    monkeypatch.setattr(
        "tgst.train.classification_task.Beta.sample", lambda self: torch.tensor(0.25)
    )
    x = 0.25 * batch.x + 0.75 * batch.x[:, order]
    logits = task(batch._replace(x=x, mask=batch.mask | batch.mask[:, order]))
    expected = 0.25 * F.cross_entropy(logits, batch.y)
    expected += 0.75 * F.cross_entropy(logits, batch.y[order])
    torch.testing.assert_close(task._mixed_loss(batch), expected)


def test_it_learns(tmp_path):
    seed_everything(0)
    model = skeleton_model(channels=[16, 16], dropout=0.0, data_norm="channel")
    task = RecognitionTask(model, "adamw", learning_rate=0.01)
    trainer = tiny_trainer(tmp_path, max_epochs=15)
    trainer.fit(task, datamodule=skeleton_data(pre_transform=[CenterRoot("kinect-20")]))
    assert trainer.callback_metrics["train/loss"] < 1.2  # chance: 2.08
    assert trainer.callback_metrics["val/accuracy"] > 0.3  # chance: 0.125


def test_the_averaged_weights_are_evaluated(tmp_path):
    task, data, _ = recognised(tmp_path, average=0.99)
    assert task.averaged.n_averaged == 4  # 32 clips
    batch = next(iter(data.val_dataloader()))
    graph = task.graph
    kwargs = graph.attributes() | {"mask": batch.mask}
    task.eval()
    torch.testing.assert_close(
        task(batch), task.averaged.module(batch.x, graph.edge_index, **kwargs)
    )
    assert not torch.allclose(task(batch), task.model(batch.x, graph.edge_index, **kwargs))


def test_scores_of_a_trained_task(fitted, tmp_path):
    task, data, path = fitted
    trainer = tiny_trainer(tmp_path)
    (scores,) = trainer.test(task, datamodule=data, ckpt_path=path, verbose=False)
    logits, y = [], []
    with torch.no_grad():
        for batch in data.test_dataloader():
            logits.append(task.eval()(batch))
            y.append(batch.y)
    logits, y = torch.cat(logits), torch.cat(y)
    best = logits.topk(5).indices
    assert scores["test/accuracy"] == pytest.approx((best[:, 0] == y).float().mean().item())
    within = (best == y.unsqueeze(1)).any(1).float().mean().item()
    assert scores["test/top_5"] == pytest.approx(within)
    assert scores["test/loss"] == pytest.approx(F.cross_entropy(logits, y).item(), rel=1e-4)


def test_a_checkpoint_is_enough_to_use_a_model(fitted):
    task, data, path = fitted
    checkpoint = AtomicCheckpointIO().load_checkpoint(path)
    assert checkpoint["skeleton"]["name"] == "kinect-20"
    assert checkpoint["class_names"] == data.class_names
    assert checkpoint["trained_on"] == "32 clips of the subjects 1, 3, 5, 7"
    loaded = RecognitionTask.load_from_checkpoint(path, model=skeleton_model(seed=5)).eval()
    assert loaded.class_names == data.class_names
    batch = next(iter(data.val_dataloader()))
    assert torch.equal(loaded(batch), task.eval()(batch))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(model_class="other.Net"), "its model is other.Net, not tgst.nn"),
        (lambda c: c.update(class_names=["a", "b"]), r"other classes: 2 \(a, b\) there, 8 \(wave"),
        (lambda c: c["skeleton"].update(name="ntu-25"), "its skeleton is 'ntu-25', that of the"),
        (
            lambda c: c["state_dict"].update({"graph.edge_index": torch.zeros(2, 9).long()}),
            "the checkpoint's graph has 9 edges, the data's graph 58",
        ),
        (lambda c: c.pop("class_names"), "names no classes: it is not of a recognition task"),
        (lambda c: c["state_dict"].pop("model.head.bias"), "the checkpoint lacks head.bias"),
    ],
)
def test_another_checkpoint_is_refused(fitted, change, message):
    _, data, path = fitted
    task = RecognitionTask(skeleton_model())
    data.setup("fit")
    task.use_data(data)
    checkpoint = AtomicCheckpointIO().load_checkpoint(path)
    task.check_checkpoint(checkpoint)
    change(checkpoint)
    with pytest.raises(ValueError, match=message):
        task.check_checkpoint(checkpoint)


def test_averages_and_checkpoints_must_agree(fitted):
    _, data, path = fitted
    checkpoint = AtomicCheckpointIO().load_checkpoint(path)
    task = RecognitionTask(skeleton_model(), average=0.9)
    task.use_data(data)
    with pytest.raises(ValueError, match="it has no averaged weights, but average is set here"):
        task.check_checkpoint(checkpoint)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("optimizer", "lbfgs", "optimizer must be one of sgd, adam, adamw, got 'lbfgs'"),
        ("scheduler", "plateau", "scheduler must be one of step, multistep, exponential, cosine"),
        ("weight_decay_on", "bias", "weight_decay_on must be one of all, weights, got 'bias'"),
        ("average", 1.0, "average must be between 0 and 1, got 1.0"),
        ("label_smoothing", 1.0, r"label_smoothing must be in \[0, 1\), got 1.0"),
        ("mixup", -0.1, "mixup must be at least 0, got -0.1"),
        ("warmup_epochs", -1, "warmup_epochs must be at least 0, got -1"),
        ("top_k", 0, "top_k must be at least 1, got 0"),
    ],
)
def test_options_out_of_range_are_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        RecognitionTask(skeleton_model(), **{name: value})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("in_channels", 2, "in_channels: the data give 3 channels, the model has 2"),
        ("num_partitions", 4, "num_partitions: the data give 3 partitions, the model has 4"),
        ("num_edges", 60, "num_edges: the data give 58 edges, the model has 60"),
        ("num_joints", 25, "num_joints: the data give 20 joints, the model has 25"),
    ],
)
def test_a_model_that_does_not_fit_the_data_is_refused(fitted, name, value, message):
    task = RecognitionTask(skeleton_model(**{name: value}))
    with pytest.raises(ValueError, match=message):
        task.use_data(fitted[1])


def test_clips_without_labels_are_not_scored(tmp_path, fitted):
    task, data = ready()
    batch = first_batch(data)
    with pytest.raises(ValueError, match="y: expected clips with labels in the test part"):
        task.test_step(batch._replace(y=torch.full_like(batch.y, -1)), 0)


def test_a_task_needs_data(tmp_path):
    task = RecognitionTask(skeleton_model())
    with pytest.raises(RuntimeError, match=r"the graph is set by setup\(\)"):
        task(ClipBatch(*torch.zeros(4, 1)))
    loader = torch.utils.data.DataLoader([0])
    with pytest.raises(ValueError, match="datamodule: expected a SkeletonData, got None"):
        tiny_trainer(tmp_path).fit(task, loader)


def test_any_model_of_nodes_and_edges_can_be_trained(tmp_path):
    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.head = torch.nn.Linear(3, 8)

        def forward(self, x, edge_index):
            return self.head(x.mean((0, 2)))

    trainer = tiny_trainer(tmp_path)
    trainer.fit(RecognitionTask(Mean()), datamodule=skeleton_data())
    assert 0 <= trainer.callback_metrics["val/accuracy"] <= 1


def test_each_network_has_a_loss_of_its_own(tmp_path):
    networks = [skeleton_model(seed=seed, in_channels=3) for seed in (1, 2)]
    model = LateFusion(networks, [[0, 1, 2], [3, 4, 5]])
    data = skeleton_data(
        transform=[ResampleTime(16), Streams(["joint", "bone"], "kinect-20")],
        eval_transform=[ResampleTime(16), Streams(["joint", "bone"], "kinect-20")],
    )
    task = RecognitionTask(model, learning_rate=0.02, stream_losses=True, label_smoothing=0.1)
    trainer = tiny_trainer(tmp_path)
    trainer.fit(task, datamodule=data)
    task.eval()
    batch = first_batch(data)
    edge_index, kwargs = task._arguments_of(batch)
    each = [
        network(batch.x[..., part], edge_index, **kwargs)
        for network, part in zip(networks, (slice(0, 3), slice(3, 6)), strict=True)
    ]
    expected = sum(F.cross_entropy(logits, batch.y, label_smoothing=0.1) for logits in each)
    torch.testing.assert_close(task._loss(task._logits(batch), batch.y), expected)
    mean = (each[0].softmax(-1) + each[1].softmax(-1)) / 2
    torch.testing.assert_close(task.predict_step(batch, 0), mean)
    with pytest.raises(ValueError, match="stream_losses needs a model with scores, got Skeleton"):
        RecognitionTask(skeleton_model(), stream_losses=True)
