"""Table and figure of the benchmark of models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.charts import times
from benchmarks.contenders import EAGER, TRAINING
from benchmarks.records import measured_on


def markdown(about: dict[str, Any], records: list[dict[str, Any]]) -> str:
    """Return the results as Markdown."""
    lines = [
        "# Models: training step and inference",
        "",
        f"{measured_on(about)} float32, where bfloat16 is not said (by autocast). Training step: "
        "forward, loss and backward, without the optimiser. Compiled: `torch.compile` with its "
        f"defaults and static shapes. Median of at most {about['repetitions']} interleaved samples "
        "and the distance between their quartiles. Peak memory is beyond weights and gradients. "
        "Share: the rate of the operations in matrix products, convolutions and sparse sums of a "
        f"step, against that of a product of {about['product']} x {about['product']} matrices "
        "timed among the same samples.",
        "",
        *_targets(records),
    ]
    for record in records:
        lines += _case(record)
    return "\n".join(lines)


def _targets(records: list[dict[str, Any]]) -> list[str]:
    lines = [
        "| target | mode | at least | measured | met |",
        "|---|---|---|---|---|",
    ]
    for record in records:
        for target in record["targets"]:
            less = "" if target["quantity"] == "ms" else "memory of "
            what = f"{target['case']}, {target['task']}: {less}{target['ours']} over "
            what += target["rival"]
            if target["rival_mode"] is not None:
                what += f" ({target['rival_mode']})"
            lines.append(f"| {what} | {target['mode']} | {target['least']} | {_verdict(target)} |")
    return [*lines, ""] if len(lines) > 2 else []


def _verdict(target: dict[str, Any]) -> str:
    if target["measured"] is None:
        return "not measured | "
    return f"{target['measured']:.2f} | {'yes' if target['met'] else 'no'}"


def _case(record: dict[str, Any]) -> list[str]:
    found = dict(record["agreement"])
    for row in record["rows"]:
        if row.get("from_eager") is not None:
            found[f"{row['model']}, {row['mode']} against eager in float32"] = row["from_eager"]
    agreement = "; ".join(f"{name} {value:.1e}" for name, value in found.items())
    lines = [
        f"## {record['title']}",
        "",
        "Largest difference from the dense model, relative to the largest number, in float64 "
        f"unless said otherwise: {agreement}.",
        "",
    ]
    for name, reason in record["absent"].items():
        lines += [f"Not measured: {name} ({reason}).", ""]
    lines += [
        "| task | mode | model | ms | ours is faster | GFLOP | share | peak MiB |",
        "|---|---|---|---|---|---|---|---|",
        *map(_row, record["rows"]),
        "",
    ]
    return lines


def _row(row: dict[str, Any]) -> str:
    where = f"| {row['task']} | {row['mode']} | {row['model']} |"
    if row["reason"] is not None:
        return f"{where} {row['reason']} | | | | |"
    faster = "" if row["ours_is_faster"] is None else f"{row['ours_is_faster']:.2f}"
    work = "" if row["flops"] is None else f"{row['flops'] / 1e9:.1f}"
    share = "" if row["share"] is None else f"{row['share']:.0%}"
    peak = "" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 2**20:.0f}"
    time = f"{row['ms']:.1f} ± {row['spread_ms']:.1f}"
    return f"{where} {time} | {faster} | {work} | {share} | {peak} |"


def draw(about: dict[str, Any], records: list[dict[str, Any]], path: Path) -> None:
    """Draw the times of a training step, a panel per case."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.5 + 3.2 * len(records), 4.2), layout="constrained")
    axes = figure.subplots(1, len(records), squeeze=False)
    for axis, record in zip(axes[0], records, strict=True):
        bars = [row for row in record["rows"] if row["task"] == TRAINING and row["reason"] is None]
        times(axis, [_label(row) for row in bars], [row["ms"] for row in bars], "ours")
        axis.set_xlabel("training step, ms")
        axis.set_title(record["case"])
        axis.tick_params(labelsize=7)
    figure.suptitle(f"{about['hardware']}, {about['threads']} threads, {about['date']}")
    figure.savefig(path, dpi=110)


def _label(row: dict[str, Any]) -> str:
    name = row["model"].replace(" on [", "\non [").replace(", a loop", "\na loop")
    return name if row["mode"] == EAGER else f"{name}, {row['mode']}"
