r"""Windows of a series as a map-style dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tgst.data import Series
from tgst.data.windows import time_of_day as encode_time_of_day


class WindowBatch(NamedTuple):
    r"""A batch of windows; nodes first, values in the units of the series.

    Shapes:
        - **x:** :math:`(N, B, \text{history}, C)`: input readings, 0 where not observed
        - **y:** :math:`(N, B, \text{horizon}, C_y)`: target readings, 0 where not observed
        - **mask:** :math:`(N, B, \text{history})`, bool: :obj:`True` where :obj:`x` was observed
        - **y_mask:** :math:`(N, B, \text{horizon})`, bool: :obj:`True` where :obj:`y` was observed
        - **covariates:** :math:`(1, B, \text{history} + \text{horizon}, D)`: known for past and
          future, the same for all nodes; :math:`D = 2` with time of day, else 0
        - **start:** :math:`(B)`, long: row of the first history step in the series
    """

    x: Tensor
    y: Tensor
    mask: Tensor
    y_mask: Tensor
    covariates: Tensor
    start: Tensor


class WindowDataset(Dataset[WindowBatch]):
    r"""Windows of a series, cut when they are asked for.

    A batch is gathered from the one array of the series by one index; no window is stored.

    Args:
        series (Series): The readings.
        starts (numpy.ndarray): Row of the first history step of every window, see
            :func:`tgst.data.window_starts`.
        history (int): Input rows of a window.
        horizon (int): Target rows of a window.
        target_channels (sequence of int or str, optional): Channels of the targets, by index or
            by name; :obj:`None` means all. (default: :obj:`None`)
        time_of_day (bool, optional): Give the time of day as covariates
            (:func:`tgst.data.time_of_day`). (default: :obj:`False`)

    Raises:
        ValueError: If a target channel does not exist.
    """

    def __init__(
        self,
        series: Series,
        starts: np.ndarray,
        history: int,
        horizon: int,
        target_channels: Sequence[int | str] | None = None,
        time_of_day: bool = False,
    ) -> None:
        self.series = series
        self.starts = torch.from_numpy(starts)
        self.channels = _channel_indices(series, target_channels)
        self.past = torch.arange(history)
        self.future = torch.arange(history, history + horizon)
        covariates = (
            torch.from_numpy(encode_time_of_day(series.timestamps))
            if time_of_day
            else torch.empty(series.num_steps, 0)
        )
        self.covariates = covariates.to(series.values.dtype)

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> WindowBatch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> WindowBatch:
        r"""The windows of a batch in one gather."""
        start = self.starts[torch.as_tensor(indices)]
        past = start.unsqueeze(1) + self.past  # [B, history]
        future = start.unsqueeze(1) + self.future  # [B, horizon]
        y = _rows(self.series.values, future)
        if self.channels is not None:
            y = y[..., self.channels]
        return WindowBatch(
            x=_rows(self.series.values, past),
            y=y,
            mask=self._observed(past),
            y_mask=self._observed(future),
            covariates=self.covariates[torch.cat([past, future], dim=1)].unsqueeze(0),
            start=start,
        )

    def _observed(self, index: Tensor) -> Tensor:
        if self.series.mask is None:
            return torch.ones(self.series.num_nodes, *index.shape, dtype=torch.bool)
        return _rows(self.series.mask, index)


def _rows(values: Tensor, index: Tensor) -> Tensor:
    r"""Time steps :obj:`index` [B, T] of :obj:`values` [N, T, *] as [N, B, T, *]."""
    return values.index_select(1, index.reshape(-1)).unflatten(1, index.shape)


def _channel_indices(series: Series, channels: Sequence[int | str] | None) -> list[int] | None:
    if channels is None:
        return None
    names = series.channels
    indices = []
    for channel in channels:
        if channel in names:
            indices.append(names.index(str(channel)))
        elif isinstance(channel, int) and 0 <= channel < len(names):
            indices.append(channel)
        else:
            raise ValueError(
                f"`target_channels` must be indices 0..{len(names) - 1} or names out of {names}, "
                f"got {channel!r}"
            )
    if not indices:
        raise ValueError("`target_channels` must name at least one channel, got none")
    return indices
