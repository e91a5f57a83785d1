r"""Windows of a series as a map-style dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tgst.data import Series
from tgst.data.calendar import day_of_week as encode_day_of_week
from tgst.data.calendar import time_of_day as encode_time_of_day
from tgst.data.series import as_tensor


class WindowBatch(NamedTuple):
    r"""A batch of windows; nodes first, values in the units of the series.

    Shapes:
        - **x:** :math:`(N, B, \text{history}, C)`: input readings, 0 where :obj:`mask` is False
        - **y:** :math:`(N, B, \text{horizon}, C_y)`: target readings, 0 where not observed
        - **mask:** :math:`(N, B, \text{history})`, bool: :obj:`True` where :obj:`x` may be used: it
          was observed, or filled in by what was observed up to the end of the history
        - **y_mask:** :math:`(N, B, \text{horizon})`, bool: :obj:`True` where :obj:`y` was observed
        - **covariates:** :math:`(1 \text{ or } N, B, \text{history} + \text{horizon}, D)`: known
          for past and future, the same for all nodes or for each; time of day (2), day of week
          (7) and own ones, in this order, as far as they were asked for
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

    A reading that was filled in (:obj:`series.filled`) may be an input but never a target. It
    counts as input only if a later reading of the node in the history was observed: a gap that
    is still open when the forecast is made was filled with the help of readings of the future.

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
        day_of_week (bool, optional): Give the day of the week as covariates
            (:func:`tgst.data.day_of_week`). (default: :obj:`False`)
        covariates (torch.Tensor or numpy.ndarray, optional): Own covariates of each row, known in
            advance: the same for all nodes or for each. (default: :obj:`None`)

    Shapes:
        - **covariates:** :math:`(T, D)` or :math:`(N, T, D)`, floating point, finite

    Raises:
        ValueError: If a target channel does not exist, or the covariates do not fit the series.
    """

    def __init__(
        self,
        series: Series,
        starts: np.ndarray,
        history: int,
        horizon: int,
        target_channels: Sequence[int | str] | None = None,
        time_of_day: bool = False,
        day_of_week: bool = False,
        covariates: Tensor | np.ndarray | None = None,
    ) -> None:
        self.series = series
        self.starts = torch.from_numpy(starts)
        self.channels = _channel_indices(series, target_channels)
        self.past = torch.arange(history)
        self.future = torch.arange(history, history + horizon)
        given = None if covariates is None else _as_covariates(covariates, series)
        shared = [torch.empty(series.num_steps, 0)]
        if time_of_day:
            shared.append(torch.from_numpy(encode_time_of_day(series.timestamps)))
        if day_of_week:
            shared.append(torch.from_numpy(encode_day_of_week(series.timestamps)))
        if given is not None and given.dim() == 2:
            shared.append(given)
        self.covariates = torch.cat([part.to(series.values.dtype) for part in shared], dim=-1)
        self.node_covariates = given if given is not None and given.dim() == 3 else None

    @property
    def num_covariates(self) -> int:
        r"""Number of covariates :math:`D`."""
        own = 0 if self.node_covariates is None else self.node_covariates.size(-1)
        return self.covariates.size(-1) + own

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> WindowBatch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> WindowBatch:
        r"""The windows of a batch in one gather."""
        return self.windows(torch.as_tensor(indices))

    def windows(
        self, indices: Tensor, nodes: Tensor | None = None, targets: Tensor | None = None
    ) -> WindowBatch:
        r"""The windows of a batch, of some nodes only.

        Args:
            indices (torch.Tensor): Numbers of the windows.
            nodes (torch.Tensor, optional): Rows of the series for inputs and covariates;
                :obj:`None` means all. (default: :obj:`None`)
            targets (torch.Tensor, optional): Rows of the series for targets; :obj:`None` means
                :obj:`nodes`. (default: :obj:`None`)
        """
        targets = nodes if targets is None else targets
        start = self.starts[indices]
        past = start.unsqueeze(1) + self.past  # [B, history]
        future = start.unsqueeze(1) + self.future  # [B, horizon]
        x, mask = self._input(past, nodes)
        y, y_mask = _rows(self.series.values, future, targets), self._observed(future, targets)
        if self.channels is not None:
            y = y[..., self.channels]
        if self.series.filled is not None:
            y = y.masked_fill(~y_mask.unsqueeze(-1), 0)
        covariates = self._covariates(torch.cat([past, future], dim=1), nodes)
        return WindowBatch(x, y, mask, y_mask, covariates, start)

    def _input(self, past: Tensor, nodes: Tensor | None) -> tuple[Tensor, Tensor]:
        r"""Readings of the history and where they may be used."""
        x, observed = _rows(self.series.values, past, nodes), self._observed(past, nodes)
        if self.series.filled is None:
            return x, observed
        last = torch.where(observed, self.past, -1).amax(dim=-1, keepdim=True)
        mask = observed | (_rows(self.series.filled, past, nodes) & (self.past < last))
        return x.masked_fill(~mask.unsqueeze(-1), 0), mask

    def _observed(self, index: Tensor, nodes: Tensor | None) -> Tensor:
        if self.series.mask is None:
            num_nodes = self.series.num_nodes if nodes is None else len(nodes)
            return torch.ones(num_nodes, *index.shape, dtype=torch.bool)
        return _rows(self.series.mask, index, nodes)

    def _covariates(self, index: Tensor, nodes: Tensor | None) -> Tensor:
        shared = self.covariates[index].unsqueeze(0)
        if self.node_covariates is None:
            return shared
        own = _rows(self.node_covariates, index, nodes).to(shared.dtype)
        return torch.cat([shared.expand(len(own), -1, -1, -1), own], dim=-1)


def _rows(values: Tensor, index: Tensor, nodes: Tensor | None) -> Tensor:
    r"""Consecutive time steps :obj:`index` [B, T] of :obj:`values` [N, T, *] as [N, B, T, *], of
    some nodes or all.
    """
    if nodes is None:
        return values.index_select(1, index.reshape(-1)).unflatten(1, index.shape)
    # Window by window: a slice in time costs nothing, and each node's steps lie side by side.
    steps = index.size(1)
    parts = [values[:, row : row + steps].index_select(0, nodes) for row in index[:, 0].tolist()]
    return torch.stack(parts, dim=1)


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


def _as_covariates(covariates: Tensor | np.ndarray, series: Series) -> Tensor:
    covariates = as_tensor(covariates)
    if not isinstance(covariates, Tensor) or not covariates.is_floating_point():
        kind = covariates.dtype if isinstance(covariates, Tensor) else type(covariates).__name__
        raise ValueError(f"`covariates` must be a floating point tensor or array, got {kind}")
    steps, nodes = series.num_steps, series.num_nodes
    if tuple(covariates.shape[:-1]) not in ((steps,), (nodes, steps)):
        raise ValueError(
            f"`covariates` must have the shape [time, D] = ({steps}, D) or [nodes, time, D] = "
            f"({nodes}, {steps}, D), as the series, got {tuple(covariates.shape)}"
        )
    if not covariates.isfinite().all():
        where = (~covariates.isfinite()).nonzero()[0].tolist()
        raise ValueError(
            f"`covariates` must be finite, got {covariates[tuple(where)]} at index {tuple(where)}"
        )
    return covariates
