r"""Datasets: a road graph or a grid (:obj:`dataset[0]`) and the readings on its nodes
(:obj:`dataset.series`), or clips of skeletons, a graph each (:obj:`dataset[i]`).
"""

from __future__ import annotations

from tgst.datasets.advection_diffusion import AdvectionDiffusion
from tgst.datasets.bike_nyc import BikeNYC
from tgst.datasets.cell_transmission import CellTransmission
from tgst.datasets.cluttered_mnist import ClutteredMNIST
from tgst.datasets.from_files import FromFiles
from tgst.datasets.kinetics_skeleton import KineticsSkeleton
from tgst.datasets.los_loop import LosLoop
from tgst.datasets.metr_la import MetrLA
from tgst.datasets.moving_fields import MovingFields
from tgst.datasets.msr_action3d import MSRAction3D
from tgst.datasets.ntu_rgbd import NTURGBD
from tgst.datasets.nyc_zones import NYCZones
from tgst.datasets.openpose_folders import OpenPoseFolders
from tgst.datasets.pems_bay import PemsBay
from tgst.datasets.pems_d7m import PemsD7M
from tgst.datasets.pyskl_annotations import PYSKL
from tgst.datasets.simulated_actions import SimulatedActions
from tgst.datasets.simulated_traffic import SimulatedTraffic, default_network
from tgst.datasets.skeleton_arrays import SkeletonArrays
from tgst.datasets.skeleton_clips import SkeletonClips
from tgst.datasets.stgcn_feeder import STGCNFeeder
from tgst.datasets.taxi_bj import TaxiBJ
from tgst.datasets.taxi_nyc import TaxiNYC
from tgst.datasets.utkinect import UTKinect

__all__ = [
    "NTURGBD",
    "PYSKL",
    "AdvectionDiffusion",
    "BikeNYC",
    "CellTransmission",
    "ClutteredMNIST",
    "FromFiles",
    "KineticsSkeleton",
    "LosLoop",
    "MSRAction3D",
    "MetrLA",
    "MovingFields",
    "NYCZones",
    "OpenPoseFolders",
    "PemsBay",
    "PemsD7M",
    "STGCNFeeder",
    "SimulatedActions",
    "SimulatedTraffic",
    "SkeletonArrays",
    "SkeletonClips",
    "TaxiBJ",
    "TaxiNYC",
    "UTKinect",
    "default_network",
]
