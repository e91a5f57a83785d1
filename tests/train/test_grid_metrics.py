from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from tgst.train.grid_metrics import FlowVariation, GridMetrics

FACTOR = math.sqrt(128 / 81)


def samples(windows=23, horizon=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    target = torch.rand(windows, horizon, 2, 4, 3, generator=generator) * 100
    return target + torch.randn(target.shape, generator=generator) * 7, target


def test_errors_equal_numpy_over_unequal_batches():
    prediction, target = samples()
    metrics = GridMetrics(2, ("inflow", "outflow"), FACTOR)
    for x, y in zip(prediction.split(10), target.split(10), strict=True):  # 10, 10 and 3
        metrics.update(x, y)
    difference = (prediction - target).double().numpy()
    scores = {name: value.numpy() for name, value in metrics.scores().items()}
    assert list(scores) == ["rmse", "rmse x1.2571", "mae", "rmse inflow", "rmse outflow"]
    rmse = np.sqrt((difference**2).mean((0, 2, 3, 4)))
    np.testing.assert_allclose(scores["rmse"], rmse, rtol=1e-6)
    np.testing.assert_allclose(scores["rmse x1.2571"], rmse * FACTOR, rtol=1e-6)
    np.testing.assert_allclose(scores["mae"], np.abs(difference).mean((0, 2, 3, 4)), rtol=1e-6)
    for channel, name in enumerate(("inflow", "outflow")):
        expected = np.sqrt((difference[:, :, channel] ** 2).mean((0, 2, 3)))
        np.testing.assert_allclose(scores[f"rmse {name}"], expected, rtol=1e-6)
    overall = metrics.overall()
    assert float(overall["rmse"]) == pytest.approx(np.sqrt((difference**2).mean()), rel=1e-6)
    assert float(overall["mae"]) == pytest.approx(np.abs(difference).mean(), rel=1e-6)
    assert float(overall["rmse outflow"]) == pytest.approx(
        np.sqrt((difference[:, :, 1] ** 2).mean()), rel=1e-6
    )


def test_the_factor_is_that_of_the_cells_that_hold_a_station():
    """47 cells without a station are zero in target and forecast."""
    prediction, target = (x[:, :1].repeat(1, 1, 1, 4, 3)[..., :16, :8] for x in samples(5))
    target[:, :, :, :, 7] = prediction[:, :, :, :, 7] = 0
    flat_target, flat = target.flatten(-2), prediction.flatten(-2)
    empty = (flat_target == 0).all(dim=(0, 1, 2))
    held = (~empty).nonzero().squeeze(1)[:81]
    for x in (flat_target, flat):
        x[..., [c for c in range(128) if c not in held.tolist()]] = 0
    metrics = GridMetrics(1, ("one",), FACTOR)
    metrics.update(flat.unflatten(-1, (16, 8)), flat_target.unflatten(-1, (16, 8)))
    difference = (flat - flat_target)[..., held].double()
    assert float(metrics.scores()["rmse x1.2571"]) == pytest.approx(
        float(difference.square().mean().sqrt()), rel=1e-6
    )
    assert list(metrics.scores()) == ["rmse", "rmse x1.2571", "mae"]  # one channel: no more to say


def test_reset_forgets():
    prediction, target = samples()
    metrics = GridMetrics(2, ("a", "b"))
    metrics.update(target + 100, target)
    metrics.reset()
    metrics.update(prediction, target)
    fresh = GridMetrics(2, ("a", "b"))
    fresh.update(prediction, target)
    for name, value in fresh.scores().items():
        assert torch.equal(metrics.scores()[name], value)


def test_variation_equals_numpy():
    prediction, target = samples()
    variation = FlowVariation(target.shape[1:])
    for x, y in zip(prediction.split(10), target.split(10), strict=True):
        variation.update(x, y)
    found = variation.compute()
    for place, values in enumerate((prediction.double().numpy(), target.double().numpy())):
        time = np.sqrt(values.var(0).mean())
        cells = np.sqrt(values.reshape(*values.shape[:3], -1).var(-1).mean())
        assert found["time"][place] == pytest.approx(time, rel=1e-9)
        assert found["cells"][place] == pytest.approx(cells, rel=1e-9)
        assert found["all"][place] == pytest.approx(values.std(), rel=1e-9)
    rmse = float((prediction - target).double().square().mean().sqrt())
    assert found["error"] == pytest.approx((rmse, found["all"][1]), rel=1e-6)


def test_variation_of_what_is_not_finite_is_nan():
    prediction, target = samples()
    prediction[3, 0, 0, 0, 0] = math.inf
    variation = FlowVariation(target.shape[1:])
    variation.update(prediction, target)
    assert math.isnan(variation.compute()["time"][0])
