from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tgst.data import InterpolateGaps, Series
from tgst.loader import WindowLoader
from tgst.train import baselines
from tgst.train.baselines import (
    HistoricalMean,
    LastValue,
    LinearAutoregression,
    baseline_scores,
)
from tgst.train.fill import fill_forward

HISTORY, HORIZON = 4, 3
ALL = [LastValue, HistoricalMean, lambda: LinearAutoregression(HISTORY, HORIZON)]


def clock(num_steps, minutes=60):
    return np.datetime64("2024-03-04T22:00", "s") + np.arange(num_steps) * np.timedelta64(
        minutes, "m"
    )


def random_series(num_nodes=5, num_steps=120, channels=2, missing=0.2, gap_at=None):
    generator = torch.Generator().manual_seed(3)
    values = 50 + 10 * torch.randn(num_nodes, num_steps, channels, generator=generator)
    values = values.cumsum(dim=1) / torch.arange(1, num_steps + 1).view(-1, 1) ** 0.5
    mask = torch.rand(num_nodes, num_steps, generator=generator) >= missing
    stamps = clock(num_steps)
    if gap_at is not None:
        stamps[gap_at:] += np.timedelta64(7, "h")
    return Series(values, stamps, mask if missing else None)


def all_windows(series, **kwargs):
    (batch,) = WindowLoader(series, HISTORY, HORIZON, batch_size=10_000, **kwargs)
    return batch


def observed(series):
    return (
        np.ones((series.num_nodes, series.num_steps), bool)
        if series.mask is None
        else (series.mask.numpy())
    )


def node_mean(series, stop, node, channel):
    seen = observed(series)[node, :stop]
    return series.values[node, :stop, channel].double().numpy()[seen].mean()


def filled_window(series, stop, node, start, channel):
    """History of one window, unobserved readings replaced one by one."""
    last, window = node_mean(series, stop, node, channel), []
    for row in range(start, start + HISTORY):
        if observed(series)[node, row]:
            last = series.values[node, row, channel].item()
        window.append(last)
    return window


def test_last_value():
    series, stop = random_series(missing=0.6), 80
    batch = all_windows(series)
    assert (~batch.mask).all(dim=2).any()  # windows without any reading are among them
    prediction = LastValue().fit(series, stop).predict(batch)
    assert prediction.shape == batch.y.shape
    for node in range(series.num_nodes):
        for window, start in enumerate(batch.start.tolist()):
            for channel in range(2):
                expected = filled_window(series, stop, node, start, channel)[-1]
                actual = prediction[node, window, :, channel].numpy()
                np.testing.assert_allclose(actual, [expected] * HORIZON, rtol=1e-6)


def test_last_value_selects_channels_and_takes_training_rows_only():
    series, stop = random_series(missing=0.6), 80
    batch = all_windows(series, target_channels=[1])
    prediction = LastValue().fit(series, stop, [1]).predict(batch)
    assert torch.equal(prediction, LastValue().fit(series, stop).predict(batch)[..., 1:])
    cut = series.slice(0, stop)
    assert torch.equal(prediction, LastValue().fit(cut, stop, [1]).predict(batch))


def test_unobserved_node_gets_the_mean_of_all():
    series, stop = random_series(missing=0), 80
    mask = torch.ones(5, 120, dtype=torch.bool)
    mask[2] = False
    series = Series(series.values, series.timestamps, mask)
    others = series.values[[0, 1, 3, 4], :stop].double().mean(dim=(0, 1)).numpy()
    batch = all_windows(series)
    for baseline in (LastValue(), HistoricalMean()):
        prediction = baseline.fit(series, stop).predict(batch)[2].numpy()
        np.testing.assert_allclose(prediction, np.broadcast_to(others, prediction.shape), rtol=1e-6)


