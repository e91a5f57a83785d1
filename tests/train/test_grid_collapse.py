from __future__ import annotations

import math
import warnings

import pytest
import torch
from lightning.pytorch import seed_everything

from tests.train.tiny import tiny_trainer
from tests.train.tiny_grid import tiny_data, tiny_model, write_taxi_nyc
from tgst.train import GridTask
from tgst.train.grid_collapse import CollapseWatch, collapse_of, remedies

SIZE = (1, 2, 4, 3)


def targets(windows=40, seed=0):
    return torch.rand(windows, *SIZE, generator=torch.Generator().manual_seed(seed)) * 100


def varying(time=(1.0, 1.0), cells=(1.0, 1.0)):
    return {"time": time, "cells": cells, "all": (1.0, 1.0)}


def test_what_hardly_varies_has_collapsed():
    flat = varying((0.05, 1.0), (0.05, 1.0))
    assert collapse_of(varying(), varying()) is None
    assert collapse_of(varying((0.03, 1.0), (0.03, 1.0)), flat) is None
    assert "from one window to the next (standard deviation 0.01 against 1 of" in str(
        collapse_of(varying(time=(0.01, 1.0)), flat)
    )
    assert "from cell to cell (standard deviation 0 against 2 of" in str(
        collapse_of(varying(cells=(0.0, 2.0)), flat)
    )
    assert collapse_of(varying(time=(math.nan, 1.0)), flat) == "the forecasts are not finite"
    # a few extreme targets, which the roots hardly see, are no reason
    assert collapse_of(varying(time=(0.01, 1.0)), varying((0.5, 1.0))) is None
    # targets that do not vary say nothing, as those of a single cell
    assert collapse_of(varying(cells=(0.0, 0.0)), varying(cells=(0.0, 0.0))) is None


def watched(prediction, target, step=1000):
    watch = CollapseWatch(SIZE)
    watch.update(prediction, target)
    return watch.after_validation(step)


def test_constant_forecasts_are_found_after_a_validation():
    target = targets()
    assert watched(target + 1, target) is None
    assert "from one window to the next" in watched(target.mean(0).expand_as(target), target)
    same = target.flatten(1).mean(1)[:, None, None, None, None].expand_as(target)
    assert "from cell to cell" in watched(same, target)
    assert "not finite" in watched(target / 0, target)
    # which needs no more training to be told
    assert "not finite" in watched(target / 0, target, step=3)
    assert "not finite" in watched(target[:2] / 0, target[:2], step=3)
    # a network that has hardly been trained, or too few windows, say nothing else
    assert watched(target * 0, target, step=50) is None
    assert watched(target[:8] * 0, target[:8]) is None


def test_fields_below_zero_are_watched_as_well():
    target = targets() - 200
    assert "hardly vary" in watched(target.mean().expand_as(target), target)
    assert watched(target + 1, target) is None


def test_an_error_that_stays_as_bad_is_found():
    target = targets()
    noise = targets(seed=1)  # varies as the targets do, and knows nothing
    watch, found = CollapseWatch(SIZE), []
    for forecast in (noise, noise + 1e-4, (noise + target) / 2, target + 5, target + 5):
        watch.reset()
        watch.update(forecast, target)
        found.append(watch.after_validation(1000))
    assert found[1].startswith("the RMSE stays at 4")
    # the third got better, and the last stays as it is, but knows more than a constant
    assert found[0] is found[2] is found[3] is found[4] is None


def test_the_first_epoch_is_watched():
    watch, target = CollapseWatch(SIZE), targets(4)
    steps = [watch.after_training_step(step, target * 0, target) for step in range(300)]
    assert [step for step, found in enumerate(steps) if found] == [149]  # said once
    late = CollapseWatch(SIZE)  # the steps before are not looked at again
    steps = [late.after_training_step(s, target * (s < 150), target) for s in range(300)]
    assert [step for step, found in enumerate(steps) if found] == [199]
    healthy = CollapseWatch(SIZE)
    assert not any(healthy.after_training_step(step, target, target) for step in range(300))


def test_remedies_name_what_is_not_set():
    published = remedies({"scaling": {"method": "min_max"}, "reference": "none"}, "tanh")
    assert "data.scaling {method: standard, per: cell, power: 0.5} instead of min_max" in published
    assert "output_activation to null" in published
    assert "data.reference week" in published
    ours = remedies({"scaling": {"method": "standard"}, "reference": "week"}, None)
    assert ours == "lower model.learning_rate; model.on_collapse warn goes on all the same"


@pytest.fixture(scope="module")
def heavy(tmp_path_factory):
    """Flows that are far below their maximum almost always, as those of TaxiNYC."""
    return write_taxi_nyc(tmp_path_factory.mktemp("heavy"), tail=1000.0)


def fit(root, folder, epochs=8, scaling=None, activation="tanh", data=None, **kwargs):
    seed_everything(0)
    channels = {"in_channels": 4} if (data or {}).get("changes") else {}
    model = tiny_model(output_activation=activation, hidden_channels=8, **channels)
    task = GridTask(model, **({"learning_rate": 2e-3} | kwargs))
    frames = tiny_data(root, scaling=scaling or {"method": "min_max"}, **(data or {}))
    trainer = tiny_trainer(folder, max_epochs=epochs)
    trainer.fit(task, datamodule=frames)
    return task, trainer, frames


@pytest.mark.parametrize(("epoch", "batch_size"), [(0, 8), (2, 32)])  # 193 and 48 steps an epoch
def test_the_published_recipe_collapses_on_heavy_tails_and_is_stopped(
    heavy, tmp_path, epoch, batch_size
):
    message = (
        f"training has collapsed in epoch {epoch}: the forecasts hardly vary .* To change: scale "
        "heavy-tailed flows by data.scaling .*; set model.model.init_args.output_activation to null"
    )
    with pytest.raises(ValueError, match=message):
        fit(heavy, tmp_path, data={"batch_size": batch_size})


def test_a_collapse_can_be_told_or_ignored(heavy, tmp_path):
    with pytest.warns(UserWarning, match="training has collapsed in epoch"):
        task, trainer, data = fit(heavy, tmp_path, 3, on_collapse="warn")
    for parameter in task.model.parameters():
        parameter.data.zero_()
    with pytest.warns(UserWarning, match="the model has collapsed: the forecasts hardly vary"):
        trainer.test(task, datamodule=data, verbose=False)
    task.hparams["on_collapse"] = "error"  # which only ends a fit
    with pytest.warns(UserWarning, match="the model has collapsed: the forecasts hardly vary"):
        trainer.validate(task, datamodule=data, verbose=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*collapsed")
        fit(heavy, tmp_path, 3, on_collapse="ignore")


HEALTHY = {
    "reference": "week",
    "changes": True,
    "change_scaling": {"per": "cell"},
}


@pytest.mark.parametrize("data", [{}, HEALTHY], ids=["forecast", "change"])
def test_a_healthy_recipe_is_left_alone(heavy, tmp_path, data):
    scaling = {"method": "standard", "per": "cell", "power": 0.5}
    task, _, frames = fit(heavy, tmp_path, 8, scaling, None, data)
    batches = list(frames.val_dataloader())
    with torch.no_grad():
        forecast = torch.cat([task.eval()(batch) for batch in batches]).flatten(-2)[..., :-1]
    target = torch.cat([batch.y for batch in batches]).flatten(-2)[..., :-1]  # no bursts
    assert float((forecast - target).square().mean().sqrt()) < 0.4 * float(target.std())
