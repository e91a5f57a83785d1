r"""Readings in time: series, scalers and windows, frames of grids; clips of skeletons."""

from __future__ import annotations

from tgst.data.build_clip_store import build_clip_store
from tgst.data.calendar import covers_week, day_of_week, time_of_day
from tgst.data.cleaning import (
    Clean,
    InterpolateGaps,
    Outliers,
    PhysicalRange,
    Resample,
    StepRecord,
)
from tgst.data.clip_store import ClipStore
from tgst.data.external_features import external_features
from tgst.data.flow_scaler import FlowScaler
from tgst.data.gap import Gap, gaps
from tgst.data.lag_windows import LagWindows
from tgst.data.readers import (
    KineticsLabel,
    Meteorology,
    NTUName,
    complete_days,
    ntu_split,
    parse_slot_stamps,
    read_adjacency,
    read_distances,
    read_flow_hdf5,
    read_graphml,
    read_holidays,
    read_kinetics_labels,
    read_kinetics_skeleton,
    read_meteorology,
    read_missing_names,
    read_msr_action3d,
    read_ntu_skeleton,
    read_openpose_folder,
    read_pickle,
    read_pyskl,
    read_stgcn_feeder,
    read_table,
    read_tntp,
    read_utkinect,
)
from tgst.data.scaler import StandardScaler
from tgst.data.series import Series
from tgst.data.skeleton_clip import SkeletonClip
from tgst.data.windows import split_rows, split_windows, window_starts

__all__ = [
    "Clean",
    "ClipStore",
    "FlowScaler",
    "Gap",
    "InterpolateGaps",
    "KineticsLabel",
    "LagWindows",
    "Meteorology",
    "NTUName",
    "Outliers",
    "PhysicalRange",
    "Resample",
    "Series",
    "SkeletonClip",
    "StandardScaler",
    "StepRecord",
    "build_clip_store",
    "complete_days",
    "covers_week",
    "day_of_week",
    "external_features",
    "gaps",
    "ntu_split",
    "parse_slot_stamps",
    "read_adjacency",
    "read_distances",
    "read_flow_hdf5",
    "read_graphml",
    "read_holidays",
    "read_kinetics_labels",
    "read_kinetics_skeleton",
    "read_meteorology",
    "read_missing_names",
    "read_msr_action3d",
    "read_ntu_skeleton",
    "read_openpose_folder",
    "read_pickle",
    "read_pyskl",
    "read_stgcn_feeder",
    "read_table",
    "read_tntp",
    "read_utkinect",
    "split_rows",
    "split_windows",
    "time_of_day",
    "window_starts",
]
