"""Products of wide features, some columns at a time, so that the rows stay in the cache.

A product reads a row as often as the row has edges. Where all rows together are larger than the
cache, each time is a time from memory; a block of their columns is read from memory once and fits,
into the second-level cache up to some 2,000 rows and into a third-level cache up to some 60,000.
What it costs is a copy of the columns and of their sums.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tgst.ops import embedding_bag

BLOCK_BYTES = 2**20  # of the rows of a block, if that leaves enough of each row
_PIECE_BYTES = 512  # the least that is read at once of a row, as memory is slow to begin


def block_width(rows: int, width: int, itemsize: int) -> int:
    """Return how many of the columns a block has; all where a block would not be narrower."""
    piece = _PIECE_BYTES // itemsize
    return min(width, piece * max(1, BLOCK_BYTES // max(1, rows * itemsize * piece)))


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
    """Sum the bags of a block of columns after the other."""
    width = block_width(x.shape[0], x.shape[1], x.element_size())
    if width == x.shape[1]:
        graph = (source, target, in_ptr, in_order, out_ptr, out_order)
        return embedding_bag.spmm(x, weight, *graph)
    columns = source.index_select(0, in_order)
    sorted_weight = None if weight is None else weight.index_select(0, in_order)
    out = x.new_empty(in_ptr.shape[0] - 1, x.shape[1])
    for part, sums in zip(x.split(width, 1), out.split(width, 1), strict=True):
        sums.copy_(embedding_bag.bags(part, sorted_weight, columns, in_ptr))
    return out


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
    """Add up the dot products of the blocks; in half precision, whose sums would be rounded after
    each block, those of whole rows.
    """
    width = block_width(max(g.shape[0], x.shape[0]), g.shape[1], g.element_size())
    if width == g.shape[1] or not embedding_bag.is_sampled(g, x, source):
        graph = (source, target, in_ptr, in_order, out_ptr, out_order)
        return embedding_bag.sddmm(g, x, *graph)
    matrix = embedding_bag.sampled_zeros(g, x, source.index_select(0, in_order), in_ptr)
    with torch.autocast("cpu", enabled=False):
        for left, right in zip(g.split(width, 1), x.split(width, 1), strict=True):
            torch.sparse.sampled_addmm(matrix, left, right.t(), out=matrix)
    return embedding_bag.in_given_order(matrix.values(), in_order)
