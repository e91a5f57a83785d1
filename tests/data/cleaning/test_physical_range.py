import pytest
import torch

from tests.data.cleaning.examples import copy_of, random_series, same, series_of
from tests.data.test_series import stamps
from tgst.data import PhysicalRange, Series


def test_readings_out_of_range_are_removed_and_not_clipped():
    series = series_of([[-1, 0, 5, 10, 11], [None, 3, 99, 4, 5]])
    cleaned = PhysicalRange(0, 10)(series)
    assert cleaned.mask.int().tolist() == [[0, 1, 1, 1, 0], [0, 1, 0, 1, 1]]
    assert cleaned.values[..., 0].tolist() == [[0, 0, 5, 10, 0], [0, 3, 0, 4, 5]]


@pytest.mark.parametrize(
    ("arguments", "mask"),
    [
        ({"low": 2}, [0, 1, 1, 1]),
        ({"high": 6}, [1, 1, 1, 0]),
        ({"low": 2, "channel": "flow"}, [1, 1, 1, 1]),
        ({"high": 3, "channel": 0}, [1, 1, 0, 0]),
        ({"high": 5, "channel": "flow"}, [1, 1, 0, 0]),
    ],
)
def test_channels(arguments, mask):
    values = torch.tensor([[[1.0, 4.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]])
    series = Series(values, stamps(4), channels=("speed", "flow"))
    cleaned = PhysicalRange(**arguments)(series)
    seen = torch.ones(1, 4).int() if cleaned.mask is None else cleaned.mask.int()
    assert seen.tolist() == [mask]
    assert torch.equal(cleaned.values, values * seen.unsqueeze(-1))


def test_filled_readings_out_of_range_are_removed():
    mask = torch.tensor([[True, False, False, True]])
    filled = torch.tensor([[False, True, True, False]])
    series = Series(torch.tensor([[[1.0], [5.0], [20.0], [9.0]]]), stamps(4), mask, filled=filled)
    cleaned = PhysicalRange(0, 10)(series)
    assert cleaned.filled.tolist() == [[False, True, False, False]]
    assert cleaned.values.flatten().tolist() == [1, 5, 0, 9]


def test_input_is_not_changed():
    series = random_series(nodes=300)
    before = copy_of(series)
    cleaned = PhysicalRange(-2, 2)(series)
    expected = ((series.values >= -2) & (series.values <= 2)).all(dim=-1) & series.mask
    assert torch.equal(cleaned.mask, expected)
    assert same(series, before)
    assert PhysicalRange(-1e9, 1e9)(series) is series


def test_repr():
    assert repr(PhysicalRange(0, 130, "speed")) == "PhysicalRange(0, 130, channel='speed')"
    assert repr(PhysicalRange(low=0)) == "PhysicalRange(0, inf)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "at least one of them given, got low=None, high=None"),
        ({"low": 3, "high": 2}, "low <= high, .* got low=3, high=2"),
        ({"low": float("nan")}, "low <= high, .* got low=nan, high=None"),
    ],
)
def test_bad_limits(arguments, message):
    with pytest.raises(ValueError, match=f"`low` and `high` must .*{message}"):
        PhysicalRange(**arguments)


def test_unknown_channel():
    message = r"`channel` must be an index 0\.\.1 or a name out of \('value_0', 'value_1'\), got 2"
    with pytest.raises(ValueError, match=message):
        PhysicalRange(low=0, channel=2)(random_series())
