"""Products by torch's own embedding-bag kernels, which gather, scale and sum in one pass."""

from __future__ import annotations

import torch
from torch import Tensor

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
    """Take the gradient kernel of the bag weights: it is the dot product per edge.

    It reads the edges in any order, so the result is in the caller's order. It checks no
    bounds; the :class:`~tgst.ops.Adjacency` has done so.
    """
    if g.device.type != "cpu":
        return edge_dot(g, x, source, target)
    return torch.ops.aten._embedding_bag_per_sample_weights_backward(
        g.contiguous(), x.contiguous(), source, source.new_zeros(1), target, _SUM, -1
    )
