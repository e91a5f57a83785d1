from __future__ import annotations

import csv

import pytest
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import CSVLogger

from tests.train.tiny import (
    HISTORY,
    HORIZON,
    tiny_data,
    tiny_model,
    tiny_trainer,
    trained,
    write_los_loop,
)
from tgst.loader import WindowBatch
from tgst.metrics import masked_huber, masked_mae, masked_mse
from tgst.train import ForecastData, ForecastTask
from tgst.train.fill import fill_forward
from tgst.train.options import LOSSES


@pytest.fixture
def fitted(tmp_path, root):
    return trained(tmp_path, root)


class Recorder(torch.nn.Module):
    r"""Keeps its inputs; predicts a constant."""

    def __init__(self, horizon=HORIZON):
        super().__init__()
        self.level = torch.nn.Parameter(torch.tensor(0.5))
        self.horizon = horizon

    def forward(self, x, edge_index, edge_weight=None):
        self.inputs = x, edge_index, edge_weight
        return self.level.expand(*x.shape[:2], self.horizon, 1)


def recorded(tmp_path, root, **kwargs):
    task, data = ForecastTask(Recorder(), **kwargs), tiny_data(root)
    tiny_trainer(tmp_path, max_epochs=0).fit(task, datamodule=data)
    return task.eval(), data


def test_input_is_standardised_masked_and_gets_the_past_covariates(tmp_path, root):
    task, data = recorded(tmp_path, root)
    batch = next(iter(data.test_dataloader()))
    mask = torch.rand(batch.mask.shape) > 0.3
    out = task(batch._replace(mask=mask))
    x, edge_index, edge_weight = task.model.inputs
    mean, std = data.scaler.mean, data.scaler.std
    torch.testing.assert_close(x[..., :1], (batch.x - mean) / std * mask.unsqueeze(-1))
    for node in range(x.size(0)):
        torch.testing.assert_close(x[node, ..., 1:], batch.covariates[0, :, :HISTORY])
    assert torch.equal(edge_index, data.graph.edge_index)
    assert torch.equal(edge_weight, data.graph.edge_weight)
    torch.testing.assert_close(out, (0.5 * std + mean).expand_as(batch.y))


def test_the_model_is_given_what_is_known_of_the_horizon(tmp_path, root):
    task, data = recorded(tmp_path, root, future_covariates=True)
    batch = next(iter(data.test_dataloader()))
    task(batch)
    x = task.model.inputs[0]
    assert x.size(-1) == 1 + 2 + 2 * HORIZON
    for step in range(HISTORY):
        torch.testing.assert_close(x[1, :, step, 1:3], batch.covariates[0, :, step])
        known = batch.covariates[0, :, HISTORY:].flatten(1)
        torch.testing.assert_close(x[1, :, step, 3:], known)


def test_future_covariates_count_as_channels_and_need_a_direct_forecast(tmp_path, root):
    model = tiny_model(in_channels=3)
    with pytest.raises(ValueError, match=r"the data give 11 .* 10 of data.time_of_day"):
        tiny_trainer(tmp_path).fit(
            ForecastTask(model, future_covariates=True), datamodule=tiny_data(root)
        )
    with pytest.raises(ValueError, match="future_covariates: expected False with rollout_steps"):
        ForecastTask(tiny_model(horizon=1), rollout_steps=HORIZON, future_covariates=True)


def test_fill_forward_takes_the_last_observed_reading():
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]).view(2, 1, 4, 1)
    x = torch.cat([x, 10 * x], dim=-1)
    mask = torch.tensor([[True, False, False, True], [False, True, False, False]]).unsqueeze(1)
    filled = fill_forward(x, mask)
    assert filled[..., 0].tolist() == [[[1.0, 1.0, 1.0, 4.0]], [[0.0, 6.0, 6.0, 6.0]]]
    assert torch.equal(filled[..., 1], 10 * filled[..., 0])


