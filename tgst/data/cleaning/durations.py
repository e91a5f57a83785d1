r"""Durations in seconds."""

from __future__ import annotations

from datetime import timedelta

import numpy as np

Duration = str | timedelta | np.timedelta64


def whole_seconds(duration: Duration, name: str) -> int:
    r"""A duration in seconds.

    Args:
        duration (str, datetime.timedelta or numpy.timedelta64): The duration; texts as
            :class:`pandas.Timedelta` reads them, for example :obj:`"5min"`.
        name (str): How messages call it.

    Raises:
        ValueError: If it is no duration, not positive or no whole number of seconds.
    """
    if isinstance(duration, str):
        import pandas as pd

        try:
            length = pd.Timedelta(duration)
        except ValueError as error:
            raise ValueError(
                f"`{name}` must be a duration such as '5min', got {duration!r}"
            ) from error
        seconds = length / pd.Timedelta(1, "s")
    elif isinstance(duration, timedelta | np.timedelta64):
        try:
            seconds = np.timedelta64(duration) / np.timedelta64(1, "s")
        except TypeError as error:  # years and months have no fixed length
            raise ValueError(f"`{name}` must have a fixed length, got {duration!r}") from error
    else:
        raise ValueError(
            f"`{name}` must be a duration such as '5min', got {type(duration).__name__}"
        )
    if not seconds >= 1 or seconds != int(seconds):
        raise ValueError(f"`{name}` must be a positive number of whole seconds, got {duration}")
    return int(seconds)
