"""The tables, the summary and the figure of :mod:`benchmarks.spmm`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers_spmm import PYG
from benchmarks.records import geometric_mean, measured_on, number, table

OURS = ("auto", "embedding_bag", "column_blocks", "triton", "sparse_csr", "dense")
PLAIN = (PYG, "torch_scatter", "torch_sparse")  # what has to be three times slower
POINT = ("graph", "nodes", "degree", "features", "dtype")
CODES = {"memory": "memory", "pairs": "pairs", "time": "time", "one block": "one block"}


def by_point(rows: list[dict[str, Any]]) -> list[dict[str, dict[str, Any]]]:
    """Group the rows of a point, by rival."""
    found: dict[tuple[Any, ...], dict[str, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in POINT), {})[row["rival"]] = row
    return list(found.values())


def ratios(point: dict[str, dict[str, Any]], kind: str = "training") -> dict[str, Any]:
    """Compare the automatic choice of a point: how many times faster than PyG and than the best of
    the plain rivals (and which that is), and its extra memory as a share of the E x F messages.
    None where a rival has not run.
    """
    auto = point["auto"].get(f"{kind}_ms")
    times = {n: point[n].get(f"{kind}_ms") for n in PLAIN if n in point}
    run = {name: time for name, time in times.items() if time is not None}
    if auto is None:
        return dict.fromkeys(("over_pyg", "over_best", "best", "extra"))
    best = min(run, key=run.__getitem__) if run else None
    row = point["auto"]
    itemsize = 2 if row["dtype"] == "bfloat16" else 4
    messages = row["edges"] * row["features"] * itemsize
    return {
        "over_pyg": run[PYG] / auto if PYG in run else None,
        "over_best": run[best] / auto if best is not None else None,
        "best": best,
        "extra": row[f"{kind}_extra_bytes"] / messages,
    }


def judged(point: dict[str, dict[str, Any]]) -> bool:
    """Say whether a point is one of those at which the targets hold."""
    row = point["auto"]
    return row["nodes"] >= 2_000 and row["degree"] >= 3 and row["features"] >= 768


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the least ratios over the judged points, and where they are; forward and backward."""
    points = [point for point in by_point(rows) if "auto" in point and judged(point)]
    found: dict[str, Any] = {"points": 0}
    for key, worst in (("over_pyg", min), ("over_best", min), ("extra", max)):
        values = {i: ratios(point)[key] for i, point in enumerate(points)}
        values = {i: value for i, value in values.items() if value is not None}
        found["points"] = max(found["points"], len(values))
        found[f"{key}_points"] = len(values)
        at = worst(values, key=values.__getitem__) if values else None
        found[key] = None if at is None else values[at]
        found[f"{key}_at"] = None if at is None else _place(points[at]["auto"])
        found[f"{key}_mean"] = geometric_mean([max(v, 1e-9) for v in values.values()])
    return found


def _place(row: dict[str, Any]) -> str:
    kind = "" if row["dtype"] == "float32" else f", {row['dtype']}"
    graph = "" if row["graph"] == "random" else f"{row['graph']}, "
    return f"{graph}{row['nodes']:,}, {row['degree']}, {row['features']:,}{kind}"


