"""Weighted neighbour sums: every backend against PyG's gather-scatter.

``python -m benchmarks.spmm --out benchmarks/results`` writes ``spmm.json``, ``spmm.md`` and
``spmm.png``: forward, and forward with backward into features and weights, medians of interleaved
repetitions with the distance between quartiles, and the peak memory beyond inputs, outputs and
gradients.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing

from benchmarks.machine import machine
from tgst.ops import benchmark

SIZES = [  # nodes, edges, features per node
    (25, 75, 12_288),
    (207, 1_656, 12_288),
    (2_000, 16_000, 1_536),
    (20_000, 80_000, 768),
    (200_000, 600_000, 64),
]
PEER = "PyG gather-scatter"


class GatherScatter(MessagePassing):
    """PyG's own way: a message per edge, scaled by its weight and scattered to the target."""

    def __init__(self) -> None:
        super().__init__(aggr="add", node_dim=0)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:
        """Propagate once."""
        # propagate_type: (x: Tensor, edge_weight: Tensor)
        return self.propagate(edge_index, x=x, edge_weight=edge_weight)

    def message(self, x_j: Tensor, edge_weight: Tensor) -> Tensor:
        """Scale the gathered features."""
        return edge_weight.view(-1, 1) * x_j


def random_graph(num_nodes: int, num_edges: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(num_nodes, (2, num_edges), generator=generator)


def propagate(edge_index: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    layer = GatherScatter()
    return lambda x, weight: layer(x, edge_index, weight)


def measure(sizes: list[tuple[int, int, int]], repetitions: int, seed: int) -> list[dict[str, Any]]:
    results = []
    for num_nodes, num_edges, width in sizes:
        edge_index = random_graph(num_nodes, num_edges, seed)
        table = benchmark(
            edge_index,
            num_nodes,
            (width,),
            repetitions=repetitions,
            others={PEER: propagate(edge_index)},
            seed=seed,
        )
        print(table, flush=True)
        size = {"nodes": num_nodes, "edges": num_edges, "features": width}
        results += [{**size, **row} for row in table.rows]
    return results


def describe(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        **machine(),
        "command": shlex.join(["python", "-m", "benchmarks.spmm", *arguments.given]),
        "seed": arguments.seed,
        "repetitions": arguments.repetitions,
        "dtype": "float32",
    }


def markdown(about: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [
        "# Weighted neighbour sum: backends",
        "",
        f"{about['hardware']}, {about['threads']} threads; {packages}; {about['date']}; "
        f"`{about['command']}` (seed {about['seed']}). float32, random graphs, learnable weights. "
        f"Median of {about['repetitions']} interleaved samples and the distance between their "
        "quartiles. Extra memory: the peak of forward and backward beyond inputs, outputs and "
        "gradients. * marks the automatic choice.",
        "",
        "| N, E, F | backend | forward ms | forward+backward ms | extra MB | speed-up over PyG |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_markdown_row(row, rows) for row in rows), ""])


def _markdown_row(row: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    size = f"{row['nodes']:,}, {row['edges']:,}, {row['features']:,}"
    name = f"{row['backend']} *" if row["auto"] else row["backend"]
    if row["reason"] is not None:
        return f"| {size} | {name} | {row['reason']} | | | |"
    forward = f"{row['forward_ms']:.2f} ± {row['forward_spread_ms']:.2f}"
    training = f"{row['training_ms']:.2f} ± {row['training_spread_ms']:.2f}"
    extra = f"{row['training_extra_bytes'] / 2**20:.2f}"
    return f"| {size} | {name} | {forward} | {training} | {extra} | {speedup(row, rows):.1f} |"


def speedup(row: dict[str, Any], rows: list[dict[str, Any]]) -> float:
    """Return how many times faster a row is than PyG at its size, forward and backward."""
    size = ("nodes", "edges", "features")
    peer = next(r for r in rows if r["backend"] == PEER and all(r[k] == row[k] for k in size))
    return peer["training_ms"] / row["training_ms"]


def draw(about: dict[str, Any], rows: list[dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    sizes = list(dict.fromkeys((r["nodes"], r["edges"], r["features"]) for r in rows))
    names = list(dict.fromkeys(r["backend"] for r in rows))
    bar = 0.8 / len(names)
    labels = ["N={:,}\nE={:,}\nF={:,}".format(*size) for size in sizes]
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    panels = [("training_ms", 1.0, "forward + backward, ms"), ("training_extra_bytes", 2**20, "MB")]
    for axis, (key, unit, title) in zip(axes, panels, strict=True):
        for place, name in enumerate(names):
            values = [_value(rows, name, size, key) / unit for size in sizes]
            first = (place - (len(names) - 1) / 2) * bar
            axis.bar([group + first for group in range(len(sizes))], values, bar, label=name)
        axis.set_yscale("log")
        axis.set_xticks(range(len(sizes)), labels)
        axis.set_ylabel(title)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(names))
    axes[1].set_title("peak beyond inputs, outputs and gradients")
    axes[0].set_title(f"{about['hardware']}, {about['threads']} threads, {about['date']}")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _value(rows: list[dict[str, Any]], name: str, size: tuple[int, int, int], key: str) -> float:
    for row in rows:
        if row["backend"] == name and (row["nodes"], row["edges"], row["features"]) == size:
            return float("nan") if row[key] is None else row[key]
    return float("nan")


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.spmm", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--repetitions", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--quick", action="store_true", help="small sizes and 3 repetitions: only to see it work"
    )
    arguments = parser.parse_args(arguments_given)
    arguments.given = sys.argv[1:] if arguments_given is None else list(arguments_given)
    sizes = SIZES
    if arguments.quick:
        sizes, arguments.repetitions = [(25, 75, 512), (200, 1_600, 256)], 3
    about = describe(arguments)
    rows = measure(sizes, arguments.repetitions, arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    record = json.dumps({**about, "rows": rows}, indent=1)
    (arguments.out / "spmm.json").write_text(record + "\n")
    (arguments.out / "spmm.md").write_text(markdown(about, rows))
    draw(about, rows, arguments.out / "spmm.png")
    print(f"wrote {arguments.out / 'spmm.json'}, spmm.md and spmm.png")


if __name__ == "__main__":
    main()
