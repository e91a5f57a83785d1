r"""Checks of what enters a spatial layer."""

from __future__ import annotations

import torch
from torch import Tensor

from tgst.ops import Adjacency


def check_features(x: Tensor, channels: int) -> None:
    r"""Raises a :class:`ValueError` unless :obj:`x` is a strided float :math:`(N, *, C)`."""
    if x.dim() < 2 or x.size(-1) != channels:
        raise ValueError(
            f"x: expected [num_nodes, *, {channels}] (nodes first, channels last), "
            f"got shape {list(x.shape)}"
        )
    if x.layout != torch.strided or not x.is_floating_point():
        raise ValueError(f"x: expected a dense float tensor, got {x.layout} {x.dtype}")


def edge_tensors(edge_index, edge_type: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    r"""Returns plain :obj:`(edge_index, edge_type)` tensors, taken out of an
    :class:`tgst.ops.Adjacency` or an :class:`~torch_geometric.EdgeIndex` where one was given.
    """
    if isinstance(edge_index, Adjacency):
        return torch.stack([edge_index.source, edge_index.target]), edge_index.label
    if hasattr(edge_index, "as_tensor"):
        edge_index = edge_index.as_tensor()
    return edge_index, edge_type
