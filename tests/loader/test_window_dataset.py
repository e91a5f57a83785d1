import numpy as np
import pytest
import torch

from tests.data.test_series import stamps
from tgst.data import Series, time_of_day
from tgst.loader import WindowDataset

HISTORY, HORIZON = 4, 3


def example(masked: bool = True) -> Series:
    generator = torch.Generator().manual_seed(0)
    values = torch.rand(5, 40, 2, generator=generator) + 1
    mask = torch.rand(5, 40, generator=generator) < 0.8 if masked else None
    return Series(values, stamps(40, minutes=60), mask, channels=("speed", "flow"))


def test_batch_equals_a_loop():
    series = example()
    dataset = WindowDataset(series, np.array([0, 7, 9, 33]), HISTORY, HORIZON, time_of_day=True)
    batch = dataset.__getitems__([2, 0, 3])
    day = torch.from_numpy(time_of_day(series.timestamps))
    assert batch.start.tolist() == [9, 0, 33]
    for position, start in enumerate([9, 0, 33]):
        now, end = start + HISTORY, start + HISTORY + HORIZON
        assert torch.equal(batch.x[:, position], series.values[:, start:now])
        assert torch.equal(batch.y[:, position], series.values[:, now:end])
        assert torch.equal(batch.mask[:, position], series.mask[:, start:now])
        assert torch.equal(batch.y_mask[:, position], series.mask[:, now:end])
        assert torch.equal(batch.covariates[0, position], day[start:end])
    assert batch.covariates.shape == (1, 3, HISTORY + HORIZON, 2)


def test_one_window_is_a_batch_of_one():
    dataset = WindowDataset(example(), np.array([0, 7]), HISTORY, HORIZON)
    assert len(dataset) == 2
    for one, batch in zip(dataset[1], dataset.__getitems__([1]), strict=True):
        assert torch.equal(one, batch)


def test_without_mask_everything_is_observed():
    batch = WindowDataset(example(masked=False), np.array([0, 7]), HISTORY, HORIZON)[0]
    assert batch.mask.shape == (5, 1, HISTORY)
    assert batch.y_mask.shape == (5, 1, HORIZON)
    assert batch.mask.all()
    assert batch.y_mask.all()
    assert batch.covariates.shape == (1, 1, HISTORY + HORIZON, 0)


@pytest.mark.parametrize(
    ("channels", "indices"), [([1], [1]), (["flow"], [1]), (["flow", 0], [1, 0]), (None, [0, 1])]
)
def test_target_channels(channels, indices):
    series = example()
    batch = WindowDataset(series, np.array([0, 7]), HISTORY, HORIZON, channels)[1]
    assert torch.equal(batch.y[:, 0], series.values[:, 11:14][..., indices])
    assert torch.equal(batch.x[:, 0], series.values[:, 7:11])


@pytest.mark.parametrize("channels", [[2], [-1], ["occupancy"], [1.0]])
def test_unknown_target_channel(channels):
    message = r"`target_channels` must be indices 0\.\.1 or names out of \('speed', 'flow'\)"
    with pytest.raises(ValueError, match=message):
        WindowDataset(example(), np.array([0]), HISTORY, HORIZON, channels)


def test_no_target_channel():
    with pytest.raises(ValueError, match="`target_channels` must name at least one channel"):
        WindowDataset(example(), np.array([0]), HISTORY, HORIZON, [])


def test_dtype_follows_the_series():
    series = example()
    series = Series(series.values.double(), series.timestamps)
    batch = WindowDataset(series, np.array([0]), HISTORY, HORIZON, time_of_day=True)[0]
    assert batch.x.dtype == batch.y.dtype == batch.covariates.dtype == torch.float64
