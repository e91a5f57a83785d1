from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch import seed_everything

from tests.train.tiny import tiny_trainer
from tests.train.tiny_images import (
    classified,
    image_data,
    image_model,
    ready,
    with_transformer,
    write_images,
)
from tgst.train import AtomicCheckpointIO, ImageTask


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, root):
    return classified(tmp_path_factory.mktemp("run"), root)


def first_batch(data):
    return next(iter(data.train_dataloader()))


def test_smoothed_labels_by_hand(root):
    task, data = ready(root, label_smoothing=0.2)
    task.eval()
    batch = first_batch(data)
    target = torch.full((8, 10), 0.2 / 10)
    target[torch.arange(8), batch.y] += 0.8
    expected = -(target * task(batch).log_softmax(-1)).sum(1).mean()
    torch.testing.assert_close(task._loss(task._logits(batch), batch.y), expected)


def test_mixed_images_and_labels_by_hand(root, monkeypatch):
    task, data = ready(root, mixup=0.5)
    task.eval()  # no dropout, no batch statistics
    batch = first_batch(data)
    order = torch.tensor([3, 2, 1, 0, 7, 6, 5, 4])
    monkeypatch.setattr("torch.randperm", lambda number: order)
    monkeypatch.setattr("torch.distributions.Beta.sample", lambda self: torch.tensor(0.25))
    logits = task.model(0.25 * batch.x + 0.75 * batch.x[order])
    expected = 0.25 * F.cross_entropy(logits, batch.y)
    expected += 0.75 * F.cross_entropy(logits, batch.y[order])
    torch.testing.assert_close(task._mixed_loss(batch), expected)


def test_the_identity_penalty_joins_the_loss(root, monkeypatch):
    model = with_transformer()
    with torch.no_grad():
        model.transformer.localization.out.bias += torch.tensor([0.3, -0.2, 0.1])
    logged = {}
    for weight in (0.0, 2.0):
        task, data = ready(root, model, identity_penalty=weight)
        monkeypatch.setattr(task, "log", lambda name, value, **_: logged.update({name: value}))
        task.eval()
        batch = first_batch(data)
        loss = task.training_step(batch, 0)
        expected = F.cross_entropy(task(batch), batch.y) + weight * (0.09 + 0.04 + 0.01)
        torch.testing.assert_close(loss, expected)
        assert ("train/identity_penalty" in logged) == (weight > 0)
    assert logged["train/identity_penalty"].item() == pytest.approx(0.14)


def test_the_localisation_net_has_a_step_size_of_its_own(root, tmp_path):
    task, data = ready(root, with_transformer(), localization_scale=0.1, weight_decay=0.05)
    trainer = tiny_trainer(tmp_path)
    trainer.fit(task, datamodule=data)
    optimizer = trainer.optimizers[0]
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    local = list(task.model.transformer.localization.parameters())
    assert [rates[id(p)] for p in local] == [pytest.approx(2e-4)] * len(local)
    others = [p for p in task.model.parameters() if not any(p is q for q in local)]
    assert {rates[id(p)] for p in others} == {2e-3}
    assert len(rates) == len(local) + len(others)
    assert {group["weight_decay"] for group in optimizer.param_groups} == {0.05}


def test_it_learns(tmp_path, root):
    seed_everything(0)
    task = ImageTask(image_model(dropout=0.0), learning_rate=0.02, label_smoothing=0.0)
    trainer = tiny_trainer(tmp_path, max_epochs=12)
    trainer.fit(task, datamodule=image_data(root))
    assert trainer.callback_metrics["train/loss"] < 0.5  # chance: 2.3
    assert trainer.callback_metrics["val/accuracy"] == 1


def test_the_averaged_weights_are_evaluated(tmp_path, root):
    task, data, _ = classified(tmp_path, root, average=0.99)
    assert task.averaged.n_averaged == 4  # 32 images
    batch = next(iter(data.val_dataloader()))
    task.eval()
    assert torch.equal(task(batch), task.averaged.module(batch.x))
    assert not torch.allclose(task(batch), task.model(batch.x))
    task.train()
    assert task.used_model is task.model


