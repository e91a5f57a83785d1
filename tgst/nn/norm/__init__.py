r"""Normalisation layers."""

from tgst.nn.norm.channel_batch_norm import ChannelBatchNorm
from tgst.nn.norm.node_layer_norm import NodeLayerNorm

__all__ = classes = ["ChannelBatchNorm", "NodeLayerNorm"]
