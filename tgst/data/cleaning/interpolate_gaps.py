r"""Short gaps, filled in."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tgst.data.cleaning.durations import Duration, whole_seconds
from tgst.data.gap import irregular_steps
from tgst.data.series import NODES_PER_CHECK, Series


class InterpolateGaps:
    r"""Fills short runs of unobserved readings, linearly in time between their neighbours.

    .. math::
        x_t = x_a + \frac{t - a}{b - a} (x_b - x_a)

    with :math:`a < t < b` the observed readings of the node before and after the run. The mask
    keeps the record: a filled reading stays unobserved, :obj:`series.filled` marks it. Longer
    runs stay as they are, as do runs at the beginning and the end and runs across a gap in the
    timestamps (:func:`tgst.data.gaps`).

    Args:
        max_gap (int, str, datetime.timedelta or numpy.timedelta64): Longest run to fill, in steps
            of the series or as a duration (a run of :math:`k` readings lasts :math:`k` steps).

    Raises:
        ValueError: If :obj:`max_gap` is not at least one step.
    """

    def __init__(self, max_gap: int | Duration) -> None:
        if not isinstance(max_gap, int):
            whole_seconds(max_gap, "max_gap")
        elif max_gap < 1:
            raise ValueError(f"`max_gap` must be at least 1 step, got {max_gap}")
        self.max_gap = max_gap

    def __call__(self, series: Series) -> Series:
        r"""The series with its short gaps filled."""
        if series.mask is None or series.mask.all() or series.num_steps < 3:
            return series
        steps = self._steps(series)
        cut, _ = irregular_steps(series.timestamps)
        segment = torch.from_numpy(np.concatenate([[0], np.cumsum(cut)]))
        values = series.values.clone()
        filled = torch.zeros_like(series.mask)
        for start in range(0, series.num_nodes, NODES_PER_CHECK):
            nodes = slice(start, start + NODES_PER_CHECK)
            given = None if series.filled is None else series.filled[nodes]
            filled[nodes] = _fill(values[nodes], series.mask[nodes], given, segment, steps)
        if series.filled is not None:
            filled |= series.filled
        return Series(
            values, series.timestamps, series.mask, series.node_id, series.channels, filled
        )

    def __repr__(self) -> str:
        gap = self.max_gap if isinstance(self.max_gap, int) else str(self.max_gap)
        return f"{type(self).__name__}({gap!r})"

    def _steps(self, series: Series) -> int:
        if isinstance(self.max_gap, int):
            return self.max_gap
        step = int(series.step / np.timedelta64(1, "s"))
        steps = whole_seconds(self.max_gap, "max_gap") // step
        if steps < 1:
            raise ValueError(
                f"`max_gap` must be at least one step of the series ({step} s), got {self.max_gap}"
            )
        return steps


def _fill(
    values: Tensor, mask: Tensor, given: Tensor | None, segment: Tensor, steps: int
) -> Tensor:
    r"""Fills :obj:`values` [N, T, C] in place; where, [N, T]."""
    num_steps = mask.size(1)
    row = torch.arange(num_steps).expand_as(mask)
    before = torch.where(mask, row, -1).cummax(dim=1).values
    after = torch.where(mask, row, num_steps).flip(1).cummin(dim=1).values.flip(1)
    inside = ~mask & (before >= 0) & (after < num_steps) & (after - before - 1 <= steps)
    if given is not None:
        inside &= ~given
    node, moment = inside.nonzero(as_tuple=True)
    left, right = before[node, moment], after[node, moment]
    whole = segment[left] == segment[right]
    node, moment, left, right = (index[whole] for index in (node, moment, left, right))
    share = ((moment - left).double() / (right - left)).unsqueeze(-1)
    first, last = values[node, left].double(), values[node, right].double()
    values[node, moment] = (first + share * (last - first)).to(values.dtype)
    filled = torch.zeros_like(mask)
    filled[node, moment] = True
    return filled
