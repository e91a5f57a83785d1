"""Products by one dense matrix with an entry per pair of nodes: small, dense graphs.

A zero entry still multiplies, so an infinite or NaN feature spreads to every node.
"""

from __future__ import annotations

import torch
from torch import Tensor


def spmm(
    x: Tensor,
    weight: Tensor | None,
    source: Tensor,
    target: Tensor,
    in_ptr: Tensor,
    in_order: Tensor,
    out_ptr: Tensor,
    out_order: Tensor,
) -> Tensor:
    """Scatter the edges into ``[rows_out, rows_in]`` (parallel edges add up) and multiply."""
    if weight is None:
        weight = x.new_ones(source.shape[0])
    matrix = x.new_zeros((in_ptr.shape[0] - 1, x.shape[0]))
    matrix.index_put_((target, source), weight, accumulate=True)
    # The operator's dtype is settled by its caller; autocast must not change it in here.
    with torch.autocast(x.device.type, enabled=False):
        return matrix @ x


def sddmm(
    g: Tensor,
    x: Tensor,
    source: Tensor,
    target: Tensor,
    in_ptr: Tensor,
    in_order: Tensor,
    out_ptr: Tensor,
    out_order: Tensor,
) -> Tensor:
    """Multiply all pairs of rows and read the entries that are edges."""
    with torch.autocast(g.device.type, enabled=False):
        return (g @ x.t())[target, source]
