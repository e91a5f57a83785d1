"""The automatic choice of a backend against the best one.

``python -m benchmarks.dispatch --out benchmarks/results`` measures ``backend="auto"`` beside every
backend that it may choose, over the sizes of :mod:`benchmarks.spmm` and some nearly full graphs,
and writes ``dispatch.json``, ``dispatch.md`` and ``dispatch.png``. ``--fit`` measures the costs
instead and writes ``tgst/ops/dispatch_table.py``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks import dispatch_fit
from benchmarks.graphs import random_graph
from benchmarks.records import Log, geometric_mean, measured_on, number, parse, parser, table, write
from benchmarks.spmm import DEGREES, NODES, WIDTHS
from tgst.ops import Adjacency, dispatch_table, spmm
from tgst.ops.choose import choose_backend
from tgst.ops.compare import compare, operands
from tgst.ops.rivals import Product, rivals

MEAN, WORST, FLOOR = 1.10, 1.25, 0.2  # wanted, for points above so many milliseconds
AGAIN = 1.10  # what seems worse is measured again with more samples
ELEMENTS = 6.2e8  # edges times features, at most
TABLE = Path(dispatch_table.__file__)


class Point(NamedTuple):
    """A random graph: nodes, average degree, features; and the dtype of these."""

    nodes: int
    degree: int
    features: int
    dtype: str = "float32"


def points(quick: bool) -> list[Point]:
    """Return what is measured: the grid of ``benchmarks.spmm``, smaller for other dtypes, and
    graphs of which a quarter or more of all pairs are edges.
    """
    if quick:
        return [Point(25, 3, 64), Point(25, 24, 256, "float64"), Point(300, 8, 64, "bfloat16")]
    found = [Point(n, d, f) for n in NODES for d in DEGREES for f in WIDTHS]
    full = [(n, n * part // 4, f) for n in (32, 64, 128) for part in (1, 2, 4) for f in WIDTHS]
    found += [Point(*size) for size in full]
    for dtype in ("float64", "bfloat16"):
        found += [Point(n, d, f, dtype) for n in NODES[:-1] for d in (3, 24) for f in WIDTHS[:2]]
        found += [Point(n, d, 768, dtype) for n, d, f in full if f == 768]
    return [
        p
        for p in found
        if p.nodes * p.degree * p.features <= ELEMENTS and p.nodes * p.features < 2e8
    ]


def measure(
    point: Point, seed: int, repetitions: int, device: torch.device
) -> list[dict[str, Any]]:
    """Return a row for forward and a row for forward and backward."""
    dtype = getattr(torch, point.dtype)
    edge_index = random_graph(point.nodes, point.degree, seed).to(device)
    adjacency = Adjacency.build(edge_index, None, point.nodes)
    given = operands(adjacency, None, (point.features,), dtype, seed)
    run = _products(adjacency, point, dtype, device)
    rounds = (repetitions, 1.0), (3 * repetitions, 4.0)
    numbers = compare(run, given, rounds[0][0], seconds=rounds[0][1])
    rows = [_row(point, adjacency, kind, numbers, device) for kind in ("forward", "training")]
    if any(row["ratio"] > AGAIN and row["best_ms"] > FLOOR for row in rows):
        numbers = compare(run, given, rounds[1][0], seconds=rounds[1][1])
        again = [_row(point, adjacency, kind, numbers, device) for kind in ("forward", "training")]
        rows = [{**new, "first_ratio": old["ratio"]} for old, new in zip(rows, again, strict=True)]
    return rows


def _products(
    adjacency: Adjacency, point: Point, dtype: torch.dtype, device: torch.device
) -> dict[str, Product]:
    found: dict[str, Product] = {"auto": lambda x, weight: spmm(adjacency, x, weight)}
    allowed = dispatch_fit.candidates("spmm", device)
    for name, rival in rivals(adjacency, None, point.features, dtype, plain=False).items():
        # A matrix of all pairs of this size is no candidate, and takes long.
        too_large = name == "dense" and point.nodes > 3_000
        if name in allowed and rival.reason is None and not too_large:
            found[name] = rival.product
    return found


def _row(
    point: Point,
    adjacency: Adjacency,
    kind: str,
    numbers: dict[str, dict[str, Any]],
    device: torch.device,
) -> dict[str, Any]:
    times = {name: values[f"{kind}_ms"] for name, values in numbers.items()}
    auto = times.pop("auto")
    best = min(times, key=times.__getitem__)
    sizes = (point.nodes, point.nodes, adjacency.num_edges, device)
    chosen = {
        product: choose_backend(
            *sizes,
            width=point.features,
            dtype=getattr(torch, point.dtype),
            product=product,
        )
        for product in ("spmm", "sddmm")[: 1 if kind == "forward" else 2]
    }
    return {
        **point._asdict(),
        "edges": adjacency.num_edges,
        "kind": kind,
        "chosen": chosen,
        "auto_ms": auto,
        "best": best,
        "best_ms": times[best],
        "ratio": auto / times[best],
        "samples": numbers["auto"][f"{kind}_samples"],
        "times": times,
        "spreads": {name: values[f"{kind}_spread_ms"] for name, values in numbers.items()},
    }


def verdict(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the geometric mean and the largest ratio of the choice to the best backend, over the
    points above 0.2 ms, and whether they are as wanted.
    """
    counted = [row for row in rows if row["best_ms"] > FLOOR]
    if not counted:
        return {"points": 0, "mean": None, "worst": None, "worst_at": None, "as_wanted": None}
    worst = max(counted, key=lambda row: row["ratio"])
    mean = geometric_mean([row["ratio"] for row in counted])
    return {
        "points": len(counted),
        "mean": mean,
        "worst": worst["ratio"],
        "worst_at": {k: worst[k] for k in (*Point._fields, "kind", "chosen", "best")},
        "as_wanted": mean <= MEAN and worst["ratio"] <= WORST,
    }


