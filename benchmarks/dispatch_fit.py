"""Fit the costs behind the automatic choice: ``python -m benchmarks.dispatch --fit --keep_memory``.

The times of each backend's two products over a grid of sizes (the least of several samples, which
is the least disturbed one) are explained by how much of each kind of work they are
(:func:`tgst.ops.choose.work`), with costs that are not negative and the least relative errors.
Freed memory is kept, as the time that the system takes to clear a new output is that of all.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from benchmarks.graphs import random_graph
from tgst.ops import Adjacency, sddmm, spmm
from tgst.ops.choose import DENSE_NUMBERS_PER_EDGE, LEFT_OUT, PREFERRED, work
from tgst.ops.column_blocks import block_width
from tgst.ops.measure import time_interleaved
from tgst.ops.rivals import rivals

DTYPES = {"float32": torch.float32, "float64": torch.float64, "half": torch.bfloat16}
NODES = (16, 64, 150, 500, 3_000, 12_000, 60_000, 300_000)
WIDTHS = (16, 64, 256, 1_024, 3_072, 8_192)
DEGREES = (2, 4, 10, 30)
SHARES = (0.1, 0.25, 0.5, 1.0)  # of all pairs, on graphs of few nodes
ELEMENTS = 4e8  # edges times features, at most

# What the time of a product may consist of. The dot products of sparse_csr are embedding_bag's.
_GATHERED = ("call", "edge", "gathered_byte", "far_byte")
_WRITTEN = ("output_byte",)
KINDS: dict[str, dict[str, tuple[str, ...]]] = {
    "spmm": {
        "embedding_bag": (*_GATHERED, *_WRITTEN),
        "column_blocks": (*_GATHERED, "copied_byte"),
        "triton": (*_GATHERED, *_WRITTEN),
        "sparse_csr": (*_GATHERED, *_WRITTEN),
        "dense": ("call", "edge", "pair", *_WRITTEN, "multiplication"),
    },
    "sddmm": {
        "embedding_bag": _GATHERED,
        "column_blocks": (*_GATHERED, "copied_byte"),
        "triton": _GATHERED,
        "dense": ("call", "edge", "pair", "multiplication"),
    },
}


def sizes(quick: bool = False) -> list[tuple[int, int, int]]:
    """Return the nodes, edges per node and features of the graphs that are measured."""
    if quick:
        return [(16, 4, 16), (16, 16, 128), (64, 4, 128), (64, 32, 16), (500, 10, 64)]
    grid = [(n, d, f) for n in NODES for d in DEGREES for f in WIDTHS if d < n]
    grid += [(n, round(n * s), f) for n in NODES[:3] for s in SHARES for f in WIDTHS]
    kept = [(n, d, f) for n, d, f in grid if n * d * f <= ELEMENTS and n * f <= ELEMENTS / 4]
    return list(dict.fromkeys(kept))


def candidates(product: str, device: torch.device) -> list[str]:
    """Return the backends that may be chosen on a device."""
    if device.type == "cuda":
        return [name for name in KINDS[product] if name != "column_blocks"]  # for caches of a CPU
    return [name for name in KINDS[product] if name not in LEFT_OUT]


def measure(
    size: tuple[int, int, int], kind: str, seed: int, repetitions: int, device: torch.device
) -> list[dict[str, Any]]:
    """Time both products of all candidates on a random graph."""
    nodes, degree, width = size
    dtype = DTYPES[kind]
    adjacency = Adjacency.build(random_graph(nodes, degree, seed).to(device), None, nodes)
    generator = torch.Generator(device).manual_seed(seed)
    x, g = (
        torch.randn(nodes, width, generator=generator, device=device, dtype=dtype) for _ in range(2)
    )
    weight = torch.randn(adjacency.num_edges, generator=generator, device=device, dtype=dtype)
    usable = {
        n for n, r in rivals(adjacency, None, width, dtype, plain=False).items() if not r.reason
    }
    calls: dict[str, Callable[[], object]] = {}
    for product in KINDS:
        for name in candidates(product, device):
            if name in usable and may_be_chosen(name, size, kind, product):
                calls[f"{product} {name}"] = _call(product, name, adjacency, x, g, weight)
    times = time_interleaved(calls, repetitions, device, seconds=0.3)
    return [
        {
            "kind": kind,
            "nodes": nodes,
            "edges": adjacency.num_edges,
            "features": width,
            "product": key.split()[0],
            "backend": key.split()[1],
            "ms": timing.median,
            "spread_ms": timing.spread,
            "least_ms": timing.least,
        }
        for key, timing in times.items()
    ]


def may_be_chosen(name: str, size: tuple[int, int, int], kind: str, product: str) -> bool:
    """Say whether a backend is a candidate at a size, or nearly so."""
    nodes, degree, width = size
    if name == "dense":
        return nodes <= 2 * DENSE_NUMBERS_PER_EDGE * degree
    if name == "column_blocks":
        as_whole_rows = product == "sddmm" and kind == "half"
        return block_width(nodes, width, DTYPES[kind].itemsize) < width and not as_whole_rows
    return True


def _call(
    product: str, name: str, adjacency: Adjacency, x: Tensor, g: Tensor, weight: Tensor
) -> Callable[[], object]:
    if product == "spmm":
        return lambda: spmm(adjacency, x, weight, backend=name)
    return lambda: sddmm(adjacency, g, x, backend=name)


def amounts(row: dict[str, Any]) -> dict[str, float]:
    """Return the work of a measured product."""
    nodes, itemsize = row["nodes"], DTYPES[row["kind"]].itemsize
    sizes = (nodes, nodes, row["edges"], row["features"], itemsize)
    return work(*sizes, row["product"], row["backend"])


def fit(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    """Return nanoseconds by kind of float, product, backend and kind of work."""
    costs: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for kind in dict.fromkeys(row["kind"] for row in rows):
        for product, backends in KINDS.items():
            for name, kinds in backends.items():
                chosen = [
                    row
                    for row in rows
                    if (row["kind"], row["product"], row["backend"]) == (kind, product, name)
                ]
                if chosen:
                    of_product = costs.setdefault(kind, {}).setdefault(product, {})
                    # A block of columns is a call of the same kernel.
                    bag = of_product["embedding_bag"] if name == "column_blocks" else {}
                    known = {each: bag[each] for each in ("call", "far_byte") if each in bag}
                    of_product[name] = known | _fitted(chosen, kinds, known)
    return costs


def _fitted(
    rows: Sequence[dict[str, Any]], kinds: Sequence[str], known: dict[str, float]
) -> dict[str, float]:
    kinds = [kind for kind in kinds if kind not in known]
    times = np.array([row["least_ms"] * 1e6 for row in rows])
    table = np.array([[amounts(row)[kind] for kind in kinds] for row in rows])
    spent = np.array([sum(amounts(row)[k] * cost for k, cost in known.items()) for row in rows])
    # What takes well below a tenth of a millisecond matters less than the rest.
    importance = times / (times + 5e4)
    relative = table / times[:, None]
    scale = np.maximum(relative.max(0), 1e-30)  # the columns differ by many orders of magnitude
    # Twice, the second time without what was far off: a busy moment, or a size that is special.
    keep = np.ones(len(rows), dtype=bool)
    for _ in range(2):
        weights = importance[keep]
        rest = (1 - spent / times)[keep] * weights
        solution = nnls(relative[keep] / scale * weights[:, None], rest)[0] / scale
        off = np.abs(np.log(np.maximum(relative @ solution + spent / times, 1e-9)))
        keep = off <= max(np.quantile(off, 0.9), 0.2)
    return {
        kind: float(f"{value:.3g}")
        for kind, value in zip(kinds, solution, strict=True)
        if value > 0
    }


def regrets(
    rows: Sequence[dict[str, Any]], costs: dict[str, dict[str, dict[str, dict[str, float]]]]
) -> list[dict[str, Any]]:
    """Return, per measured size, how much slower the choice by these costs is than the best."""
    groups: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    for row in rows:
        key = tuple(row[k] for k in ("kind", "nodes", "edges", "features", "product"))
        groups.setdefault(key, {})[row["backend"]] = row
    found = []
    for key, backends in groups.items():
        of_product = costs[key[0]][key[-1]]
        guess = {
            name: sum(of_product[name].get(k, 0.0) * v for k, v in amounts(row).items())
            for name, row in backends.items()
        }
        chosen = min(guess, key=guess.__getitem__)
        best = min(backends, key=lambda name: backends[name]["least_ms"])
        best_ms = backends[best]["least_ms"]
        ratio = backends[chosen]["least_ms"] / best_ms
        place = dict(zip(("kind", "nodes", "edges", "features", "product"), key, strict=True))
        found.append({**place, "chosen": chosen, "best": best, "ms": best_ms, "ratio": ratio})
    return found


def render(
    costs: dict[str, dict[str, dict[str, dict[str, dict[str, float]]]]], measured_on: dict[str, str]
) -> str:
    """Write the module :mod:`tgst.ops.dispatch_table`."""
    lines = [_HEAD, "MEASURED_ON = {", *_entries(measured_on, 1), "}", "", _SHAPE]
    lines += [
        "COSTS: dict[str, dict[str, dict[str, dict[str, dict[str, float]]]]] = {",
        *_entries(costs, 1),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _entries(values: dict[str, Any], depth: int) -> list[str]:
    indent, lines = "    " * depth, []
    for key, value in values.items():
        if isinstance(value, dict):
            lines += [f'{indent}"{key}": {{', *_entries(value, depth + 1), f"{indent}}},"]
        else:
            text = f'"{value}"' if isinstance(value, str) else repr(value)
            lines.append(f'{indent}"{key}": {text},')
    return lines


def describe(about: dict[str, Any]) -> str:
    """Say where costs were measured."""
    kept = "; freed memory was kept" if about["keep_memory"] else ""
    return (
        f"{about['hardware']}, {about['threads']} threads; torch {about['versions']['torch']}; "
        f"{datetime.datetime.now(datetime.UTC).date().isoformat()}{kept}"
    )


def unmeasured() -> dict[str, str]:
    """Say what is taken on the devices that have not been measured."""
    names = PREFERRED["cuda"]
    return {"cuda": f"not measured: {names[0]}, or {names[1]} where it cannot be imported"}


_HEAD = '''"""What the backends cost: the numbers behind the automatic choice.

Written by ``python -m benchmarks.dispatch --fit --keep_memory``. Nanoseconds per call, per edge,
per byte of gathered rows, the same again for rows that come from beyond the cache, per byte that is
copied into or out of a block of columns, per byte of output, per entry of a dense matrix and per
multiplication with it. A kind that is not there costs nothing.
"""

from __future__ import annotations
'''
_SHAPE = "# {device: {kind of float: {product: {backend: {kind of work: nanoseconds}}}}}"
