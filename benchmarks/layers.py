"""Graph convolutions against PyG's layers, batched in every way they allow.

``python -m benchmarks.layers --out benchmarks/results`` writes ``layers.json``, ``layers.md`` and
``layers.png``: forward and backward of ``ChebConv`` (three polynomials) and ``PartitionConv``
(three partitions), 64 to 64 channels and 12 steps, against PyG's ``ChebConv``, ``RGCNConv`` and
``FastRGCNConv``, tsl's ``DiffConv`` and dense products; medians of interleaved repetitions and peak
memory beyond inputs, outputs and gradients. Outputs and gradients are compared in double precision
before anything is timed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import records
from benchmarks.charts import times
from benchmarks.contenders import relative_difference
from benchmarks.layer_ways import OURS, PYG, Problem, Way, results, run, ways
from benchmarks.peers import peer_versions
from tgst.ops.measure import peak_extra_bytes, time_interleaved

CPU = torch.device("cpu")
LEAST = 5.0
PROBLEMS = tuple(
    Problem(layer, *size, learnable)
    for layer in ("ChebConv", "PartitionConv")
    for size in ((207, 1_722, 32), (2_000, 16_000, 8))
    for learnable in (False, True)
)
TINY = tuple(
    Problem(layer, 20, 60, 2, learnable, 3, 8)
    for layer in ("ChebConv", "PartitionConv")
    for learnable in (False, True)
)


def agreement(problem: Problem, seed: int) -> dict[str, float]:
    """Return the largest difference of output, feature and weight gradients in double precision.

    Two series stand for all of them.
    """
    few = problem._replace(batch=1, steps=2)
    found, _ = ways(few, torch.float64, seed)
    expected = results(found[OURS])
    differences = {}
    for name, way in found.items():
        if name != OURS and way.stacked is not None and way.share == 1:
            both = zip(results(way), expected, strict=True)
            differences[name] = max(relative_difference(*each) for each in both)
    return differences


def measure(
    problem: Problem, found: dict[str, Way], repetitions: int, seconds: float
) -> list[dict[str, Any]]:
    """Time all ways of a problem in turns."""
    functions = {name: run(way) for name, way in found.items()}
    times = time_interleaved(functions, repetitions, CPU, seconds=seconds)
    rows = []
    for name, function in functions.items():
        share = found[name].share
        ours = times[OURS].median
        row = {
            **problem._asdict(),
            "way": name,
            "ms": times[name].median * share,
            "spread_ms": times[name].spread * share,
            "samples": times[name].samples,
            "share": share,
            "ours_is_faster": times[name].median * share / ours,
            "peak_bytes": peak_extra_bytes(function, CPU, warm_up=False),
        }
        rows.append(row)
        print(_line(row), flush=True)
    return rows


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['layer']}, N={row['nodes']}, learnable={row['learnable']}, {row['way']}: "
        f"{row['ms']:.1f} ± {row['spread_ms']:.1f} ms ({row['samples']}), ours is "
        f"{row['ours_is_faster']:.2f} times as fast"
    )


def judged(problem: Problem, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the best way that PyG allows, and how much faster ours is than it."""
    peers = [row for row in rows if row["way"].startswith(PYG)]
    if not peers:
        return None
    best = min(peers, key=lambda row: row["ms"])
    ratio = best["ours_is_faster"]
    place = {key: getattr(problem, key) for key in ("layer", "nodes", "learnable")}
    return {**place, "rival": best["way"], "least": LEAST, "measured": ratio, "met": ratio >= LEAST}


def record_of(problem: Problem, repetitions: int, seconds: float, seed: int) -> dict[str, Any]:
    """Measure a problem and return all there is to say about it."""
    differences = agreement(problem, seed)
    found, absent = ways(problem, torch.float32, seed)
    rows = measure(problem, found, repetitions, seconds)
    return {
        "agreement": differences,
        "absent": absent,
        "rows": rows,
        "target": judged(problem, rows),
    }