def test_the_task_fills_forward(tmp_path, root):
    task, data = recorded(tmp_path, root, fill="last")
    batch = next(iter(data.test_dataloader()))
    mask = torch.rand(batch.mask.shape) > 0.3
    task(batch._replace(mask=mask))
    expected = fill_forward(data.scaler.transform(batch.x), mask)
    torch.testing.assert_close(task.model.inputs[0][..., :1], expected)


@pytest.mark.parametrize("fill", ["mean", "last"])
def test_unobserved_readings_do_not_matter(tmp_path, root, fill):
    task, data, _ = trained(tmp_path, root, fill=fill)
    batch = next(iter(data.test_dataloader()))
    mask = torch.rand(batch.mask.shape) > 0.3
    noise = torch.where(mask.unsqueeze(-1), 0.0, 100.0)
    one = task.eval()(batch._replace(mask=mask))
    torch.testing.assert_close(task(batch._replace(x=batch.x + noise, mask=mask)), one)
    assert not torch.allclose(task(batch._replace(x=batch.x + noise)), one)


@pytest.mark.parametrize(
    ("name", "function"), [("mae", masked_mae), ("mse", masked_mse), ("huber", masked_huber)]
)
def test_loss_is_in_the_unit_of_the_readings_over_observed_targets(tmp_path, root, name, function):
    task, data = recorded(tmp_path, root, loss=name)
    batch = next(iter(data.test_dataloader()))
    batch = batch._replace(y_mask=torch.rand(batch.y_mask.shape) > 0.5)
    task.log = lambda *args, **kwargs: None
    loss = task.training_step(batch, 0)
    torch.testing.assert_close(loss, function(task(batch), batch.y, batch.y_mask))
    assert function is LOSSES[name]


def test_validation_score_is_the_error_over_the_whole_part(tmp_path, root):
    task, data = recorded(tmp_path, root)
    trainer = tiny_trainer(tmp_path)
    (scores,) = trainer.validate(task, datamodule=data, verbose=False)
    errors = [
        (data.scaler.inverse_transform(torch.tensor([0.5])) - batch.y).flatten()
        for batch in data.val_dataloader()
    ]
    error = torch.cat(errors)
    assert scores["val/mae"] == pytest.approx(error.abs().mean().item(), rel=1e-5)
    assert scores["val/rmse"] == pytest.approx(error.square().mean().sqrt().item(), rel=1e-5)


@pytest.mark.parametrize("part", ["val", "test"])
def test_scores_leave_out_unobserved_targets(tmp_path, root, part):
    task, data = recorded(tmp_path, root)
    values = data.series.values
    data.series.mask = torch.rand(values.shape[:2], generator=torch.manual_seed(0)) > 0.5
    values[~data.series.mask] = 1000.0
    trainer = tiny_trainer(tmp_path)
    run = trainer.validate if part == "val" else trainer.test
    (scores,) = run(task, datamodule=data, verbose=False)
    forecast = data.scaler.inverse_transform(torch.tensor([0.5]))
    errors = [(forecast - b.y)[..., 0][b.y_mask] for b in data.loader(part)]
    error = torch.cat(errors)
    assert error.abs().max() < 100
    assert scores[f"{part}/mae"] == pytest.approx(error.abs().mean().item(), rel=1e-5)
    assert scores[f"{part}/rmse"] == pytest.approx(error.square().mean().sqrt().item(), rel=1e-5)


def test_test_scores_are_kept_and_logged_by_horizon_step(tmp_path, root):
    task, data = recorded(tmp_path, root, report_steps=[1, 4])
    (logged,) = tiny_trainer(tmp_path).test(task, datamodule=data, verbose=False)
    forecast = data.scaler.inverse_transform(torch.tensor([0.5]))
    error = torch.cat([(forecast - batch.y).transpose(0, 1) for batch in data.test_dataloader()])
    expected = error.abs().mean(dim=(0, 1, 3)).double()
    torch.testing.assert_close(task.scores["mae"], expected, rtol=1e-5, atol=0)
    assert set(task.scores) == {"mae", "rmse", "mape"}
    assert logged["test/mae_step_1"] == pytest.approx(expected[0].item(), rel=1e-5)
    assert logged["test/mae_step_4"] == pytest.approx(expected[3].item(), rel=1e-5)
    assert "test/mae_step_2" not in logged


