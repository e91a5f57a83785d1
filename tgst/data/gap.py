r"""Where the timestamps of a series are not equally spaced."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tgst.data.series import Series


class Gap(NamedTuple):
    r"""Two neighbouring rows that are not one regular step apart.

    Attributes:
        row (int): Row of the first reading after the gap.
        before (numpy.datetime64): Moment of the reading before the gap.
        after (numpy.datetime64): Moment of the reading after the gap.
        missing (int): Steps that are missing between the two, rounded to whole steps; 0 if the
            readings are closer together than a step or less than half a step too far apart.
    """

    row: int
    before: np.datetime64
    after: np.datetime64
    missing: int


def gaps(series: Series | np.ndarray) -> list[Gap]:
    r"""The gaps of a series: all neighbouring rows whose distance is not the regular step.

    The regular step is the most frequent distance (:attr:`Series.step`). Windows never cross a
    gap (:func:`tgst.data.window_starts`). A reading that is missing in a regular row is no gap in
    this sense: there the mask is :obj:`False`.

    Args:
        series (Series or numpy.ndarray): The series, or its ascending timestamps, datetime64.

    Returns:
        list: A :class:`Gap` for each, in the order of time; empty if all steps are equal.
    """
    timestamps = series.timestamps if isinstance(series, Series) else np.asarray(series)
    irregular, step = irregular_steps(timestamps)
    found = []
    for row in (irregular.nonzero()[0] + 1).tolist():
        before, after = timestamps[row - 1], timestamps[row]
        missing = int(np.rint((after - before) / step)) - 1
        found.append(Gap(row, before, after, max(missing, 0)))
    return found


def irregular_steps(timestamps: np.ndarray) -> tuple[np.ndarray, np.timedelta64]:
    r"""Which differences of neighbouring timestamps are not the most frequent one, and that one.

    Args:
        timestamps (numpy.ndarray): Ascending moments, datetime64.

    Shapes:
        - **timestamps:** :math:`(T)`
        - **output:** :math:`(T - 1)`, bool
    """
    if len(timestamps) < 2:
        return np.zeros(0, dtype=bool), np.timedelta64(0, "s")
    differences = np.diff(timestamps)
    kinds, counts = np.unique(differences, return_counts=True)
    step = kinds[counts.argmax()]
    return differences != step, step