def test_scores_of_a_trained_task(fitted, tmp_path):
    task, data, path = fitted
    (scores,) = tiny_trainer(tmp_path).test(task, datamodule=data, ckpt_path=path, verbose=False)
    with torch.no_grad():
        (batch,) = data.test_dataloader()
        logits = task.eval()(batch)
    best = logits.topk(2).indices
    assert len(batch.y) == 20
    assert scores["test/accuracy"] == pytest.approx((best[:, 0] == batch.y).float().mean().item())
    within = (best == batch.y.unsqueeze(1)).any(1).float().mean().item()
    assert scores["test/top_2"] == pytest.approx(within)
    assert scores["test/loss"] == pytest.approx(F.cross_entropy(logits, batch.y).item(), rel=1e-4)
    torch.testing.assert_close(task.predict_step(batch, 0), logits.softmax(-1))


def test_a_checkpoint_is_enough_to_use_a_model(fitted):
    task, data, path = fitted
    checkpoint = AtomicCheckpointIO().load_checkpoint(path)
    assert checkpoint["class_names"] == list("0123456789")
    assert (checkpoint["image_size"], checkpoint["num_channels"]) == ([40, 40], 1)
    assert checkpoint["trained_on"] == "32 images (validation_share 0.2, random)"
    loaded = ImageTask.load_from_checkpoint(path, model=image_model(seed=5)).eval()
    assert loaded.class_names == data.class_names
    assert loaded.image_size == [40, 40]
    batch = next(iter(data.val_dataloader()))
    assert torch.equal(loaded(batch), task.eval()(batch))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(model_class="other.Net"), "its model is other.Net, not tgst.nn"),
        (
            lambda c: c.update(class_names=["a"]),
            r"other classes: 1 \(a\) there, 10 \(0, 1, 2, ...\)",
        ),
        (lambda c: c.pop("class_names"), "names no classes: it is not of an image task"),
        (lambda c: c["state_dict"].pop("model.features.1.weight"), "the checkpoint lacks features"),
        (lambda c: c["model_arguments"].update(pool="average"), "pool is 'average' in the"),
    ],
)
def test_another_checkpoint_is_refused(fitted, root, change, message):
    path = fitted[2]
    task, _ = ready(root)
    checkpoint = AtomicCheckpointIO().load_checkpoint(path)
    task.check_checkpoint(checkpoint)
    change(checkpoint)
    with pytest.raises(ValueError, match=message):
        task.check_checkpoint(checkpoint)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("optimizer", "lbfgs", "optimizer must be one of sgd, adam, adamw, got 'lbfgs'"),
        ("localization_scale", -0.1, "localization_scale must be at least 0, got -0.1"),
        ("identity_penalty", -1, "identity_penalty must be at least 0, got -1"),
        ("identity_penalty", 1, "identity_penalty needs a model with a SpatialTransformer, got I"),
        ("average", 1.0, "average must be between 0 and 1, got 1.0"),
        ("label_smoothing", 1.0, r"label_smoothing must be in \[0, 1\), got 1.0"),
        ("mixup", -0.1, "mixup must be at least 0, got -0.1"),
        ("top_k", 0, "top_k must be at least 1, got 0"),
    ],
)
def test_options_out_of_range_are_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        ImageTask(image_model(), **{name: value})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("in_channels", 3, "in_channels: the data give 1 channels, the model has 3; set model.mod"),
        ("num_classes", 5, "num_classes: the data give 10 classes, the model has 5; set model.mod"),
        (
            "image_size",
            48,
            r"the data give images of \[40, 40\] pixels, the model has \[48, 48\]; ",
        ),
    ],
)
def test_a_model_that_does_not_fit_the_data_is_refused(root, name, value, message):
    with pytest.raises(ValueError, match=message):
        ready(root, image_model(**{name: value}))


def test_images_without_labels_are_not_scored(root):
    task, data = ready(root)
    batch = first_batch(data)
    with pytest.raises(ValueError, match="y: expected images with labels in the test part, got no"):
        task.test_step(batch._replace(y=torch.full_like(batch.y, -1)), 0)


def test_a_task_needs_data(tmp_path):
    loader = torch.utils.data.DataLoader([0])
    with pytest.raises(ValueError, match="datamodule: expected an ImageData, got None"):
        tiny_trainer(tmp_path).fit(ImageTask(image_model()), loader)


def test_any_model_of_images_can_be_trained(tmp_path, root):
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1600, 10))
    trainer = tiny_trainer(tmp_path)
    trainer.fit(ImageTask(model), datamodule=image_data(root))
    assert 0 <= trainer.callback_metrics["val/accuracy"] <= 1
