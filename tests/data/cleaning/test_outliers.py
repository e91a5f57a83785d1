import numpy as np
import pytest
import torch

from tests.data.cleaning.examples import copy_of, random_series, same, series_of
from tests.data.test_series import stamps
from tgst.data import Outliers, Series
from tgst.data.cleaning import outliers


def by_definition(series, threshold, reach, channel):
    r"""Hampel's rule, reading by reading."""
    moments = series.timestamps.astype(np.int64)
    removed = torch.zeros_like(series.mask)
    for node in range(series.num_nodes):
        seen = series.mask[node].numpy()
        x = series.values[node, :, channel].double().numpy()
        if not seen.any():
            continue
        all_readings = x[seen]
        floor = 0.14826 * np.median(np.abs(all_readings - np.median(all_readings)))
        floor = floor if floor > 0 else all_readings.std()
        for step in np.flatnonzero(seen):
            near = x[seen & (np.abs(moments - moments[step]) <= reach)]
            median = np.median(near)
            scale = max(1.4826 * np.median(np.abs(near - median)), floor)
            far = abs(x[step] - median) > threshold * scale
            removed[node, step] = bool(far) and len(near) >= 3
    return removed


@pytest.mark.parametrize(("window", "minutes"), [(7, 15), ("30min", 15), ("33min", 16.5), (13, 30)])
@pytest.mark.parametrize("threshold", [1.0, 2.5])
@pytest.mark.parametrize("per_block", [2**22, 100])
def test_equals_the_definition(monkeypatch, window, minutes, threshold, per_block):
    monkeypatch.setattr(outliers, "READINGS_PER_BLOCK", per_block)
    series = random_series()
    cleaned = Outliers(threshold, window, channel=1)(series)
    expected = by_definition(series, threshold, minutes * 60, channel=1)
    assert expected.any()
    assert torch.equal(cleaned.mask, series.mask & ~expected)
    both = expected | by_definition(series, threshold, minutes * 60, channel=0)
    assert torch.equal(Outliers(threshold, window)(series).mask, series.mask & ~both)


def test_spike_is_removed_and_a_step_is_not():
    readings = [60.0, 61, 60, 62, 300, 61, 60, 61, 62, 60, 20, 21, 20, 19, 21, 20, 19, 20]
    cleaned = Outliers(window=7)(series_of([readings]))
    assert (~cleaned.mask).nonzero().tolist() == [[0, 4]]
    assert cleaned.values[0, 4] == 0
    assert cleaned.filled is None


def test_constant_sensor_with_a_spike():
    readings = [5.0] * 40
    readings[20] = 6.0
    cleaned = Outliers()(series_of([readings, [5.0] * 40]))
    assert (~cleaned.mask).nonzero().tolist() == [[0, 20]]


def test_floor():
    readings = [0.0, 0.1] * 20
    readings[21] = 1.0
    series = series_of([readings])
    assert Outliers(floor=0.01)(series).mask.sum() == 39
    assert Outliers(floor=1.0)(series) is series


def test_window_does_not_reach_across_a_gap():
    times = stamps(10)
    times[5:] += np.timedelta64(1, "D")
    series = series_of([[1, 1.1, 1, 1.1, 1, 50, 50.1, 50, 50.1, 50]], times)
    assert Outliers(3, window=9)(series) is series
    last = series_of([[1, 1.1, 1, 1.1, 1, 1, 1.1, 1, 1.1, 50]], times)
    assert Outliers(3, window=9, floor=0.1)(last).mask.sum() == 9
    lonely = series_of([[1, 1.1, 1, 1.1, 1, None, None, None, 1, 50]], times)
    assert Outliers(3, window=9, floor=0.1)(lonely) is lonely  # two readings tell nothing


def test_sensor_that_was_never_observed():
    series = random_series(gaps=False)
    cleaned = Outliers(1.0)(series)
    assert not cleaned.mask[-1].any()
    assert torch.equal(cleaned.mask[-2], series.mask[-2])  # nor is a constant one touched


def test_short_series_and_series_without_mask():
    short = Series(torch.tensor([[[1.0], [99.0]]]), stamps(2))
    assert Outliers(window=3)(short) is short
    values = torch.tensor([1.0, 2, 1, 2, 99, 1, 2, 1]).view(1, 8, 1)
    assert (~Outliers(window=5)(Series(values, stamps(8))).mask).nonzero().tolist() == [[0, 4]]


def test_input_is_not_changed():
    series = random_series()
    before = copy_of(series)
    Outliers(1.0)(series)
    assert same(series, before)


def test_repr():
    assert repr(Outliers()) == "Outliers(5, window=13)"
    expected = "Outliers(3.5, window='1h', channel='speed', floor=2)"
    assert repr(Outliers(3.5, "1h", "speed", 2.0)) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"threshold": 0}, "`threshold` must be positive, got 0"),
        ({"floor": -1.0}, r"`floor` must be positive, got -1\.0"),
        ({"window": 4}, "`window` must be an odd number of at least 3 rows, got 4"),
        ({"window": 1}, "`window` must be an odd number of at least 3 rows, got 1"),
        ({"window": "wide"}, "`window` must be a duration"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Outliers(**arguments)


def test_window_shorter_than_a_step():
    message = r"`window` must reach at least one step of the series \(300 s\) .* got 8min"
    with pytest.raises(ValueError, match=message):
        Outliers(window="8min")(random_series())