def markdown(about: dict[str, Any], rows: Sequence[dict[str, Any]]) -> str:
    """Write verdict and table."""
    lines = [
        "# The automatic choice against the best backend",
        "",
        f"{measured_on(about)} Random graphs of N x degree different pairs of nodes, up to "
        f"{ELEMENTS:.1e} edges times features; the best of the backends that may be chosen. "
        f"Medians of up to {about['repetitions']} interleaved samples, at least 3; a point above "
        f"{AGAIN:g} was measured again with three times as many, and the second measurement "
        "counts, whatever it is. The costs that the choice goes by were measured on other graphs: "
        f"{dispatch_table.MEASURED_ON.get(about['device'].split(':')[0], 'not measured')}.",
        "",
        f"Over the points above {FLOOR:g} ms (wanted: mean at most {MEAN:g}, largest at most "
        f"{WORST:g}):",
        "",
    ]
    groups = {"all": list(rows)}
    for key in ("dtype", "kind"):
        for value in dict.fromkeys(row[key] for row in rows):
            groups[value] = [row for row in rows if row[key] == value]
    cells = []
    for name, group in groups.items():
        found = verdict(group)
        if found["points"]:
            numbers = [str(found["points"]), f"{found['mean']:.3f}", f"{found['worst']:.2f}"]
            cells.append([_NAMES.get(name, name), *numbers])
    lines += table(["points", "number", "geometric mean", "largest"], cells)
    head = ["N, degree, F", "dtype", "", "chosen", "auto ms", "best", "best ms", "auto / best"]
    lines += table(head, [_line(row) for row in rows])
    return "\n".join(lines)


_NAMES = {"training": "forward and backward"}


def _line(row: dict[str, Any]) -> list[str]:
    again = " (measured again)" if "first_ratio" in row else ""
    return [
        f"{row['nodes']:,}, {row['degree']}, {row['features']:,}",
        row["dtype"],
        _NAMES.get(row["kind"], row["kind"]),
        ", ".join(dict.fromkeys(row["chosen"].values())),
        number(row["auto_ms"]),
        row["best"],
        number(row["best_ms"]),
        f"{row['ratio']:.2f}{again}",
    ]


