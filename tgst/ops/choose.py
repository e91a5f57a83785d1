"""The automatic choice of a backend."""

from __future__ import annotations

import torch
from torch import Tensor

from tgst.ops.adjacency import Adjacency

# From this share of edges among all pairs of rows on, one dense product is faster on CPU:
# measured for 16 to 256 nodes, 64 to 12,288 features, float32, float64 and bfloat16, forward
# and backward with learnable weights. It also bounds the dense matrix by 2.5 numbers per edge.
_DENSE_SHARE = 0.4


def explain_choice(adjacency: Adjacency, x: Tensor, *, fold: str | None = None) -> str:
    r"""Say which backend :func:`spmm` takes for a graph and features, and why.

    Args:
        adjacency (Adjacency): The graph.
        x (torch.Tensor): The features.
        fold (str, optional): As in :func:`spmm`.

    Shapes:
        - **x:** :math:`[N, *]`, or :math:`[K \cdot N, *]` with ``fold="source"``
    """
    ptr = adjacency.ptr_label_in if fold == "target" else adjacency.ptr_in
    rows_out, num_edges = ptr.shape[0] - 1, adjacency.num_edges
    name = choose_backend(rows_out, x.shape[0], num_edges, x.device)
    if x.device.type != "cpu":
        return f"{name}: the choice for {x.device.type}"
    share = num_edges / max(1, rows_out * x.shape[0])
    return (
        f"{name}: {num_edges} edges among {rows_out} x {x.shape[0]} pairs of rows are "
        f"{share:.2%}; dense from {_DENSE_SHARE:.0%}, and never in compiled code"
    )


def choose_backend(rows_out: int, rows_in: int, num_edges: int, device: torch.device) -> str:
    """Return the backend for a product of these sizes.

    Compiled code decides by the device alone: a choice by size would compile again whenever a
    size crosses the border, and forbid dynamic sizes in export.
    """
    if device.type not in ("cpu", "cuda"):
        return "reference"
    if device.type == "cuda" or torch.compiler.is_compiling():
        return "embedding_bag"
    return "dense" if num_edges >= _DENSE_SHARE * rows_out * rows_in else "embedding_bag"
