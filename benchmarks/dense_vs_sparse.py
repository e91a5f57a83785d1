"""Dense or sparse: where they cross, over the number of nodes and the share of pairs.

``python -m benchmarks.dense_vs_sparse --out benchmarks/results`` measures one weighted sum, forward
and backward, as a dense product of the weights of the edges, of a matrix that is there already, as
a sum over edges and as the automatic choice takes it, and writes ``dense_vs_sparse.json``,
``dense_vs_sparse.md`` (with the crossings) and ``dense_vs_sparse.png``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.graphs import random_graph
from benchmarks.records import Log, measured_on, number, parse, parser, table, write
from tgst.ops import Adjacency, spmm
from tgst.ops.choose import choose_backend
from tgst.ops.compare import operands, training
from tgst.ops.measure import peak_extra_bytes, time_interleaved

NODES = (16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096)
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
DEGREE = 8  # of the graphs of constant degree
FEATURES = 768  # 12 steps of 64 channels
ELEMENTS = 1e9  # edges times features, at most
DENSE, SPARSE, AUTO = "dense", "embedding_bag", "auto"
MATRIX = "matrix"  # a learnable weight for every pair, zeros among them, is there already


class Point(NamedTuple):
    """Nodes, edges per node, and whether the point belongs to the line of constant degree."""

    nodes: int
    degree: int
    line: str


def points(nodes: Sequence[int], shares: Sequence[float], features: int) -> list[Point]:
    """Return a grid of shares, and graphs of constant degree."""
    found = []
    for n in nodes:
        degrees = dict.fromkeys(round(share * n) for share in shares)
        found += [Point(n, degree, "share") for degree in degrees if degree >= 1]
        found.append(Point(n, DEGREE, "degree"))
    return [point for point in found if point.nodes * point.degree * features <= ELEMENTS]


def measure(
    point: Point, features: int, seed: int, repetitions: int, device: torch.device
) -> dict[str, Any]:
    """Measure the four ways at a point."""
    edge_index = random_graph(point.nodes, point.degree, seed).to(device)
    adjacency = Adjacency.build(edge_index, None, point.nodes)
    given = operands(adjacency, None, (features,), torch.float32, seed)
    run = {
        name: training(lambda x, w, name=name: spmm(adjacency, x, w, backend=name), given)
        for name in (DENSE, SPARSE, AUTO)
    }
    matrix = given_matrix(adjacency, given.weight.detach()).requires_grad_()
    run[MATRIX] = training(lambda x, matrix: matrix @ x, given._replace(weight=matrix))
    times = time_interleaved(run, repetitions, device, seconds=0.5)
    sizes = (point.nodes, point.nodes, adjacency.num_edges, device)
    return {
        **point._asdict(),
        "edges": adjacency.num_edges,
        "share": adjacency.num_edges / point.nodes**2,
        "features": features,
        "chosen": choose_backend(*sizes, width=features),
        **{f"{name}_ms": times[name].median for name in run},
        **{f"{name}_spread_ms": times[name].spread for name in run},
        # Of the matrix that is given neither itself nor its gradient is extra: it says nothing.
        **{
            f"{name}_extra_bytes": peak_extra_bytes(run[name], device, False)
            for name in (DENSE, SPARSE, AUTO)
        },
    }


def given_matrix(adjacency: Adjacency, weight: torch.Tensor) -> torch.Tensor:
    """Return the dense matrix of the weights, rows of targets."""
    matrix = weight.new_zeros(adjacency.num_nodes, adjacency.num_nodes)
    return matrix.index_put_((adjacency.target, adjacency.source), weight)


def crossing(rows: Sequence[dict[str, Any]], over: str, dense: str = DENSE) -> float | None:
    """Return where the lines of dense and sparse cross, on a logarithmic axis (``"share"``: dense
    is faster above; ``"nodes"``: below); None if they do not cross between measured points.
    """
    ordered = sorted(rows, key=lambda row: row[over])
    for less, more in pairwise(ordered):
        ahead = [math.log(row[f"{SPARSE}_ms"] / row[f"{dense}_ms"]) for row in (less, more)]
        if ahead[0] * ahead[1] <= 0 and ahead[0] != ahead[1]:
            part = ahead[0] / (ahead[0] - ahead[1])
            return float(less[over] * (more[over] / less[over]) ** part)
    return None


def _line(rows: Sequence[dict[str, Any]], line: str, **where: Any) -> list[dict[str, Any]]:
    return [r for r in rows if r["line"] == line and all(r[k] == v for k, v in where.items())]


def crossings(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the crossing share for every number of nodes, and the crossing number of nodes, with
    the matrix written in each pass and (``"matrix_share"`` and so on) there already.
    """
    nodes = list(dict.fromkeys(row["nodes"] for row in rows))
    found: dict[str, Any] = {}
    for dense, key in ((DENSE, ""), (MATRIX, f"{MATRIX}_")):
        lines = {str(n): _line(rows, "share", nodes=n) for n in nodes}
        found[f"{key}share"] = {n: crossing(line, "share", dense) for n, line in lines.items()}
        found[f"{key}nodes"] = crossing(_line(rows, "degree"), "nodes", dense)
    return found


