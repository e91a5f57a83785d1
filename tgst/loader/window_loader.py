r"""Loads windows of a series for training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from tgst.data import Series, split_rows, window_starts
from tgst.data.calendar import missing_weekdays
from tgst.loader.epoch_shuffle import EpochShuffle
from tgst.loader.resumable_loader import ResumableLoader
from tgst.loader.window_dataset import WindowBatch, WindowDataset


class WindowLoader(ResumableLoader):
    r"""Batches of windows :math:`[N, B, T, C]` of one part of a series.

    The rows are split by time. A window belongs to the part that holds all of its targets; its
    history may reach back into the part before (:func:`tgst.data.split_windows`). Windows are
    sliced lazily from the one array of the series, values in its units: scale them with a
    :class:`tgst.data.StandardScaler` that was fitted on the training rows.

    The order of an epoch follows from :obj:`seed` and the number of the epoch alone.
    :meth:`state_dict` holds epoch and position, so that a resumed run sees the windows that an
    uninterrupted run sees.

    Args:
        series (Series): The readings.
        history (int, optional): Input steps. (default: :obj:`12`)
        horizon (int, optional): Target steps. (default: :obj:`12`)
        part (str, optional): :obj:`"train"`, :obj:`"val"`, :obj:`"test"` or :obj:`None` for the
            whole series. (default: :obj:`None`)
        split (sequence of float, optional): Share of rows of each part.
            (default: :obj:`(0.7, 0.1, 0.2)`)
        batch_size (int, optional): Windows in a batch. (default: :obj:`32`)
        shuffle (bool, optional): Random order; :obj:`None` shuffles the training part only.
            (default: :obj:`None`)
        target_channels (sequence of int or str, optional): Channels of the targets, by index or
            by name; :obj:`None` means all. (default: :obj:`None`)
        time_of_day (bool, optional): Give sine and cosine of the time of day as covariates.
            (default: :obj:`False`)
        stride (int, optional): Rows from one window to the next. (default: :obj:`1`)
        seed (int, optional): Seed of the shuffling; the global random state is not used.
            (default: :obj:`0`)
        within_day (bool, optional): Leave out windows that cross midnight.
            (default: :obj:`False`)
        day_of_week (bool or str, optional): Give the day of the week as covariates, one-hot, after
            the time of day. A model learns nothing about a weekday that it never saw:
            :obj:`True` is refused unless the training rows of :obj:`split` hold all seven, and
            :obj:`"auto"` gives it only then. (default: :obj:`False`)
        covariates (torch.Tensor or numpy.ndarray, optional): Own covariates that are known in
            advance, :math:`(T, D)` or :math:`(N, T, D)`, after those of the calendar.
            (default: :obj:`None`)
        **kwargs (optional): Further arguments of :class:`torch.utils.data.DataLoader`, such as
            :obj:`num_workers` or a :obj:`sampler` over the windows.

    Attributes:
        series (Series): The readings.
        starts (numpy.ndarray): Row of the first history step of every window, ascending.

    Raises:
        ValueError: If an argument is out of range, the part is shorter than a window, or the
            training rows lack a day of the week.
    """

    def __init__(
        self,
        series: Series,
        history: int = 12,
        horizon: int = 12,
        part: str | None = None,
        split: Sequence[float] = (0.7, 0.1, 0.2),
        batch_size: int = 32,
        shuffle: bool | None = None,
        target_channels: Sequence[int | str] | None = None,
        time_of_day: bool = False,
        stride: int = 1,
        seed: int = 0,
        within_day: bool = False,
        day_of_week: bool | Literal["auto"] = False,
        covariates: Tensor | np.ndarray | None = None,
        **kwargs: Any,
    ) -> None:
        # Kept under their own names: trainers build a loader again from these attributes, with
        # a distributed sampler, and pass what this class sets by itself as well.
        self.series = series
        self.history, self.horizon = history, horizon
        self.part, self.split = part, tuple(split)
        self.target_channels, self.time_of_day = target_channels, time_of_day
        self.stride, self.seed = stride, seed
        self.within_day, self.day_of_week, self.covariates = within_day, day_of_week, covariates
        self.starts = window_starts(
            series, history, horizon, part, split, stride, within_day=within_day
        )
        for name in ("dataset", "collate_fn"):
            kwargs.pop(name, None)
        dataset = WindowDataset(
            series,
            self.starts,
            history,
            horizon,
            target_channels,
            time_of_day,
            gives_day_of_week(series, split, day_of_week),
            covariates,
        )
        if kwargs.get("batch_sampler") is not None:
            batch_size = 1  # what DataLoader demands beside a batch sampler
        elif kwargs.get("sampler") is None and (part == "train" if shuffle is None else shuffle):
            kwargs["sampler"] = EpochShuffle(dataset, seed)
        if kwargs.get("generator") is None:  # DataLoader seeds its workers from it
            kwargs["generator"] = torch.Generator().manual_seed(seed)
        super().__init__(dataset, batch_size, collate_fn=_as_is, **kwargs)

    def timestamps_of(self, batch: WindowBatch) -> np.ndarray:
        r"""Moments of the targets of a batch.

        Args:
            batch (WindowBatch): A batch of this loader.

        Returns:
            numpy.ndarray: datetime64[s] of shape :math:`(B, \text{horizon})`.
        """
        rows = batch.start.cpu().numpy()[:, None] + np.arange(self.horizon) + self.history
        return self.series.timestamps[rows]


def _as_is(batch: Any) -> Any:
    r"""The dataset already gives whole batches."""
    return batch


def gives_day_of_week(
    series: Series, split: Sequence[float], wanted: bool | Literal["auto"]
) -> bool:
    r"""Whether windows of the series come with the day of the week.

    Args:
        series (Series): The readings.
        split (sequence of float): Share of rows of each part.
        wanted (bool or str): :obj:`day_of_week` of a loader.

    Raises:
        ValueError: If :obj:`wanted` is :obj:`True` and the training rows lack a weekday, or it is
            none of :obj:`True`, :obj:`False` and :obj:`"auto"`.
    """
    if wanted not in (True, False, "auto"):
        raise ValueError(f"`day_of_week` must be True, False or 'auto', got {wanted!r}")
    if not wanted:
        return False
    rows = split_rows(series.num_steps, split)["train"]
    missing = missing_weekdays(series.timestamps[rows.start : rows.stop])
    if missing and wanted != "auto":
        raise ValueError(
            f"`day_of_week` needs training rows of every weekday, got none of "
            f"{', '.join(missing)} in rows {rows.start}..{rows.stop} of `split` {tuple(split)}; "
            "give more readings or a larger training share, or day_of_week='auto', which then "
            "leaves the day of the week out"
        )
    return not missing
