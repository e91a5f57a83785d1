r"""The graph convolution that a block is given."""

from __future__ import annotations

import inspect

import torch
from torch_geometric.nn import MessagePassing

from tgst.nn.conv import PerStep


def checked_conv(conv: torch.nn.Module) -> torch.nn.Module:
    r"""Returns :obj:`conv`, or raises if it is a PyG layer that takes time for the nodes."""
    if isinstance(conv, MessagePassing) and conv.node_dim != 0:
        # PyG's own layers take the last but one dimension, here time, for the nodes.
        raise ValueError(
            f"conv: expected a layer for [num_nodes, *, channels], got {conv}; wrap it in "
            "tgst.nn.PerStep"
        )
    return conv


def edge_arguments(conv: torch.nn.Module) -> tuple[str, ...]:
    r"""Returns which of :obj:`edge_type` and :obj:`edge_weight` its :obj:`forward` names."""
    # GCNConv takes edge_weight, RGCNConv edge_type, GATConv neither: each gets what it names.
    inner = conv.conv if isinstance(conv, PerStep) else conv
    names = inspect.signature(inner.forward).parameters
    return tuple(name for name in ("edge_type", "edge_weight") if name in names)
