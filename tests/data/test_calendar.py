import datetime

import numpy as np
import pytest
import torch

from tests.data.test_series import stamps
from tgst.data import Series, covers_week, day_of_week, time_of_day


def test_time_of_day():
    times = np.array(
        ["2020-01-01T00:00", "2020-01-01T06:00", "1969-12-31T12:00", "2020-02-29T18:00"], "M8[m]"
    )
    expected = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]])
    assert time_of_day(times).dtype == np.float32
    np.testing.assert_allclose(time_of_day(times), expected, atol=1e-7)
    quarter = time_of_day(np.array(["2020-01-01T03:00"], "M8[s]"))
    np.testing.assert_allclose(quarter, [[0.5**0.5, 0.5**0.5]], rtol=1e-6)


def test_day_of_week():
    days = np.arange("1969-12-20", "1970-01-20", dtype="M8[D]")
    expected = [datetime.date.fromisoformat(str(day)).weekday() for day in days]
    encoded = day_of_week(days)
    assert encoded.dtype == np.float32
    assert encoded.argmax(axis=1).tolist() == expected
    assert encoded.sum(axis=1).tolist() == [1] * len(days)
    monday = day_of_week(np.array(["2024-03-04T00:00:00", "2024-03-04T23:59:59"], "M8[s]"))
    assert monday.tolist() == [[1, 0, 0, 0, 0, 0, 0]] * 2


@pytest.mark.parametrize(
    ("rows", "covers"),
    [(range(7), True), (range(6), False), (range(1, 8), True), (range(0), False)],
)
def test_covers_week(rows, covers):
    assert covers_week(Series(torch.zeros(1, 9, 1), stamps(9, minutes=1440)), rows) is covers
