"""Dense or sparse: time and memory of every backend on a given graph."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tgst.ops.adjacency import Adjacency
from tgst.ops.backends import BACKENDS, check_backend
from tgst.ops.cache import as_adjacency
from tgst.ops.choose import choose_backend
from tgst.ops.measure import peak_extra_bytes, time_interleaved
from tgst.ops.spmm import spmm

Product = Callable[[Tensor, Tensor], Tensor]


@dataclasses.dataclass
class BenchmarkTable:
    r"""The result of :func:`benchmark`; printed, it is a table.

    Attributes:
        rows: One dict per backend with the keys ``backend``, ``auto`` (the automatic choice),
            ``forward_ms``, ``forward_spread_ms``, ``training_ms`` (forward and backward),
            ``training_spread_ms``, ``forward_extra_bytes``, ``training_extra_bytes`` (peak
            memory beyond inputs, outputs and gradients) and ``reason`` (why a backend did not
            run; then the numbers are None).
        title: What was measured.
    """

    rows: list[dict[str, Any]]
    title: str

    def __str__(self) -> str:
        head = ("backend", "forward ms", "forward+backward ms", "extra MB")
        lines = [head, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[i]) for line in lines if len(line) > 2) for i in range(len(head))]
        widths[0] = max(len(line[0]) for line in lines)
        printed = [self.title]
        for name, *cells in lines:
            aligned = [cell.rjust(w) for cell, w in zip(cells, widths[1:], strict=False)]
            text = "  ".join(aligned) if len(cells) > 1 else cells[0]
            printed.append(f"{name.ljust(widths[0])}  {text}")
        return "\n".join([*printed, "* the automatic choice"])


def benchmark(
    edge_index: Tensor | Adjacency,
    num_nodes: int,
    shape: Sequence[int],
    edge_type: Tensor | None = None,
    num_partitions: int = 1,
    *,
    dtype: torch.dtype = torch.float32,
    repetitions: int = 7,
    memory_limit: int = 2**30,
    others: Mapping[str, Product] | None = None,
    seed: int = 0,
) -> BenchmarkTable:
    r"""Measure the weighted neighbour sum of a graph with every backend.

    Random features and weights; forward alone, and forward with backward into features and
    weights. With more than one partition the sum is taken per label (``fold="target"``).

    Args:
        edge_index (Tensor or EdgeIndex or Adjacency): The graph; its device is measured.
        num_nodes (int): The number of nodes.
        shape (Sequence[int]): The dimensions of the features after the nodes, such as
            (batch, time, channels).
        edge_type (Tensor, optional): The partition label of every edge.
        num_partitions (int): The number of partitions.
        dtype (torch.dtype): The dtype of features and weights.
        repetitions (int): Samples per backend, taken in turns; medians are reported.
        memory_limit (int): Bytes; a backend that would form a larger tensor is left out and
            listed with the reason.
        others (Mapping[str, Callable], optional): Further functions of (x, weight) to compare
            with; a gather-scatter as PyG does it if not given.
        seed (int): The seed of the random numbers; the global generator is not touched.

    Shapes:
        - **edge_index:** :math:`[2, E]`, long
        - **edge_type:** :math:`[E]`, long

    Raises:
        TypeError: If an argument is of the wrong type or dtype.
        ValueError: If the graph is invalid or there are fewer than 2 repetitions.
    """
    adjacency = as_adjacency(edge_index, edge_type, num_nodes, num_partitions)
    fold = "target" if num_partitions > 1 else None
    if others is None:
        others = {"gather_scatter": _gather_scatter(adjacency, fold)}
    width = math.prod(shape)
    x, weight, grad = _operands(adjacency, fold, tuple(shape), dtype, seed)
    rows_out, device = grad.shape[0], x.device
    auto = choose_backend(rows_out, num_nodes, adjacency.num_edges, device)
    products: dict[str, Product] = {name: _product(adjacency, fold, name) for name in BACKENDS}
    products.update(others)
    largest = _largest_tensors(adjacency, rows_out, width, dtype)
    reasons = {name: _reason(name, largest.get(name, 0), memory_limit) for name in products}
    run = {name: product for name, product in products.items() if reasons[name] is None}
    measured = _measure(run, x, weight, grad, repetitions)
    blank: dict[str, Any] = dict.fromkeys(next(iter(measured.values())))
    rows = [
        {"backend": name, "auto": name == auto, **measured.get(name, blank), "reason": reason}
        for name, reason in reasons.items()
    ]
    title = (
        f"nodes {num_nodes}, edges {adjacency.num_edges}, partitions {num_partitions}, "
        f"features {tuple(shape)}, {str(dtype).removeprefix('torch.')}, {device}"
    )
    return BenchmarkTable(rows, title)


def _measure(
    products: Mapping[str, Product], x: Tensor, weight: Tensor, grad: Tensor, repetitions: int
) -> dict[str, dict[str, float]]:
    def forward(product: Product) -> Callable[[], Tensor]:
        def call() -> Tensor:
            with torch.no_grad():
                return product(x, weight)

        return call

    def training(product: Product) -> Callable[[], tuple[Tensor, ...]]:
        def call() -> tuple[Tensor, ...]:
            out = product(x, weight)
            return out, *torch.autograd.grad(out, (x, weight), grad)

        return call

    result: dict[str, dict[str, float]] = {name: {} for name in products}
    for kind, wrap in (("forward", forward), ("training", training)):
        calls: dict[str, Callable[[], object]] = {name: wrap(f) for name, f in products.items()}
        for name, call in calls.items():
            result[name][f"{kind}_extra_bytes"] = peak_extra_bytes(call, x.device)
        for name, timing in time_interleaved(calls, repetitions, x.device).items():
            result[name][f"{kind}_ms"] = timing.median
            result[name][f"{kind}_spread_ms"] = timing.spread
    return result


def _operands(
    adjacency: Adjacency, fold: str | None, shape: tuple[int, ...], dtype: torch.dtype, seed: int
) -> tuple[Tensor, Tensor, Tensor]:
    device = adjacency.source.device
    rows_out = (adjacency.ptr_in if fold is None else adjacency.ptr_label_in).shape[0] - 1
    generator = torch.Generator(device).manual_seed(seed)

    def random(*size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=dtype, device=device)

    x = random(adjacency.num_nodes, *shape).requires_grad_()
    weight = random(adjacency.num_edges).requires_grad_()
    return x, weight, random(rows_out, *shape)


def _product(adjacency: Adjacency, fold: str | None, backend: str) -> Product:
    return lambda x, weight: spmm(adjacency, x, weight, fold=fold, backend=backend)


def _gather_scatter(adjacency: Adjacency, fold: str | None) -> Product:
    target, rows_out = adjacency.target, adjacency.num_nodes
    if fold == "target":
        target = adjacency.label * adjacency.num_nodes + target
        rows_out = adjacency.ptr_label_in.shape[0] - 1

    def product(x: Tensor, weight: Tensor) -> Tensor:
        wide = (-1, *[1] * (x.dim() - 1))
        messages = x.index_select(0, adjacency.source) * weight.view(wide)
        index = target.view(wide).expand_as(messages)
        return messages.new_zeros((rows_out, *x.shape[1:])).scatter_add_(0, index, messages)

    return product


def _largest_tensors(
    adjacency: Adjacency, rows_out: int, width: int, dtype: torch.dtype
) -> dict[str, int]:
    messages = adjacency.num_edges * width * dtype.itemsize
    return {
        "dense": adjacency.num_nodes * rows_out * dtype.itemsize,
        "torch_scatter": messages,
        "reference": messages,
        "gather_scatter": messages,
    }


def _reason(name: str, largest: int, memory_limit: int) -> str | None:
    if largest > memory_limit:
        return (
            f"not run: needs a tensor of {largest / 2**20:.0f} MB "
            f"(memory_limit is {memory_limit / 2**20:.0f} MB)"
        )
    if name in BACKENDS:
        try:
            check_backend(name)
        except ImportError as error:
            return f"not run: {error}"
    return None


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    name = f"{row['backend']} *" if row["auto"] else row["backend"]
    if row["reason"] is not None:
        return name, row["reason"]
    times = [
        f"{row[f'{kind}_ms']:.3f} +- {row[f'{kind}_spread_ms']:.3f}"
        for kind in ("forward", "training")
    ]
    return name, *times, f"{row['training_extra_bytes'] / 2**20:.2f}"
