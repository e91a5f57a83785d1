"""Products by a ``torch.sparse`` CSR matrix: MKL on CPU, cuSPARSE on CUDA.

Often the fastest form for float64 on CPU. The matrix is built for each product, at the price of
tensors of ``E`` numbers; parallel edges and unsorted columns add up. Autograd never sees it: the
gradients are products of their own, see :func:`tgst.ops.spmm`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tgst.ops import embedding_bag
from tgst.ops.csr_matrix import csr_matrix


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
    """Multiply the matrix of the weights, one row per target, by the features.

    On CPU, where the kernel knows float32 and float64 alone, half precision is multiplied in
    float32 and rounded once, at the price of a copy of the features.
    """
    on_cpu = x.device.type == "cpu"
    dtype = torch.float32 if on_cpu and x.dtype.itemsize < 4 else x.dtype
    if weight is None:
        values = x.new_ones(source.shape[0], dtype=dtype)
    else:
        values = weight.index_select(0, in_order).to(dtype)
    matrix = csr_matrix(in_ptr, source.index_select(0, in_order), values, x.shape[0])
    # The operator's dtype is settled by its caller; autocast must not change it in here.
    # Into memory of its own: matrix @ x makes the result twice, and takes twice as long.
    out = x.new_empty((matrix.shape[0], x.shape[1]), dtype=dtype)
    with torch.autocast(x.device.type, enabled=False):
        torch.addmm(out, matrix, x.to(dtype).contiguous(), beta=0, out=out)
    return out.to(x.dtype)


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
    """Take the dot product per edge as ``embedding_bag`` does."""
    graph = (source, target, in_ptr, in_order, out_ptr, out_order)
    return embedding_bag.sddmm(g, x, *graph)
