r"""Which windows of a series belong to training, validation and test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tgst.data.gap import irregular_steps
from tgst.data.series import Series

PARTS = ("train", "val", "test")


def split_rows(num_steps: int, split: Sequence[float] = (0.7, 0.1, 0.2)) -> dict[str, range]:
    r"""Rows of the training, validation and test part of a series, in the order of time.

    With shares :math:`p_1, p_2, p_3` the parts end at rows :math:`\lfloor p_1 T \rfloor`,
    :math:`\lfloor (p_1 + p_2) T \rfloor` and :math:`T`.

    Args:
        num_steps (int): Number of rows :math:`T`.
        split (sequence of float, optional): Share of each part; they sum to one and a share may
            be zero. (default: :obj:`(0.7, 0.1, 0.2)`)

    Returns:
        dict: :obj:`range` of rows of :obj:`"train"`, :obj:`"val"` and :obj:`"test"`.

    Raises:
        ValueError: If the shares are not three, are negative or do not sum to one.
    """
    shares = np.asarray(split, dtype=np.float64)
    if shares.shape != (3,) or (shares < 0).any() or abs(shares.sum() - 1) > 1e-6:
        raise ValueError(
            "`split` must be three shares (train, val, test) that are not negative and sum to 1, "
            f"got {tuple(split)}"
        )
    # The small number undoes rounding: 90 * 0.7 is 62.99... in floating point.
    ends = np.floor(num_steps * shares.cumsum() + 1e-6).astype(int).tolist()
    return {
        part: range(start, stop)
        for part, start, stop in zip(PARTS, [0, *ends[:2]], [*ends[:2], num_steps], strict=True)
    }


def window_starts(
    series: Series | int,
    history: int,
    horizon: int,
    part: str | None = None,
    split: Sequence[float] = (0.7, 0.1, 0.2),
    stride: int = 1,
    timestamps: np.ndarray | None = None,
    within_day: bool = False,
) -> np.ndarray:
    r"""First rows of the windows of one part of a series.

    A window is :obj:`history` rows of input followed by :obj:`horizon` rows of targets. It
    belongs to the part that holds all of its targets; its history may begin in the part before,
    whose readings are known when the forecast is made. A window is left out if its rows are not
    equally spaced in time (a gap in the timestamps, see :func:`tgst.data.gaps`) or, with
    :obj:`within_day`, if they are not all of one day.

    Args:
        series (Series or int): The series, or its number of rows.
        history (int): Input rows of a window.
        horizon (int): Target rows of a window.
        part (str, optional): :obj:`"train"`, :obj:`"val"`, :obj:`"test"` or :obj:`None` for all
            rows. (default: :obj:`None`)
        split (sequence of float, optional): Share of rows of each part, see :func:`split_rows`.
            (default: :obj:`(0.7, 0.1, 0.2)`)
        stride (int, optional): Rows from one window to the next. (default: :obj:`1`)
        timestamps (numpy.ndarray, optional): Timestamps of the rows; by default those of
            :obj:`series`, none if that is an int. (default: :obj:`None`)
        within_day (bool, optional): Leave out windows that cross midnight, as the protocol of
            STGCN does: of a day of 288 rows, :math:`288 - L + 1` windows of :math:`L` rows are
            left. (default: :obj:`False`)

    Returns:
        numpy.ndarray: Ascending int64 rows of the first history step.

    Raises:
        ValueError: If the part is shorter than a window, or gaps or midnights leave none, if
            :obj:`within_day` is set without timestamps, or if those are not one for each row.
    """
    for name, value in (("history", history), ("horizon", horizon), ("stride", stride)):
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1, got {value}")
    num_steps = series.num_steps if isinstance(series, Series) else series
    if isinstance(series, Series) and timestamps is None:
        timestamps = series.timestamps
    if within_day and timestamps is None:
        raise ValueError("`within_day` needs `timestamps` or a Series to know the days, got none")
    if timestamps is not None and len(timestamps) != num_steps:
        raise ValueError(
            f"`timestamps` must hold one moment for each of the {num_steps} rows, got "
            f"{len(timestamps)}"
        )
    rows = _rows_of(num_steps, part, split)
    length = history + horizon
    first = max(rows.start - history, 0)
    starts = np.arange(first, rows.stop - length + 1, stride, dtype=np.int64)
    where = f"part {part!r}" if part else "`series`"
    if len(starts) == 0:
        raise ValueError(
            f"{where} is shorter than a window: {len(rows)} target rows and {rows.start - first} "
            f"rows before them, of {num_steps} steps in all; a window needs history {history} + "
            f"horizon {horizon} = {length} steps"
        )
    if timestamps is not None:
        starts = starts[_is_regular(np.asarray(timestamps), starts, length, within_day)]
    if len(starts) == 0:
        cut, day = ("gaps or midnight", " of one day") if within_day else ("gaps", "")
        raise ValueError(
            f"{where} has no {length} equally spaced steps in a row{day} (history {history} + "
            f"horizon {horizon}): {cut} in `timestamps` cut every window"
        )
    return starts


def split_windows(
    series: Series | int,
    history: int = 12,
    horizon: int = 12,
    split: Sequence[float] = (0.7, 0.1, 0.2),
    timestamps: np.ndarray | None = None,
    within_day: bool = False,
) -> dict[str, np.ndarray]:
    r"""Windows of the training, validation and test part, without leakage.

    The rows are split by time (:func:`split_rows`). A window belongs to the part that holds
    **all** of its targets, so that no training window sees a validation or test row, and no
    target counts in two parts. The history of a window may reach back into the part before.

    Args:
        series (Series or int): The series, or its number of rows.
        history (int, optional): Input rows of a window. (default: :obj:`12`)
        horizon (int, optional): Target rows of a window. (default: :obj:`12`)
        split (sequence of float, optional): Share of rows of each part; a part with share zero
            has no windows. (default: :obj:`(0.7, 0.1, 0.2)`)
        timestamps (numpy.ndarray, optional): Timestamps of the rows if :obj:`series` is an int:
            windows with a gap in time are left out. (default: :obj:`None`)
        within_day (bool, optional): Leave out windows that cross midnight.
            (default: :obj:`False`)

    Returns:
        dict: Ascending int64 rows of the first history step for :obj:`"train"`, :obj:`"val"` and
        :obj:`"test"`.

    Raises:
        ValueError: If a part with a positive share is shorter than a window.
    """
    num_steps = series.num_steps if isinstance(series, Series) else series
    split_rows(num_steps, split)  # checks the shares
    return {
        part: window_starts(
            series, history, horizon, part, split, timestamps=timestamps, within_day=within_day
        )
        if share > 0
        else np.empty(0, dtype=np.int64)
        for part, share in zip(PARTS, split, strict=True)
    }


def _rows_of(num_steps: int, part: str | None, split: Sequence[float]) -> range:
    if part is None:
        return range(num_steps)
    if part not in PARTS:
        raise ValueError(f"`part` must be one of {PARTS} or None, got {part!r}")
    return split_rows(num_steps, split)[part]


def _is_regular(
    timestamps: np.ndarray, starts: np.ndarray, length: int, within_day: bool
) -> np.ndarray:
    r"""Whether all steps of the windows have the most frequent length, and stay within a day."""
    cut, _ = irregular_steps(timestamps)
    if within_day:
        cut = cut | (np.diff(timestamps.astype("datetime64[D]")) != np.timedelta64(0, "D"))
    before = np.concatenate([[0], np.cumsum(cut)])
    return before[starts + length - 1] == before[starts]
