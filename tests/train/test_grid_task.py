from __future__ import annotations

import pytest
import torch
from lightning.pytorch import seed_everything

from tests.train.tiny import tiny_trainer
from tests.train.tiny_grid import HEIGHT, WIDTH, tiny_data, tiny_model, trained, write_taxi_nyc
from tgst.nn.models import ResidualGridNet
from tgst.train import GridTask

CHANGE = {
    "reference": "week",
    "changes": True,
    "scaling": {"method": "standard", "per": "cell", "power": 0.5},
    "change_scaling": {"per": "cell"},
}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_taxi_nyc(tmp_path_factory.mktemp("grid"))


class Recorder(torch.nn.Module):
    """Keeps what it is given and says a constant."""

    def __init__(self, value=0.0, steps=1):
        super().__init__()
        self.value = torch.nn.Parameter(torch.tensor(value))
        self.steps = steps

    def forward(self, closeness, period, trend, external):
        self.given = closeness, period, trend, external
        first = next(x for x in self.given if x is not None)
        return self.value.expand(first.size(0), 2 * self.steps, HEIGHT, WIDTH)


class Joined(Recorder):
    def forward(self, x):
        self.given = x
        return self.value.expand(x.size(0), 2 * self.steps, HEIGHT, WIDTH)


class Bfloat16(Recorder):
    """As a network says it under autocast."""

    def forward(self, closeness, period, trend, external):
        return super().forward(closeness, period, trend, external).bfloat16()


def ready(root, model, data=None, **kwargs):
    task, frames = GridTask(model, **kwargs), tiny_data(root, **(data or {}))
    task.use_data(frames)
    return task, frames, next(iter(frames.test_dataloader()))


def test_a_network_that_says_nothing_forecasts_the_reference(root):
    for reference, row in (("last", -1), ("week", -168)):
        task, data, batch = ready(root, Recorder(), CHANGE | {"reference": reference})
        frames = data.frames[batch.row + row]
        torch.testing.assert_close(task(batch)[:, 0], frames, rtol=1e-4, atol=1e-3)


def test_what_it_says_is_brought_back_to_counts(root):
    task, data, batch = ready(root, Recorder(0.5), {"scaling": {"method": "min_max"}})
    highest = data.frames[: data.train_stop].max()
    assert data.frames[: data.train_stop].min() == 0
    expected = torch.full_like(batch.y, 0.75) * highest
    torch.testing.assert_close(task(batch), expected)


def test_forecasts_are_not_negative_outside_of_training(root):
    task, _, batch = ready(root, Recorder(-3.0), {"scaling": {"method": "min_max"}})
    assert task.eval()(batch).max() == 0
    assert task.train()(batch).max() < 0
    task, _, batch = ready(
        root, Recorder(-3.0), {"scaling": {"method": "min_max"}}, non_negative=False
    )
    assert task.eval()(batch).max() < 0


def test_counts_keep_their_digits_under_autocast(root):
    value = 77 / 256  # which bfloat16 has
    task, _, batch = ready(root, Bfloat16(value), {"scaling": {"method": "min_max"}})
    exact, _, _ = ready(root, Recorder(value), {"scaling": {"method": "min_max"}})
    assert torch.equal(task(batch), exact(batch))


def test_optimizer_and_weight_decay(root, tmp_path):
    task = GridTask(tiny_model(), optimizer="adamw", weight_decay=0.3, learning_rate=0.01)
    trainer = tiny_trainer(tmp_path, max_steps=1, limit_val_batches=0)
    trainer.fit(task, datamodule=tiny_data(root))
    assert isinstance(task.optimizers().optimizer, torch.optim.AdamW)
    (group,) = task.optimizers().param_groups
    assert (group["weight_decay"], group["lr"]) == (0.3, 0.01)


def test_the_test_logs_the_steps_of_the_report(root, tmp_path):
    task, data, _ = ready(
        root, Recorder(3.0, steps=3), {"horizon": 3}, report_steps=[1, 3], on_collapse="ignore"
    )
    trainer = tiny_trainer(tmp_path)
    trainer.test(task, datamodule=data, verbose=False)
    logged = trainer.callback_metrics
    target = data.frames[torch.from_numpy(data.parts["test"].target)]
    forecast = 3.0 * data.scaler.scale + data.scaler.shift
    for step in (1, 3):
        expected = (target[:, step - 1] - forecast).square().mean().sqrt()
        torch.testing.assert_close(logged[f"test/rmse_step_{step}"], expected)
    assert "test/rmse_new_flow_step_3" in logged
    assert "test/rmse_step_2" not in logged


def test_the_branches_get_their_frames_and_the_external_features(root):
    task, data, batch = ready(root, Recorder(steps=2), {"horizon": 2, "trend": 0, "closeness": 2})
    task(batch)
    closeness, period, trend, external = task.model.given
    scaled = data.scaler.transform(batch.closeness[:, :, 0])
    assert torch.equal(closeness, scaled.flatten(1, 2))
    assert period.shape == (32, 2 * 2, HEIGHT, WIDTH)
    assert trend is None
    assert torch.equal(external, batch.external.flatten(1))
    task, _, batch = ready(root, Recorder(), {"external": False})
    task(batch)
    assert task.model.given[3] is None


