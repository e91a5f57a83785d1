r"""Blocks of spatial and temporal layers."""

from tgst.nn.blocks.cell_linear import CellLinear
from tgst.nn.blocks.external_component import ExternalComponent
from tgst.nn.blocks.parametric_fusion import ParametricFusion
from tgst.nn.blocks.residual_unit import ResidualUnit
from tgst.nn.blocks.skeleton_block import SkeletonBlock
from tgst.nn.blocks.traffic_block import TrafficBlock

__all__ = classes = [
    "CellLinear",
    "ExternalComponent",
    "ParametricFusion",
    "ResidualUnit",
    "SkeletonBlock",
    "TrafficBlock",
]
