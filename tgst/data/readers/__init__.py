r"""Readers of files."""

from __future__ import annotations

from tgst.data.readers.adjacency import read_adjacency
from tgst.data.readers.distances import read_distances
from tgst.data.readers.flow_hdf5 import read_flow_hdf5
from tgst.data.readers.graphml import read_graphml
from tgst.data.readers.holidays import read_holidays
from tgst.data.readers.kinetics_skeleton import (
    KineticsLabel,
    read_kinetics_labels,
    read_kinetics_skeleton,
)
from tgst.data.readers.meteorology import Meteorology, read_meteorology
from tgst.data.readers.msr_action3d import read_msr_action3d
from tgst.data.readers.ntu_names import NTUName, ntu_split, read_missing_names
from tgst.data.readers.ntu_skeleton import read_ntu_skeleton
from tgst.data.readers.openpose_folder import read_openpose_folder
from tgst.data.readers.pyskl_annotations import read_pyskl
from tgst.data.readers.restricted_pickle import read_pickle
from tgst.data.readers.slot_stamps import complete_days, parse_slot_stamps
from tgst.data.readers.stgcn_feeder import read_stgcn_feeder
from tgst.data.readers.table import read_table
from tgst.data.readers.tntp import read_tntp
from tgst.data.readers.utkinect import read_utkinect

__all__ = [
    "KineticsLabel",
    "Meteorology",
    "NTUName",
    "complete_days",
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
]