@pytest.mark.parametrize("gap_at", [None, 37])
def test_historical_mean(gap_at):
    series, stop = random_series(gap_at=gap_at), 80
    mask = series.mask.clone()
    hours = series.timestamps.astype("datetime64[h]").astype(int) % 24
    mask[1, :stop] &= torch.from_numpy(hours[:stop] != 5)  # never seen: falls back to the mean
    series = Series(series.values, series.timestamps, mask)
    batch = all_windows(series)
    prediction = HistoricalMean().fit(series, stop).predict(batch)
    assert prediction.shape == batch.y.shape
    fallbacks = 0
    for node in range(series.num_nodes):
        for window, start in enumerate(batch.start.tolist()):
            for step in range(HORIZON):
                rows = np.flatnonzero(hours[:stop] == hours[start + HISTORY + step])
                rows = rows[mask[node].numpy()[rows]]
                expected = [node_mean(series, stop, node, c) for c in range(2)]
                if len(rows):
                    expected = series.values[node, rows].double().mean(dim=0).numpy()
                fallbacks += len(rows) == 0
                actual = prediction[node, window, step].numpy()
                np.testing.assert_allclose(actual, expected, rtol=1e-6)
    assert fallbacks > 0


def test_historical_mean_of_the_weekday():
    r"""Against a table of pandas: weekday and hour of each row."""
    hours = 21 * 24
    values = torch.randn(2, hours, 1, generator=torch.Generator().manual_seed(0))
    series = Series(values, clock(hours, minutes=60))
    stop, batch = 15 * 24, all_windows(series)
    moments = pd.DatetimeIndex(series.timestamps)
    keys = [moments[:stop].day_of_week, moments[:stop].hour]
    table = pd.DataFrame(values[:, :stop, 0].T.numpy()).groupby(keys).mean()
    prediction = HistoricalMean(by_weekday=True).fit(series, stop).predict(batch)
    target = moments[batch.start.numpy() + HISTORY]
    expected = np.stack([table.loc[(m.weekday(), m.hour)] for m in target], axis=1)
    np.testing.assert_allclose(prediction[:, :, 0, 0].numpy(), expected, rtol=1e-5)


