"""One weighted sum on networks of roads of up to two million crossings: time and memory per edge.

``python -m benchmarks.scale --out benchmarks/results`` writes ``scale.json``, ``scale.md`` and
``scale.png``: the automatic choice and PyG's gather-scatter, forward and backward; the same network
with its nodes numbered row by row, at random, and in the orders of ``SpatialOrder``. All sizes are
measured in turns.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch_geometric.data import Data

from benchmarks.charts import plain_ticks
from benchmarks.graphs import road_graph, shuffled
from benchmarks.peers_spmm import PYG, pyg
from benchmarks.records import measured_on, number, parse, parser, table, write
from tgst.ops import Adjacency, spmm
from tgst.ops.choose import choose_backend
from tgst.ops.compare import Operands, forward, operands, training
from tgst.ops.measure import peak_extra_bytes, time_interleaved
from tgst.ops.rivals import Product
from tgst.transforms import SpatialOrder

NODES = (2_000, 20_000, 200_000, 2_000_000)
QUICK = (300, 2_000)
FEATURES = 64
WANTED = 1.5  # time per edge of the largest network over that of the one with a tenth of its nodes
ROWS, SHUFFLED, HILBERT, RCM = "rows", "shuffled", "SpatialOrder hilbert", "SpatialOrder rcm"
AUTO = "auto"
SECONDS = 6.0


def orders(nodes: int, seed: int) -> dict[str, Data]:
    """Return one network with its nodes numbered in four ways."""
    rows = road_graph(nodes, seed)
    mixed = shuffled(rows, seed)
    return {
        ROWS: rows,
        SHUFFLED: mixed,
        HILBERT: SpatialOrder("hilbert")(mixed),
        RCM: SpatialOrder("rcm")(mixed),
    }


def measure(
    sizes: Sequence[int], seed: int, repetitions: int, device: torch.device
) -> list[dict[str, Any]]:
    """Measure all sizes in row order and the two largest in all orders, in turns."""
    calls: dict[tuple[int, str, str, str], Callable[[], object]] = {}
    about: dict[tuple[int, str], dict[str, Any]] = {}
    for nodes in sizes:
        given: Operands | None = None
        for order, data in orders(nodes, seed).items():
            if order != ROWS and nodes not in sizes[-2:]:
                continue
            edge_index = data.edge_index.to(device)
            start = time.perf_counter()
            adjacency = Adjacency.build(edge_index, None, nodes)
            built = time.perf_counter() - start
            if given is None:  # features and weights serve all orders
                given = operands(adjacency, None, (FEATURES,), torch.float32, seed)
            about[nodes, order] = _size(adjacency, built, device)
            products = {AUTO: _sum(adjacency)}
            if order == ROWS:
                products[PYG] = pyg(edge_index)
            for name, product in products.items():
                calls[nodes, order, name, "forward"] = forward(product, given)
                calls[nodes, order, name, "training"] = training(product, given)
    gc.collect()
    times = time_interleaved(
        {"|".join(map(str, key)): call for key, call in calls.items()},  # type: ignore[arg-type]
        repetitions,
        device,
        seconds=SECONDS,
    )
    extra = {key: peak_extra_bytes(call, device, warm_up=False) for key, call in calls.items()}
    rows = []
    for nodes, order in about:
        for name in (AUTO, PYG):
            if (nodes, order, name, "forward") in calls:
                row = {"nodes": nodes, "order": order, "rival": name, **about[nodes, order]}
                for kind in ("forward", "training"):
                    timing = times[f"{nodes}|{order}|{name}|{kind}"]
                    row[f"{kind}_ms"], row[f"{kind}_spread_ms"] = timing.median, timing.spread
                    row[f"{kind}_samples"] = timing.samples
                    row[f"{kind}_ns_per_edge"] = timing.median * 1e6 / row["edges"]
                    row[f"{kind}_extra_bytes"] = extra[nodes, order, name, kind]
                rows.append(row)
    return rows


def _size(adjacency: Adjacency, built: float, device: torch.device) -> dict[str, Any]:
    nodes, edges = adjacency.num_nodes, adjacency.num_edges
    # With one partition, the label orders are the plain ones.
    held = {t.data_ptr(): t.numel() * t.element_size() for t in adjacency}
    return {
        "edges": edges,
        "chosen": choose_backend(nodes, nodes, edges, device, width=FEATURES),
        "build_ms": built * 1e3,
        "adjacency_bytes": sum(held.values()),
        "operand_bytes": 4 * nodes * FEATURES * 4 + 2 * edges * 4,
    }


def _sum(adjacency: Adjacency) -> Product:
    return lambda x, weight: spmm(adjacency, x, weight)


def growth(rows: Sequence[dict[str, Any]], kind: str = "training") -> float | None:
    """Return the time per edge of the largest network over that of the second largest, of the
    automatic choice with nodes in row order.
    """
    found = sorted(
        (row["nodes"], row[f"{kind}_ns_per_edge"])
        for row in rows
        if (row["order"], row["rival"]) == (ROWS, AUTO)
    )
    return found[-1][1] / found[-2][1] if len(found) > 1 else None


def markdown(about: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    """Write the verdict and the tables."""
    larger = sorted({row["nodes"] for row in rows})[-2:]
    lines = [
        "# Scale",
        "",
        f"{measured_on(about)} A square grid of streets of which a quarter is left out, crossings "
        f"shaken, two ways; {FEATURES} features, float32, learnable weights. All sizes and orders "
        f"in turns, medians of up to {about['repetitions']} samples, at least 3.",
        "",
        f"Time per edge with {larger[-1]:,} nodes over that with {larger[0]:,} (nodes in row "
        f"order; wanted: at most {WANTED:g}): forward and backward {about['growth']:.2f}, forward "
        f"{about['growth_forward']:.2f}.",
        "",
    ]
    head = ["nodes", "edges", "", "forward ms", "forward+backward ms", "ns per edge"]
    head += ["extra MiB", "features, outputs, gradients MiB", "graph MiB", "sorting the edges ms"]
    in_rows = [row for row in rows if row["order"] == ROWS]
    lines += table(head, [_cells(row, row["rival"]) for row in in_rows])
    lines += ["The order of the nodes:", ""]
    ours = [row for row in rows if row["rival"] == AUTO and row["nodes"] in larger]
    lines += table([*head[:2], "order", *head[3:]], [_cells(row, row["order"]) for row in ours])
    return "\n".join(lines)


def _cells(row: dict[str, Any], name: str) -> list[str]:
    label = f"{name} ({row['chosen']})" if name == AUTO else name
    cells = [f"{row['nodes']:,}", f"{row['edges']:,}", label]
    for kind in ("forward", "training"):
        cells.append(f"{number(row[f'{kind}_ms'])} ± {number(row[f'{kind}_spread_ms'], 2)}")
    cells.append(f"{row['training_ns_per_edge']:.0f}")
    sizes = (row["training_extra_bytes"], row["operand_bytes"], row["adjacency_bytes"])
    return [*cells, *(f"{size / 2**20:,.1f}" for size in sizes), number(row["build_ms"])]


def draw(about: dict[str, Any], rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw time per edge and memory over the number of nodes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    lines = [(ROWS, AUTO, "-o", "#0072B2"), (ROWS, PYG, "-s", "#E69F00")]
    lines += [(SHUFFLED, AUTO, "x", "#D55E00"), (HILBERT, AUTO, "^", "#009E73")]
    lines += [(RCM, AUTO, "v", "#CC79A7")]
    for order, name, style, colour in lines:
        chosen = [row for row in rows if (row["order"], row["rival"]) == (order, name)]
        nodes = [row["nodes"] for row in chosen]
        label = f"{name}, {order}"
        per_edge = [row["training_ns_per_edge"] for row in chosen]
        left.plot(nodes, per_edge, style, color=colour, label=label)
        if order == ROWS:
            extra = [max(row["training_extra_bytes"], 1) / 2**20 for row in chosen]
            right.plot(nodes, extra, style, color=colour, label=name)
    left.set(xscale="log", yscale="log", xlabel="nodes", ylabel="forward + backward, ns per edge")
    right.set(xscale="log", yscale="log", xlabel="nodes", ylabel="extra memory, MiB")
    for axis in (left, right):
        axis.grid(alpha=0.3)
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8
    )
    plain_ticks(left.yaxis)
    figure.suptitle(f"{FEATURES} features; {about['hardware']}, {about['threads']} threads")
    figure.savefig(path, dpi=110)


def main(arguments_given: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    arguments, about = parse(parser("scale", __doc__, repetitions=9), arguments_given)
    sizes = QUICK if arguments.quick else NODES
    rows = measure(sizes, arguments.seed, arguments.repetitions, arguments.device)
    about.update(features=FEATURES, growth=growth(rows), growth_forward=growth(rows, "forward"))
    write(arguments.out, "scale", about, rows, markdown(about, rows))
    draw(about, rows, arguments.out / "scale.png")


if __name__ == "__main__":
    main()
