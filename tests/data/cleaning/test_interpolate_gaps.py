import numpy as np
import pytest
import torch

from tests.data.cleaning.examples import copy_of, random_series, same, series_of
from tests.data.test_series import stamps
from tgst.data import InterpolateGaps, Series, StandardScaler


def test_by_hand():
    series = series_of([[None, 1, None, 3, None, None, 9, None, None, None, 1, None]])
    filled = InterpolateGaps(2)(series)
    assert filled.values.flatten().tolist() == [0, 1, 2, 3, 5, 7, 9, 0, 0, 0, 1, 0]
    assert filled.filled.int().tolist() == [[0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0]]
    assert torch.equal(filled.mask, series.mask)  # the mask keeps the record


@pytest.mark.parametrize(("max_gap", "steps"), [(1, 1), (3, 3), ("15min", 3), ("19min", 3)])
def test_equals_pandas(max_gap, steps):
    series = random_series(steps=300, gaps=False)
    filled = InterpolateGaps(max_gap)(series)
    for channel in range(2):
        frame = series.to_frame(channel).astype(float)
        expected = frame.interpolate("time", limit_area="inside")
        run = frame.isna().apply(lambda lacks: lacks.groupby((~lacks).cumsum()).transform("sum"))
        expected = expected.where(frame.notna() | (run <= steps))
        np.testing.assert_allclose(
            filled.to_frame(channel, filled=True), expected, rtol=1e-5, atol=1e-6
        )
        np.testing.assert_array_equal(filled.to_frame(channel), series.to_frame(channel))
    assert not (filled.filled & filled.mask).any()


def test_not_across_a_gap_in_the_timestamps():
    times = stamps(8)
    times[3:] += np.timedelta64(5, "m")
    readings = [[1, None, 3, None, 5, None, 7, 8], [1, 2, None, 4, 5, 6, 7, 8]]
    filled = InterpolateGaps(3)(series_of(readings, times))
    assert filled.filled.nonzero().tolist() == [[0, 1], [0, 5]]
    assert filled.values[0, :, 0].tolist() == [1, 2, 3, 0, 5, 6, 7, 8]


def test_several_channels_and_readings_filled_before():
    mask = torch.tensor([[True, False, False, True]])
    filled = torch.tensor([[False, True, False, False]])
    values = torch.tensor([[[0.0, 3.0], [8.0, 8.0], [0.0, 0.0], [3.0, 0.0]]])
    again = InterpolateGaps(2)(Series(values, stamps(4), mask, filled=filled))
    assert again.filled.tolist() == [[False, True, True, False]]
    assert again.values[0].tolist() == [[0, 3], [8, 8], [2, 1], [3, 0]]


def test_nothing_to_fill():
    complete = Series(torch.ones(2, 5, 1), stamps(5))
    assert InterpolateGaps(2)(complete) is complete
    never = series_of([[None] * 5, [1, 2, 3, 4, 5]])
    assert same(
        InterpolateGaps(2)(never),
        Series(
            never.values, never.timestamps, never.mask, filled=torch.zeros(2, 5, dtype=torch.bool)
        ),
    )


def test_scaler_does_not_count_what_was_filled():
    series = random_series(gaps=False)
    scaler, again = StandardScaler().fit(series), StandardScaler().fit(InterpolateGaps(9)(series))
    assert torch.equal(scaler.mean, again.mean)
    assert torch.equal(scaler.std, again.std)


def test_input_is_not_changed():
    series = random_series(nodes=300)
    before = copy_of(series)
    assert InterpolateGaps("1h")(series).filled.any()
    assert same(series, before)


def test_repr():
    assert repr(InterpolateGaps(3)) == "InterpolateGaps(3)"
    assert repr(InterpolateGaps("15min")) == "InterpolateGaps('15min')"


@pytest.mark.parametrize(
    ("max_gap", "message"),
    [
        (0, "`max_gap` must be at least 1 step, got 0"),
        ("NaT", "`max_gap` must be a positive number of whole seconds, got NaT"),
        (np.timedelta64(1, "M"), "`max_gap` must have a fixed length, got .*1,'M'"),
        ("long", "`max_gap` must be a duration"),
        (1.5, "`max_gap` must be a duration such as '5min', got float"),
    ],
)
def test_bad_gaps(max_gap, message):
    with pytest.raises(ValueError, match=message):
        InterpolateGaps(max_gap)


def test_gap_shorter_than_a_step():
    message = r"`max_gap` must be at least one step of the series \(300 s\), got 4min"
    with pytest.raises(ValueError, match=message):
        InterpolateGaps("4min")(random_series())
