r"""Readings in time: series, scalers and windows."""

from __future__ import annotations

from tgst.data.scaler import StandardScaler
from tgst.data.series import Series
from tgst.data.windows import split_rows, split_windows, time_of_day, window_starts

__all__ = [
    "Series",
    "StandardScaler",
    "split_rows",
    "split_windows",
    "time_of_day",
    "window_starts",
]