def markdown(about: dict[str, Any], problems: list[dict[str, Any]]) -> str:
    """Return the results as Markdown."""
    worst = max(value for record in problems for value in record["agreement"].values())
    lines = [
        "# Graph convolutions: forward and backward",
        "",
        f"{records.measured_on(about)} float32, gradients of features, weights "
        "and, where learnable, the weights of the edges. Median of at most "
        f"{about['repetitions']} interleaved samples and the distance between their quartiles. "
        "Peak memory is beyond inputs, outputs and gradients. The unions of PyG's layers are "
        "joined beforehand; FastRGCNConv, which makes a matrix for every edge, runs on as few "
        "steps as make about 30,000 edges, its time is multiplied. Largest difference from ours "
        f"in float64, relative to the largest number: {worst:.1e} (tsl's layer computes something "
        "else and is not compared). PyG's ChebConv makes the scaled Laplacian of the edge weights "
        "in every call; ours and the dense product are given it, and learn its entries where "
        "weights are learnable.",
        "",
        "| target: ours over the best way of PyG | rival | at least | measured | met |",
        "|---|---|---|---|---|",
        *(_target(record["target"]) for record in problems if record["target"] is not None),
        "",
    ]
    for name, reason in {k: v for record in problems for k, v in record["absent"].items()}.items():
        lines += [f"Not measured: {name} ({reason}).", ""]
    lines += [
        "| layer | N, E, batch | edge weights | way | ms | ours is faster | peak MiB |",
        "|---|---|---|---|---|---|---|",
        *(_row(row) for record in problems for row in record["rows"]),
        "",
    ]
    return "\n".join(lines)


def _target(target: dict[str, Any]) -> str:
    what = f"{target['layer']}, N = {target['nodes']:,}, {_edge_weights(target)}"
    met = "yes" if target["met"] else "no"
    return f"| {what} | {target['rival']} | {target['least']} | {target['measured']:.2f} | {met} |"


def _edge_weights(row: dict[str, Any]) -> str:
    return "learnable edge weights" if row["learnable"] else "given edge weights"


def _row(row: dict[str, Any]) -> str:
    size = f"{row['nodes']:,}, {row['edges']:,}, {row['batch']}"
    weights = "learnable" if row["learnable"] else "given"
    way = row["way"] if row["share"] == 1 else f"{row['way']} (x {row['share']:.0f})"
    time = f"{row['ms']:.1f} ± {row['spread_ms']:.1f}"
    return (
        f"| {row['layer']} | {size} | {weights} | {way} | {time} | {row['ours_is_faster']:.2f} | "
        f"{row['peak_bytes'] / 2**20:.0f} |"
    )


def draw(about: dict[str, Any], problems: list[dict[str, Any]], path: Path) -> None:
    """Draw the times of all ways, a panel per problem."""
    from matplotlib.figure import Figure

    columns = 2
    rows = -(-len(problems) // columns)
    figure = Figure(figsize=(12, 2.4 * rows + 0.6), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis, record in zip(axes.flat, problems, strict=False):
        ways_there = record["rows"]
        times(axis, [row["way"] for row in ways_there], [row["ms"] for row in ways_there], OURS)
        axis.set_xlabel("forward + backward, ms")
        first = record["rows"][0]
        title = f"{first['layer']}, N = {first['nodes']:,}, {_edge_weights(first)}"
        axis.set_title(title, fontsize=9, loc="right")
    figure.suptitle(f"{about['hardware']}, {about['threads']} threads, {about['date']}")
    figure.savefig(path, dpi=110)


def report(about: dict[str, Any], problems: list[dict[str, Any]], out: Path) -> None:
    """Write what is there so far."""
    out.mkdir(parents=True, exist_ok=True)
    record = json.dumps({**about, "problems": problems}, indent=1)
    (out / "layers.json").write_text(record + "\n")
    (out / "layers.md").write_text(markdown(about, problems))
    draw(about, problems, out / "layers.png")


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = records.parser("layers", __doc__, repetitions=15)
    parser.add_argument("--seconds", type=float, default=6.0, help="per way")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments, about = records.parse(parser, arguments_given)
    torch.set_num_threads(arguments.threads)
    about["threads"] = arguments.threads
    about["versions"] |= peer_versions()
    log = records.Log(arguments.out, "layers", about, arguments.afresh)
    found: list[dict[str, Any]] = []
    for problem in TINY if arguments.quick else PROBLEMS:

        def measured(problem: Problem = problem) -> list[dict[str, Any]]:
            return [record_of(problem, arguments.repetitions, arguments.seconds, arguments.seed)]

        found += log.rows(problem, measured)
        report(about, found, arguments.out)
    log.close()
    print(f"wrote {arguments.out / 'layers.json'}, layers.md and layers.png")


if __name__ == "__main__":
    main()
