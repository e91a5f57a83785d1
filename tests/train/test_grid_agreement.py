from __future__ import annotations

import warnings

import pytest
import torch

from tests.train.tiny import tiny_trainer
from tests.train.tiny_grid import tiny_data, tiny_model, trained, write_taxi_nyc
from tgst.nn.models import ResidualGridNet
from tgst.train import GridTask


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_taxi_nyc(tmp_path_factory.mktemp("grid"))


@pytest.fixture(scope="module")
def saved(root, tmp_path_factory):
    return trained(tmp_path_factory.mktemp("run"), root, average=0.9)[2]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"loss": "rmse"}, "loss must be one of mae, mse, huber, got 'rmse'"),
        ({"loss_unit": "trips"}, "loss_unit must be one of scaled, counts, got 'trips'"),
        ({"optimizer": "sgd"}, "optimizer must be one of adam, adamw, got 'sgd'"),
        ({"scheduler": "linear"}, "scheduler must be one of step, .*, got 'linear'"),
        ({"on_collapse": "stop"}, "on_collapse must be one of error, warn, ignore, got 'stop'"),
        ({"average": 1.0}, "average must be between 0 and 1, got 1.0"),
        ({"planes": ["day"]}, "planes must be one of position, time_of_day, got 'day'"),
        ({"planes": ["position"] * 2}, "planes must be given once each, got"),
        ({"rmse_factor": 0.0}, "rmse_factor must be above 0, got 0.0"),
        ({"huber_threshold": -1.0}, "huber_threshold must be above 0, got -1.0"),
        ({"report_steps": []}, r"report_steps must hold at least one step or be None, got \[\]"),
    ],
)
def test_refuses_bad_options(kwargs, message):
    with pytest.raises(ValueError, match=message):
        GridTask(torch.nn.Identity(), **kwargs)


@pytest.mark.parametrize(
    ("model", "data", "task", "message"),
    [
        (
            {"height": 5},
            {},
            {},
            "height: the data give 4, the model has 5; set model.model.init_args",
        ),
        ({"width": 8}, {}, {}, "width: the data give 3, the model has 8"),
        ({"closeness": 4}, {}, {}, "closeness: the data give 3, the model has 4"),
        ({}, {"trend_width": 1}, {}, "trend: the data give 3, the model has 1"),
        ({}, {"horizon": 2}, {}, "horizon: the data give 2, the model has 1"),
        ({}, {"changes": True}, {}, "in_channels: the data give 4, the model has 2"),
        ({}, {}, {"planes": ["position", "time_of_day"]}, "in_channels: the data give 6, the mod"),
        ({}, {"hour_of_day": True}, {}, "external_channels: the data give 33, the model has 9"),
        ({}, {"external": False}, {}, "external_channels: the data give 0, the model has 9"),
        ({}, {}, {"join": True}, "closeness: the data give 5, the model has 3"),
        ({}, {}, {"report_steps": [2]}, r"report_steps must be of 1 to 1, got \[2\]"),
    ],
)
def test_a_model_that_does_not_fit_the_data_is_refused(root, model, data, task, message):
    with pytest.raises(ValueError, match=message):
        GridTask(tiny_model(**model), **task).use_data(tiny_data(root, **data))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((10, 2), "in_channels: the data give 19, the model has 10"),
        ((19, 4), "out_channels: the data give 2, the model has 4"),
    ],
)
def test_a_simple_stack_that_does_not_fit_is_refused(root, sizes, message):
    with pytest.raises(ValueError, match=message):
        GridTask(ResidualGridNet(*sizes, 1, 4)).use_data(tiny_data(root))


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (torch.nn.Conv2d(19, 2, 3), "32, 2, 2, 1"),
        (torch.nn.Conv2d(19, 2, (4, 3)), "32, 2, 1, 1"),  # a loss would broadcast it
        (torch.nn.Sequential(torch.nn.Conv2d(19, 3, 1)), "32, 3, 4, 3"),
    ],
)
def test_an_output_of_another_shape_is_refused(root, model, shape):
    data = tiny_data(root)
    task = GridTask(model)
    task.use_data(data)
    message = rf"\[B, horizon \* channels, .* of \[32, 2, 4, 3\], got \[{shape}\]"
    with pytest.raises(ValueError, match=f"model: expected an output {message}"):
        task(next(iter(data.test_dataloader())))


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        ({"closeness": 2}, {"closeness": 2}, "closeness is 3 in the checkpoint and 2 here"),
        ({}, {"reference": "week"}, "reference is 'none' in the checkpoint and 'week' here"),
        (
            {},
            {"scaling": {"method": "min_max"}},
            "scaling is {'method': 'standard'} in the checkpoint and {'method': 'min_max'} here",
        ),
    ],
)
def test_a_checkpoint_of_other_windows_is_refused(root, saved, tmp_path, model, data, message):
    task = GridTask(tiny_model(**model), average=0.9)
    with pytest.raises(ValueError, match=f"trained.ckpt was trained on another grid: .*{message}"):
        tiny_trainer(tmp_path).test(task, datamodule=tiny_data(root, **data), ckpt_path=saved)


