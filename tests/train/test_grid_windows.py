from __future__ import annotations

import numpy as np
import pytest
import torch

from tgst.data import LagWindows
from tgst.train.grid_windows import GridFrames, GridLoader, grid_rows

HOUR = np.timedelta64(1, "h")
WEEK = np.timedelta64(7, "D")


def stamps(hours=600, absent=()):
    all_hours = np.datetime64("2012-01-01", "s") + np.arange(hours) * HOUR
    return np.delete(all_hours, list(absent))


def row_of(times):
    return {moment: row for row, moment in enumerate(times.tolist())}


def brute_force(times, horizon, period_width, trend_width, reference, changes):
    """Every window by the definition, one slot at a time."""
    row, found = row_of(times), []
    for first in times:
        targets = [first + h * HOUR for h in range(horizon)]
        wanted = {
            "closeness": [first - k * HOUR for k in (1, 2)],
            "period": [
                t - np.timedelta64(1, "D") + o * HOUR
                for t in targets
                for o in range(period_width, -period_width - 1, -1)
            ],
            "trend": [
                t - week * WEEK + o * HOUR
                for t in targets
                for week in (1, 2)
                for o in range(trend_width, -trend_width - 1, -1)
            ],
        }
        if changes:
            wanted = {n: [(t, t - WEEK) for t in each] for n, each in wanted.items()}
        else:
            wanted = {n: [(t,) for t in each] for n, each in wanted.items()}
        wanted["reference"] = {
            "none": [],
            "last": [first - HOUR] * horizon,
            "week": [t - WEEK for t in targets],
        }[reference]
        wanted["target"] = targets
        try:
            rows = [
                np.array([row[t] for t in np.array(w, "datetime64[s]").ravel().tolist()])
                for w in wanted.values()
            ]
        except KeyError:
            continue
        found.append(rows)
    return [np.array([window[n] for window in found]) for n in range(5)]


@pytest.mark.parametrize(
    ("horizon", "period_width", "trend_width", "reference", "changes"),
    [
        (1, 0, 0, "none", False),
        (1, 1, 2, "week", True),
        (3, 0, 1, "last", True),
        (2, 2, 0, "week", False),
    ],
)
def test_rows_are_those_of_the_definition(horizon, period_width, trend_width, reference, changes):
    times = stamps(700, absent=(30, 31, 410, 555))
    windows = LagWindows(times, closeness=2, period=1, trend=2, horizon=horizon)
    rows = grid_rows(windows, period_width, trend_width, reference, changes)
    expected = brute_force(times, horizon, period_width, trend_width, reference, changes)
    assert len(rows.target) > 20
    for own, wanted in zip(rows, expected, strict=True):
        np.testing.assert_array_equal(own.reshape(len(own), -1), wanted.reshape(len(wanted), -1))
    gapless = grid_rows(
        LagWindows(stamps(700), closeness=2, period=1, trend=2, horizon=horizon),
        period_width, trend_width, reference, changes,
    )  # fmt: skip
    assert len(gapless.target) > len(rows.target)


def test_a_slot_that_is_not_known_yet_is_refused():
    windows = LagWindows(stamps(), closeness=1, period=1, trend=1, horizon=20)
    with pytest.raises(ValueError, match="period: expected slots before the 20 targets"):
        grid_rows(windows, period_width=5)
    windows = LagWindows(stamps(), closeness=1, period=0, trend=1, horizon=170)
    with pytest.raises(ValueError, match="reference: expected slots before the 170 targets"):
        grid_rows(windows, reference="week")


def test_no_complete_window_is_refused():
    windows = LagWindows(stamps(200), closeness=1, period=1, trend=1)
    with pytest.raises(
        ValueError, match=r"windows: .* reference 'week' and changes True, got none"
    ):
        grid_rows(windows, reference="week", changes=True)


@pytest.fixture
def windows():
    times = stamps(400)
    frames = torch.arange(400.0)[:, None, None, None] + torch.rand(400, 2, 3, 2)
    external = torch.arange(800.0).view(400, 2)
    rows = grid_rows(LagWindows(times, horizon=2), 0, 0, "week", False)
    return GridFrames(frames, times, external, rows)


def test_a_batch_holds_the_frames_of_its_rows(windows):
    batch = windows.__getitems__([0, 7])
    first = torch.tensor([168, 175])
    assert torch.equal(batch.row, first)
    frames = windows.frames
    assert torch.equal(batch.closeness[:, 2, 0], frames[first - 3])
    assert torch.equal(batch.period[:, 1, 0], frames[first + 1 - 24])
    assert torch.equal(batch.trend[:, 0, 0], frames[first - 168])
    assert torch.equal(batch.reference[:, 1], frames[first + 1 - 168])
    assert torch.equal(batch.y[:, 1], frames[first + 1])
    assert torch.equal(batch.external[:, 1], windows.external[first + 1])
    angle = 2 * np.pi * (first.double() % 24) / 24
    expected = torch.stack([angle.sin(), angle.cos()], 1).float()
    torch.testing.assert_close(batch.time_of_day, expected)
    one = windows[7]
    assert torch.equal(one.y, batch.y[1:])


def test_the_order_of_an_epoch_follows_from_its_number(windows):
    def order(loader, epoch):
        loader.sampler.set_epoch(epoch)
        return torch.cat([batch.row for batch in loader]).tolist()

    loaders = [GridLoader(windows, 16, shuffle=True, seed=seed) for seed in (0, 0, 1)]
    assert order(loaders[0], 0) == order(loaders[1], 0) != order(loaders[2], 0)
    assert order(loaders[0], 1) != order(loaders[1], 0)
    assert sorted(order(loaders[0], 1)) == windows.rows[-1][:, 0].tolist()
    straight = torch.cat([batch.row for batch in GridLoader(windows, 50)]).tolist()
    assert straight == sorted(straight)


def test_a_resumed_loader_skips_what_was_handed_out(windows):
    loader = GridLoader(windows, 16, shuffle=True, seed=3)
    batches = iter(loader)
    for _ in range(4):
        next(batches)
    rest = [batch.row.tolist() for batch in batches]
    again = GridLoader(windows, 16, shuffle=True, seed=3)
    again.load_state_dict({"epoch": 0, "position": 4})
    assert [batch.row.tolist() for batch in again] == rest
