r"""Layers, blocks and models."""

from tgst.nn import models, warp
from tgst.nn.blocks import (
    CellLinear,
    ExternalComponent,
    ParametricFusion,
    ResidualUnit,
    SkeletonBlock,
    TrafficBlock,
)
from tgst.nn.conv import ChebConv, EdgeImportance, PartitionConv, PerStep
from tgst.nn.fixed_graph import FixedGraph
from tgst.nn.flat_features import FlatFeatures
from tgst.nn.folding import fuse
from tgst.nn.norm import ChannelBatchNorm, NodeLayerNorm
from tgst.nn.temporal import TemporalConv
from tgst.nn.warp import SpatialTransformer

__all__ = [
    "CellLinear",
    "ChannelBatchNorm",
    "ChebConv",
    "EdgeImportance",
    "ExternalComponent",
    "FixedGraph",
    "FlatFeatures",
    "NodeLayerNorm",
    "ParametricFusion",
    "PartitionConv",
    "PerStep",
    "ResidualUnit",
    "SkeletonBlock",
    "SpatialTransformer",
    "TemporalConv",
    "TrafficBlock",
    "fuse",
    "models",
    "warp",
]