def test_epoch_loss_weighs_batches_by_windows_not_nodes(tmp_path, root):
    task = ForecastTask(Recorder(), learning_rate=0.0)
    data = tiny_data(root)
    logger = CSVLogger(tmp_path, name="log", version=0)
    tiny_trainer(tmp_path, logger=logger, log_every_n_steps=1).fit(task, datamodule=data)
    with open(tmp_path / "log" / "version_0" / "metrics.csv") as file:
        logged = [row["train/loss_epoch"] for row in csv.DictReader(file)]
    (epoch_loss,) = [float(value) for value in logged if value]
    forecast = data.scaler.inverse_transform(torch.tensor([0.5]))
    batches = list(data.train_dataloader())
    assert len({batch.x.size(1) for batch in batches}) == 2  # the last batch is smaller
    error = torch.cat([(forecast - batch.y).abs().flatten() for batch in batches])
    assert epoch_loss == pytest.approx(error.mean().item(), rel=1e-5)


def test_recursive_forecasts_train_on_one_step_and_are_scored_on_all(tmp_path, root):
    model = tiny_model(horizon=1)
    task, data = ForecastTask(model, rollout_steps=HORIZON), tiny_data(root)
    tiny_trainer(tmp_path, limit_train_batches=1).fit(task, datamodule=data)
    batch = next(iter(data.test_dataloader()))
    x = torch.cat(
        [
            data.scaler.transform(batch.x),
            batch.covariates[:, :, :HISTORY].expand(batch.x.size(0), -1, -1, -1),
        ],
        dim=-1,
    )
    edges = data.graph.edge_index, None, data.graph.edge_weight
    task.eval()
    with torch.no_grad():
        rolled = model.rollout(
            x, *edges, steps=HORIZON, covariates=batch.covariates[:, :, HISTORY:]
        )
        torch.testing.assert_close(task(batch), data.scaler.inverse_transform(rolled))
        task.train()
        task.log = lambda *args, **kwargs: None
        loss = task.training_step(batch, 0)
        one = data.scaler.inverse_transform(model(x, *edges))
    torch.testing.assert_close(loss, (one - batch.y[:, :, :1]).abs().mean())


class KeepWeights(Callback):
    def __init__(self):
        self.levels = []

    def on_train_batch_end(self, trainer, pl_module, *args):
        self.levels.append(pl_module.model.level.item())


def test_averaged_weights_follow_the_formula_and_are_used_in_evaluation(tmp_path, root):
    task, data = ForecastTask(Recorder(), average=0.9, learning_rate=0.1), tiny_data(root)
    keep = KeepWeights()
    tiny_trainer(tmp_path, callbacks=[keep], enable_checkpointing=False).fit(task, datamodule=data)
    average = keep.levels[0]
    for level in keep.levels[1:]:
        average = 0.9 * average + 0.1 * level
    assert len(keep.levels) > 3
    assert task.averaged.module.level.item() == pytest.approx(average, rel=1e-5)
    batch = next(iter(data.test_dataloader()))
    forecast = data.scaler.inverse_transform(torch.tensor([average])).item()
    assert task.eval()(batch)[0, 0, 0, 0].item() == pytest.approx(forecast, rel=1e-5)
    latest = data.scaler.inverse_transform(torch.tensor([keep.levels[-1]])).item()
    assert task.train()(batch)[0, 0, 0, 0].item() == pytest.approx(latest, rel=1e-5)
    assert latest != pytest.approx(forecast, rel=1e-4)


def test_averaged_weights_are_not_trained(tmp_path, root):
    task = ForecastTask(tiny_model(), average=0.9)
    tiny_trainer(tmp_path, max_epochs=0).fit(task, datamodule=tiny_data(root))
    trained_parameters = {id(p) for g in task.optimizers().param_groups for p in g["params"]}
    assert trained_parameters == {id(p) for p in task.model.parameters()}
    assert not any(p.requires_grad for p in task.averaged.parameters())


