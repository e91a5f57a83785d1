r"""Readings that cannot be."""

from __future__ import annotations

import math

import torch

from tgst.data.cleaning.readings import observed_readings, selected_channels, without_readings
from tgst.data.series import NODES_PER_CHECK, Series


class PhysicalRange:
    r"""Takes readings outside of a range for not observed; nothing is clipped.

    The mask has one entry for all channels of a reading: if one channel is out of range, the
    reading is removed with all of them.

    Args:
        low (float, optional): Smallest possible value. (default: :obj:`None`)
        high (float, optional): Largest possible value. (default: :obj:`None`)
        channel (int or str, optional): The channel to look at, by index or by name; :obj:`None`
            means all. (default: :obj:`None`)

    Raises:
        ValueError: If there is no limit or :obj:`low` is above :obj:`high`, or, when called, the
            series has no such channel.
    """

    def __init__(
        self,
        low: float | None = None,
        high: float | None = None,
        channel: int | str | None = None,
    ) -> None:
        self.low = -math.inf if low is None else float(low)
        self.high = math.inf if high is None else float(high)
        if not self.low <= self.high or (low is None and high is None):
            raise ValueError(
                f"`low` and `high` must satisfy low <= high, at least one of them given, got "
                f"low={low}, high={high}"
            )
        self.channel = channel

    def __call__(self, series: Series) -> Series:
        r"""The series without the readings that are out of range."""
        channels = selected_channels(series, self.channel)
        stored = observed_readings(series)
        if series.filled is not None:
            stored = stored | series.filled
        bad = torch.zeros_like(stored)
        for start in range(0, series.num_nodes, NODES_PER_CHECK):
            nodes = slice(start, start + NODES_PER_CHECK)
            values = series.values[nodes][..., channels]
            bad[nodes] = ((values < self.low) | (values > self.high)).any(dim=-1) & stored[nodes]
        return without_readings(series, bad)

    def __repr__(self) -> str:
        channel = "" if self.channel is None else f", channel={self.channel!r}"
        return f"{type(self).__name__}({self.low:g}, {self.high:g}{channel})"