def markdown(about: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    """Write the crossings and the tables."""
    found = about["crossings"]
    lines = [
        "# Dense or sparse",
        "",
        f"{measured_on(about)} One weighted sum, forward and backward into features and weights, "
        f"{about['features']} features, float32, random graphs of different pairs of nodes. "
        f"Medians of up to {about['repetitions']} interleaved samples, at least 3. Sparse: "
        f"`{SPARSE}`. Dense: `{DENSE}`, which writes the weights of the edges into a matrix in "
        "each pass. Matrix: a product with a matrix that is there already, learnable, with a "
        "gradient for every pair.",
        "",
        "The share of pairs at which the lines cross; dense is faster above:",
        "",
    ]
    cells = []
    for nodes, share in found["share"].items():
        line = _line(rows, "share", nodes=int(nodes))
        given = where(found[f"{MATRIX}_share"][nodes], line, MATRIX)
        cells.append([f"{int(nodes):,}", where(share, line), given, _taken(line)])
    head = ["nodes", "crossing", "with the matrix given", "the automatic choice takes dense from"]
    lines += table(head, cells)
    line = _line(rows, "degree")
    lines += [f"With {DEGREE} edges per node {told(found)}.", ""]
    head = ["nodes", "edges per node", "share", "dense ms", "matrix ms", "sparse ms", "auto ms"]
    head += ["chosen", "sparse / dense", "sparse / matrix", "auto / faster"]
    head += ["dense MiB", "sparse MiB"]
    for title, chosen in (("Constant degree", line), ("Shares", _line(rows, "share"))):
        lines += [f"## {title}", "", *table(head, [_cells(row) for row in chosen])]
    return "\n".join(lines)


def told(found: dict[str, Any]) -> str:
    """Say at how many nodes of constant degree the lines cross."""
    texts = []
    for key, name in (("nodes", "the lines"), (f"{MATRIX}_nodes", "with the matrix given they")):
        at = found[key]
        texts.append(f"{name} {'do not cross' if at is None else f'cross at {at:.0f} nodes'}")
    return ", ".join(texts)


def where(share: float | None, line: Sequence[dict[str, Any]], dense: str = DENSE) -> str:
    """Say at which share the lines cross, or who is faster at all shares that were measured."""
    if share is not None:
        return f"{share:.0%}"
    if not line:
        return "-"
    last = max(line, key=lambda row: row["share"])
    if last[f"{dense}_ms"] < last[f"{SPARSE}_ms"]:
        return f"dense is faster from {min(row['share'] for row in line):.0%} on"
    return f"sparse is faster up to {last['share']:.0%}"


def _taken(line: Sequence[dict[str, Any]]) -> str:
    shares = [row["share"] for row in line if row["chosen"] == DENSE]
    return f"{min(shares):.0%}" if shares else "never"


def _cells(row: dict[str, Any]) -> list[str]:
    ways = (DENSE, MATRIX, SPARSE, AUTO)
    dense, matrix, sparse, auto = (row[f"{name}_ms"] for name in ways)
    numbers = [f"{row['nodes']:,}", f"{row['degree']:,}", f"{row['share']:.1%}"]
    numbers += [*map(number, (dense, matrix, sparse, auto)), row["chosen"]]
    ratios = (sparse / dense, sparse / matrix, auto / min(dense, sparse))
    numbers += [f"{ratio:.2f}" for ratio in ratios]
    return numbers + [f"{row[f'{name}_extra_bytes'] / 2**20:.2f}" for name in (DENSE, SPARSE)]


def draw(about: dict[str, Any], rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw who is faster over nodes and share, and the lines of constant degree."""
    from matplotlib.colors import LogNorm
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    shares = _line(rows, "share")
    shown = left.scatter(
        [row["nodes"] for row in shares],
        [row["share"] for row in shares],
        c=[row[f"{SPARSE}_ms"] / row[f"{DENSE}_ms"] for row in shares],
        norm=LogNorm(1 / 16, 16),
        cmap="coolwarm",
        s=110,
    )
    figure.colorbar(shown, ax=left, label="time of sparse / time of dense")
    dense = [row for row in shares if row["chosen"] == DENSE]
    place = [row["nodes"] for row in dense], [row["share"] for row in dense]
    left.plot(*place, "kx", ms=6, label="auto takes dense")
    for key, style, label in (("share", "k-", ""), (f"{MATRIX}_share", "k:", ", matrix given")):
        found = about["crossings"][key].items()
        at = [(int(n), share) for n, share in found if share is not None]
        places = zip(*at, strict=True) if at else ((), ())
        left.plot(*places, style, label=f"the lines cross{label}")
    left.set(xscale="log", yscale="log", xlabel="nodes", ylabel="share of pairs that are edges")
    left.legend(frameon=False, fontsize=8, loc="lower left")
    line = sorted(_line(rows, "degree"), key=lambda row: row["nodes"])
    for name, style in ((DENSE, "-s"), (MATRIX, ":s"), (SPARSE, "-o")):
        colour = "#0072B2" if name == SPARSE else "#D55E00"
        label = "dense, matrix given" if name == MATRIX else name
        times = [row[f"{name}_ms"] for row in line]
        right.plot([r["nodes"] for r in line], times, style, color=colour, label=label)
    times = [row[f"{AUTO}_ms"] for row in line]
    nodes = [row["nodes"] for row in line]
    right.plot(nodes, times, "o", ms=12, mfc="none", mec="0.3", label="automatic choice")
    right.set(xscale="log", yscale="log", xlabel=f"nodes, {DEGREE} edges each")
    right.set_ylabel("forward + backward, ms")
    right.legend(frameon=False, fontsize=8)
    right.grid(alpha=0.3)
    figure.suptitle(
        f"{about['features']} features; {about['hardware']}, {about['threads']} threads"
    )
    figure.savefig(path, dpi=110)


def main(arguments_given: Sequence[str] | None = None) -> None:
    """Measure and write the results."""
    arguments, about = parse(parser("dense_vs_sparse", __doc__, repetitions=9), arguments_given)
    nodes, shares, features = (NODES, SHARES, FEATURES)
    if arguments.quick:
        nodes, shares, features = (16, 64), (0.1, 0.4, 1.0), 32
    log = Log(arguments.out, "dense_vs_sparse", about, arguments.afresh)
    rows: list[dict[str, Any]] = []
    for point in points(nodes, shares, features):
        found = log.rows(
            point,
            lambda point=point: [  # type: ignore[misc]
                measure(point, features, arguments.seed, arguments.repetitions, arguments.device)
            ],
        )
        print(*found, flush=True)
        rows += found
    about.update(features=features, crossings=crossings(rows))
    write(arguments.out, "dense_vs_sparse", about, rows, markdown(about, rows))
    draw(about, rows, arguments.out / "dense_vs_sparse.png")
    log.close()


if __name__ == "__main__":
    main()
