r"""Layers, blocks and models."""

from tgst.nn import models
from tgst.nn.blocks import (
    ExternalComponent,
    ParametricFusion,
    ResidualUnit,
    SkeletonBlock,
    TrafficBlock,
)
from tgst.nn.conv import ChebConv, EdgeImportance, PartitionConv, PerStep
from tgst.nn.flat_features import FlatFeatures
from tgst.nn.norm import ChannelBatchNorm, NodeLayerNorm
from tgst.nn.temporal import TemporalConv

__all__ = [
    "ChannelBatchNorm",
    "ChebConv",
    "EdgeImportance",
    "ExternalComponent",
    "FlatFeatures",
    "NodeLayerNorm",
    "ParametricFusion",
    "PartitionConv",
    "PerStep",
    "ResidualUnit",
    "SkeletonBlock",
    "TemporalConv",
    "TrafficBlock",
    "models",
]
