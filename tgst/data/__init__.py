r"""Readings in time: series, scalers and windows."""

from __future__ import annotations

from tgst.data.calendar import covers_week, day_of_week, time_of_day
from tgst.data.cleaning import (
    Clean,
    InterpolateGaps,
    Outliers,
    PhysicalRange,
    Resample,
    StepRecord,
)
from tgst.data.gap import Gap, gaps
from tgst.data.readers import (
    read_adjacency,
    read_distances,
    read_graphml,
    read_table,
    read_tntp,
)
from tgst.data.scaler import StandardScaler
from tgst.data.series import Series
from tgst.data.windows import split_rows, split_windows, window_starts

__all__ = [
    "Clean",
    "Gap",
    "InterpolateGaps",
    "Outliers",
    "PhysicalRange",
    "Resample",
    "Series",
    "StandardScaler",
    "StepRecord",
    "covers_week",
    "day_of_week",
    "gaps",
    "read_adjacency",
    "read_distances",
    "read_graphml",
    "read_table",
    "read_tntp",
    "split_rows",
    "split_windows",
    "time_of_day",
    "window_starts",
]
