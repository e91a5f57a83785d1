import warnings

import numpy as np
import pytest
import torch

from tests.data.test_series import stamps
from tgst.data import Series, day_of_week, time_of_day
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


def with_filled() -> Series:
    r"""One node: observed, filled, filled, observed, filled, unobserved, observed, observed."""
    mask = torch.tensor([[True, False, False, True, False, False, True, True]])
    filled = torch.tensor([[False, True, True, False, True, False, False, False]])
    values = torch.arange(1.0, 9.0).view(1, 8, 1)
    return Series(values, stamps(8), mask, filled=filled)


def test_filled_readings_are_inputs_but_no_targets():
    batch = WindowDataset(with_filled(), np.array([0]), 4, 4)[0]
    assert batch.mask[0, 0].tolist() == [True, True, True, True]
    assert batch.x.flatten().tolist() == [1, 2, 3, 4]
    assert batch.y_mask[0, 0].tolist() == [False, False, True, True]
    assert batch.y.flatten().tolist() == [0, 0, 7, 8]


def test_what_was_filled_with_the_help_of_the_future_is_no_input():
    dataset = WindowDataset(with_filled(), np.array([0, 1, 2]), 3, 1)
    batch = dataset.__getitems__([0, 1, 2])
    # At row 2 the gap of rows 1 and 2 is still open; from row 3 on it is closed.
    assert batch.mask[0].tolist() == [[True, False, False], [True, True, True], [True, True, False]]
    assert batch.x[0, ..., 0].tolist() == [[1, 0, 0], [2, 3, 4], [3, 4, 0]]
    nothing = WindowDataset(with_filled(), np.array([4]), 2, 1)[0]
    assert not nothing.mask.any()


def test_day_of_week_and_own_covariates_follow_the_time_of_day():
    series = example()
    own = torch.rand(40, 3, dtype=torch.float64)
    dataset = WindowDataset(
        series,
        np.array([0, 20]),
        HISTORY,
        HORIZON,
        time_of_day=True,
        day_of_week=True,
        covariates=own,
    )
    covariates = dataset.__getitems__([1, 0]).covariates
    assert covariates.shape == (1, 2, HISTORY + HORIZON, 12)
    assert covariates.dtype == torch.float32
    assert dataset.num_covariates == 12
    times = series.timestamps[20:27]
    assert torch.equal(covariates[0, 0, :, :2], torch.from_numpy(time_of_day(times)))
    assert torch.equal(covariates[0, 0, :, 2:9], torch.from_numpy(day_of_week(times)))
    assert torch.equal(covariates[0, 0, :, 9:], own[20:27].float())
    assert covariates[0, 0, 3, 2:9].argmax() == 2  # 23:00 on Wednesday, 1 January 2020
    assert covariates[0, 0, 4, 2:9].argmax() == 3


def test_covariates_of_each_node():
    series = example()
    own = np.random.default_rng(0).random((5, 40, 2), dtype=np.float32)
    dataset = WindowDataset(
        series, np.array([3, 9]), HISTORY, HORIZON, time_of_day=True, covariates=own
    )
    covariates = dataset.__getitems__([0, 1]).covariates
    assert covariates.shape == (5, 2, HISTORY + HORIZON, 4)
    assert dataset.num_covariates == 4
    for node in range(5):
        shared = torch.from_numpy(time_of_day(series.timestamps[9:16]))
        assert torch.equal(covariates[node, 1, :, :2], shared)
        assert torch.equal(covariates[node, 1, :, 2:], torch.from_numpy(own[node, 9:16]))


@pytest.mark.parametrize(
    ("covariates", "message"),
    [
        ([[1.0]], "floating point tensor or array, got list"),
        (torch.zeros(40, 1, dtype=torch.long), r"floating point.* got torch\.int64"),
        (torch.zeros(39, 1), r"\(40, D\) or \[nodes, time, D\] = \(5, 40, D\).* got \(39, 1\)"),
        (torch.zeros(40), r"\(40, D\) or .* got \(40,\)"),
        (torch.zeros(4, 40, 1), r"got \(4, 40, 1\)"),
        (np.array([[1.0]] * 39 + [[np.nan]]), r"finite, got nan at index \(39, 0\)"),
    ],
)
def test_bad_covariates(covariates, message):
    with pytest.raises(ValueError, match=f"`covariates` must .*{message}"):
        WindowDataset(example(), np.array([0]), HISTORY, HORIZON, covariates=covariates)


def test_windows_of_some_nodes():
    series = example()
    generator = torch.Generator().manual_seed(1)
    filled = ~series.mask & (torch.rand(5, 40, generator=generator) < 0.5)
    series = Series(series.values, series.timestamps, series.mask, filled=filled)
    own = torch.rand(5, 40, 2, generator=generator)
    starts = np.array([0, 7, 9, 33])
    dataset = WindowDataset(series, starts, HISTORY, HORIZON, [1], True, False, own)
    nodes, indices = torch.tensor([4, 0, 2]), torch.tensor([2, 0, 3])
    full = dataset.windows(indices)
    part = dataset.windows(indices, nodes, nodes[:2])
    for name in ("x", "mask", "covariates"):
        assert torch.equal(getattr(part, name), getattr(full, name)[nodes])
    for name in ("y", "y_mask"):
        assert torch.equal(getattr(part, name), getattr(full, name)[nodes[:2]])
    assert torch.equal(part.start, full.start)
    assert torch.equal(dataset.windows(indices, nodes).y, full.y[nodes])
    shared = WindowDataset(example(masked=False), starts, HISTORY, HORIZON, time_of_day=True)
    part = shared.windows(indices, nodes)
    assert part.covariates.shape == (1, 3, HISTORY + HORIZON, 2)
    assert part.mask.shape == (3, 3, HISTORY)
    assert part.mask.all()


def test_read_only_covariates():
    own = np.ones((40, 1), dtype=np.float32)
    own.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        batch = WindowDataset(example(), np.array([0]), HISTORY, HORIZON, covariates=own)[0]
    assert (batch.covariates == 1).all()
