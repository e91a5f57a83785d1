"""Triton kernels of the sparse products; imported on first use, as Triton is optional.

No kernel adds to memory that another program writes: every number is the result of one program
that adds in a fixed order, so that equal inputs give equal bits.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _add_edges(
    total, x, x_stride, weight, source, order, first, stop, columns, inside,
    WEIGHTED: tl.constexpr, BLOCK_E: tl.constexpr,
):  # fmt: skip
    """Add the weighted source rows of the places ``first:stop`` of an order to ``total``."""
    for start in range(first, stop, BLOCK_E):
        place = start + tl.arange(0, BLOCK_E)
        exists = place < stop
        edge = tl.load(order + place, mask=exists, other=0).to(tl.int64)
        # In 64 bits whatever the indices are: row * stride may pass 2^31.
        row = tl.load(source + edge, mask=exists, other=0).to(tl.int64)
        address = x + row[:, None] * x_stride + columns[None, :]
        rows = tl.load(address, mask=exists[:, None] & inside[None, :], other=0.0)
        rows = rows.to(total.dtype)
        if WEIGHTED:
            factor = tl.load(weight + edge, mask=exists, other=0.0).to(total.dtype)
            rows = rows * factor[:, None]
        total += tl.sum(rows, axis=0)
    return total


@triton.jit
def sum_segments(
    partial, x, x_stride, weight, source, target, ptr, order, width, column_blocks,
    WEIGHTED: tl.constexpr, SEGMENT: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_F: tl.constexpr,
):  # fmt: skip
    """Sum each segment of the order that lies within a long row into its row of ``partial``."""
    program = tl.program_id(0)
    segment = (program // column_blocks).to(tl.int64)
    columns = (program % column_blocks) * BLOCK_F + tl.arange(0, BLOCK_F)
    inside = columns < width
    begin = segment * SEGMENT
    row = tl.load(target + tl.load(order + begin).to(tl.int64)).to(tl.int64)
    first = tl.load(ptr + row).to(tl.int64)
    stop = tl.load(ptr + row + 1).to(tl.int64)
    if (stop - first >= 2 * SEGMENT) & (begin + SEGMENT <= stop):
        total = tl.zeros((BLOCK_F,), dtype=partial.dtype.element_ty)
        total = _add_edges(
            total, x, x_stride, weight, source, order, begin, begin + SEGMENT, columns, inside,
            WEIGHTED, BLOCK_E,
        )  # fmt: skip
        tl.store(partial + segment * width + columns, total, mask=inside)


@triton.jit
def sum_rows(
    out, partial, x, x_stride, weight, source, ptr, order, width, column_blocks,
    WEIGHTED: tl.constexpr, SPLIT: tl.constexpr, SEGMENT: tl.constexpr,
    BLOCK_E: tl.constexpr, BLOCK_F: tl.constexpr, TOTAL: tl.constexpr,
):  # fmt: skip
    """Sum the edges of each row; of a long row only those outside its whole segments."""
    program = tl.program_id(0)
    row = (program // column_blocks).to(tl.int64)
    columns = (program % column_blocks) * BLOCK_F + tl.arange(0, BLOCK_F)
    inside = columns < width
    first = tl.load(ptr + row).to(tl.int64)
    stop = tl.load(ptr + row + 1).to(tl.int64)
    total = tl.zeros((BLOCK_F,), dtype=TOTAL)
    if SPLIT:
        long = stop - first >= 2 * SEGMENT
        head = tl.where(long, (first + SEGMENT - 1) // SEGMENT * SEGMENT, stop)
        tail = tl.where(long, stop // SEGMENT * SEGMENT, stop)
        total = _add_edges(
            total, x, x_stride, weight, source, order, first, head, columns, inside,
            WEIGHTED, BLOCK_E,
        )  # fmt: skip
        for start in range(head // SEGMENT, tail // SEGMENT, BLOCK_E):
            segment = start + tl.arange(0, BLOCK_E)
            address = partial + segment[:, None] * width + columns[None, :]
            exists = segment < tail // SEGMENT
            parts = tl.load(address, mask=exists[:, None] & inside[None, :], other=0.0)
            total += tl.sum(parts, axis=0)
        total = _add_edges(
            total, x, x_stride, weight, source, order, tail, stop, columns, inside,
            WEIGHTED, BLOCK_E,
        )  # fmt: skip
    else:
        total = _add_edges(
            total, x, x_stride, weight, source, order, first, stop, columns, inside,
            WEIGHTED, BLOCK_E,
        )  # fmt: skip
    tl.store(out + row * width + columns, total.to(out.dtype.element_ty), mask=inside)


@triton.jit
def dot_edges(
    out, g, g_stride, x, x_stride, source, target, order, num_edges, width,
    BLOCK_E: tl.constexpr, BLOCK_F: tl.constexpr, TOTAL: tl.constexpr,
):  # fmt: skip
    """Multiply and sum the two rows of a block of edges; sorted by target, ``g`` is reread."""
    place = tl.program_id(0).to(tl.int64) * BLOCK_E + tl.arange(0, BLOCK_E)
    exists = place < num_edges
    edge = tl.load(order + place, mask=exists, other=0).to(tl.int64)
    left = tl.load(target + edge, mask=exists, other=0).to(tl.int64) * g_stride
    right = tl.load(source + edge, mask=exists, other=0).to(tl.int64) * x_stride
    total = tl.zeros((BLOCK_E, BLOCK_F), dtype=TOTAL)
    for start in range(0, width, BLOCK_F):
        columns = start + tl.arange(0, BLOCK_F)
        both = exists[:, None] & (columns < width)[None, :]
        rows_g = tl.load(g + left[:, None] + columns[None, :], mask=both, other=0.0).to(TOTAL)
        rows_x = tl.load(x + right[:, None] + columns[None, :], mask=both, other=0.0).to(TOTAL)
        total += rows_g * rows_x
    sums = tl.sum(total, axis=1)
    tl.store(out + edge, sums.to(out.dtype.element_ty), mask=exists)
