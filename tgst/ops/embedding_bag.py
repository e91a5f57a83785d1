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
    return bags(x, weight, source.index_select(0, in_order), in_ptr)


def bags(x: Tensor, weight: Tensor | None, columns: Tensor, ptr: Tensor) -> Tensor:
    """Sum the rows of ``x`` that are numbered in ``columns``, from each of ``ptr`` to the next."""
    # The kernel is several times slower on rows with an inner stride, hence contiguous().
    return torch.nn.functional.embedding_bag(
        columns,
        x.contiguous(),
        ptr,
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
    if is_sampled(g, x, source):
        matrix = sampled_zeros(g, x, columns, in_ptr)
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
    return in_given_order(dots, in_order)


def is_sampled(g: Tensor, x: Tensor, source: Tensor) -> bool:
    """Say whether torch's sampled product takes these dot products: on CPU, in full precision."""
    # It cuts them to the number of pairs, which parallel edges may exceed.
    fits = source.shape[0] <= g.shape[0] * x.shape[0]
    return g.device.type == "cpu" and g.dtype.itemsize >= 4 and fits


def sampled_zeros(g: Tensor, x: Tensor, columns: Tensor, ptr: Tensor) -> Tensor:
    """Return the matrix that takes the dot products of the sorted edges."""
    return csr_matrix(ptr, columns, g.new_zeros(columns.shape[0]), x.shape[0])


def in_given_order(dots: Tensor, order: Tensor) -> Tensor:
    """Put numbers of sorted edges back into the caller's order."""
    return torch.empty_like(dots).index_copy_(0, order.long(), dots)
