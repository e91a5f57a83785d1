"""Everything that computes the weighted neighbour sum in plain torch, by name, to be compared."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from tgst.ops.adjacency import Adjacency
from tgst.ops.backends import BACKENDS, check_backend
from tgst.ops.column_blocks import block_width
from tgst.ops.spmm import spmm

Product = Callable[[Tensor, Tensor], Tensor]

GATHER_SCATTER, TORCH_SPARSE = "gather_scatter", "torch_sparse"


class Rival(NamedTuple):
    """A function of (x, weight), and what speaks against running it.

    ``forward_bytes`` and ``training_bytes`` are the largest tensors that are formed without and
    with gradients, beyond inputs, outputs and gradients; ``reason`` says why it cannot run.
    """

    product: Product
    forward_bytes: int = 0
    training_bytes: int = 0
    reason: str | None = None


def rivals(
    adjacency: Adjacency, fold: str | None, width: int, dtype: torch.dtype, plain: bool = True
) -> dict[str, Rival]:
    r"""Return all backends, the gather and scatter of a PyG layer, and torch's own sparse product.

    Args:
        adjacency (Adjacency): The graph.
        fold (str, optional): None or ``"target"``, as in :func:`spmm`.
        width (int): The number of features of a row.
        dtype (torch.dtype): Of features and weights.
        plain (bool): Include those that are no backends.
    """
    # In 64 bits: there may be more pairs of rows than 32 bits count.
    source, rows, rows_out = adjacency.source.long(), *_target_rows(adjacency, fold)
    messages = adjacency.num_edges * width * dtype.itemsize
    pairs = adjacency.num_nodes * rows_out * dtype.itemsize
    largest = {"dense": pairs, "torch_scatter": messages, "reference": messages}
    found = {}
    for name in BACKENDS:
        size = largest.get(name, 0)
        reason = _not_importable(name) or _not_on_device(name, adjacency.source.device)
        if name == "column_blocks":
            largest_rows = max(adjacency.num_nodes, rows_out)
            reason = reason or _not_in_blocks(largest_rows, width, dtype)
        found[name] = Rival(_of_backend(adjacency, fold, name), size, size, reason)
    if not plain:
        return found
    gather = gather_scatter(source, rows, rows_out)
    found[GATHER_SCATTER] = Rival(gather, messages, messages)
    # Its gradient by the values is a product of all pairs of rows, on CPU.
    found[TORCH_SPARSE] = Rival(*_sparse(source, rows, rows_out, adjacency.num_nodes, pairs))
    return found


def gather_scatter(source: Tensor, target: Tensor, rows_out: int) -> Product:
    """Write a message per edge and add it to its target, as a PyG layer with weights does."""

    def product(x: Tensor, weight: Tensor) -> Tensor:
        wide = (-1, *[1] * (x.dim() - 1))
        messages = x.index_select(0, source) * weight.view(wide)
        index = target.view(wide).expand_as(messages)
        return messages.new_zeros((rows_out, *x.shape[1:])).scatter_add_(0, index, messages)

    return product


def torch_sparse(source: Tensor, target: Tensor, rows_out: int, rows_in: int) -> Product:
    """Multiply by a CSR tensor that is made of the weights, and let autograd do the rest.

    Correct for edges without a parallel one: its gradient needs sorted, different columns.
    """
    order = torch.argsort(target * rows_in + source)
    column = source[order]
    start = torch.searchsorted(target[order], torch.arange(rows_out + 1, device=target.device))

    def product(x: Tensor, weight: Tensor) -> Tensor:
        values = weight.index_select(0, order)
        matrix = torch.sparse_csr_tensor(start, column, values, (rows_out, rows_in))
        out = torch.sparse.mm(matrix, x.flatten(1))
        return out.view(rows_out, *x.shape[1:])

    def quiet(x: Tensor, weight: Tensor) -> Tensor:
        with warnings.catch_warnings():  # torch tells that the layout is new, and unchecked
            warnings.simplefilter("ignore", UserWarning)
            return product(x, weight)

    return quiet


def _sparse(
    source: Tensor, target: Tensor, rows_out: int, rows_in: int, pairs: int
) -> tuple[Product, int, int, str | None]:
    key = target * rows_in + source
    parallel = int(key.unique().numel()) < key.numel()
    reason = "not run: its gradient is wrong for parallel edges" if parallel else None
    return torch_sparse(source, target, rows_out, rows_in), 0, pairs, reason


def _of_backend(adjacency: Adjacency, fold: str | None, backend: str) -> Product:
    return lambda x, weight: spmm(adjacency, x, weight, fold=fold, backend=backend)


def _target_rows(adjacency: Adjacency, fold: str | None) -> tuple[Tensor, int]:
    if fold is None:
        return adjacency.target.long(), adjacency.num_nodes
    rows = adjacency.target.long() * adjacency.num_partitions + adjacency.label
    return rows, adjacency.ptr_label_in.shape[0] - 1


def _not_importable(name: str) -> str | None:
    try:
        check_backend(name)
    except ImportError as error:
        return f"not run: {error}"
    return None


def _not_in_blocks(rows: int, width: int, dtype: torch.dtype) -> str | None:
    if block_width(rows, width, dtype.itemsize) < width:
        return None
    return "not run: one block, the same as embedding_bag"


def _not_on_device(name: str, device: torch.device) -> str | None:
    # On CPU it runs in an interpreter, to be tested; its time says nothing.
    if name == "triton" and device.type != "cuda":
        return f"not run: runs on CUDA, the graph is on {device.type}"
    if name == "column_blocks" and device.type != "cpu":
        return f"not run: for the caches of a CPU, the graph is on {device.type}"
    return None
