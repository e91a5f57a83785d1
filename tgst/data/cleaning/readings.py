r"""What the cleaning steps share."""

from __future__ import annotations

import torch
from torch import Tensor

from tgst.data.series import Series


def observed_readings(series: Series) -> Tensor:
    r"""Where readings were observed, :math:`(N, T)`, also if the series has no mask."""
    if series.mask is not None:
        return series.mask
    return torch.ones(series.num_nodes, series.num_steps, dtype=torch.bool)


def without_readings(series: Series, bad: Tensor) -> Series:
    r"""The series with some readings neither observed nor filled, all channels of them.

    Args:
        series (Series): The readings.
        bad (torch.Tensor): :obj:`True` for the readings to remove.

    Shapes:
        - **bad:** :math:`(N, T)`, bool
    """
    if not bad.any():
        return series
    mask = observed_readings(series) & ~bad
    filled = None if series.filled is None else series.filled & ~bad
    return Series(series.values, series.timestamps, mask, series.node_id, series.channels, filled)


def selected_channels(series: Series, channel: int | str | None) -> list[int]:
    r"""Indices of one channel, given by index or name, or of all.

    Raises:
        ValueError: If there is no such channel.
    """
    if channel is None:
        return list(range(series.num_channels))
    if channel in series.channels:
        return [series.channels.index(str(channel))]
    if isinstance(channel, int) and 0 <= channel < series.num_channels:
        return [channel]
    raise ValueError(
        f"`channel` must be an index 0..{series.num_channels - 1} or a name out of "
        f"{series.channels}, got {channel!r}"
    )