@pytest.mark.parametrize(
    ("kwargs", "rates"),
    [
        ({}, [0.1, 0.1, 0.1]),
        (
            {"scheduler": "step", "scheduler_args": {"step_size": 1, "gamma": 0.5}},
            [0.1, 0.05, 0.025],
        ),
        ({"scheduler": "cosine"}, [0.1, 0.075, 0.025]),
    ],
)
def test_scheduler_steps_once_per_epoch(tmp_path, root, kwargs, rates):
    class KeepRate(Callback):
        seen: list[float] = []

        def on_train_epoch_start(self, trainer, pl_module):
            self.seen.append(trainer.optimizers[0].param_groups[0]["lr"])

    KeepRate.seen = []
    task = ForecastTask(Recorder(), learning_rate=0.1, **kwargs)
    tiny_trainer(tmp_path, max_epochs=3, callbacks=[KeepRate()], limit_train_batches=2).fit(
        task, datamodule=tiny_data(root)
    )
    assert KeepRate.seen == pytest.approx(rates)


def test_optimizer_and_weight_decay(tmp_path, root):
    task = ForecastTask(tiny_model(), optimizer="adamw", weight_decay=0.3)
    tiny_trainer(tmp_path, max_epochs=0).fit(task, datamodule=tiny_data(root))
    assert isinstance(task.optimizers().optimizer, torch.optim.AdamW)
    assert task.optimizers().param_groups[0]["weight_decay"] == 0.3


def test_the_same_seed_gives_the_same_weights(tmp_path, root):
    one, _, _ = trained(tmp_path / "one", root)
    two, _, _ = trained(tmp_path / "two", root)
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name]), name


def test_graph_and_scaler_are_in_the_checkpoint_with_plain_settings(fitted):
    _, data, path = fitted
    saved = torch.load(path, weights_only=True)
    assert torch.equal(saved["state_dict"]["graph.edge_index"], data.graph.edge_index)
    assert torch.equal(saved["state_dict"]["scaler.mean"], data.scaler.mean)
    assert saved["hyper_parameters"]["learning_rate"] == 1e-3
    assert "model" not in saved["hyper_parameters"]


def test_a_checkpoint_alone_gives_the_same_forecasts(fitted):
    task, data, path = fitted
    alone = ForecastTask.load_from_checkpoint(path, model=tiny_model(seed=5))
    batch = next(iter(data.test_dataloader()))
    assert torch.equal(alone.eval()(batch), task.eval()(batch))


