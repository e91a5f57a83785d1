r"""Normalisation layers."""

from tgst.nn.norm.node_layer_norm import NodeLayerNorm

__all__ = classes = ["NodeLayerNorm"]
