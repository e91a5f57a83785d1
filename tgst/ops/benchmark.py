"""Dense or sparse: time and memory of every way to sum over neighbours, on a given graph."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from tgst.ops.adjacency import Adjacency
from tgst.ops.cache import as_adjacency
from tgst.ops.choose import choose_backend, explain_choice
from tgst.ops.compare import Operands, compare, moved_bytes, operands
from tgst.ops.measure import copy_bandwidth
from tgst.ops.rivals import Product, Rival, rivals

HEAD = ("backend", "forward ms", "forward+backward ms", "extra MB", "of copy speed")


@dataclasses.dataclass
class BenchmarkTable:
    r"""The result of :func:`benchmark`; printed, it is a table.

    Attributes:
        rows: One dict per rival with the keys ``backend``, ``auto`` (the automatic choice),
            ``forward_ms``, ``forward_spread_ms``, ``forward_samples``, ``training_ms`` (forward
            and backward), ``training_spread_ms``, ``training_samples``, ``forward_extra_bytes``,
            ``training_extra_bytes`` (peak memory beyond inputs, outputs and gradients),
            ``compulsory_share`` and ``gathered_share`` (of the measured speed of a copy, forward,
            counting features once, or once per edge), ``reason`` (why a rival did not run; then
            the numbers are None) and ``training_reason`` (why it ran forward only).
        title: What was measured.
        choice: The automatic choice and its reason, as :func:`explain_choice` tells it.
        copy_bandwidth: Bytes per second that a copy reads and writes, measured in the same run.
    """

    rows: list[dict[str, Any]]
    title: str
    choice: str = ""
    copy_bandwidth: float = float("nan")

    def __str__(self) -> str:
        lines = [HEAD, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[i]) for line in lines if len(line) > 2) for i in range(len(HEAD))]
        widths[0] = max(len(line[0]) for line in lines)
        printed = [self.title]
        for name, *cells in lines:
            aligned = [cell.rjust(w) for cell, w in zip(cells, widths[1:], strict=False)]
            text = "  ".join(aligned) if len(cells) > 1 else cells[0]
            printed.append(f"{name.ljust(widths[0])}  {text}")
        printed += [
            f"{row['backend']}: {row['training_reason']}"
            for row in self.rows
            if row["training_reason"] is not None
        ]
        printed += [
            f"of copy speed: forward, features read once - once per edge; a copy moves "
            f"{self.copy_bandwidth / 1e9:.3g} GB/s",
            "* the automatic choice",
            self.choice,
        ]
        return "\n".join(printed)


def benchmark(
    edge_index: Tensor | Adjacency,
    num_nodes: int,
    shape: Sequence[int],
    edge_type: Tensor | None = None,
    num_partitions: int = 1,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
    repetitions: int = 7,
    seconds: float | None = 5.0,
    memory_limit: int = 2**30,
    others: Mapping[str, Product] | None = None,
    seed: int = 0,
) -> BenchmarkTable:
    r"""Measure the weighted neighbour sum of a graph in every way there is.

    That is every backend, the gather and scatter of a PyG layer with learnt weights
    (``"gather_scatter"``) and torch's own sparse product with autograd (``"torch_sparse"``).
    Random features and weights; forward alone, and forward with backward into features and
    weights. With more than one partition the sum is taken per label (``fold="target"``).

    Args:
        edge_index (Tensor or EdgeIndex or Adjacency): The graph.
        num_nodes (int): The number of nodes.
        shape (Sequence[int]): The dimensions of the features after the nodes, such as
            (batch, time, channels).
        edge_type (Tensor, optional): The partition label of every edge.
        num_partitions (int): The number of partitions.
        dtype (torch.dtype): The dtype of features and weights.
        device (torch.device or str, optional): Where to measure; where the graph is if not given.
        repetitions (int): Samples per rival, taken in turns; medians are reported.
        seconds (float, optional): A rival whose samples would take longer gets fewer, at least 3.
        memory_limit (int): Bytes; a rival that would form a larger tensor is left out (or runs
            forward only, if it is its gradient that would) and listed with the reason.
        others (Mapping[str, Callable], optional): Further functions of (x, weight) to compare
            with; they replace ``"gather_scatter"`` and ``"torch_sparse"``.
        seed (int): The seed of the random numbers; the global generator is not touched.

    Shapes:
        - **edge_index:** :math:`[2, E]`, int or long
        - **edge_type:** :math:`[E]`, int or long

    Raises:
        TypeError: If an argument is of the wrong type or dtype.
        ValueError: If the graph is invalid or there are fewer than 2 repetitions.
    """
    adjacency = as_adjacency(edge_index, edge_type, num_nodes, num_partitions)
    if device is not None:
        adjacency = Adjacency(*(tensor.to(device) for tensor in adjacency))
    fold = "target" if num_partitions > 1 else None
    width = math.prod(shape)
    given = operands(adjacency, fold, tuple(shape), dtype, seed)
    competing = rivals(adjacency, fold, width, dtype, plain=others is None)
    competing.update({name: Rival(product) for name, product in (others or {}).items()})
    bandwidth = copy_bandwidth(given.x.device, 2**27)
    rows = _measured(competing, given, repetitions, seconds, memory_limit)
    rows_out, edges = given.grad.shape[0], adjacency.num_edges
    auto = choose_backend(rows_out, num_nodes, edges, given.x.device, width=width, dtype=dtype)
    moved = moved_bytes(rows_out, num_nodes, edges, width, dtype.itemsize)
    for row in rows:
        row["auto"] = row["backend"] == auto
        for kind, count in moved.items():
            row[f"{kind}_share"] = share_of_copy(count, row["forward_ms"], bandwidth)
    title = (
        f"nodes {num_nodes}, edges {edges}, partitions {num_partitions}, "
        f"features {tuple(shape)}, {str(dtype).removeprefix('torch.')}, {given.x.device}"
    )
    return BenchmarkTable(rows, title, explain_choice(adjacency, given.x, fold=fold), bandwidth)


def share_of_copy(num_bytes: int, milliseconds: float | None, bandwidth: float) -> float | None:
    """Return the speed at which bytes were moved, as a share of the speed of a copy."""
    return None if milliseconds is None else num_bytes / (milliseconds / 1e3) / bandwidth


def _measured(
    competing: Mapping[str, Rival],
    given: Operands,
    repetitions: int,
    seconds: float | None,
    memory_limit: int,
) -> list[dict[str, Any]]:
    reasons = {
        name: rival.reason or _too_large(rival.forward_bytes, memory_limit)
        for name, rival in competing.items()
    }
    run = {name: rival for name, rival in competing.items() if reasons[name] is None}
    partly = {
        name: reason
        for name, rival in run.items()
        if (reason := _too_large(rival.training_bytes, memory_limit)) is not None
    }
    products = {name: rival.product for name, rival in run.items()}
    numbers = compare(products, given, repetitions, seconds=seconds, without_training=partly)
    blank: dict[str, Any] = dict.fromkeys(next(iter(numbers.values())))
    return [
        {
            "backend": name,
            **numbers.get(name, blank),
            "reason": reason,
            "training_reason": partly.get(name),
        }
        for name, reason in reasons.items()
    ]


def _too_large(largest: int, memory_limit: int) -> str | None:
    if largest <= memory_limit:
        return None
    return (
        f"not run: needs a tensor of {largest / 2**20:.0f} MB "
        f"(memory_limit is {memory_limit / 2**20:.0f} MB)"
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    name = f"{row['backend']} *" if row["auto"] else row["backend"]
    if row["reason"] is not None:
        return name, row["reason"]
    times = [
        "forward only"
        if row[f"{kind}_ms"] is None
        else f"{row[f'{kind}_ms']:.3f} +- {row[f'{kind}_spread_ms']:.3f}"
        for kind in ("forward", "training")
    ]
    extra = row["training_extra_bytes"]
    extra = row["forward_extra_bytes"] if extra is None else extra
    shares = f"{row['compulsory_share']:.0%} - {row['gathered_share']:.0%}"
    return name, *times, f"{extra / 2**20:.2f}", shares
