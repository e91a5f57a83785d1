r"""The tables of performance.rst: costs from the package, times from the benchmarks' results."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tgst.ops.dispatch_table import COSTS, MEASURED_ON

REPOSITORY = Path(__file__).parents[1]
RESULTS = REPOSITORY / "benchmarks" / "results"
COLUMNS = {
    "call": "call",
    "edge": "edge",
    "gathered_byte": "byte gathered",
    "far_byte": "from beyond the cache",
    "copied_byte": "byte copied",
    "output_byte": "byte of output",
    "pair": "pair of rows",
    "multiplication": "multiplication",
}
MISSING = "This has not been measured yet."


def write_tables(folder: Path, results: Path = RESULTS) -> None:
    r"""Writes what performance.rst includes."""
    if str(REPOSITORY) not in sys.path:
        sys.path.append(str(REPOSITORY))
    folder.mkdir(exist_ok=True)
    tables = {
        "costs": costs(),
        "spmm": spmm(_record(results, "spmm")),
        "spmm_fresh_memory": spmm(_record(results, "spmm_fresh_memory")),
        "dispatch": dispatch(_record(results, "dispatch")),
        "dense_vs_sparse": dense_vs_sparse(_record(results, "dense_vs_sparse")),
        "scale": scale(_record(results, "scale")),
    }
    for name, text in tables.items():
        (folder / f"performance_{name}.txt").write_text(text, encoding="utf-8")


def costs() -> str:
    r"""Returns the table of costs, in nanoseconds."""
    lines = []
    for device, kinds in COSTS.items():
        rows: list[Sequence[str]] = [("product", "features", "backend", *COLUMNS.values())]
        for kind, products in kinds.items():
            for product, backends in products.items():
                for backend, found in backends.items():
                    cells = [f"{found[name]:g}" if name in found else "" for name in COLUMNS]
                    rows.append((product, kind, backend, *cells))
        lines += [f"Nanoseconds on {device} ({MEASURED_ON[device]}):", "", _table(rows), ""]
    lines += [f"On {d}: {text}." for d, text in MEASURED_ON.items() if d not in COSTS]
    return "\n".join(lines) + "\n"


def spmm(record: dict[str, Any] | None) -> str:
    r"""Returns the worst ratios, and all points they are taken from."""
    from benchmarks.spmm_report import by_point, judged, ratios, summary

    if record is None or "rival" not in record["rows"][0]:
        return MISSING + "\n"
    points = [p for p in by_point(record["rows"]) if "auto" in p and judged(p)]
    rows: list[Sequence[str]] = [
        ("nodes", "degree", "features", "ms", "over PyG", "over the best other", "extra memory")
    ]
    for point in points:
        row, found = point["auto"], ratios(point)
        if found["over_pyg"] is None:
            continue
        best = f"{found['over_best']:.1f} ({found['best']})"
        size = (f"{row['nodes']:,}", str(row["degree"]), f"{row['features']:,}")
        cells = (f"{row['training_ms']:,.3g}", f"{found['over_pyg']:.1f}", best)
        rows.append((*size, *cells, f"{found['extra']:.2%}"))
    if len(rows) == 1:
        return MISSING + "\n"
    found = summary(record["rows"])
    worst = (
        f"At least {found['over_pyg']:.1f} times as fast as PyG's gather and scatter "
        f"({found['over_pyg_points']} points) and {found['over_best']:.1f} times as fast as the "
        "best of it, torch_scatter and torch.sparse; extra memory at most "
        f"{found['extra']:.2%} of the messages."
    )
    return "\n".join([_measured_on(record), "", worst, "", _table(rows), ""])


def dispatch(record: dict[str, Any] | None) -> str:
    r"""Returns how far the automatic choice is from the best backend, by dtype."""
    from benchmarks.dispatch import verdict

    if record is None:
        return MISSING + "\n"
    rows: list[Sequence[str]] = [("points above 0.2 ms", "number", "geometric mean", "largest")]
    dtypes = dict.fromkeys(row["dtype"] for row in record["rows"])
    for name in ("all", *dtypes):
        found = verdict([r for r in record["rows"] if name in ("all", r["dtype"])])
        if found["points"]:
            numbers = (str(found["points"]), f"{found['mean']:.3f}", f"{found['worst']:.2f}")
            rows.append((name, *numbers))
    if len(rows) == 1:
        return MISSING + "\n"
    return "\n".join([_measured_on(record), "", _table(rows), ""])


def dense_vs_sparse(record: dict[str, Any] | None) -> str:
    r"""Returns where the dense product becomes the faster one."""
    from benchmarks.dense_vs_sparse import MATRIX, told, where

    if record is None:
        return MISSING + "\n"
    rows: list[Sequence[str]] = [
        ("nodes", "share of pairs at which the lines cross", "with the matrix given")
    ]
    found = record["crossings"]
    for nodes, share in found["share"].items():
        line = [r for r in record["rows"] if (r["line"], r["nodes"]) == ("share", int(nodes))]
        given = where(found[f"{MATRIX}_share"][nodes], line, MATRIX)
        rows.append((f"{int(nodes):,}", where(share, line), given))
    text = f"With 8 edges per node {told(found)}."
    return "\n".join([_measured_on(record), "", _table(rows), "", text, ""])


def scale(record: dict[str, Any] | None) -> str:
    r"""Returns time per edge and memory over the number of nodes and their order."""
    if record is None:
        return MISSING + "\n"
    rows: list[Sequence[str]] = [
        ("nodes", "edges", "order of nodes", "", "ms", "ns per edge", "extra MiB")
    ]
    for row in record["rows"]:
        size = (f"{row['nodes']:,}", f"{row['edges']:,}", row["order"], row["rival"])
        cells = (f"{row['training_ms']:,.3g}", f"{row['training_ns_per_edge']:.0f}")
        rows.append((*size, *cells, f"{row['training_extra_bytes'] / 2**20:,.1f}"))
    told = (
        "Time per edge of the largest network over that of the one with a tenth of its nodes: "
        f"{record['growth']:.2f} forward and backward, {record['growth_forward']:.2f} forward."
    )
    return "\n".join([_measured_on(record), "", told, "", _table(rows), ""])


def _record(results: Path, name: str) -> dict[str, Any] | None:
    path = results / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _measured_on(record: dict[str, Any]) -> str:
    device = "" if record.get("device", "cpu") == "cpu" else f"{record['device']}, "
    versions = f"torch {record['versions']['torch']}"
    return (
        f"Measured on {device}{record['hardware']}, {record['threads']} threads; {versions}; "
        f"{record['date']}; ``{record['command']}``."
    )


def _table(rows: Iterable[Sequence[str]]) -> str:
    cells = [f"   * - {row[0]}\n" + "\n".join(f"     - {cell}" for cell in row[1:]) for row in rows]
    return ".. list-table::\n   :header-rows: 1\n\n" + "\n".join(cells) + "\n"
