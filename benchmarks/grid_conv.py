"""A 3x3 convolution of a grid with holes: PartitionConv on its cells against Conv2d on all.

``python -m benchmarks.grid_conv --out benchmarks/results`` writes ``grid_conv.json``,
``grid_conv.md`` and ``grid_conv.png``: forward and backward (input, weight and bias) for several
shares of occupied cells, strewn at random or along streets. Medians of interleaved repetitions, the
memory of input, output, gradients and everything between, and the share of cells below which the
graph is faster.
Conv2d runs on the whole grid in both memory formats, without masking its holes. Both have the same
weights; outputs and gradients are compared in double precision.
"""

from __future__ import annotations

import argparse
import json
import math
import shlex
import sys
from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import Conv2d

from benchmarks.machine import machine
from tgst.nn import PartitionConv
from tgst.ops import Adjacency
from tgst.ops.measure import peak_extra_bytes, time_interleaved
from tgst.transforms import OffsetPartition
from tgst.utils import grid_graph, grid_to_nodes

GRAPH, CONTIGUOUS, CHANNELS_LAST = "PartitionConv", "Conv2d", "Conv2d, channels last"
PATTERNS = ("random", "streets")
OCCUPANCIES = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)
CPU = torch.device("cpu")


class Size(NamedTuple):
    """Rows and columns of the grid, images of a batch, channels that go in and come out."""

    side: int = 256
    batch: int = 2
    channels: Sequence[int] = (16, 64)


def occupied(pattern: str, side: int, occupancy: float, seed: int) -> Tensor:
    """Choose a share of the cells of a square grid: any, or those of streets one cell wide."""
    generator = torch.Generator().manual_seed(seed)
    wanted = max(1, round(occupancy * side * side))
    if pattern == "random":
        order = torch.rand(side * side, generator=generator).argsort()
    else:
        # The cells in the order in which streets of random length, across or down, reach them.
        order = torch.empty(0, dtype=torch.long)
        while order.numel() < wanted:
            place, start, stop, down = _street(side, generator)
            way = torch.arange(start, stop)
            street = way * side + place if down else place * side + way
            order = torch.cat([order, street[~torch.isin(street, order)]])
    mask = torch.zeros(side * side, dtype=torch.bool)
    mask[order[:wanted]] = True
    return mask.view(side, side)


def _street(side: int, generator: torch.Generator) -> tuple[int, int, int, bool]:
    place, first, second, down = torch.rand(4, generator=generator).tolist()
    start, stop = sorted((int(first * side), int(second * side) + 1))
    return int(place * side), start, stop, down < 0.5


class Rivals(NamedTuple):
    """What is run to outputs and gradients, by name, and the cells that are nodes."""

    steps: dict[str, Callable[[], list[Tensor]]]
    cell: Tensor
    partition: OffsetPartition
    num_edges: int


def rivals(mask: Tensor, channels: int, batch: int, dtype: torch.dtype, seed: int) -> Rivals:
    """Set both forms up with the same weights on the same images, whose holes are zero."""
    torch.manual_seed(seed)
    partition = OffsetPartition()
    data = partition(grid_graph(*mask.shape, connectivity=8, mask=mask))
    conv = Conv2d(channels, channels, 3, padding=1).to(dtype)
    layer = PartitionConv(channels, channels, partition.num_partitions).to(dtype)
    with torch.no_grad():
        layer.weight.copy_(partition.weight_from_kernel(conv.weight))
        layer.bias.copy_(conv.bias)
    edges = Adjacency.build(data.edge_index, data.edge_type, data.num_nodes, 9)
    images, gradient = torch.randn(2, batch, channels, *mask.shape, dtype=dtype) * mask
    nodes, of_nodes = (grid_to_nodes(x, data.cell).contiguous() for x in (images, gradient))
    channels_last = [
        given.to(memory_format=torch.channels_last) for given in (deepcopy(conv), images, gradient)
    ]
    steps = {
        GRAPH: _step(layer, nodes, of_nodes, edges),
        CONTIGUOUS: _step(conv, images, gradient),
        CHANNELS_LAST: _step(*channels_last),
    }
    return Rivals(steps, data.cell, partition, data.num_edges)


def _step(
    layer: torch.nn.Module, x: Tensor, gradient: Tensor, *edges: Adjacency
) -> Callable[[], list[Tensor]]:
    """One forward and backward pass to the output and the gradients of input, weight and bias."""
    x = x.detach().requires_grad_()

    def run() -> list[Tensor]:
        out = layer(x, *edges)
        return [out, *torch.autograd.grad(out, (x, layer.weight, layer.bias), gradient)]

    return run