def test_join_gives_everything_to_one_branch(root):
    task, _, batch = ready(root, Recorder(), {"trend_width": 1}, join=True, planes=["position"])
    task(batch)
    closeness, period, trend, external = task.model.given
    assert closeness.shape == (32, (3 + 1 + 3) * 4, HEIGHT, WIDTH)
    assert torch.equal(closeness, torch.cat(task.scaling.inputs(batch), 1))
    assert period is trend is None
    assert external is not None


def test_a_model_of_one_input_gets_external_planes_as_well(root):
    task, _, batch = ready(root, Joined(steps=2), {"horizon": 2})
    task(batch)
    x = task.model.given
    assert x.shape == (32, (3 + 2 + 2) * 2 + 2 * 9, HEIGHT, WIDTH)
    assert torch.equal(x[:, :14], torch.cat(task.scaling.inputs(batch), 1))
    planes = batch.external.flatten(1)[..., None, None].expand(-1, -1, HEIGHT, WIDTH)
    assert torch.equal(x[:, 14:], planes)


def loss_of(task, batch):
    task.trainer = tiny_trainer("unused")
    task.log = lambda *args, **kwargs: None
    return task.training_step(batch, 0)


def test_the_loss_is_that_of_what_the_network_says(root):
    task, data, batch = ready(root, Recorder(0.25), CHANGE)
    target = data.scaler.transform(batch.y) - data.scaler.transform(batch.reference)
    target = target / data.change_scaler.scale
    expected = (target - 0.25).square().mean()
    torch.testing.assert_close(loss_of(task, batch), expected)
    task, _, batch = ready(root, Recorder(0.25), CHANGE, loss="mae")
    torch.testing.assert_close(loss_of(task, batch), (target - 0.25).abs().mean())


def test_the_loss_in_counts_is_in_units_of_the_training_flows(root):
    options = {"loss": "huber", "loss_unit": "counts", "huber_threshold": 0.1}
    task, data, batch = ready(root, Recorder(), CHANGE, **options)
    deviation = data.frames[: data.train_stop].std()
    error = (batch.reference - batch.y) / deviation
    expected = torch.nn.functional.huber_loss(error, torch.zeros_like(error), delta=0.1)
    torch.testing.assert_close(loss_of(task, batch), expected, rtol=1e-3, atol=1e-6)


def test_training_beats_the_last_value(root, tmp_path):
    seed_everything(0)
    task, data = GridTask(tiny_model(), learning_rate=3e-3, average=0.9), tiny_data(root)
    trainer = tiny_trainer(tmp_path, max_epochs=3)
    trainer.fit(task, datamodule=data)
    rows = data.parts["val"].target[:, 0]
    last = (data.frames[rows] - data.frames[rows - 1]).square().mean().sqrt()
    metrics = trainer.callback_metrics
    assert metrics["val/rmse"] < 0.8 * last
    assert {"val/mae", "val/rmse_new_flow", "val/rmse_end_flow"} <= metrics.keys()
    assert {"train/loss", "train/loss_epoch"} <= metrics.keys()


def test_evaluation_takes_the_averaged_weights(root):
    task, _, batch = ready(root, tiny_model(), average=0.9)
    with torch.no_grad():
        for parameter in task.model.parameters():
            parameter.zero_()
    task.eval()
    averaged = task(batch)
    task.averaged.module.load_state_dict(task.model.state_dict())
    assert not torch.equal(averaged, task(batch))


def test_the_simple_stack_is_trained_on_all_frames_at_once(root, tmp_path):
    seed_everything(0)
    model = ResidualGridNet((3 + 1 + 1) * 2 + 9, 2, 1, 4)
    task, data = GridTask(model, learning_rate=3e-3), tiny_data(root)
    trainer = tiny_trainer(tmp_path, max_epochs=2)
    trainer.fit(task, datamodule=data)
    rows = data.parts["val"].target[:, 0]
    last = (data.frames[rows] - data.frames[rows - 1]).square().mean().sqrt()
    assert trainer.callback_metrics["val/rmse"] < last


def test_a_checkpoint_gives_the_task_without_its_data(root, tmp_path):
    task, data, path = trained(tmp_path, root, average=0.9, planes=None)
    again = GridTask.load_from_checkpoint(path, model=tiny_model(1), weights_only=True)
    batch = next(iter(data.test_dataloader()))
    assert torch.equal(again.eval()(batch), task.eval()(batch))
    assert again.grid == task.grid


def test_a_new_fit_starts_from_weights_and_scalers_of_another(root, tmp_path):
    task, data, path = trained(tmp_path, root)
    wide = tiny_data(root, train_on_all=True)
    assert not torch.equal(wide.scaler.scale, data.scaler.scale)
    second = GridTask(tiny_model(1), start_from=str(path), learning_rate=1e-12)
    trainer = tiny_trainer(tmp_path)
    trainer.fit(second, datamodule=wide)
    for name, value in task.model.state_dict().items():
        torch.testing.assert_close(second.model.state_dict()[name], value)
    assert torch.equal(second.scaling.frames.scale.cpu(), data.scaler.scale)
    assert trainer.global_step == len(wide.train_dataloader())


def test_the_scaling_is_missing_before_setup(root):
    batch = next(iter(tiny_data(root).test_dataloader()))
    with pytest.raises(RuntimeError, match="the scaling is set by setup"):
        GridTask(tiny_model())(batch)
    with pytest.raises(ValueError, match="datamodule: expected a GridData, got None"):
        tiny_trainer("unused").test(GridTask(tiny_model()), [batch], verbose=False)