def markdown(about: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    """Write summary and tables."""
    points = [point for point in by_point(rows) if "auto" in point]
    lines = ["# Weighted neighbour sum", "", _preface(about), "", *_summary_lines(rows), ""]
    head = ["N, degree, F", "chosen", "forward ms", "forward+backward ms", "over PyG"]
    head += ["over the best other", "extra memory / (E x F)", "of copy speed, forward"]
    lines += ["## The automatic choice", "", *table(head, [_auto_line(p) for p in points])]
    names = list(dict.fromkeys(row["rival"] for row in rows))
    for kind, title in (("training", "Forward and backward, ms"), ("forward", "Forward, ms")):
        cells = [[_place(p["auto"]), *(_time(p.get(n), kind) for n in names)] for p in points]
        lines += [f"## {title}", "", *table(["N, degree, F", *names], cells)]
    extra = [[_place(p["auto"]), *(_extra(p.get(n)) for n in names)] for p in points]
    title = "Peak memory beyond inputs, outputs and gradients, forward and backward, MiB"
    lines += [f"## {title}", "", *table(["N, degree, F", *names], extra)]
    return "\n".join(lines)


def _preface(about: dict[str, Any]) -> str:
    missing = "; ".join(f"{name}: {why}" for name, why in about["not_importable"].items())
    return (
        f'{measured_on(about)} Random graphs: N x degree different pairs of nodes; "road": a grid '
        "of streets with gaps, rows of nodes in order. Learnable weights, float32 unless it says "
        f"otherwise. Median of up to {about['repetitions']} interleaved samples, at least 3, about "
        f"{about['seconds']:g} s per rival, and the distance between their quartiles. A copy moves "
        f'{about["copy_bandwidth"] / 1e9:.1f} GB/s here, read and written; "of copy speed" counts '
        "the features once - once per edge. torch_sparse is a CSR tensor made of the weights under "
        f'autograd. Left out: "memory", more than {about["memory_limit"] / 2**30:g} GiB in total '
        f'for a rival; "pairs", a matrix of all pairs above {about["pairs_limit"] / 2**30:g} GiB; '
        f'"time", more than {about["work_limit_of_rivals"]:.1e} multiplications '
        f"({about['work_limit']:.0e} for the automatic choice, "
        f"{about['work_limit_of_dense']:.0e} for the dense product); "
        '"one block", column_blocks where it is the same as embedding_bag. '
        + (f"Not importable: {missing}." if missing else "")
    ).strip()


def _summary_lines(rows: list[dict[str, Any]]) -> list[str]:
    found = summary(rows)
    if found["points"] == 0:
        return ["No point with N >= 2,000, degree >= 3 and F >= 768 was measured."]
    lines = [
        "Forward and backward at the points with N >= 2,000, degree >= 3 and F >= 768, the worst "
        "of them (N, degree, F):",
        "",
    ]
    texts = (
        ("over_pyg", "times faster than PyG gather-scatter", "at least 5", ".1f"),
        ("over_best", "times faster than the best of PyG, torch_scatter, torch.sparse", "3", ".1f"),
        ("extra", "of the E x F messages as extra memory", "less than 5 %", ".2%"),
    )
    for key, text, wanted, form in texts:
        if found[key] is None:
            continue
        lines.append(
            f"* {format(found[key], form)} {text} at {found[f'{key}_at']}, of "
            f"{found[f'{key}_points']} points (wanted: {wanted})"
        )
    return lines


def _auto_line(point: dict[str, dict[str, Any]]) -> list[str]:
    row, compared = point["auto"], ratios(point)
    cells = [_place(row), row.get("chosen", "-"), _time(row, "forward"), _time(row, "training")]
    over = compared["over_pyg"]
    cells.append("-" if over is None else f"{over:.1f}")
    over = compared["over_best"]
    cells.append("-" if over is None else f"{over:.1f} ({compared['best']})")
    cells.append("-" if compared["extra"] is None else f"{compared['extra']:.2%}")
    shares = [row.get(f"{kind}_share") for kind in ("compulsory", "gathered")]
    return [*cells, " - ".join("" if share is None else f"{share:.0%}" for share in shares)]


def _time(row: dict[str, Any] | None, kind: str) -> str:
    if row is None:
        return ""
    time = row.get(f"{kind}_ms")
    if time is not None:
        return f"{number(time)} ± {number(row[f'{kind}_spread_ms'], 2)}"
    reason = row["reason"] or row["training_reason"] or ""
    return CODES.get(reason.split(":")[0], "-")


def _extra(row: dict[str, Any] | None) -> str:
    value = None if row is None else row.get("training_extra_bytes")
    return "" if value is None else f"{value / 2**20:,.2f}"


def draw(about: dict[str, Any], rows: list[dict[str, Any]], path: Path) -> None:
    """Draw how many times faster the automatic choice is, over the number of nodes."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    points = [p for p in by_point(rows) if "auto" in p and p["auto"]["graph"] == "random"]
    widths = sorted({p["auto"]["features"] for p in points})
    figure = Figure(figsize=(4 * len(widths), 3.8), layout="constrained")
    axes = figure.subplots(1, len(widths), sharey=True, squeeze=False)
    degrees = sorted({p["auto"]["degree"] for p in points})
    colours = dict(
        zip(
            degrees,
            colormaps["viridis"]([i / max(1, len(degrees) - 1) * 0.9 for i in range(len(degrees))]),
            strict=True,
        )
    )
    for axis, features in zip(axes[0], widths, strict=True):
        for degree in degrees:
            for key, style in (("over_pyg", "-o"), ("over_best", ":s")):
                line = [
                    (p["auto"]["nodes"], ratios(p)[key])
                    for p in points
                    if (p["auto"]["features"], p["auto"]["degree"]) == (features, degree)
                    and ratios(p)[key] is not None
                ]
                label = f"degree {degree}" if key == "over_pyg" else None
                axis.plot(
                    *(zip(*line, strict=True) if line else ((), ())),
                    style,
                    ms=4,
                    color=colours[degree],
                    label=label,
                )
        axis.axhline(1, color="0.5", linewidth=0.8)
        axis.set(xscale="log", yscale="log", xlabel="nodes", title=f"{features:,} features")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("times faster, forward + backward")
    axes[0, 0].legend(frameon=False)
    figure.suptitle(
        "The automatic choice over PyG gather-scatter (lines) and over the best of PyG, "
        f"torch_scatter and torch.sparse (dotted); {about['hardware']}",
        fontsize=9,
    )
    figure.savefig(path, dpi=110)
