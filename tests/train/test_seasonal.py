from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tgst.data import Series, split_rows
from tgst.datasets import NYCZones
from tgst.loader import WindowLoader
from tgst.train.baselines import LastValue, baseline_scores
from tgst.train.seasonal import SeasonalLag

HISTORY, HORIZON = 3, 2
PERIOD = np.timedelta64(6, "h")


def hourly(num_steps, gap_at=None, gap=5):
    stamps = np.datetime64("2024-03-04T00:00", "s") + np.arange(num_steps) * np.timedelta64(1, "h")
    if gap_at is not None:
        stamps[gap_at:] += np.timedelta64(gap, "h")
    return stamps


def whole(series, **kwargs):
    (batch,) = WindowLoader(series, HISTORY, HORIZON, batch_size=10_000, **kwargs)
    return batch


def test_by_hand():
    values = torch.tensor(
        [[0.0, 1, 2, 3, 4, 5, 6, 7, 8, 9], [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]]
    )
    mask = torch.ones(2, 10, dtype=torch.bool)
    mask[1, 1] = False
    series = Series(values.unsqueeze(-1), hourly(10), mask)
    prediction = SeasonalLag(PERIOD).fit(series, 5).predict(whole(series))[..., 0]
    # Windows start at rows 0 to 5, their targets are rows 3, 4; 4, 5; ... 8, 9. Rows before 6 lie
    # less than 6 hours after the first one: the training means of rows 0 to 4, which are
    # (0 + 1 + 2 + 3 + 4) / 5 = 2 and (0 + 20 + 30 + 40) / 4 = 22.5.
    first = [[2, 2], [2, 2], [2, 0], [0, 1], [1, 2], [2, 3]]
    second = [[22.5, 22.5], [22.5, 22.5], [22.5, 0], [0, 22.5], [22.5, 20], [20, 30]]
    assert prediction.tolist() == [first, second]


@pytest.mark.parametrize("gap_at", [None, 11])
@pytest.mark.parametrize("channels", [None, [1], [2, 0]])
def test_entry_by_entry(gap_at, channels):
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(4, 30, 3, generator=generator)
    mask = torch.rand(4, 30, generator=generator) > 0.3
    series = Series(values, hourly(30, gap_at), mask)
    batch = whole(series, target_channels=channels)
    prediction = SeasonalLag(PERIOD).fit(series, 20, channels).predict(batch)
    assert prediction.shape == batch.y.shape
    row_of = {stamp: row for row, stamp in enumerate(series.timestamps.tolist())}
    means = 0
    for window, start in enumerate(batch.start.tolist()):
        for step in range(HORIZON):
            target = series.timestamps[start + HISTORY + step]
            row = row_of.get((target - PERIOD).item())
            for node in range(4):
                expected = series.values[node, :20][mask[node, :20]].mean(dim=0)
                if row is not None and mask[node, row]:
                    expected = series.values[node, row]
                else:
                    means += 1
                wanted = expected if channels is None else expected[channels]
                torch.testing.assert_close(prediction[node, window, step], wanted)
    assert means > 20


def test_the_default_is_a_week():
    values = torch.arange(400.0).view(1, 400, 1)
    series = Series(values, hourly(400))
    batch = whole(series, part="test")
    prediction = SeasonalLag().fit(series, 280).predict(batch)
    assert torch.equal(prediction, batch.y - 168)


def test_only_training_rows_make_the_mean():
    series = Series(torch.randn(3, 40, 1), hourly(40))
    batch = whole(series)
    lag = np.timedelta64(39, "h")  # no target but the last one has a reading before it
    prediction = SeasonalLag(lag).fit(series, 10).predict(batch)
    mean = series.values[:, :10].double().mean(dim=1, keepdim=True).float()
    torch.testing.assert_close(prediction[:, :-1, :, :], mean.unsqueeze(1).expand(-1, 35, 2, -1))
    assert torch.equal(prediction[:, -1, -1], series.values[:, 0])


def test_period_shorter_than_the_horizon():
    series = Series(torch.randn(3, 40, 1), hourly(40))
    batch = whole(series)
    lag = SeasonalLag(np.timedelta64(2, "h")).fit(series, 30)
    assert torch.equal(lag.predict(batch)[:, :, 1], batch.x[:, :, -1])
    lag = SeasonalLag(np.timedelta64(1, "h")).fit(series, 30)
    with pytest.raises(ValueError, match="period: expected at least the horizon, 2 steps of 3600"):
        lag.predict(batch)


@pytest.mark.parametrize(
    "period", [np.timedelta64(0, "h"), np.timedelta64(-1, "h"), np.timedelta64("NaT"), 7, None]
)
def test_bad_period(period):
    with pytest.raises(ValueError, match=r"period: expected a numpy.timedelta64 above 0, got"):
        SeasonalLag(period)


def test_period_of_a_fraction_of_a_second():
    with pytest.raises(ValueError, match="period: expected whole seconds, got"):
        SeasonalLag(np.timedelta64(1500, "ms"))


def test_windows_of_a_longer_series():
    series = Series(torch.randn(3, 40, 1), hourly(40))
    lag = SeasonalLag(PERIOD).fit(series.slice(0, 30), 20)
    with pytest.raises(ValueError, match="fitted series of 30 rows, got a target at row 39"):
        lag.predict(whole(series))


def test_bad_rows_and_channels():
    series = Series(torch.randn(3, 40, 1), hourly(40))
    with pytest.raises(ValueError, match="stop_row: expected a row in 1 to 40"):
        SeasonalLag().fit(series, 41)
    with pytest.raises(ValueError, match="target_channels: expected at least one index in 0 to 0"):
        SeasonalLag().fit(series, 40, [1])


@pytest.mark.parametrize(
    ("mode", "last", "week"), [("bike", 8.105, 9.821), ("taxi", 25.876, 26.145)]
)
def test_real_data(mode, last, week):
    if "TGST_DATA" not in os.environ:
        pytest.skip("TGST_DATA (the folder that holds nyc_zones/) is not set")
    root = Path(os.environ["TGST_DATA"]) / "nyc_zones"
    if not root.is_dir():
        pytest.skip(f"{root} does not exist")
    series = NYCZones(root, mode).series
    stop = split_rows(series.num_steps)["train"].stop
    loader = WindowLoader(series, history=12, horizon=1, part="test", batch_size=512)
    baselines = {"last": LastValue().fit(series, stop), "week": SeasonalLag().fit(series, stop)}
    scores = baseline_scores(loader, baselines)
    assert scores["last"]["mae"].item() == pytest.approx(last, abs=5e-4)
    assert scores["week"]["mae"].item() == pytest.approx(week, abs=5e-4)