def agreement(given: Rivals) -> dict[str, float]:
    """Return the largest relative differences from Conv2d, at the cells that are nodes."""
    ours, expected = given.steps[GRAPH](), given.steps[CONTIGUOUS]()
    expected[:2] = [grid_to_nodes(x, given.cell) for x in expected[:2]]
    ours[2] = given.partition.kernel_from_weight(ours[2])
    found = [
        float((a - b).detach().abs().max() / b.detach().abs().max())
        for a, b in zip(ours, expected, strict=True)
    ]
    return {"output": found[0], "gradient": max(found[1:])}


def measure(size: Size, repetitions: int, seed: int) -> list[dict[str, Any]]:
    """Measure all shares of cells; the full grid once, since it has no pattern."""
    rows = []
    for channels in size.channels:
        for pattern in PATTERNS:
            for occupancy in OCCUPANCIES:
                if occupancy == 1.0 and pattern != PATTERNS[0]:
                    continue
                mask = occupied(pattern, size.side, occupancy, seed)
                given = rivals(mask, channels, size.batch, torch.float32, seed)
                name = "full" if occupancy == 1.0 else pattern
                about = {"channels": channels, "pattern": name, "occupancy": occupancy}
                rows.append({**about, **_measured(given, repetitions)})
                print(rows[-1], flush=True)
    return rows


def _measured(given: Rivals, repetitions: int) -> dict[str, Any]:
    times = time_interleaved(given.steps, repetitions, CPU)
    memory = {name: _bytes(run) for name, run in given.steps.items()}
    best = min((CONTIGUOUS, CHANNELS_LAST), key=lambda name: times[name].median)
    return {
        "nodes": given.cell.numel(),
        "edges": given.num_edges,
        "graph_ms": times[GRAPH].median,
        "graph_spread_ms": times[GRAPH].spread,
        "conv_ms": times[CONTIGUOUS].median,
        "channels_last_ms": times[CHANNELS_LAST].median,
        "best_conv_ms": times[best].median,
        "best_conv_spread_ms": times[best].spread,
        "speed_up": times[best].median / times[GRAPH].median,
        "graph_bytes": memory[GRAPH],
        "best_conv_bytes": memory[best],
    }


def _bytes(run: Callable[[], list[Tensor]]) -> int:
    """The peak of a step, with its input and the gradient of its output."""
    out, of_input, *others = (x.numel() * x.element_size() for x in run())
    return 2 * (out + of_input) + sum(others) + peak_extra_bytes(run, CPU)


def crossover(rows: list[dict[str, Any]], channels: int, pattern: str) -> float:
    """Return the share of cells below which the graph is faster, between two measured ones; 0 if it
    never is and 1 if it always is.
    """
    chosen = [r for r in rows if r["channels"] == channels and r["pattern"] in (pattern, "full")]
    chosen.sort(key=lambda row: row["occupancy"])
    for less, more in pairwise(chosen):
        if less["speed_up"] >= 1 > more["speed_up"]:
            at = [math.log(row["speed_up"]) for row in (less, more)]
            part = at[0] / (at[0] - at[1])
            ratio = more["occupancy"] / less["occupancy"]
            return less["occupancy"] * ratio**part
    return float(chosen[-1]["speed_up"] >= 1)


