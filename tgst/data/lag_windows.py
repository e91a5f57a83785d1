r"""Windows over slots of time whose inputs lie some slots, days and weeks before the targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tgst.data.gap import irregular_steps

DAY = np.timedelta64(1, "D")
WEEK = np.timedelta64(7, "D")


class LagWindows:
    r"""The rows that forecasts of `"Deep Spatio-Temporal Residual Networks for Citywide Crowd Flows
    Prediction" <https://arxiv.org/abs/1610.00081>`_ (Zhang et al., 2017) read and are compared
    with: recent slots (closeness), the same time on the days before (period) and in the weeks
    before (trend).

    With :math:`t` the first target, :math:`\Delta` the length of a slot, :math:`p` and :math:`q`
    the steps of period and trend (a day and a week), a window of horizon :math:`H` reads

    .. math::
        \text{closeness } & t - \Delta, \; t - 2 \Delta, \; \dots, \; t - l_c \Delta \\
        \text{period of step } h & t + h \Delta - k p, \; \dots, \;
            t + h \Delta - (k + l_p - 1) p \\
        \text{trend of step } h & t + h \Delta - k' q, \; \dots, \;
            t + h \Delta - (k' + l_q - 1) q

    for :math:`h = 0, \dots, H - 1`. :math:`k, k'` are the least whole numbers from 1 on that lead
    to a slot before :math:`t`: what is not known at the time of the forecast is never read, however
    long the horizon.

    Rows are found by their **stamp**, not by counting rows. A window is left out if any slot that
    it reads or is compared with is absent; so no window crosses a gap, or the end of a file and the
    beginning of the next one that is not its continuation.

    Convention:
        The most recent slot comes first, as in the authors' code (the paper draws the oldest
        first).

    Args:
        timestamps (numpy.ndarray): Beginning of each slot, datetime64, strictly increasing by whole
            seconds.
        closeness (int, optional): Recent slots :math:`l_c`. (default: :obj:`3`)
        period (int, optional): Days :math:`l_p`. (default: :obj:`1`)
        trend (int, optional): Weeks :math:`l_q`. (default: :obj:`1`)
        horizon (int, optional): Target slots :math:`H`. (default: :obj:`1`)
        period_step (numpy.timedelta64, optional): Step :math:`p` of the period.
            (default: one day)
        trend_step (numpy.timedelta64, optional): Step :math:`q` of the trend.
            (default: seven days)
        step (numpy.timedelta64, optional): Length :math:`\Delta` of a slot. (default: the most
            frequent difference of neighbouring stamps)

    Attributes:
        closeness_rows (numpy.ndarray): Rows of the recent slots.
        period_rows (numpy.ndarray): Rows of the days before, of each step of the horizon.
        trend_rows (numpy.ndarray): Rows of the weeks before, of each step of the horizon.
        target_rows (numpy.ndarray): Rows of the targets.

    Shapes:
        - **closeness_rows:** :math:`(W, l_c)`, int64
        - **period_rows:** :math:`(W, H, l_p)`, int64
        - **trend_rows:** :math:`(W, H, l_q)`, int64
        - **target_rows:** :math:`(W, H)`, int64, ascending

    Raises:
        ValueError: If the timestamps are no moments, not strictly increasing or fewer than two, if
            a number or a step is out of range, no input is left, or no window is complete.
    """

    def __init__(
        self,
        timestamps: np.ndarray,
        closeness: int = 3,
        period: int = 1,
        trend: int = 1,
        horizon: int = 1,
        period_step: np.timedelta64 = DAY,
        trend_step: np.timedelta64 = WEEK,
        step: np.timedelta64 | None = None,
    ) -> None:
        self.timestamps = _checked(timestamps)
        self.step = _seconds("step", irregular_steps(self.timestamps)[1] if step is None else step)
        for name, value, least in (
            ("closeness", closeness, 0),
            ("period", period, 0),
            ("trend", trend, 0),
            ("horizon", horizon, 1),
        ):
            if value < least:
                raise ValueError(f"{name}: expected at least {least}, got {value}")
        if closeness + period + trend == 0:
            raise ValueError("closeness, period, trend: expected an input, got 0, 0, 0")
        self.closeness, self.period, self.trend = closeness, period, trend
        self.horizon = horizon
        recent = -self.step * np.arange(1, closeness + 1)
        ahead = self.step * np.arange(horizon)
        days = _lags(ahead, period, _seconds("period_step", period_step))
        weeks = _lags(ahead, trend, _seconds("trend_step", trend_step))
        rows = [self._rows(offsets) for offsets in (recent, days, weeks, ahead)]
        complete = np.logical_and.reduce(
            [(found >= 0).all(axis=tuple(range(1, found.ndim))) for found in rows]
        )
        if not complete.any():
            raise ValueError(
                f"timestamps: expected {closeness} slots of {self.step}, {period} of {period_step} "
                f"and {trend} of {trend_step} before {horizon} targets at least once, got none "
                f"complete in {len(self.timestamps)} slots {self.timestamps[0]} .. "
                f"{self.timestamps[-1]}"
            )
        self.closeness_rows, self.period_rows, self.trend_rows, self.target_rows = (
            found[complete] for found in rows
        )

    def __len__(self) -> int:
        return len(self.target_rows)

    def __repr__(self) -> str:
        first, last = self.target_rows[[0, -1], [0, -1]] if len(self) else (0, -1)
        span = f", targets {self.timestamps[first]} .. {self.timestamps[last]}" if len(self) else ""
        return (
            f"{type(self).__name__}({len(self)}, closeness={self.closeness}, "
            f"period={self.period}, trend={self.trend}, horizon={self.horizon}{span})"
        )

    def __getitem__(self, index: slice | Sequence[int] | np.ndarray) -> LagWindows:
        r"""Some of the windows, by a slice or an array of numbers or bools."""
        if isinstance(index, int | np.integer):
            raise TypeError(
                f"index: expected a slice or an array (the result is windows again), got {index}"
            )
        part = object.__new__(type(self))
        part.__dict__.update(self.__dict__)
        for name in ("closeness_rows", "period_rows", "trend_rows", "target_rows"):
            setattr(part, name, getattr(self, name)[index])
        return part

    def between(
        self, start: np.datetime64 | None = None, stop: np.datetime64 | None = None
    ) -> LagWindows:
        r"""The windows whose targets all lie in a span of time.

        Training windows :obj:`between(stop=first_test_slot)` read nothing of the test part, since
        all inputs precede the targets. Test windows :obj:`between(start=first_test_slot)` read
        slots before it, which are known when the forecast is made.

        Args:
            start (numpy.datetime64, optional): First slot of a target. (default: :obj:`None`)
            stop (numpy.datetime64, optional): Slot after the last one. (default: :obj:`None`)
        """
        times = self.timestamps[self.target_rows]
        inside = np.ones(len(times), dtype=bool)
        if start is not None:
            inside &= times[:, 0] >= start
        if stop is not None:
            inside &= times[:, -1] < stop
        return self[inside]

    def _rows(self, offsets: np.ndarray) -> np.ndarray:
        r"""Rows of the slots at some offsets from every row; -1 where there is no such slot."""
        wanted = self.timestamps.reshape(-1, *[1] * offsets.ndim) + offsets
        rows = np.searchsorted(self.timestamps, wanted)
        rows[rows == len(self.timestamps)] = 0
        return np.where(self.timestamps[rows] == wanted, rows, -1)


def _lags(ahead: np.ndarray, length: int, step: np.timedelta64) -> np.ndarray:
    r"""Offsets from the first target of the slots read for each step of the horizon."""
    first = ahead // step + 1  # the least number of steps that leads to a slot before the targets
    return ahead[:, None] - step * (first[:, None] + np.arange(length))


def _checked(timestamps: np.ndarray) -> np.ndarray:
    stamps = np.asarray(timestamps)
    if stamps.dtype.kind != "M" or stamps.ndim != 1 or len(stamps) < 2:
        raise ValueError(
            "timestamps: expected a datetime64 array [T] of at least 2 slots, got "
            f"{stamps.dtype} of shape {list(stamps.shape)}"
        )
    stamps = stamps.astype("datetime64[s]")
    later = np.diff(stamps) > np.timedelta64(0)
    if not later.all():
        row = int((~later).argmax()) + 1
        raise ValueError(
            f"timestamps: expected strictly increasing moments, got {stamps[row]} at row {row} "
            f"after {stamps[row - 1]}, to the second"
        )
    return stamps


def _seconds(name: str, value: np.timedelta64) -> np.timedelta64:
    seconds = np.timedelta64(value, "s")
    if not seconds > np.timedelta64(0):
        raise ValueError(f"{name}: expected a duration of at least a second, got {value}")
    return seconds
