r"""Windows of frames of a grid: which rows they read, and batches of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tgst.data import LagWindows, time_of_day
from tgst.loader.epoch_shuffle import EpochShuffle
from tgst.loader.resumable_loader import ResumableLoader

__all__ = ["GridBatch", "GridFrames", "GridLoader", "GridRows", "Reference", "grid_rows"]

WEEK = np.timedelta64(7, "D")
Reference = Literal["none", "last", "week"]


class GridRows(NamedTuple):
    r"""Rows of the frames that windows read and are compared with, the most recent first.

    The last dimension of the inputs is 1, or 2 where each frame comes with that of the week before
    it.

    Shapes:
        - **closeness, period, trend:** :math:`(W, l, 1 \text{ or } 2)`
        - **reference:** :math:`(W, H)`, or :math:`(W, 0)` without one
        - **target:** :math:`(W, H)`
    """

    closeness: np.ndarray
    period: np.ndarray
    trend: np.ndarray
    reference: np.ndarray
    target: np.ndarray

    def select(self, index: slice | np.ndarray) -> GridRows:
        r"""Some of the windows.

        Args:
            index: A slice, numbers or a mask.
        """
        return GridRows(*(rows[index] for rows in self))


def grid_rows(
    windows: LagWindows,
    period_width: int = 0,
    trend_width: int = 0,
    reference: Reference = "none",
    changes: bool = False,
) -> GridRows:
    r"""Adds to the windows of :class:`tgst.data.LagWindows` what else they read. Those are left
    out of which a slot is absent.

    Args:
        windows: The windows.
        period_width: Slots on either side of each one of the days before.
        trend_width: Slots on either side of each one of the weeks before.
        reference: The frame that the forecast is told as the change against.
        changes: Read with each frame that of the week before it.

    Raises:
        ValueError: If a slot would be read that is not known at the time of the forecast, or none
            is complete.
    """
    stamps, step = windows.timestamps, windows.step
    first = stamps[windows.target_rows[:, :1]]
    targets = stamps[windows.target_rows]
    moments = {
        "closeness": stamps[windows.closeness_rows],
        "period": _widened(stamps[windows.period_rows], period_width, step),
        "trend": _widened(stamps[windows.trend_rows], trend_width, step),
        "reference": {
            "none": targets[:, :0],
            "last": np.repeat(first - step, windows.horizon, axis=1),
            "week": targets - WEEK,
        }[reference],
    }
    for name, times in moments.items():
        if (times >= first).any():
            raise ValueError(
                f"{name}: expected slots before the {windows.horizon} targets, got one that is not "
                "known when the forecast is made; lower horizon or its width"
            )
    if changes:
        for name in ("closeness", "period", "trend"):
            moments[name] = np.stack([moments[name], moments[name] - WEEK], axis=-1)
    else:
        moments |= {name: moments[name][..., None] for name in ("closeness", "period", "trend")}
    found = [_rows_at(stamps, times) for times in moments.values()]
    complete = np.logical_and.reduce([(rows >= 0).reshape(len(rows), -1).all(1) for rows in found])
    if not complete.any():
        raise ValueError(
            f"windows: expected one whose slots are all there, with neighbours, reference "
            f"{reference!r} and changes {changes}, got none of {len(windows)}"
        )
    closeness, period, trend, compared = found
    rows = GridRows(closeness, period, trend, compared, windows.target_rows)
    return rows.select(complete)


def _widened(times: np.ndarray, width: int, step: np.timedelta64) -> np.ndarray:
    """Slots [W, H, l] with those around them, the later first, as [W, H * l * (2 * width + 1)]."""
    around = times[..., None] + step * np.arange(width, -width - 1, -1)
    return around.reshape(len(times), -1)


def _rows_at(stamps: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """The row of each moment; -1 where there is none."""
    rows = np.searchsorted(stamps, moments)
    rows[rows == len(stamps)] = 0
    return np.where(stamps[rows] == moments, rows, -1)


class GridBatch(NamedTuple):
    r"""A batch of windows of a grid; values in the unit of the data.

    Shapes:
        - **closeness, period, trend:** :math:`(B, l, 1 \text{ or } 2, C, H, W)`, frames, the most
          recent first; 2 where each comes with that of the week before it
        - **external:** :math:`(B, \text{horizon}, E)`, external features of the targets
        - **time_of_day:** :math:`(B, 2)`, that of the first target
        - **reference:** :math:`(B, \text{horizon or } 0, C, H, W)`
        - **y:** :math:`(B, \text{horizon}, C, H, W)`
        - **row:** :math:`(B)`, row of the first target
    """

    closeness: Tensor
    period: Tensor
    trend: Tensor
    external: Tensor
    time_of_day: Tensor
    reference: Tensor
    y: Tensor
    row: Tensor


class GridFrames(Dataset[GridBatch]):
    r"""Windows of frames, cut when they are asked for.

    Args:
        frames: All frames, :math:`(T, C, H, W)`.
        timestamps: Their moments.
        external: Their external features, :math:`(T, E)`.
        rows: What the windows read.
    """

    def __init__(
        self, frames: Tensor, timestamps: np.ndarray, external: Tensor, rows: GridRows
    ) -> None:
        self.frames, self.external = frames, external
        self.time_of_day = torch.from_numpy(time_of_day(timestamps))
        self.rows = [torch.from_numpy(np.ascontiguousarray(each)) for each in rows]

    def __len__(self) -> int:
        return len(self.rows[-1])

    def __getitem__(self, index: int) -> GridBatch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> GridBatch:
        r"""The windows of a batch."""
        index = torch.as_tensor(indices)
        closeness, period, trend, reference, target = (rows[index] for rows in self.rows)
        return GridBatch(
            self.frames[closeness],
            self.frames[period],
            self.frames[trend],
            self.external[target],
            self.time_of_day[target[:, 0]],
            self.frames[reference],
            self.frames[target],
            target[:, 0],
        )


class GridLoader(ResumableLoader):
    r"""Batches of windows. The order of an epoch follows from ``seed`` and its number alone, and
    a resumed run sees what an uninterrupted run sees.

    Args:
        dataset: The windows.
        batch_size: Windows in a batch.
        shuffle: Random order.
        seed: Seed of the order.
        **kwargs: Further arguments of :class:`torch.utils.data.DataLoader`.
    """

    def __init__(
        self,
        dataset: GridFrames,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        # kept under their own names: trainers build a loader again from these attributes, with a
        # distributed sampler
        self.shuffle, self.seed = shuffle, seed
        kwargs.pop("collate_fn", None)
        if kwargs.get("batch_sampler") is not None:
            batch_size = 1  # what DataLoader demands beside a batch sampler
        elif shuffle and kwargs.get("sampler") is None:
            kwargs["sampler"] = EpochShuffle(dataset, seed)
        if kwargs.get("generator") is None:  # DataLoader seeds its workers from it
            kwargs["generator"] = torch.Generator().manual_seed(seed)
        super().__init__(dataset, batch_size, collate_fn=_as_is, **kwargs)


def _as_is(batch: Any) -> Any:
    r"""The dataset already gives whole batches."""
    return batch