class Other(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(HISTORY * 3, HORIZON)

    def forward(self, x, edge_index):
        return self.linear(x.flatten(-2)).unsqueeze(-1)


@pytest.mark.parametrize(
    ("model", "kwargs", "message"),
    [
        (
            lambda: tiny_model(channels=[[6, 2, 6]]),
            {},
            r"trained\.ckpt does not fit the model: .*weight is .* in the checkpoint and .* here",
        ),
        (
            lambda: tiny_model(channels=[[4, 2, 4], [4, 2, 4]]),
            {},
            r"does not fit the model: .*the checkpoint lacks blocks\.1\..* and \d+ more",
        ),
        (
            Other,
            {},
            r"trained\.ckpt does not fit the model: its model is .*TrafficSTGCN, not .*Other$",
        ),
        (tiny_model, {"average": 0.9}, "has no averaged weights, but average is set here"),
    ],
)
@pytest.mark.parametrize("stage", ["fit", "test"])
def test_a_checkpoint_of_another_model_is_refused(fitted, tmp_path, model, kwargs, message, stage):
    _, data, path = fitted
    task = ForecastTask(model(), **kwargs)
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    trainer = tiny_trainer(tmp_path, max_epochs=2)
    with pytest.raises(ValueError, match=message):
        getattr(trainer, stage)(task, datamodule=data, ckpt_path=path)
    assert all(torch.equal(before[n], value) for n, value in task.model.state_dict().items())


@pytest.mark.parametrize(
    ("model", "kwargs", "message"),
    [
        ({"residual": True}, {}, "residual is False in the checkpoint and True here"),
        ({"gate": "gtu"}, {}, r"gates? is .*'glu'.* in the checkpoint and .*'gtu'.* here"),
        ({}, {"fill": "last"}, "fill is 'mean' in the checkpoint and 'last' here"),
    ],
)
@pytest.mark.parametrize("stage", ["fit", "test"])
def test_options_that_leave_the_shapes_are_compared(
    fitted, tmp_path, stage, model, kwargs, message
):
    _, data, path = fitted
    task = ForecastTask(tiny_model(**model), **kwargs)
    trainer = tiny_trainer(tmp_path, max_epochs=2)
    with pytest.raises(ValueError, match=rf"trained\.ckpt does not fit the model: .*{message}"):
        getattr(trainer, stage)(task, datamodule=data, ckpt_path=path)


def test_dropout_may_differ_from_the_checkpoint(fitted, tmp_path):
    task, data, path = fitted
    other = ForecastTask(tiny_model(seed=5, dropout=0.3))
    tiny_trainer(tmp_path).test(other, datamodule=data, ckpt_path=path, verbose=False)
    for name, value in task.model.state_dict().items():
        assert torch.equal(other.model.state_dict()[name], value)


def simulated(**kwargs):
    kwargs = {"history": HISTORY, "horizon": HORIZON, "batch_size": 16} | kwargs
    return ForecastData(dataset_args={"days": 1}, **kwargs)


def test_a_checkpoint_of_other_targets_is_refused(tmp_path):
    task = ForecastTask(tiny_model(in_channels=2))
    trainer = tiny_trainer(tmp_path, limit_train_batches=1, limit_val_batches=1)
    trainer.fit(task, datamodule=simulated(target_channels=["speed"]))
    trainer.save_checkpoint(tmp_path / "speed.ckpt")
    message = r"speed\.ckpt does not fit .*: targets is \['speed'\] in .* and \['flow'\] here"
    with pytest.raises(ValueError, match=message):
        tiny_trainer(tmp_path).test(
            ForecastTask(tiny_model(in_channels=2)),
            datamodule=simulated(target_channels=["flow"]),
            ckpt_path=tmp_path / "speed.ckpt",
        )


@pytest.mark.parametrize(
    ("model", "kwargs", "data", "message"),
    [
        ({"in_channels": 4}, {}, {}, r"in_channels: the data give 2 channels \(speed, flow; 0 of "),
        ({}, {}, {"time_of_day": True}, "give 4 channels .* 2 of data.time_of_day.*model has 2"),
        ({}, {}, {}, "out_channels: data.target_channels gives 2 .*the model has 1"),
        (
            {"residual": True},
            {},
            {"target_channels": ["flow"]},
            r"data.target_channels: .*residual .* \['speed'\], got \['flow'\]; .*residual to false",
        ),
        (
            {"skip": True},
            {},
            {"target_channels": ["flow"]},
            r"data.target_channels: .*skip looks .* \['speed'\], got \['flow'\]; .*skip to false",
        ),
        (
            {"horizon": 1},
            {"rollout_steps": HORIZON},
            {"target_channels": ["speed"]},
            r"data.target_channels: rollout_steps .* \['speed', 'flow'\] .* got \['speed'\]",
        ),
    ],
)
def test_refuses_channels_that_do_not_fit(tmp_path, model, kwargs, data, message):
    task = ForecastTask(tiny_model(**({"in_channels": 2} | model)), **kwargs)
    with pytest.raises(ValueError, match=message):
        tiny_trainer(tmp_path).fit(task, datamodule=simulated(**data))


@pytest.mark.parametrize(
    ("kwargs", "epochs", "message"),
    [
        (
            {"scheduler": "step", "scheduler_args": {"gama": 0.5}},
            1,
            "model.scheduler_args do not fit the scheduler 'step' .*'gama'",
        ),
        ({"scheduler": "step"}, 1, "model.scheduler_args do not fit .*'step_size'"),
        ({"scheduler": "cosine"}, -1, "must give T_max .* trainer.max_epochs -1"),
    ],
)
def test_refuses_bad_arguments_of_the_scheduler(tmp_path, root, kwargs, epochs, message):
    task = ForecastTask(Recorder(), **kwargs)
    with pytest.raises(ValueError, match=message):
        tiny_trainer(tmp_path, max_epochs=epochs).fit(task, datamodule=tiny_data(root))


def test_a_checkpoint_with_averaged_weights_is_refused_without(tmp_path, root):
    _, data, path = trained(tmp_path, root, average=0.9)
    with pytest.raises(ValueError, match="has averaged weights, but average is None here"):
        tiny_trainer(tmp_path).test(ForecastTask(tiny_model()), datamodule=data, ckpt_path=path)


def test_a_checkpoint_of_another_graph_is_refused_unless_allowed(fitted, tmp_path):
    task, _, path = fitted
    other = tiny_data(write_los_loop(tmp_path / "other", num_nodes=6, seed=1))
    with pytest.raises(
        ValueError, match=r"another graph: the checkpoint's graph has 4 nodes, the data's graph 6"
    ):
        tiny_trainer(tmp_path).test(ForecastTask(tiny_model()), datamodule=other, ckpt_path=path)

    moved = ForecastTask(tiny_model(seed=5), other_graph=True)
    tiny_trainer(tmp_path).test(moved, datamodule=other, ckpt_path=path, verbose=False)
    assert torch.equal(moved.graph.edge_index, other.graph.edge_index)
    assert torch.equal(moved.scaler.mean, other.scaler.mean)
    for name, value in task.model.state_dict().items():
        assert torch.equal(moved.model.state_dict()[name], value)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"loss": "mape"}, "loss must be one of mae, mse, huber, got 'mape'"),
        ({"optimizer": "sgd"}, "optimizer must be one of adam, adamw, got 'sgd'"),
        ({"scheduler": "plateau"}, "scheduler must be one of step, .*, got 'plateau'"),
        ({"fill": "zero"}, "fill must be one of mean, last, got 'zero'"),
        ({"average": 1.0}, "average must be between 0 and 1, got 1.0"),
        ({"report_steps": []}, r"report_steps must hold at least one step or be None, got \[\]"),
        ({"rollout_steps": 12}, "rollout_steps needs a model with rollout, got Recorder"),
    ],
)
def test_refuses_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ForecastTask(Recorder(), **kwargs)


