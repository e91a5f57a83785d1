import numpy as np
import torch

from tests.data.test_series import stamps
from tgst.data import Gap, Series, gaps


def test_gaps_by_hand():
    times = stamps(12)
    times[4:] += np.timedelta64(10, "m")  # two steps are missing before row 4
    times[8:] -= np.timedelta64(2, "m")  # row 8 is too early
    times[10:] += np.timedelta64(4, "m")  # row 10 is almost a step late
    moment = np.datetime64
    expected = [
        Gap(4, moment("2020-01-01T00:15:00"), moment("2020-01-01T00:30:00"), 2),
        Gap(8, moment("2020-01-01T00:45:00"), moment("2020-01-01T00:48:00"), 0),
        Gap(10, moment("2020-01-01T00:53:00"), moment("2020-01-01T01:02:00"), 1),
    ]
    assert gaps(times) == expected
    assert gaps(Series(torch.zeros(1, 12, 1), times)) == expected
    assert isinstance(gaps(times)[0].missing, int)


def test_no_gaps():
    assert gaps(stamps(10)) == []
    assert gaps(stamps(2)) == gaps(stamps(1)) == []


def test_an_unobserved_reading_is_no_gap():
    mask = torch.ones(1, 5, dtype=torch.bool)
    mask[0, 2] = False
    assert gaps(Series(torch.ones(1, 5, 1), stamps(5), mask)) == []
