"""What a second processor core brings, and what the types of numbers cost.

``python -m benchmarks.threads --out benchmarks/results`` writes ``threads.json`` and
``threads.md``: forward and backward of the weighted sum, of layers and of the traffic network on
one thread, two, four and so on up to those that torch takes, in turns; and the weighted sum in
every type of features and of node numbers. On CPU alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from benchmarks.contenders import EAGER, step
from benchmarks.graphs import random_graph, road_graph
from benchmarks.layer_ways import OURS, Problem, run, ways
from benchmarks.model_cases import Traffic, traffic
from benchmarks.records import measured_on, number, parse, parser, table, write
from tgst.ops import Adjacency, spmm
from tgst.ops.compare import operands, training
from tgst.ops.measure import time_interleaved

CPU = torch.device("cpu")
SECONDS = 6.0
DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
INDICES = (torch.int64, torch.int32)
# Nodes, edges per node and features of the sums; nodes, edges and batch of layers and network.
SIZES = {
    False: {"random": (8_600, 24, 768), "road": (200_000, 64), "model": (2_000, 16_000, 8)},
    True: {"random": (50, 4, 16), "road": (400, 8), "model": (20, 60, 2)},
}

Call = Callable[[], object]


def cases(quick: bool, seed: int) -> dict[str, Call]:
    """Return what is run on every number of threads, forward and backward."""
    sizes = SIZES[quick]
    nodes, degree, features = sizes["random"]
    crossings, width = sizes["road"]
    found = {
        f"sum, random graph, {nodes:,} nodes, {degree} edges each, {features} features": summed(
            random_graph(nodes, degree, seed), nodes, features, torch.float32, torch.int64, seed
        ),
        f"sum, roads, {crossings:,} nodes, {width} features": summed(
            road_graph(crossings, seed).edge_index,
            crossings,
            width,
            torch.float32,
            torch.int64,
            seed,
        ),
    }
    nodes, edges, batch = sizes["model"]
    for layer in ("ChebConv", "PartitionConv"):
        problem = Problem(layer, nodes, edges, batch, learnable=True)
        ours = ways(problem, torch.float32, seed)[0][OURS]
        found[f"{layer}, 64 to 64, {nodes:,} nodes, {edges:,} edges, batch {batch}"] = run(ours)
    case = traffic(Traffic(nodes, edges, batch), seed, peers=False)
    found[f"training step of {case.title}"] = step(case.contenders[OURS], EAGER)
    return found


def summed(
    edge_index: torch.Tensor,
    nodes: int,
    features: int,
    dtype: torch.dtype,
    index: torch.dtype,
    seed: int,
) -> Call:
    """Return the automatic choice, forward and backward."""
    adjacency = Adjacency.build(edge_index.to(index), None, nodes)
    given = operands(adjacency, None, (features,), dtype, seed)
    return training(lambda x, weight: spmm(adjacency, x, weight), given)


def on_threads(call: Call, count: int) -> Call:
    """Run a function on so many threads."""

    def threaded() -> object:
        torch.set_num_threads(count)
        return call()

    return threaded


def counts(most: int) -> list[int]:
    """Return one, two, four and so on, and the most."""
    found = [2**power for power in range(most.bit_length()) if 2**power < most]
    return [*found, most]


def scaling(found: dict[str, Call], most: int, repetitions: int) -> list[dict[str, Any]]:
    """Time every case on every number of threads."""
    rows = []
    for name, call in found.items():
        calls = {str(count): on_threads(call, count) for count in counts(most)}
        times = time_interleaved(calls, repetitions, CPU, seconds=SECONDS)
        for count, timing in times.items():
            row = {"case": name, "threads": int(count), "ms": timing.median}
            row |= {"spread_ms": timing.spread, "speedup": times["1"].median / timing.median}
            rows.append(row)
    torch.set_num_threads(most)
    return rows


def by_type(quick: bool, repetitions: int, seed: int) -> list[dict[str, Any]]:
    """Time the sum on the random graph in every type."""
    nodes, degree, features = SIZES[quick]["random"]
    graph = random_graph(nodes, degree, seed)
    calls = {
        f"{dtype} {index}".replace("torch.", ""): summed(graph, nodes, features, dtype, index, seed)
        for dtype in DTYPES
        for index in INDICES
    }
    times = time_interleaved(calls, repetitions, CPU, seconds=SECONDS)
    return [
        {"dtype": name.split()[0], "index": name.split()[1], "ms": t.median, "spread_ms": t.spread}
        for name, t in times.items()
    ]


def markdown(about: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    """Write both tables."""
    lines = [
        "# Threads and types",
        "",
        f"{measured_on(about)} Forward and backward into all that is learnt, float32 and 64-bit "
        f"node numbers where nothing else is said; medians of up to {about['repetitions']} samples "
        "in turns, and the distance between their quartiles.",
        "",
    ]
    cells = [
        [row["case"], str(row["threads"]), _time(row), f"{row['speedup']:.2f}"] for row in rows
    ]
    lines += table(["", "threads", "ms", "faster than one thread"], cells)
    nodes, degree, features = about["size"]
    lines += [f"The sum with {nodes:,} nodes, {degree} edges each and {features} features:", ""]
    cells = [[row["dtype"], row["index"], _time(row)] for row in about["types"]]
    lines += table(["features", "node numbers", "ms"], cells)
    return "\n".join(lines)


def _time(row: dict[str, Any]) -> str:
    return f"{number(row['ms'])} ± {number(row['spread_ms'], 2)}"


def main(arguments_given: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    arguments, about = parse(parser("threads", __doc__, repetitions=9), arguments_given)
    if arguments.device.type != "cpu":
        raise SystemExit(f"--device: expected cpu, got {arguments.device}")
    most, about["size"] = torch.get_num_threads(), SIZES[arguments.quick]["random"]
    found = cases(arguments.quick, arguments.seed)
    rows = scaling(found, most, arguments.repetitions)
    about["types"] = by_type(arguments.quick, arguments.repetitions, arguments.seed)
    write(arguments.out, "threads", about, rows, markdown(about, rows))


if __name__ == "__main__":
    main()