@pytest.mark.parametrize(
    ("model", "kwargs", "message"),
    [
        ({"horizon": 3}, {}, "horizon: the data give 4 steps, the model has 3"),
        (
            {"norm": "node", "num_nodes": 5},
            {},
            "num_nodes: the data give 4 nodes, the model has 5; set model.model",
        ),
        ({"history": 13}, {}, "history: the data give 12 steps, the model has 13"),
        ({}, {"rollout_steps": 4}, "horizon: the data give 1 steps, the model has 4"),
        ({"horizon": 1}, {"rollout_steps": 9}, "rollout_steps must be the data's horizon 4, got 9"),
        ({}, {"report_steps": [5]}, r"report_steps must be of 1 to 4, got \[5\]"),
    ],
)
def test_refuses_what_does_not_fit_the_data(tmp_path, root, model, kwargs, message):
    task = ForecastTask(tiny_model(**model), **kwargs)
    with pytest.raises(ValueError, match=message):
        tiny_trainer(tmp_path).fit(task, datamodule=tiny_data(root))


def test_needs_its_data_module(tmp_path, root):
    data = tiny_data(root)
    data.setup()
    task = ForecastTask(tiny_model())
    with pytest.raises(ValueError, match="datamodule: expected a ForecastData, got None"):
        tiny_trainer(tmp_path).fit(task, data.train_dataloader())
    with pytest.raises(RuntimeError, match="graph and scaler are set by setup"):
        ForecastTask(tiny_model())(WindowBatch(*[torch.zeros(1)] * 6))
