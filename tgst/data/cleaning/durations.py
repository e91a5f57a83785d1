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
            length = pd.Timedelta(duration).to_timedelta64()
        except ValueError as error:
            raise ValueError(
                f"`{name}` must be a duration such as '5min', got {duration!r}"
            ) from error
    elif isinstance(duration, timedelta | np.timedelta64):
        length = np.timedelta64(duration)
    else:
        raise ValueError(
            f"`{name}` must be a duration such as '5min', got {type(duration).__name__}"
        )
    seconds = length / np.timedelta64(1, "s")
    if not seconds >= 1 or seconds != int(seconds):
        raise ValueError(f"`{name}` must be a positive number of whole seconds, got {duration}")
    return int(seconds)
