r"""Readings on a regular grid of time."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tgst.data.cleaning.durations import Duration, whole_seconds
from tgst.data.cleaning.readings import observed_readings
from tgst.data.series import NODES_PER_CHECK, Series

SECONDS_PER_DAY = 86_400


class Resample:
    r"""Brings readings onto a regular grid: the mean of what was observed in each interval.

    .. math::
        \bar{x}_{i, k} = \frac{\sum_t m_{it} x_{it}}{\sum_t m_{it}} \quad
        \text{over all } t \text{ with } t_0 + k \Delta \le t < t_0 + (k + 1) \Delta

    An interval is labelled by its **start**, :math:`t_0 + k \Delta`, and reaches to the interval
    that holds the last reading. A node that was not observed in an interval is not observed
    there; so a step finer than that of the readings leaves unobserved rows. Readings that were
    filled in do not count: fill after resampling.

    Args:
        step (str, datetime.timedelta or numpy.timedelta64): Step :math:`\Delta` of the grid, for
            example :obj:`"5min"`.
        origin (str, optional): Where the grid begins: at the :obj:`"first"` reading, or at the
            last whole number of steps since :obj:`"midnight"` before it.
            (default: :obj:`"first"`)

    Raises:
        ValueError: If :obj:`step` is no positive number of whole seconds or :obj:`origin` is
            unknown.
    """

    def __init__(self, step: Duration, origin: Literal["first", "midnight"] = "first") -> None:
        self.seconds = whole_seconds(step, "step")
        if origin not in ("first", "midnight"):
            raise ValueError(f"`origin` must be 'first' or 'midnight', got {origin!r}")
        self.step, self.origin = step, origin

    def __call__(self, series: Series) -> Series:
        r"""The series on the grid."""
        slot, timestamps = self._grid(series.timestamps)
        values, counts = [], []
        observed = observed_readings(series)
        for start in range(0, series.num_nodes, NODES_PER_CHECK):
            nodes = slice(start, start + NODES_PER_CHECK)
            mean, count = _means(series.values[nodes], observed[nodes], slot, len(timestamps))
            values.append(mean)
            counts.append(count)
        mask = torch.cat(counts) > 0
        return Series(
            torch.cat(values),
            timestamps,
            None if mask.all() else mask,
            series.node_id,
            series.channels,
        )

    def __repr__(self) -> str:
        origin = "" if self.origin == "first" else f", origin={self.origin!r}"
        return f"{type(self).__name__}({str(self.step)!r}{origin})"

    def _grid(self, timestamps: np.ndarray) -> tuple[Tensor, np.ndarray]:
        r"""Interval of each row, and the starts of the intervals."""
        moments = timestamps.astype(np.int64)
        first = moments[0]
        if self.origin == "midnight":
            first -= first % SECONDS_PER_DAY % self.seconds
        slot = (moments - first) // self.seconds
        starts = first + self.seconds * np.arange(slot[-1] + 1)
        return torch.from_numpy(slot), starts.astype("datetime64[s]")


def _means(values: Tensor, observed: Tensor, slot: Tensor, num_slots: int) -> tuple[Tensor, Tensor]:
    r"""Mean of the observed readings in each interval, and their number."""
    count = torch.zeros(len(values), num_slots, dtype=torch.float64)
    total = torch.zeros(len(values), num_slots, values.size(-1), dtype=torch.float64)
    count.index_add_(1, slot, observed.double())
    total.index_add_(1, slot, values.double() * observed.unsqueeze(-1))
    return (total / count.clamp(min=1).unsqueeze(-1)).to(values.dtype), count
