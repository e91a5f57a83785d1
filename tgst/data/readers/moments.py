r"""Moments from texts, from a start and a step, and from local times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas

WITH_ZONE = re.compile(r"[T ]\d{2}.*(Z|[+-]\d{2}(:?\d{2})?)$")  # behind a time, not a date


def moments_from_text(texts: Sequence[str], where: str) -> tuple[np.ndarray, bool]:
    r"""Moments out of ISO 8601 texts, and whether they have a time zone; in UTC then.

    Args:
        texts (sequence of str): The texts.
        where (str): How messages call the column.

    Raises:
        ValueError: If a text is no moment, or some have a time zone and some not.
    """
    import pandas as pd

    zoned = [bool(WITH_ZONE.search(text)) for text in texts]
    if any(zoned) != all(zoned):
        row = zoned.index(not zoned[0])
        raise ValueError(
            f"{where} must have a time zone everywhere or nowhere, got {texts[0]!r} and, at row "
            f"{row}, {texts[row]!r}"
        )
    moments = pd.to_datetime(list(texts), format="ISO8601", utc=any(zoned), errors="coerce")
    if moments.isna().any():
        row = int(moments.isna().argmax())
        raise ValueError(
            f"{where} must hold ISO 8601 timestamps such as '2012-03-01 00:05:00', got "
            f"{texts[row]!r} at row {row}"
        )
    return moments_of_index(moments)


def moments_of_index(index: pandas.DatetimeIndex) -> tuple[np.ndarray, bool]:
    r"""Moments of a :class:`pandas.DatetimeIndex`, and whether it has a time zone; in UTC then."""
    if index.tz is None:
        return index.to_numpy(), False
    return index.tz_convert("UTC").tz_localize(None).to_numpy(), True


def regular_moments(start: str, step: str, num_steps: int) -> np.ndarray:
    r"""Moments from a start, one step apart.

    Args:
        start (str): First moment, as :class:`pandas.Timestamp` reads it.
        step (str): Step, as :class:`pandas.Timedelta` reads it.
        num_steps (int): Number of moments.

    Raises:
        ValueError: If either cannot be read or the step is not positive.
    """
    import pandas as pd

    try:
        first = pd.Timestamp(start)
    except ValueError as error:
        raise ValueError(f"`start` must be a moment such as '2012-03-01', got {start!r}") from error
    try:
        interval = pd.Timedelta(step)
    except ValueError as error:
        raise ValueError(f"`step` must be a duration such as '5min', got {step!r}") from error
    if not interval > pd.Timedelta(0):
        raise ValueError(f"`step` must be positive, got {step!r}")
    if first.tz is not None:
        first = first.tz_convert("UTC").tz_localize(None)
    seconds = interval.to_timedelta64().astype("timedelta64[us]")
    return first.to_datetime64().astype("datetime64[us]") + seconds * np.arange(num_steps)


def local_to_utc(timestamps: np.ndarray, zone: str) -> np.ndarray:
    r"""Moments of a local clock in UTC; an hour that it repeats is told by the order.

    Args:
        timestamps (numpy.ndarray): Local times in the order of time, datetime64.
        zone (str): Name of the time zone, for example :obj:`"America/Los_Angeles"`.

    Raises:
        ValueError: If the zone is unknown, or a local time does not exist or cannot be told.
    """
    import pandas as pd

    try:
        index = pd.DatetimeIndex(timestamps).tz_localize(zone, ambiguous="infer")
    except ValueError as error:
        raise ValueError(
            f"`tz` must be the time zone of the local times of the table, got {zone!r}: {error}"
        ) from error
    except Exception as error:  # the kind of error for an unknown zone depends on the version
        raise ValueError(f"`tz` must name a time zone, got {zone!r}") from error
    return index.tz_convert("UTC").tz_localize(None).to_numpy()


def check_clock_does_not_go_back(timestamps: np.ndarray, where: str) -> None:
    r"""Refuse a clock that repeats an hour, as local clocks do when daylight saving ends.

    Args:
        timestamps (numpy.ndarray): Moments, datetime64.
        where (str): How messages call the table.

    Raises:
        ValueError: If a moment is up to an hour before, or the same as, the one before it.
    """
    back = timestamps[:-1] - timestamps[1:]
    again = (back >= np.timedelta64(0)) & (back <= np.timedelta64(3600, "s"))
    if again.any():
        row = int(again.argmax()) + 1
        raise ValueError(
            f"{where} must have strictly increasing timestamps, got {timestamps[row]} at row {row} "
            f"after {timestamps[row - 1]}; if these are local times, the clock repeats an hour "
            "when daylight saving ends: read a table in UTC, or give tz='America/Los_Angeles' or "
            "the like"
        )
