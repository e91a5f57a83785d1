"""The forms of the operator that are exported to ONNX: without a sum into shared rows.

A scatter that adds (ScatterND) is not atomic on several threads of onnxruntime's CPU provider: with
edges in random order some runs are wrong. What is written here has one writer per element, or adds
up in sequence (ScatterElements), and gives the same result each time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# Up to this number of nodes one dense product is faster in onnxruntime than the padded table:
# 2.8 against 4.3 ms at 207 nodes, 10.2 against 11.8 at 325, but 24 against 7.0 at 1,000.
_DENSE_NODES = 325


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
    """Multiply by a dense matrix, or by a table of the neighbours of every row, ``[rows_in, F]``.

    The table is as wide as the largest degree. Both are part of the exported graph; onnxruntime
    computes them once, when it loads a model whose graph is constant. As in the backend "dense",
    a NaN spreads to all nodes through the matrix, but not through the table.
    """
    if weight is None:
        weight = x.new_ones(source.shape[0])
    rows = in_ptr.shape[0] - 1
    smaller = min(rows, x.shape[0]) if _known(rows, x.shape[0]) else None
    if smaller is not None and smaller <= _DENSE_NODES:
        return _dense(x, weight, source, target, rows)
    return _padded(x, weight, source, target, in_ptr, in_order)


def sort(rows: Tensor, num_rows: int) -> tuple[Tensor, Tensor]:
    """Return where the edges of every row begin in their order, and the order by row."""
    # Stable sorts and binary searches have no counterpart: keys that differ, and counts.
    rows = rows.long()
    num_edges = rows.shape[0]
    places = torch.arange(num_edges, device=rows.device)
    order = torch.sort(rows * num_edges + places).indices
    counts = _counts(rows, num_rows)
    return torch.nn.functional.pad(counts.cumsum(0), (1, 0)), order


def _known(*sizes: object) -> bool:
    return all(isinstance(size, int) for size in sizes)


def _counts(rows: Tensor, num_rows: int) -> Tensor:
    return rows.new_zeros(num_rows).scatter_add(0, rows, torch.ones_like(rows))


def _dense(x: Tensor, weight: Tensor, source: Tensor, target: Tensor, rows: int) -> Tensor:
    # One number per edge is added, in sequence: parallel edges add up.
    place = target.long() * x.shape[0] + source.long()
    matrix = weight.new_zeros(rows * x.shape[0]).scatter_add(0, place, weight)
    return matrix.view(rows, x.shape[0]).to(x.dtype) @ x


def _padded(x, weight, source, target, in_ptr, in_order) -> Tensor:
    rows, num_edges = in_ptr.shape[0] - 1, source.shape[0]
    # The largest degree, at least one: not known before the graph is.
    width: Any = torch.nn.functional.pad(in_ptr.diff(), (0, 1), value=1).max().item()
    torch._check(width >= 1)
    row = target.index_select(0, in_order)
    place = torch.arange(num_edges, device=x.device) - in_ptr.index_select(0, row)
    slot = (row * width + place).long()
    # Every slot has one writer. Those that are left over read a row of zeros, and not that of a
    # node, whose NaN would pass a weight of 0.
    table = slot.new_full((rows * width,), x.shape[0])
    table = table.scatter(0, slot, source.index_select(0, in_order).long())
    share = weight.new_zeros(rows * width).scatter(0, slot, weight.index_select(0, in_order))
    padded = torch.nn.functional.pad(x, (0, 0, 0, 1))
    neighbours = padded.index_select(0, table).view(rows, width, x.shape[1])
    return torch.bmm(share.to(x.dtype).view(rows, 1, width), neighbours).squeeze(1)
