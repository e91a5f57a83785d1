r"""Cleaning steps, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tgst.data.cleaning.step_record import StepRecord
from tgst.data.series import Series


class Clean:
    r"""Applies cleaning steps in order and counts what each of them did.

    A sensible order is :class:`Resample`, :class:`PhysicalRange`, :class:`Outliers`,
    :class:`InterpolateGaps`: what is filled in is then made of readings that passed.

    Args:
        steps (sequence of callables): Each takes a :class:`Series` and gives a new one.

    Attributes:
        record (list): A :class:`StepRecord` for each step of the last call.

    Raises:
        ValueError: If a step cannot be called or, when it is, gives no series.
    """

    def __init__(self, steps: Sequence[Callable[[Series], Series]]) -> None:
        if callable(steps):
            raise ValueError(f"`steps` must be a sequence of steps, got {steps!r}; write [step]")
        for step in steps:
            if not callable(step):
                raise ValueError(
                    f"`steps` must be callables that take and give a Series, got {step!r}"
                )
        self.steps = list(steps)
        self.record: list[StepRecord] = []

    def __call__(self, series: Series) -> Series:
        r"""The cleaned series; the one given is not changed."""
        record = []
        for step in self.steps:
            before, series = series, step(series)
            if not isinstance(series, Series):
                raise ValueError(
                    f"`steps` must give a Series, got {type(series).__name__} from {step!r}"
                )
            record.append(_record(step, before, series))
        self.record = record
        return series

    def report(self) -> str:
        r"""The record of the last call as a table, one line per step."""
        lines = [f"{'step':<44}{'rows':>9}{'observed':>13}{'removed':>11}{'filled':>11}"]
        for entry in self.record:
            removed = "-" if entry.removed is None else entry.removed
            lines.append(
                f"{entry.step:<44}{entry.rows:>9}{entry.observed:>13}{removed:>11}{entry.filled:>11}"
            )
        return "\n".join(lines)

    def __repr__(self) -> str:
        return f"{type(self).__name__}([{', '.join(repr(step) for step in self.steps)}])"


def _record(step: Callable, before: Series, after: Series) -> StepRecord:
    removed = None
    if np.array_equal(before.timestamps, after.timestamps):
        removed = _count(before) - _count(after)
    filled = _filled(after) - _filled(before)
    return StepRecord(repr(step), after.num_steps, _count(after), removed, max(filled, 0))


def _count(series: Series) -> int:
    if series.mask is None:
        return series.num_nodes * series.num_steps
    return int(series.mask.sum())


def _filled(series: Series) -> int:
    return 0 if series.filled is None else int(series.filled.sum())
