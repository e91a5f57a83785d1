import numpy as np
import pytest

from tgst.data import LagWindows

HOUR = np.timedelta64(1, "h")
DAY = np.timedelta64(1, "D")


def hours(count: int, first: str = "2012-03-01T00") -> np.ndarray:
    return np.datetime64(first, "s") + HOUR * np.arange(count)


def with_gaps(step: int = 1) -> np.ndarray:
    """Five weeks, a stamp out of every so many missing, two days missing, then three weeks."""
    stamps = np.concatenate([hours(35 * 24), hours(21 * 24, "2012-05-20T00")])
    keep = np.random.default_rng(step).random(len(stamps)) > 0.01
    keep[400:448] = False
    return stamps[keep]


def by_definition(stamps, closeness, period, trend, horizon, day, week, slot):
    """One target after the other, one lag after the other."""
    row = {stamp: index for index, stamp in enumerate(stamps)}
    windows = []
    for first in stamps:
        recent = [first - k * slot for k in range(1, closeness + 1)]
        targets = [first + h * slot for h in range(horizon)]
        lagged = []
        for length, step in ((period, day), (trend, week)):
            steps = []
            for target in targets:
                back = target - step
                while back >= first:
                    back = back - step
                steps.append([back - k * step for k in range(length)])
            lagged.append(steps)
        needed = [*recent, *targets, *(s for steps in lagged for lags in steps for s in lags)]
        if all(stamp in row for stamp in needed):
            windows.append(
                (
                    [row[s] for s in recent],
                    [[row[s] for s in lags] for lags in lagged[0]],
                    [[row[s] for s in lags] for lags in lagged[1]],
                    [row[s] for s in targets],
                )
            )
    return windows


@pytest.mark.parametrize(
    ("closeness", "period", "trend", "horizon"),
    [(3, 1, 1, 1), (3, 2, 2, 3), (0, 1, 0, 1), (2, 0, 1, 30), (1, 3, 0, 25), (4, 0, 0, 2)],
)
def test_windows_by_definition(closeness, period, trend, horizon):
    stamps = with_gaps()
    windows = LagWindows(stamps, closeness, period, trend, horizon)
    expected = by_definition(stamps, closeness, period, trend, horizon, DAY, 7 * DAY, HOUR)
    assert len(windows) == len(expected) > 0
    assert windows.closeness_rows.tolist() == [window[0] for window in expected]
    assert windows.period_rows.tolist() == [window[1] for window in expected]
    assert windows.trend_rows.tolist() == [window[2] for window in expected]
    assert windows.target_rows.tolist() == [window[3] for window in expected]
    assert windows.closeness_rows.shape == (len(windows), closeness)
    assert windows.period_rows.shape == (len(windows), horizon, period)
    assert windows.trend_rows.shape == (len(windows), horizon, trend)
    assert windows.target_rows.dtype == np.int64


def test_other_steps():
    stamps = np.datetime64("2013-07-01", "s") + np.timedelta64(30, "m") * np.arange(300)
    steps = {"period_step": np.timedelta64(5, "h"), "trend_step": np.timedelta64(2, "D")}
    windows = LagWindows(stamps, 2, 2, 1, 12, **steps)
    expected = by_definition(stamps, 2, 2, 1, 12, *steps.values(), np.timedelta64(30, "m"))
    assert windows.period_rows.tolist() == [window[1] for window in expected]
    assert windows.trend_rows.tolist() == [window[2] for window in expected]
    assert windows.step == np.timedelta64(1800, "s")


def test_most_recent_first():
    windows = LagWindows(hours(400), closeness=3, period=2, trend=2)
    assert windows.target_rows[0].tolist() == [336]
    assert windows.closeness_rows[0].tolist() == [335, 334, 333]
    assert windows.period_rows[0].tolist() == [[312, 288]]
    assert windows.trend_rows[0].tolist() == [[168, 0]]
    assert len(windows) == 400 - 336


def test_bike_nyc_counts():
    """Of 4392 hours, 4 weeks before the first target leave 3720."""
    assert len(LagWindows(hours(4392), 3, 4, 4)) == 3720


def test_nothing_after_the_forecast_is_read():
    windows = LagWindows(hours(60 * 24), 3, 2, 2, horizon=200)
    first = windows.target_rows[:, 0]
    for rows in (windows.closeness_rows, windows.period_rows, windows.trend_rows):
        assert (rows.reshape(len(rows), -1).max(1) < first).all()
    # Beyond a day the last day that is known serves again.
    before = (
        windows.timestamps[windows.target_rows] - windows.timestamps[windows.period_rows[..., 0]]
    )
    assert before[0].tolist()[::24][:4] == [k * DAY.astype("m8[s]").item() for k in (1, 2, 3, 4)]