def draw(about: dict[str, Any], rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the ratio of every point over its time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axis = figure.subplots()
    for dtype, mark in (("float32", "o"), ("float64", "s"), ("bfloat16", "^")):
        for kind, filled in (("forward", False), ("training", True)):
            chosen = [r for r in rows if (r["dtype"], r["kind"]) == (dtype, kind)]
            axis.plot(
                [r["best_ms"] for r in chosen],
                [r["ratio"] for r in chosen],
                mark,
                ms=5,
                color={"float32": "#0072B2", "float64": "#E69F00", "bfloat16": "#009E73"}[dtype],
                fillstyle="full" if filled else "none",
                label=f"{dtype}, {_NAMES.get(kind, kind)}",
            )
    axis.axhline(1, color="0.5", linewidth=0.8)
    axis.axhline(WORST, color="0.5", linewidth=0.8, linestyle=":")
    axis.axvline(FLOOR, color="0.5", linewidth=0.8, linestyle=":")
    axis.set(xscale="log", xlabel="best backend, ms", ylabel="automatic choice / best backend")
    axis.set_title(f"{about['hardware']}, {about['threads']} threads, {about['date']}", fontsize=10)
    axis.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)


def fit_table(arguments: argparse.Namespace, about: dict[str, Any]) -> None:
    """Measure, fit and write the table of costs."""
    device = arguments.device
    log = Log(arguments.out, "dispatch_fit", about, arguments.afresh)
    rows: list[dict[str, Any]] = []
    for kind in dispatch_fit.DTYPES:
        for size in dispatch_fit.sizes(arguments.quick):
            rows += log.rows(
                (kind, size),
                lambda kind=kind, size=size: dispatch_fit.measure(  # type: ignore[misc]
                    size, kind, arguments.seed + 1, arguments.repetitions, device
                ),
            )
        print(f"{kind}: {len(rows)} times measured", flush=True)
    fitted = dispatch_fit.fit(rows)
    measured = {**dispatch_fit.unmeasured(), **dispatch_table.MEASURED_ON}
    measured[device.type] = dispatch_fit.describe(about)
    text = dispatch_fit.render({**dispatch_table.COSTS, device.type: fitted}, measured)
    arguments.table.write_text(text)
    found = dispatch_fit.regrets(rows, fitted)
    counted = [row for row in found if row["ms"] > FLOOR / 3]
    ratios = [row["ratio"] for row in counted]
    print(f"on the fitted graphs: geometric mean {geometric_mean(ratios):.3f}, the largest:")
    for row in sorted(counted, key=lambda row: -row["ratio"])[:12]:
        print(f"  {row}")
    record = json.dumps({**about, "rows": rows, "choices": found}, indent=1)
    (arguments.out / "dispatch_fit.json").write_text(record + "\n")
    log.close()
    print(f"wrote {arguments.table.name} and dispatch_fit.json")


def main(arguments_given: Sequence[str] | None = None) -> None:
    """Measure and write the results, or the table of costs."""
    arguments, about = parse(_parser(), arguments_given)
    if arguments.fit:
        fit_table(arguments, about)
        return
    log = Log(arguments.out, "dispatch", about, arguments.afresh)
    rows: list[dict[str, Any]] = []
    for point in points(arguments.quick):
        found = log.rows(
            point,
            lambda point=point: measure(  # type: ignore[misc]
                point, arguments.seed, arguments.repetitions, arguments.device
            ),
        )
        print(*point, *(f"{r['kind']} {r['ratio']:.3f} ({r['best']})" for r in found), flush=True)
        rows += found
    about["verdict"] = verdict(rows)
    write(arguments.out, "dispatch", about, rows, markdown(about, rows))
    draw(about, rows, arguments.out / "dispatch.png")
    log.close()
    print(about["verdict"])


def _parser() -> argparse.ArgumentParser:
    arguments = parser("dispatch", __doc__, repetitions=11)
    arguments.add_argument("--fit", action="store_true", help="measure and write the costs")
    arguments.add_argument("--table", type=Path, default=TABLE, help="where --fit writes them")
    return arguments


if __name__ == "__main__":
    main()
