r"""Spatial layers."""

from tgst.nn.conv.cheb_conv import ChebConv
from tgst.nn.conv.edge_importance import EdgeImportance
from tgst.nn.conv.partition_conv import PartitionConv
from tgst.nn.conv.per_step import PerStep

__all__ = classes = ["ChebConv", "EdgeImportance", "PartitionConv", "PerStep"]