def test_a_gap_is_not_bridged():
    stamps = np.delete(hours(24 * 20), [300])
    windows = LagWindows(stamps, 2, 1, 1)
    targets = set(windows.timestamps[windows.target_rows[:, 0]])
    missing = hours(24 * 20)[300]
    lost = {missing + HOUR * k for k in (0, 1, 2, 24, 168)}
    assert targets == set(hours(24 * 20)[168:]) - lost
    # Rows are found by stamp: the day before row 310 is row 287, behind the gap 24 rows are a day.
    window = int(np.flatnonzero(windows.target_rows[:, 0] == 310)[0])
    assert windows.period_rows[window].tolist() == [[287]]


def test_files_are_not_joined():
    """The end of a file and the beginning of the next one are neighbours in rows only."""
    first, second = hours(24 * 10), hours(24 * 10, "2013-03-01T00")
    windows = LagWindows(np.concatenate([first, second]), 3, 1, 1)
    spans = windows.timestamps < np.datetime64("2013-01-01")
    for rows in (windows.closeness_rows, windows.period_rows, windows.trend_rows):
        assert (spans[rows.reshape(len(rows), -1)] == spans[windows.target_rows]).all()
    assert len(windows) == 2 * 72


def test_between():
    windows = LagWindows(hours(24 * 21), 3, 1, 1, horizon=4)
    border = np.datetime64("2012-03-15T06")
    train, test = windows.between(stop=border), windows.between(start=border)
    assert windows.timestamps[train.target_rows].max() == border - HOUR
    assert windows.timestamps[test.target_rows].min() == border
    # Windows with targets on both sides are in neither part.
    assert len(train) + len(test) == len(windows) - 3
    assert train.timestamps[train.target_rows[-1, -1]] == border - HOUR
    assert len(windows.between(border, border)) == 0
    assert repr(windows.between(border, border)).startswith("LagWindows(0, closeness=3")


def test_part_of_the_windows():
    windows = LagWindows(hours(24 * 9), 3, 1, 1)
    last = windows[-5:]
    assert last.target_rows[:, 0].tolist() == list(range(211, 216))
    assert last.trend_rows[:, 0, 0].tolist() == list(range(43, 48))
    assert windows[np.array([4, 2])].target_rows[:, 0].tolist() == [172, 170]
    assert len(windows) == 48  # unchanged
    with pytest.raises(TypeError, match=r"index: expected a slice or an array .*got 3"):
        windows[3]


def test_repr():
    assert repr(LagWindows(hours(170), 3, 1, 1)) == (
        "LagWindows(2, closeness=3, period=1, trend=1, horizon=1, "
        "targets 2012-03-08T00:00:00 .. 2012-03-08T01:00:00)"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"closeness": -1}, "closeness: expected at least 0, got -1"),
        ({"horizon": 0}, "horizon: expected at least 1, got 0"),
        ({"closeness": 0, "period": 0, "trend": 0}, "closeness, period, trend: expected an input"),
        (
            {"period_step": -DAY},
            "period_step: expected a duration of at least a second, got -1 days",
        ),
        (
            {"step": np.timedelta64(5, "ms")},
            "step: expected a duration of at least a second, got 5",
        ),
        (
            {"trend": 9},
            r"expected 3 slots of 3600 seconds, 1 of 1 days and 9 of 7 days before 1 .*"
            r"none complete in 240 slots 2012-03-01T00:00:00 \.\. 2012-03-10T23:00:00",
        ),
    ],
)
def test_bad_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        LagWindows(hours(240), **arguments)


def test_bad_timestamps():
    with pytest.raises(ValueError, match=r"timestamps: expected a datetime64 array \[T\]"):
        LagWindows(np.arange(5))
    with pytest.raises(
        ValueError,
        match="strictly increasing moments, got 2012-03-01T03:00:00 at "
        "row 4 after 2012-03-01T03:00:00",
    ):
        LagWindows(hours(9)[[0, 1, 2, 3, 3, 4]])
    halves = np.datetime64("2012-03-01", "ms") + np.timedelta64(500, "ms") * np.arange(20)
    with pytest.raises(
        ValueError, match=r"got 2012-03-01T00:00:00 at row 1 after .* to the second"
    ):
        LagWindows(halves, 3, 0, 0, step=np.timedelta64(1, "s"))
