"""Weighted neighbour sums: this package against everything else a user could call.

``python -m benchmarks.spmm --out benchmarks/results`` writes ``spmm.json``, ``spmm.md`` and
``spmm.png``: forward, and forward with backward into features and weights, medians of interleaved
repetitions with the distance between quartiles, the peak memory beyond inputs, outputs and
gradients, and the share of the speed of a copy. A run that was broken off goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

from benchmarks.graphs import random_graph, road_graph
from benchmarks.peers_spmm import DGL, PYG, check_agreement, dgl, not_importable, pyg
from benchmarks.records import Log, parse, parser, write
from benchmarks.spmm_report import draw, markdown
from tgst.ops import Adjacency, spmm
from tgst.ops.benchmark import share_of_copy
from tgst.ops.choose import choose_backend
from tgst.ops.compare import Operands, compare, moved_bytes, operands
from tgst.ops.measure import copy_bandwidth
from tgst.ops.rivals import GATHER_SCATTER, TORCH_SPARSE, Product, Rival, rivals

NODES = (25, 207, 2_000, 8_600, 33_113, 200_000, 2_000_000)
DEGREES = (2, 3, 8, 24)
WIDTHS = (64, 768, 12_288)

# Multiplications of a weight and a feature; beyond, a point would take minutes. No rival with a row
# per edge fits into memory there, and of ours the automatic choice is measured alone.
WORK, WORK_OF_RIVALS = 4e9, 1.3e9
WORK_OF_DENSE = 6e10  # a matrix product does more of them per second
PAIRS = 2**30  # bytes of a matrix of all pairs of nodes; beyond, it would take minutes
SECONDS = 2.0  # of samples per rival, forward and training each


class Point(NamedTuple):
    """A graph ("random" or "road"), its nodes, their average degree, and the features."""

    graph: str
    nodes: int
    degree: int
    features: int
    dtype: str = "float32"

    def edge_index(self, seed: int) -> torch.Tensor:
        """Make the graph."""
        if self.graph == "road":
            return road_graph(self.nodes, seed).edge_index
        return random_graph(self.nodes, self.degree, seed)


def points(quick: bool, device: torch.device) -> list[Point]:
    """Return what is measured; degree 24 of 25 nodes is nearly every pair."""
    if quick:
        return [Point("random", 25, 3, 64), Point("random", 300, 8, 32), Point("road", 400, 3, 16)]
    grid = [Point("random", n, d, f) for n in NODES for d in DEGREES for f in WIDTHS]
    roads = [Point("road", 200_000, 3, features) for features in (64, 768)]
    if device.type == "cuda":
        half = [Point(g, 200_000, 3, 768, "bfloat16") for g in ("random", "road")]
        roads += half
    return grid + roads


def needed(point: Point, edges: int) -> dict[str, tuple[float, float]]:
    """Return the bytes that rivals hold, forward and training: features, outputs and gradients for
    all, and for some a row per edge (several at a time) or a number per pair.
    """
    size = getattr(torch, point.dtype).itemsize
    rows, messages = (n * float(point.features) * size for n in (point.nodes, edges))
    pairs = float(point.nodes) ** 2 * size
    extra = {
        PYG: (2 * messages, 3 * messages),
        "torch_scatter": (messages, messages),
        TORCH_SPARSE: (0.0, pairs),
        "dense": (pairs, pairs),
    }
    names = {"auto", "embedding_bag", "column_blocks", "triton", "sparse_csr", DGL, *extra}
    return {
        name: (3 * rows + extra.get(name, (0, 0))[0], 4 * rows + extra.get(name, (0, 0))[1])
        for name in names
    }


def limits(point: Point, edges: int, memory: float) -> dict[str, tuple[str | None, str | None]]:
    """Say why a rival is left out, forward and training, by size alone."""
    size = getattr(torch, point.dtype).itemsize
    pairs = float(point.nodes) ** 2 * size
    reasons = {}
    for name, bytes_needed in needed(point, edges).items():
        found = []
        for kind, count in zip(("forward", "training"), bytes_needed, strict=True):
            why = f"memory: {count / 2**30:.1f} of {memory / 2**30:.1f} GiB"
            with_pairs = name == "dense" or (name == TORCH_SPARSE and kind == "training")
            most = WORK if name == "auto" else WORK_OF_RIVALS
            work = edges * point.features
            of_pairs = float(point.nodes) ** 2 * point.features
            if work > most:
                found.append(f"time: {work:.1e} of {most:.1e} multiplications")
            elif with_pairs and pairs > PAIRS:
                found.append(f"pairs: a matrix of {pairs / 2**30:.1f} of {PAIRS / 2**30:.0f} GiB")
            elif name == "dense" and of_pairs > WORK_OF_DENSE:
                found.append(f"time: {of_pairs:.1e} of {WORK_OF_DENSE:.1e} multiplications")
            else:
                found.append(why if count > memory else None)
        reasons[name] = (found[0], found[1])
    return reasons


def competitors(adjacency: Adjacency, point: Point) -> dict[str, Rival]:
    """Return the automatic choice and its rivals, by name."""
    dtype = getattr(torch, point.dtype)
    found = rivals(adjacency, None, point.features, dtype)
    for name in ("reference", GATHER_SCATTER):  # PyG's own takes the place of both
        del found[name]
    edge_index = torch.stack([adjacency.source, adjacency.target])
    found[PYG] = Rival(pyg(edge_index))
    reason = not_importable("dgl")
    found[DGL] = Rival(lambda x, weight: x, reason=f"not importable: {reason}")
    if reason is None:
        found[DGL] = Rival(dgl(edge_index, point.nodes))
    return {"auto": Rival(lambda x, weight: spmm(adjacency, x, weight)), **found}


def measure(
    point: Point, seed: int, repetitions: int, device: torch.device, memory: float, speed: float
) -> list[dict[str, Any]]:
    """Measure all rivals at a point."""
    edges = point.nodes * point.degree  # an estimate, to leave out what is too large
    reasons = limits(point, edges, memory)
    size = {**point._asdict(), "edges": edges}
    if all(forward is not None for forward, _ in reasons.values()):
        return [_row(size, name, {}, *why) for name, why in reasons.items()]
    adjacency = Adjacency.build(point.edge_index(seed).to(device), None, point.nodes)
    size["edges"] = edges = adjacency.num_edges
    reasons = limits(point, edges, memory)
    competing = competitors(adjacency, point)
    for name, rival in competing.items():
        if rival.reason is not None:
            why = rival.reason.removeprefix("not run: ")
            reasons[name] = (why, why)
    run = {name: r.product for name, r in competing.items() if reasons[name][0] is None}
    only_forward = {name for name in run if reasons[name][1] is not None}
    dtype = getattr(torch, point.dtype)
    given = operands(adjacency, None, (point.features,), dtype, seed)
    _check(run, given)
    numbers = compare(run, given, repetitions, seconds=SECONDS, without_training=only_forward)
    choice = {
        "chosen": choose_backend(
            point.nodes, point.nodes, edges, device, width=point.features, dtype=dtype
        )
    }
    moved = moved_bytes(point.nodes, point.nodes, edges, point.features, dtype.itemsize)
    rows = []
    for name in competing:
        row = _row(size, name, numbers.get(name, {}), *reasons[name])
        for kind, count in moved.items():
            row[f"{kind}_share"] = share_of_copy(count, row.get("forward_ms"), speed)
        rows.append({**row, **(choice if name == "auto" else {})})
    return rows


def _check(run: dict[str, Product], given: Operands) -> None:
    with torch.no_grad():
        expected = run["auto"](given.x, given.weight)
        if expected.numel() <= 2**24:
            for name, product in run.items():
                check_agreement(product(given.x, given.weight), expected, name)


def _row(
    size: dict[str, Any], name: str, numbers: dict[str, Any], *reasons: str | None
) -> dict[str, Any]:
    forward, training = reasons
    return {**size, "rival": name, **numbers, "reason": forward, "training_reason": training}


def main(arguments_given: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    arguments, about = parse(_parser(), arguments_given)
    device = arguments.device
    log = Log(arguments.out, "spmm", about, arguments.afresh)
    size = 2**24 if arguments.quick else 2**28
    # Kept with the rows whose shares were taken of it.
    speed = log.rows("copy", lambda: [{"speed": copy_bandwidth(device, size)}])[0]["speed"]
    rows: list[dict[str, Any]] = []
    for point in points(arguments.quick, device):
        if arguments.nodes and point.nodes not in arguments.nodes:
            continue
        found = log.rows(
            point,
            lambda point=point: measure(  # type: ignore[misc]
                point,
                arguments.seed,
                arguments.repetitions,
                device,
                arguments.memory * 2**30,
                speed,
            ),
        )
        print(*point, _progress(found), flush=True)
        rows += found
    missing = {r["rival"]: r["reason"] for r in rows if "import" in (r["reason"] or "")}
    about.update(copy_bandwidth=speed, memory_limit=arguments.memory * 2**30)
    about.update(
        work_limit=WORK,
        work_limit_of_rivals=WORK_OF_RIVALS,
        work_limit_of_dense=WORK_OF_DENSE,
        pairs_limit=PAIRS,
        seconds=SECONDS,
        not_importable=missing,
    )
    write(arguments.out, "spmm", about, rows, markdown(about, rows))
    draw(about, rows, arguments.out / "spmm.png")
    log.close()


def _parser() -> argparse.ArgumentParser:
    arguments = parser("spmm", __doc__, repetitions=11)
    arguments.add_argument("--memory", type=float, default=10.0, help="GiB per rival")
    arguments.add_argument("--nodes", type=int, nargs="+", help="some of the sizes in place of all")
    return arguments


def _progress(rows: list[dict[str, Any]]) -> str:
    times = {r["rival"]: r.get("training_ms") or r.get("forward_ms") for r in rows}
    return ", ".join(f"{name} {time:.3g}" for name, time in times.items() if time is not None)


if __name__ == "__main__":
    main()