def markdown(about: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Write the table."""
    packages = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [
        "# 3x3 convolution of a grid with holes",
        "",
        f"{about['hardware']}, {about['threads']} threads; {packages}; {about['date']}; "
        f"`{about['command']}` (seed {about['seed']}). {about['side']} x {about['side']} cells, "
        f"batch of {about['batch']}, float32. Forward and backward (input, weight, bias): median "
        f"of {about['repetitions']} interleaved samples and the distance between their quartiles. "
        "Conv2d runs on the whole grid, in the faster of both memory formats, and does not mask "
        "its holes; the graph is built once. Memory is the peak with input, output and gradients, "
        "as torch counts it: buffers inside Conv2d's kernels are not in it. Largest "
        f"difference in float64: outputs {about['agreement']['output']:.1e}, gradients "
        f"{about['agreement']['gradient']:.1e} of the largest.",
        "",
        "| channels | cells | share | nodes | edges | PartitionConv ms | Conv2d ms | speed-up | "
        "PartitionConv MiB | Conv2d MiB |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *map(_markdown_row, rows),
        "",
    ]
    for channels in about["channels"]:
        for pattern in PATTERNS:
            share = crossover(rows, channels, pattern)
            lines.append(
                f"* {channels} channels, {pattern}: PartitionConv is faster below {share:.0%} of "
                "the cells"
            )
    return "\n".join([*lines, ""])


def _markdown_row(row: dict[str, Any]) -> str:
    graph = f"{row['graph_ms']:.1f} ± {row['graph_spread_ms']:.1f}"
    conv = f"{row['best_conv_ms']:.1f} ± {row['best_conv_spread_ms']:.1f}"
    return (
        f"| {row['channels']} | {row['pattern']} | {row['occupancy']:.2f} | {row['nodes']:,} | "
        f"{row['edges']:,} | {graph} | {conv} | {row['speed_up']:.2f} | "
        f"{row['graph_bytes'] / 2**20:.0f} | {row['best_conv_bytes'] / 2**20:.0f} |"
    )


def draw(about: dict[str, Any], rows: list[dict[str, Any]], path: Path) -> None:
    """Draw time and memory over the share of cells, a column for each number of channels."""
    from matplotlib.figure import Figure

    widths = about["channels"]
    figure = Figure(figsize=(4.5 * len(widths), 6.4), layout="constrained")
    axes = figure.subplots(2, len(widths), squeeze=False)
    kinds = (("ms", 1.0, "forward + backward, ms"), ("bytes", 2**20, "memory, MiB"))
    for line, (unit, scale, label) in zip(axes, kinds, strict=True):
        for axis, channels in zip(line, widths, strict=True):
            _draw_panel(axis, [r for r in rows if r["channels"] == channels], unit, scale)
            axis.set(title=f"{channels} channels", xlabel="share of occupied cells", ylabel=label)
    axes[0, 0].legend()
    side, batch = about["side"], about["batch"]
    figure.suptitle(f"3x3 convolution, {side} x {side} cells, batch of {batch}")
    figure.savefig(path, dpi=120)


def _draw_panel(axis: Any, rows: list[dict[str, Any]], unit: str, scale: float) -> None:
    from matplotlib.ticker import LogLocator

    conv = sorted((row["occupancy"], row[f"best_conv_{unit}"] / scale) for row in rows)
    axis.plot(*zip(*conv, strict=True), "k.", label="Conv2d on the whole grid")
    median = sorted(value for _, value in conv)[len(conv) // 2]
    axis.axhline(median, color="k", linewidth=1)
    for pattern, colour, mark in (("random", "#0072B2", "o-"), ("streets", "#E69F00", "s-")):
        chosen = [row for row in rows if row["pattern"] in (pattern, "full")]
        graph = sorted((row["occupancy"], row[f"graph_{unit}"] / scale) for row in chosen)
        name = "PartitionConv, " + ("random cells" if pattern == "random" else "streets")
        axis.plot(*zip(*graph, strict=True), mark, color=colour, label=name)
    axis.set(xscale="log", yscale="log")
    shares = sorted({row["occupancy"] for row in rows})
    axis.set_xticks(shares, [f"{share:g}" for share in shares])
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.minorticks_off()
    axis.grid(alpha=0.3)


def main(arguments_given: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grid_conv", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--quick", action="store_true", help="a tiny size and 2 repetitions: only to see it work"
    )
    arguments = parser.parse_args(arguments_given)
    given = sys.argv[1:] if arguments_given is None else list(arguments_given)
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    size = Size(24, 8, (3,)) if arguments.quick else Size()
    repetitions = 2 if arguments.quick else arguments.repetitions
    check = rivals(occupied("streets", 24, 0.3, 0), 5, 2, torch.float64, arguments.seed)
    about = {
        **machine(),
        "command": shlex.join(["python", "-m", "benchmarks.grid_conv", *given]),
        "seed": arguments.seed,
        "repetitions": repetitions,
        **size._asdict(),
        "agreement": agreement(check),
    }
    rows = measure(size, repetitions, arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    record = json.dumps({**about, "rows": rows}, indent=1)
    (arguments.out / "grid_conv.json").write_text(record + "\n")
    (arguments.out / "grid_conv.md").write_text(markdown(about, rows))
    draw(about, rows, arguments.out / "grid_conv.png")
    print(f"wrote {arguments.out / 'grid_conv.json'}, grid_conv.md and grid_conv.png")


if __name__ == "__main__":
    main()
