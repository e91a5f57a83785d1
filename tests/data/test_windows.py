import numpy as np
import pytest
import torch

from tests.data.test_series import stamps
from tgst.data import Series, split_rows, split_windows, window_starts


def test_split_rows():
    assert split_rows(2016) == {
        "train": range(0, 1411),
        "val": range(1411, 1612),
        "test": range(1612, 2016),
    }
    # Shares are exact: neither 90 * 0.7 nor 10 * (0.7 + 0.1) loses a row to rounding.
    assert split_rows(90)["train"] == range(0, 63)
    assert split_rows(10)["test"] == range(8, 10)
    assert split_rows(10, (0.5, 0.0, 0.5))["val"] == range(5, 5)


@pytest.mark.parametrize("split", [(0.7, 0.3), (0.7, 0.1, 0.1), (1.2, -0.4, 0.2)])
def test_bad_split(split):
    with pytest.raises(ValueError, match="`split` must be three shares"):
        split_rows(100, split)
    with pytest.raises(ValueError, match="`split` must be three shares"):
        split_windows(100, 3, 2, split)


@pytest.mark.parametrize("num_steps", [100, 101, 177])
@pytest.mark.parametrize(("history", "horizon"), [(12, 3), (3, 12), (1, 1)])
def test_windows_by_definition(num_steps, history, horizon):
    rows = split_rows(num_steps, (0.6, 0.2, 0.2))
    starts = split_windows(num_steps, history, horizon, (0.6, 0.2, 0.2))
    for part in ("train", "val", "test"):
        expected = [
            start
            for start in range(num_steps - history - horizon + 1)
            if all(start + history + step in rows[part] for step in range(horizon))
        ]
        assert starts[part].tolist() == expected
        assert starts[part].dtype == np.int64


def test_no_leakage():
    rows, starts = split_rows(200), split_windows(200, 12, 6)
    seen = {part: set() for part in rows}
    targets = {part: set() for part in rows}
    for part, first in starts.items():
        for start in first:
            seen[part] |= set(range(start, start + 18))
            targets[part] |= set(range(start + 12, start + 18))
    assert max(seen["train"]) < rows["val"].start
    assert max(seen["val"]) < rows["test"].start
    assert targets["val"] == set(rows["val"])
    assert targets["test"] == set(rows["test"])
    assert min(seen["val"]) == rows["val"].start - 12  # past readings are no leakage


def test_history_does_not_begin_before_the_series():
    assert window_starts(40, 12, 2, "val", (0.1, 0.5, 0.4))[0] == 0
    with pytest.raises(ValueError, match="part 'train' is shorter than a window"):
        split_windows(40, 12, 2, (0.1, 0.5, 0.4))


def test_stride():
    assert window_starts(20, 3, 2, stride=4).tolist() == [0, 4, 8, 12]
    assert window_starts(20, 3, 2, "test", (0.5, 0.0, 0.5), stride=4).tolist() == [7, 11, 15]


def test_series_as_argument():
    series = Series(torch.zeros(1, 30, 1), stamps(30))
    expected = split_windows(30, 2, 2)
    for part, starts in split_windows(series, 2, 2).items():
        assert starts.tolist() == expected[part].tolist()


def test_windows_never_cross_a_gap():
    times = stamps(30)
    times[10:] += np.timedelta64(1, "h")  # something is missing between rows 9 and 10
    times[25:] -= np.timedelta64(2, "m")  # rows 24 and 25 are too close
    expected = [
        start
        for start in range(30 - 5 + 1)
        if (np.diff(times[start : start + 5]) == np.timedelta64(300, "s")).all()
    ]
    assert len(expected) == 18
    assert window_starts(30, 3, 2, timestamps=times).tolist() == expected
    assert window_starts(Series(torch.zeros(1, 30, 1), times), 3, 2).tolist() == expected


def test_gaps_leave_no_window():
    times = stamps(20)
    times[4::4] += np.arange(1, 5) * np.timedelta64(1, "s")
    with pytest.raises(ValueError, match=r"`series` has no 5 equally spaced steps.*gaps"):
        window_starts(20, 3, 2, timestamps=times)


def test_shorter_than_a_window():
    message = r"`series` is shorter than a window: 23 target rows .* history 12 \+ horizon 12 = 24"
    with pytest.raises(ValueError, match=message):
        window_starts(23, 12, 12)
    assert window_starts(24, 12, 12).tolist() == [0]
    message = r"part 'val' is shorter than a window: 10 target rows and 12 rows before them, of 100"
    with pytest.raises(ValueError, match=message):
        split_windows(100, 12, 12)
    assert len(split_windows(120, 12, 12)["val"]) == 1


def test_part_with_share_zero_is_empty():
    starts = split_windows(100, 3, 2, (0.8, 0.0, 0.2))
    assert len(starts["val"]) == 0
    assert starts["val"].dtype == np.int64
    with pytest.raises(ValueError, match="part 'val' is shorter than a window: 0 target rows"):
        window_starts(100, 3, 2, "val", (0.8, 0.0, 0.2))


@pytest.mark.parametrize("name", ["history", "horizon", "stride"])
def test_positive_lengths(name):
    arguments = {"history": 3, "horizon": 2, "stride": 1, name: 0}
    with pytest.raises(ValueError, match=f"`{name}` must be at least 1, got 0"):
        window_starts(20, **arguments)


def test_unknown_part():
    with pytest.raises(ValueError, match=r"`part` must be one of .* got 'training'"):
        window_starts(20, 3, 2, "training")


def test_windows_within_a_day():
    times = stamps(3 * 288)
    starts = window_starts(3 * 288, 12, 9, timestamps=times, within_day=True)
    assert len(starts) == 3 * 268  # 288 - 21 + 1 a day, as in the protocol of STGCN
    days = times.astype("M8[D]")
    expected = [start for start in range(3 * 288 - 20) if days[start] == days[start + 20]]
    assert starts.tolist() == expected
    assert len(window_starts(3 * 288, 12, 9, timestamps=times)) == 3 * 288 - 20


def test_parts_within_a_day():
    series = Series(torch.zeros(1, 10 * 288, 1), stamps(10 * 288))
    starts = split_windows(series, 12, 9, (0.8, 0.1, 0.1), within_day=True)
    assert {part: len(first) for part, first in starts.items()} == {
        "train": 8 * 268,
        "val": 268,
        "test": 268,
    }
    assert starts["val"][0] == 8 * 288  # the history does not reach back over midnight


def test_days_that_begin_late():
    times = stamps(20, minutes=60) + np.timedelta64(20, "h")
    starts = window_starts(20, 2, 1, timestamps=times, within_day=True)
    assert starts.tolist() == [0, 1, *range(4, 18)]  # rows 0..3 are before midnight


def test_within_a_day_needs_to_know_the_days():
    with pytest.raises(ValueError, match="`within_day` needs `timestamps` or a Series"):
        window_starts(100, 3, 2, within_day=True)


def test_windows_longer_than_a_day():
    series = Series(torch.zeros(1, 60, 1), stamps(60, minutes=60))
    with pytest.raises(ValueError, match=r"no 25 equally spaced steps in a row of one day.*midnig"):
        window_starts(series, 24, 1, within_day=True)


def test_a_moment_for_every_row():
    with pytest.raises(ValueError, match=r"`timestamps` must .* each of the 100 rows, got 99"):
        window_starts(100, 3, 2, timestamps=stamps(99))