def test_a_checkpoint_of_another_grid_shape_is_refused(saved, tmp_path):
    folder = write_taxi_nyc(tmp_path / "wide", size=(2, 5, 6))
    task = GridTask(tiny_model(height=5, width=6), average=0.9)
    message = (
        "was trained on another grid: height is 4 in the checkpoint and 5 here; "
        "width is 3 in the checkpoint and 6 here"
    )
    with pytest.raises(ValueError, match=message):
        tiny_trainer(tmp_path).test(task, datamodule=tiny_data(folder), ckpt_path=saved)


@pytest.mark.parametrize(
    ("model", "kwargs", "message"),
    [
        ({"hidden_channels": 6}, {"average": 0.9}, r"does not fit the model: .* is \(4, 6, 3, 3\)"),
        ({}, {}, "does not fit the model: it has averaged weights, but average is None here"),
        ({"output_activation": "tanh"}, {"average": 0.9}, "output_activation is None in the check"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused(root, saved, tmp_path, model, kwargs, message):
    with pytest.raises(ValueError, match=message):
        tiny_trainer(tmp_path).test(
            GridTask(tiny_model(**model), **kwargs), datamodule=tiny_data(root), ckpt_path=saved
        )


def test_a_checkpoint_of_another_task_is_refused(root, tmp_path):
    path = tmp_path / "other.ckpt"
    torch.save({"state_dict": {}, "pytorch-lightning_version": "2.5"}, path)
    with pytest.raises(ValueError, match=r"other.ckpt describes no grid: it is not of a grid task"):
        tiny_trainer(tmp_path).test(
            GridTask(tiny_model()), datamodule=tiny_data(root), ckpt_path=path
        )
    with pytest.raises(ValueError, match=r"model.start_from .*other.ckpt describes no grid"):
        tiny_trainer(tmp_path).fit(
            GridTask(tiny_model(), start_from=str(path)), datamodule=tiny_data(root)
        )


@pytest.mark.parametrize(
    ("data", "kwargs", "message"),
    [
        (
            {},
            {"learning_rate": 0.5},
            "model.learning_rate is 0.0002 in the checkpoint and 0.5 here",
        ),
        (
            {},
            {"scheduler": "cosine"},
            "model.scheduler is None in the checkpoint and 'cosine' here",
        ),
        (
            {"val_days": 4},
            {},
            "fit to the readings from 2010-01-01T00:00:00 to 2011-02-08T23:00:00, but "
            "data.test_days, data.val_days, data.val_share and the data set give",
        ),
        ({"train_on_all": True}, {}, "fit to the readings from .* give 2010-01-01T00:00:00 to"),
    ],
)
def test_a_fit_is_not_resumed_otherwise(root, saved, tmp_path, data, kwargs, message):
    task = GridTask(tiny_model(), average=0.9, **kwargs)
    with pytest.raises(ValueError, match=message):
        tiny_trainer(tmp_path, max_epochs=2).fit(
            task, datamodule=tiny_data(root, **data), ckpt_path=saved
        )


def test_scores_of_frames_that_were_trained_on_are_told(root, saved, tmp_path):
    """Those of a fit whose test or validation part was another one."""
    trainer = tiny_trainer(tmp_path)

    def score(function, **data):
        task = GridTask(tiny_model(), average=0.9, on_collapse="ignore")
        function(task, datamodule=tiny_data(root, **data), ckpt_path=saved, verbose=False)

    seen = (
        "was trained on frames until 2011-02-08T23:00:00, but the {} part begins at 2011-02-08T00"
    )
    with pytest.warns(UserWarning, match=seen.format("test")):
        score(trainer.test, test_days=13)
    with pytest.warns(UserWarning, match=seen.format("val")):
        score(trainer.validate, val_days=6)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*was trained on")
        score(trainer.test, test_days=12)
        score(trainer.test)
        score(trainer.validate)
