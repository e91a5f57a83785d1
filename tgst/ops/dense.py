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
    # A running sum in half precision stalls: 256 + 1 is 256 in bfloat16.
    dtype = torch.float32 if x.dtype.itemsize < 4 else x.dtype
    values = x.new_ones(source.shape[0], dtype=dtype) if weight is None else weight.to(dtype)
    matrix = x.new_zeros((in_ptr.shape[0] - 1, x.shape[0]), dtype=dtype)
    matrix.index_put_((target.long(), source.long()), values, accumulate=True)
    # The operator's dtype is settled by its caller; autocast must not change it in here.
    with torch.autocast(x.device.type, enabled=False):
        return matrix.to(x.dtype) @ x


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
        return (g @ x.t())[target.long(), source.long()]
