r"""Checks of what enters a spatial layer."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tgst.ops import Adjacency
from tgst.ops.backends import check_backend

__all__ = ["check_backend", "check_edge_weight", "check_features", "edge_tensors", "flat_rows"]


def check_features(x: Tensor, channels: int) -> None:
    r"""Raises unless :obj:`x` is a strided float tensor :math:`(N, *, C)`."""
    if not isinstance(x, Tensor):
        raise TypeError(f"x: expected a Tensor, got {type(x).__name__}")
    if x.dim() < 2 or x.size(-1) != channels:
        raise ValueError(
            f"x: expected [num_nodes, *, {channels}] (nodes first, channels last), "
            f"got shape {list(x.shape)}"
        )
    if x.layout != torch.strided or not x.is_floating_point():
        raise ValueError(f"x: expected a dense float tensor, got {x.layout} {x.dtype}")


def flat_rows(x: Tensor) -> Tensor:
    r"""Returns :math:`(N, *, C)` as :math:`(N, L, C)`, also where a size is zero."""
    # Not torch.Size.numel(), which fixes a size that torch.export was to keep free.
    return x.reshape(x.size(0), math.prod(x.shape[1:-1]), x.size(-1))


def check_edge_weight(edge_weight: Tensor | None, x: Tensor, num_edges: int) -> None:
    r"""Raises unless :obj:`edge_weight` is :obj:`None` or one number per edge in x's dtype.

    Autocast may change the dtype of either side; it alone casts.
    """
    if edge_weight is None:
        return
    if edge_weight.shape != (num_edges,):
        raise ValueError(
            f"edge_weight: expected shape [{num_edges}] (one number per edge), "
            f"got {list(edge_weight.shape)}"
        )
    autocast = torch.is_autocast_enabled(x.device.type) and edge_weight.is_floating_point()
    if edge_weight.dtype != x.dtype and not autocast:
        raise TypeError(f"edge_weight: expected dtype {x.dtype} as x, got {edge_weight.dtype}")


def edge_tensors(edge_index, edge_type: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    r"""Returns plain :obj:`(edge_index, edge_type)` tensors, taken out of an
    :class:`tgst.ops.Adjacency` or an :class:`~torch_geometric.EdgeIndex` where one was given,
    in int64 as PyG's aggregations want them.
    """
    if isinstance(edge_index, Adjacency):
        edge_index, edge_type = (
            torch.stack([edge_index.source, edge_index.target]),
            edge_index.label,
        )
    elif hasattr(edge_index, "as_tensor"):
        edge_index = edge_index.as_tensor()
    return _widened(edge_index), _widened(edge_type)


def _widened(indices):
    # Only int32: PerStep also takes what else a PyG layer understands.
    is_narrow = isinstance(indices, Tensor) and indices.dtype == torch.int32
    return indices.long() if is_narrow else indices
