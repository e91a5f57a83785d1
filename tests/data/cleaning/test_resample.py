from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
import torch

from tests.data.cleaning.examples import copy_of, random_series, same, series_of
from tests.data.test_series import stamps
from tgst.data import Resample, Series, gaps, window_starts


def test_means_by_hand():
    series = series_of([[1, 2, 6, None, 5, 7], [None, None, None, 4, 5, 6]])
    hourly = Resample("15min")(series)
    assert hourly.values[..., 0].tolist() == [[3, 6], [0, 5]]
    assert hourly.mask.tolist() == [[True, True], [False, True]]
    assert hourly.timestamps.tolist() == stamps(2, minutes=15).tolist()  # the starts
    assert hourly.step == np.timedelta64(900, "s")


@pytest.mark.parametrize("step", ["1h", "25min", "7min", "30s", "1D"])
@pytest.mark.parametrize("origin", ["first", "midnight"])
def test_equals_pandas(step, origin):
    series = random_series(steps=150)
    series = Series(series.values, series.timestamps + np.timedelta64(184, "s"), series.mask)
    resampled = Resample(step, origin)(series)
    for channel in range(2):
        rule = {"first": "start", "midnight": "start_day"}[origin]
        expected = series.to_frame(channel).astype(float).resample(step, origin=rule).mean()
        got = resampled.to_frame(channel)
        assert (got.index == expected.index).all()
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_irregular_timestamps_become_regular():
    times = stamps(12)
    times[3:] += np.timedelta64(2, "m")
    times[8:] += np.timedelta64(31, "m")
    series = Series(torch.arange(12.0).view(1, 12, 1), times)
    assert len(gaps(series)) == 2
    regular = Resample("5min")(series)
    assert gaps(regular) == []
    assert not regular.mask.all()
    assert len(window_starts(regular, 3, 2)) == regular.num_steps - 4


def test_finer_step_leaves_unobserved_rows():
    finer = Resample("150s")(series_of([[1, 2, 3]]))
    assert finer.values.flatten().tolist() == [1, 0, 2, 0, 3]
    assert finer.mask.tolist() == [[True, False, True, False, True]]


def test_filled_readings_do_not_count():
    mask = torch.tensor([[True, False, False, False]])
    filled = torch.tensor([[False, True, True, True]])
    series = Series(torch.tensor([[[1.0], [5.0], [7.0], [9.0]]]), stamps(4), mask, filled=filled)
    half = Resample("10min")(series)
    assert half.values.flatten().tolist() == [1, 0]
    assert half.mask.tolist() == [[True, False]]
    assert half.filled is None


def test_everything_observed_needs_no_mask():
    series = Resample("10min")(Series(torch.ones(300, 5, 2, dtype=torch.float64), stamps(5)))
    assert series.mask is None
    assert series.values.dtype == torch.float64
    assert series.values.shape == (300, 3, 2)


def test_input_is_not_changed():
    series = random_series()
    before = copy_of(series)
    Resample(timedelta(minutes=20))(series)
    assert same(series, before)


@pytest.mark.parametrize("step", ["10min", pd.Timedelta("10min"), np.timedelta64(10, "m")])
def test_kinds_of_steps(step):
    assert Resample(step)(series_of([[1, 3]])).values.flatten().tolist() == [2]


def test_repr():
    assert repr(Resample("10min")) == "Resample('10min')"
    assert repr(Resample("10min", "midnight")) == "Resample('10min', origin='midnight')"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("often",), "`step` must be a duration such as '5min', got 'often'"),
        ((300,), "`step` must be a duration such as '5min', got int"),
        (("-5min",), "`step` must be a positive number of whole seconds, got -5min"),
        (("1500ms",), "`step` must be a positive number of whole seconds, got 1500ms"),
        (("5min", "noon"), "`origin` must be 'first' or 'midnight', got 'noon'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        Resample(*arguments)
