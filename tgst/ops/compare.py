"""Time and memory of several functions for the same weighted sum, in turns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tgst.ops.adjacency import Adjacency
from tgst.ops.measure import peak_extra_bytes, time_interleaved
from tgst.ops.rivals import Product

MEASURES = ("ms", "spread_ms", "samples", "extra_bytes")


class Operands(NamedTuple):
    """Features and weights, which require gradients, and the gradient of the output."""

    x: Tensor
    weight: Tensor
    grad: Tensor


def operands(
    adjacency: Adjacency, fold: str | None, shape: Sequence[int], dtype: torch.dtype, seed: int
) -> Operands:
    """Draw random operands on the device of a graph; the global generator is not touched."""
    device = adjacency.source.device
    rows_out = (adjacency.ptr_in if fold is None else adjacency.ptr_label_in).shape[0] - 1
    generator = torch.Generator(device).manual_seed(seed)

    def random(*size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=dtype, device=device)

    x = random(adjacency.num_nodes, *shape).requires_grad_()
    weight = random(adjacency.num_edges).requires_grad_()
    return Operands(x, weight, random(rows_out, *shape))


def compare(
    products: Mapping[str, Product],
    given: Operands,
    repetitions: int,
    *,
    seconds: float | None = None,
    without_training: Collection[str] = (),
) -> dict[str, dict[str, Any]]:
    r"""Measure functions of (x, weight), forward and forward with backward into both.

    Args:
        products (Mapping[str, Callable]): The functions by name.
        given (Operands): What they are called with.
        repetitions (int): Samples per function.
        seconds (float, optional): As in :func:`~tgst.ops.measure.time_interleaved`.
        without_training (Collection[str]): Functions that run forward only; None stands for
            their other numbers.

    Returns:
        By name, ``forward_*`` and ``training_*`` for ``ms``, ``spread_ms``, ``samples`` and
        ``extra_bytes`` (the peak beyond inputs, outputs and gradients).
    """
    result: dict[str, dict[str, Any]] = {name: {} for name in products}
    for kind, wrap in (("forward", forward), ("training", training)):
        calls = {name: wrap(product, given) for name, product in products.items()}
        if kind == "training":
            calls = {name: call for name, call in calls.items() if name not in without_training}
        times = time_interleaved(calls, repetitions, given.x.device, seconds)
        for name in products:
            numbers = dict.fromkeys(f"{kind}_{measure}" for measure in MEASURES)
            if name in calls:
                extra = peak_extra_bytes(calls[name], given.x.device, warm_up=False)
                numbers = dict(zip(numbers, (*times[name][:3], extra), strict=True))
            result[name].update(numbers)
    return result


def forward(product: Product, given: Operands) -> Callable[[], object]:
    """Return what runs a product without gradients."""

    def call() -> Tensor:
        with torch.no_grad():
            return product(given.x, given.weight)

    return call


def training(product: Product, given: Operands) -> Callable[[], object]:
    """Return what runs a product and its gradients by features and weights."""
    leaves = (given.x, given.weight)

    def call() -> tuple[Tensor, ...]:
        out = product(*leaves)
        return out, *torch.autograd.grad(out, leaves, given.grad)

    return call


def moved_bytes(
    rows_out: int, rows_in: int, num_edges: int, width: int, itemsize: int
) -> dict[str, int]:
    """Return the least bytes of a weighted sum (features read once, output written once) and
    those if the features of every edge came from memory (read once per edge).
    """
    row = width * itemsize
    return {
        "compulsory": (rows_in + rows_out) * row,
        "gathered": (num_edges + rows_out) * row,
    }
