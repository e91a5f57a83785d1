r"""What the calendar says about a moment, as numbers for a model."""

from __future__ import annotations

import numpy as np

from tgst.data.series import Series

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def time_of_day(timestamps: np.ndarray) -> np.ndarray:
    r"""Position in the day as a point on a circle, so that midnight is no jump.

    .. math::
        \left(\sin 2 \pi f_t, \cos 2 \pi f_t\right)

    with :math:`f_t` the fraction of the day that has passed at moment :math:`t`.

    Args:
        timestamps (numpy.ndarray): Moments, datetime64.

    Shapes:
        - **timestamps:** :math:`(T)`
        - **output:** :math:`(T, 2)`, float32
    """
    seconds = np.asarray(timestamps).astype("datetime64[s]").astype(np.int64) % 86_400
    angle = 2 * np.pi * seconds / 86_400
    return np.stack([np.sin(angle), np.cos(angle)], axis=-1).astype(np.float32)


def day_of_week(timestamps: np.ndarray) -> np.ndarray:
    r"""Day of the week, one-hot: Monday is the first column, Sunday the last.

    A model learns nothing about a weekday that its training rows do not hold: see
    :func:`covers_week`.

    Args:
        timestamps (numpy.ndarray): Moments, datetime64.

    Shapes:
        - **timestamps:** :math:`(T)`
        - **output:** :math:`(T, 7)`, float32
    """
    return np.eye(7, dtype=np.float32)[_weekday(timestamps)]


def covers_week(series: Series, rows: range) -> bool:
    r"""Whether some rows of a series, the training rows say, hold every day of the week.

    Args:
        series (Series): The readings.
        rows (range): Rows to look at, for example :obj:`split_rows(series.num_steps)["train"]`.
    """
    return not missing_weekdays(series.timestamps[rows.start : rows.stop])


def missing_weekdays(timestamps: np.ndarray) -> list[str]:
    r"""Names of the days of the week of which no moment is given.

    Args:
        timestamps (numpy.ndarray): Moments, datetime64.
    """
    present = set(_weekday(timestamps).tolist())
    return [name for day, name in enumerate(WEEKDAYS) if day not in present]


def _weekday(timestamps: np.ndarray) -> np.ndarray:
    r"""0 for Monday to 6 for Sunday; the first of January 1970 was a Thursday."""
    days = np.asarray(timestamps).astype("datetime64[D]").astype(np.int64)
    return (days + 3) % 7
