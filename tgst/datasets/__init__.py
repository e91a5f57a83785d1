r"""Datasets: a graph (:obj:`dataset[0]`) and the readings on its nodes (:obj:`dataset.series`)."""

from __future__ import annotations

from tgst.datasets.cell_transmission import CellTransmission
from tgst.datasets.from_files import FromFiles
from tgst.datasets.los_loop import LosLoop
from tgst.datasets.metr_la import MetrLA
from tgst.datasets.nyc_zones import NYCZones
from tgst.datasets.pems_bay import PemsBay
from tgst.datasets.pems_d7m import PemsD7M
from tgst.datasets.simulated_traffic import SimulatedTraffic, default_network

__all__ = [
    "CellTransmission",
    "FromFiles",
    "LosLoop",
    "MetrLA",
    "NYCZones",
    "PemsBay",
    "PemsD7M",
    "SimulatedTraffic",
    "default_network",
]
