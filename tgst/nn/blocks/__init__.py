r"""Blocks of spatial and temporal layers."""

from tgst.nn.blocks.skeleton_block import SkeletonBlock
from tgst.nn.blocks.traffic_block import TrafficBlock

__all__ = classes = ["SkeletonBlock", "TrafficBlock"]
