"""Products by torch's own embedding-bag kernels, which gather, scale and sum in one pass."""

from __future__ import annotations

import torch
from torch import Tensor

from tgst.ops.csr_matrix import csr_matrix
from tgst.ops.edge_dot import edge_dot

_SUM = 0  # the kernels' number for mode="sum"


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
    """Sum one bag of source rows per target: no tensor of ``E * F`` elements."""
    if weight is not None:
        weight = weight.index_select(0, in_order)
    # The kernel is several times slower on rows with an inner stride, hence contiguous().
    return torch.nn.functional.embedding_bag(
        source.index_select(0, in_order),
        x.contiguous(),
        in_ptr,
        mode="sum",
        per_sample_weights=weight,
        include_last_offset=True,
    )


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
    """Take the dot products in the order of the targets, whose rows then stay in the cache.

    By torch's sampled matrix product, in half precision by the gradient kernel of the bag
    weights. The latter checks no bounds; the :class:`~tgst.ops.Adjacency` has done so.
    """
    if g.device.type != "cpu":
        return edge_dot(g, x, source, target)
    columns = source.index_select(0, in_order)
    # torch cuts a sampled product to the number of pairs, which parallel edges may exceed.
    fits = source.shape[0] <= g.shape[0] * x.shape[0]
    if g.dtype.itemsize >= 4 and fits:
        matrix = csr_matrix(in_ptr, columns, g.new_zeros(source.shape[0]), x.shape[0])
        with torch.autocast("cpu", enabled=False):
            torch.sparse.sampled_addmm(matrix, g, x.t(), beta=0.0, out=matrix)
        dots = matrix.values()
    else:
        dots = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            g.contiguous(),
            x.contiguous(),
            columns,
            columns.new_zeros(1),
            target.index_select(0, in_order),
            _SUM,
            -1,
        )
    return torch.empty_like(dots).index_copy_(0, in_order.long(), dots)