def test_historical_mean_of_the_last_weeks():
    r"""In time, not in rows: a gap of three days does not reach further back."""
    series = random_series(num_steps=40 * 24, missing=0.1)
    stamps = series.timestamps.copy()
    stamps[20 * 24 :] += np.timedelta64(3, "D")
    series = Series(series.values, stamps, series.mask)
    stop, batch = 35 * 24, all_windows(series)
    found = HistoricalMean(by_weekday=True, weeks=3).fit(series, stop).predict(batch)
    first = int(stamps.searchsorted(stamps[stop] - np.timedelta64(21, "D")))
    assert first == stop - 18 * 24
    earlier = series.mask.clone()
    earlier[:, :first] = False  # what the weeks leave out might as well not have been observed
    blind = Series(series.values, stamps, earlier)
    expected = HistoricalMean(by_weekday=True).fit(blind, stop)
    slots = torch.from_numpy((stamps.astype(np.int64) // 3600) % 168)
    seen = torch.stack([earlier[:, :stop][:, slots[:stop] == s].any(1) for s in range(168)], 1)
    rows = batch.start[:, None] + torch.arange(HORIZON) + HISTORY
    where = seen[:, slots[rows]]
    assert where.float().mean() > 0.9
    torch.testing.assert_close(found[where], expected.predict(batch)[where])
    everything = HistoricalMean(by_weekday=True).fit(series, stop).predict(batch)
    assert not torch.allclose(found, everything)
    with pytest.raises(ValueError, match="weeks: expected at least 1, got 0"):
        HistoricalMean(weeks=0)


def test_historical_mean_in_blocks_of_nodes(monkeypatch):
    series = random_series()
    batch = all_windows(series)
    whole = HistoricalMean().fit(series, 80, [1]).predict(batch)
    monkeypatch.setattr(baselines, "NODES_PER_BLOCK", 2)
    assert torch.equal(HistoricalMean().fit(series, 80, [1]).predict(batch), whole)


def test_historical_mean_with_a_step_that_does_not_divide_the_day():
    values = torch.arange(300.0).view(1, 300, 1)
    series = Series(values, clock(300, minutes=7))
    prediction = HistoricalMean().fit(series, 300).predict(all_windows(series))
    seconds = series.timestamps.astype(int) % 86_400
    slot = seconds // 420
    row = 250
    expected = np.flatnonzero(slot == slot[row]).mean()
    assert prediction[0, row - HISTORY, 0, 0].item() == pytest.approx(expected)


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("gap_at", [None, 37])
@pytest.mark.parametrize("ridge", [0.0, 0.1])
def test_linear_autoregression_equals_ridge_of_all_windows(missing, gap_at, ridge):
    """Against least squares with the penalty as extra rows, window by window."""
    series, stop = random_series(missing=missing, gap_at=gap_at), 80
    seen, values = observed(series), series.values.double().numpy()
    mean = values[:, :stop][seen[:, :stop]].mean(axis=0)
    std = values[:, :stop][seen[:, :stop]].std(axis=0)
    starts = [
        s
        for s in range(stop - HISTORY - HORIZON + 1)
        if gap_at is None or not s < gap_at < s + HISTORY + HORIZON
    ]
    model = LinearAutoregression(HISTORY, HORIZON, ridge).fit(series, stop, [1])
    batch = all_windows(series, target_channels=[1])
    prediction = model.predict(batch)

    def features(node, start):
        window = [filled_window(series, stop, node, start, channel) for channel in range(2)]
        return np.append(((np.array(window).T - mean) / std).ravel(), 1.0)

    for step in range(HORIZON):
        pairs = [
            (features(n, s), (values[n, s + HISTORY + step, 1] - mean[1]) / std[1])
            for n in range(series.num_nodes)
            for s in starts
            if seen[n, s + HISTORY + step]
        ]
        x, y = (np.array(part) for part in zip(*pairs, strict=True))
        penalty = np.sqrt(ridge * len(y)) * np.eye(2 * HISTORY + 1)[:-1]
        weight = np.linalg.lstsq(
            np.concatenate([x, penalty]), np.append(y, np.zeros(2 * HISTORY)), rcond=None
        )[0]
        np.testing.assert_allclose(model.weight[step, :, 0].numpy(), weight, atol=1e-5)
        expected = features(3, int(batch.start[9])) @ weight * std[1] + mean[1]
        assert prediction[3, 9, step, 0].item() == pytest.approx(expected, rel=1e-5)


def test_linear_autoregression_finds_the_recursion():
    rows = [torch.tensor([1.0, -2.0, 0.5]), torch.tensor([0.3, 1.0, 2.0])]
    for _ in range(98):
        rows.append(1.6 * rows[-1] - 0.95 * rows[-2] + 3)
    series = Series(torch.stack(rows, dim=1).unsqueeze(-1).double(), clock(100))
    model = LinearAutoregression(HISTORY, HORIZON, ridge=0).fit(series, 70)
    batch = all_windows(series)
    torch.testing.assert_close(model.predict(batch), batch.y, rtol=1e-4, atol=1e-4)


def test_linear_autoregression_in_chunks(monkeypatch):
    series = random_series(missing=0.3)
    whole = LinearAutoregression(HISTORY, HORIZON).fit(series, 80)
    monkeypatch.setattr(baselines, "READINGS_PER_CHUNK", 7 * 5 * (HISTORY + HORIZON) * 2)
    sizes = [x.size(1) for x, *_ in whole._chunks(series.slice(0, 80))]
    assert max(sizes) == 7
    assert sum(sizes) == 80 - HISTORY - HORIZON + 1
    chunked = LinearAutoregression(HISTORY, HORIZON).fit(series, 80)
    torch.testing.assert_close(chunked.weight, whole.weight, rtol=1e-9, atol=1e-12)


def test_linear_autoregression_of_a_constant_series():
    series = Series(torch.full((2, 40, 1), 7.0), clock(40))
    batch = all_windows(series)
    prediction = LinearAutoregression(HISTORY, HORIZON, ridge=0).fit(series, 30).predict(batch)
    torch.testing.assert_close(prediction, batch.y)


@pytest.mark.parametrize("baseline", ALL)
def test_fit_sees_training_rows_only(baseline):
    series, stop = random_series(), 80
    changed = series.values.clone()
    changed[:, stop:] = 1e6
    other = Series(changed, series.timestamps, series.mask)
    batch = all_windows(series)
    expected = baseline().fit(series, stop).predict(batch)
    assert torch.equal(baseline().fit(other, stop).predict(batch), expected)


@pytest.mark.parametrize("baseline", ALL)
def test_prediction_has_the_input_dtype(baseline):
    series = random_series()
    series = Series(series.values.double(), series.timestamps, series.mask)
    prediction = baseline().fit(series, 80).predict(all_windows(series))
    assert prediction.dtype == torch.float64
    assert prediction.isfinite().all()


def test_baseline_scores_equal_numpy_over_unequal_batches():
    series, stop = random_series(missing=0.4), 84
    loader = WindowLoader(series, HISTORY, HORIZON, part="test", batch_size=7, target_channels=[1])
    assert len(loader.starts) % 7 != 0
    fitted = {
        "last": LastValue().fit(series, stop, [1]),
        "mean": HistoricalMean().fit(series, stop, [1]),
    }
    scores = baseline_scores(loader, fitted)
    assert list(scores) == ["last", "mean"]
    starts = torch.from_numpy(loader.starts)
    rows = starts.unsqueeze(1) + HISTORY + torch.arange(HORIZON)
    y, mask = series.values[:, rows, 1].double().numpy(), series.mask[:, rows].numpy()
    batch = all_windows(series, part="test", target_channels=[1])
    assert torch.equal(batch.start, starts)
    for name, baseline in fitted.items():
        error = np.abs(baseline.predict(batch)[..., 0].double().numpy() - y)
        for step in range(HORIZON):
            e, target = error[:, :, step][mask[:, :, step]], y[:, :, step][mask[:, :, step]]
            expected = [e.mean(), np.sqrt((e**2).mean()), 100 * (e / np.abs(target)).mean()]
            actual = [scores[name][metric][step].item() for metric in ("mae", "rmse", "mape")]
            np.testing.assert_allclose(actual, expected, rtol=1e-6)


@pytest.mark.skipif("TGST_DATA" not in os.environ, reason="TGST_DATA: folder of losloop/ not set")
def test_losloop_scores():
    path = Path(os.environ["TGST_DATA"]) / "losloop" / "los_speed.csv"
    readings = np.loadtxt(path, delimiter=",", skiprows=1)  # [T, N]
    series = Series(torch.from_numpy(readings.T.copy()).unsqueeze(-1), clock(2016, minutes=5))
    first = int(2016 * 0.8)
    loader = WindowLoader(series, 12, 12, part="test")
    fitted = {"last": LastValue().fit(series, first), "mean": HistoricalMean().fit(series, first)}
    scores = baseline_scores(loader, fitted)
    for step in range(1, 13):  # every window whose targets all lie in the last fifth
        rows = np.arange(first + step - 1, 2016 - 12 + step)
        error = readings[rows] - readings[rows - step]
        assert scores["last"]["mae"][step - 1].item() == pytest.approx(np.abs(error).mean())
        rmse = np.sqrt(np.square(error).mean())
        assert scores["last"]["rmse"][step - 1].item() == pytest.approx(rmse)
    # known values, from slightly other windows
    known = [3.54, 4.34, 5.77]
    np.testing.assert_allclose(scores["last"]["mae"][[2, 5, 11]], known, atol=0.05)
    assert scores["mean"]["mae"].mean().item() == pytest.approx(5.15, abs=0.05)
    assert scores["mean"]["rmse"].mean().item() == pytest.approx(8.89, abs=0.1)


@pytest.mark.parametrize("baseline", ALL)
def test_bad_fit_arguments(baseline):
    series = random_series()
    with pytest.raises(ValueError, match=r"stop_row: expected a row in 1 to 120, .* got 121"):
        baseline().fit(series, 121)
    with pytest.raises(ValueError, match=r"stop_row: expected a row in 1 to 120, .* got 0"):
        baseline().fit(series, 0)
    with pytest.raises(ValueError, match=r"target_channels: .* index in 0 to 1, got \[2\]"):
        baseline().fit(series, 80, [2])
    with pytest.raises(ValueError, match=r"target_channels: .* index in 0 to 1, got \[\]"):
        baseline().fit(series, 80, [])
    mask = series.mask.clone()
    mask[:, :80] = False
    with pytest.raises(ValueError, match="series: expected an observed reading in the 80 training"):
        baseline().fit(Series(series.values, series.timestamps, mask), 80)


def test_bad_predict_arguments():
    series = random_series()
    batch = all_windows(series)
    with pytest.raises(
        ValueError, match=r"batch.start: .* series of 100 rows, got a target at row"
    ):
        HistoricalMean().fit(series.slice(0, 100), 80).predict(batch)
    with pytest.raises(ValueError, match=r"batch: expected history 5 and horizon 3 .* got 4 and 3"):
        LinearAutoregression(5, HORIZON).fit(series, 80).predict(batch)
    with pytest.raises(ValueError, match="ridge: expected a value of at least 0, got -1"):
        LinearAutoregression(ridge=-1)
    with pytest.raises(ValueError, match="shorter than a window"):
        LinearAutoregression(HISTORY, HORIZON).fit(series, 6)
    with pytest.raises(ValueError, match="loader: expected at least one batch, got none"):
        baseline_scores([], {"last": LastValue().fit(series, 80)})


def test_linear_autoregression_learns_from_the_inputs_that_it_is_given():
    """Filled readings are inputs, where the loader gives them, and never targets."""
    series, stop = InterpolateGaps(3)(random_series(missing=0.3)), 80
    model = LinearAutoregression(HISTORY, HORIZON, ridge=0.0).fit(series, stop)
    batch = all_windows(series.slice(0, stop))
    plain = torch.from_numpy(observed(series))[:, batch.start[:, None] + torch.arange(HISTORY)]
    assert (batch.mask & ~plain).any()
    mean = torch.stack([values[seen].mean(0) for values, seen in training(series, stop)])
    x = fill_forward(batch.x, batch.mask, mean[:, None, None])
    x = torch.nn.functional.pad(x.flatten(2).double(), (0, 1), value=1.0).numpy()
    for step in range(HORIZON):
        seen = batch.y_mask[:, :, step].numpy()
        weight = np.linalg.lstsq(x[seen], batch.y.double().numpy()[:, :, step][seen], rcond=None)[0]
        expected = torch.from_numpy(x @ weight).float()
        torch.testing.assert_close(model.predict(batch)[:, :, step], expected, rtol=1e-4, atol=1e-3)


def training(series, stop):
    return [(series.values[n, :stop], series.mask[n, :stop]) for n in range(series.num_nodes)]


def test_linear_autoregression_within_the_day():
    series = random_series(num_steps=100, missing=0.0)
    model = LinearAutoregression(HISTORY, HORIZON, within_day=True).fit(series, 100)
    batch = all_windows(series, within_day=True)
    assert len(batch.start) < 100 - HISTORY - HORIZON + 1
    inputs = model._features(batch.x, batch.mask).flatten(0, 1)
    target = model.scaler.transform(batch.y).double().flatten(0, 1)
    error = target - torch.einsum("nd,hdc->nhc", inputs, model.weight)
    # Where the squared error over these windows and the penalty are smallest, both slopes agree.
    slope = torch.einsum("nd,nhc->hdc", inputs, error) / len(inputs)
    penalty = model.ridge * model.weight
    penalty[:, -1] = 0
    torch.testing.assert_close(slope, penalty, rtol=1e-3, atol=1e-7)
