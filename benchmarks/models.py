"""The three models against the dense formulations and other packages.

``python -m benchmarks.models --out benchmarks/results`` writes ``models.json``, ``models.md`` and
``models.png``: training step (forward, loss and backward, without the optimiser) and inference, of
a batch and of a single sample, medians of interleaved repetitions, the peak memory of a step, and
the share of the machine's matrix-product rate, which is measured among the repetitions. The dense
formulations and our models have the same weights; they are compared in double precision before
anything is timed, and both run eagerly and compiled.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks import records
from benchmarks.contenders import (
    COMPILED,
    EAGER,
    INFERENCE,
    TRAINING,
    Case,
    counted_flops,
    relative_difference,
    runs,
    step,
)
from benchmarks.model_cases import OURS, cases
from benchmarks.models_report import draw, markdown
from benchmarks.peers import peer_versions
from tgst.ops.measure import peak_extra_bytes, time_interleaved

CPU = torch.device("cpu")
PRODUCT = "matrix product"


class Settings(NamedTuple):
    """Repetitions, the seconds that the samples of one model may take, and the product's size."""

    repetitions: int
    seconds: float
    product: int


def measure(case: Case, modes: Sequence[str], settings: Settings) -> list[dict[str, Any]]:
    """Time all contenders of a case, in each mode and task."""
    rows = []
    # Those of the others are not counted: gathers and sums per edge are no such operations.
    flops = {name: counted_flops(step(case.contenders[name], EAGER)) for name in case.compiled}
    for mode in modes:
        for task in case.tasks:
            rows += measured_task(case, task, mode, flops, settings)
    return rows


def measured_task(
    case: Case, task: str, mode: str, flops: dict[str, int], settings: Settings
) -> list[dict[str, Any]]:
    """Time one task; a contender that fails has a reason in the place of a time."""
    functions, reasons = {}, {}
    for name, contender in case.contenders.items():
        takes_part = contender.trains or task != TRAINING
        if not takes_part or (mode == COMPILED and name not in case.compiled):
            continue
        function = runs(contender, task, mode)
        try:
            function()
        except Exception as error:  # a compiler may stop at anything
            reasons[name] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
        else:
            functions[name] = function
    timed = {**functions, PRODUCT: matrix_product(settings.product)}
    times = time_interleaved(timed, settings.repetitions, CPU, seconds=settings.seconds)
    rate = 2 * settings.product**3 / (times[PRODUCT].median / 1e3)
    rows = []
    for name, function in functions.items():
        row = {"case": case.name, "mode": mode, "task": task, "model": name, "reason": None}
        row |= {"ms": times[name].median, "spread_ms": times[name].spread}
        row |= {"samples": times[name].samples, "product_flops_per_s": rate}
        row |= dict.fromkeys(("flops", "share", "peak_bytes", "from_eager"))
        if task == TRAINING:
            if name in flops:
                row["flops"] = flops[name]
                row["share"] = flops[name] / (times[name].median / 1e3) / rate
            row["peak_bytes"] = peak_extra_bytes(function, CPU, warm_up=False)
        if task == INFERENCE and mode == COMPILED:
            eager = runs(case.contenders[name], task, EAGER)()
            row["from_eager"] = relative_difference(function(), eager)
        rows.append(row)
        print(_line(row), flush=True)
    return rows + [_missing(case, mode, task, *each) for each in reasons.items()]


def matrix_product(size: int) -> Any:
    """Return a square product in single precision."""
    one, two = torch.randn(2, size, size)
    return lambda: one @ two


def _missing(case: Case, mode: str, task: str, name: str, reason: str) -> dict[str, Any]:
    row = {"case": case.name, "mode": mode, "task": task, "model": name, "reason": reason}
    print(f"{case.name}, {mode}, {task}, {name}: {reason}", flush=True)
    return row


def _line(row: dict[str, Any]) -> str:
    share = "" if row["share"] is None else f", {row['share']:.0%} of the product's rate"
    where = f"{row['case']}, {row['mode']}, {row['task']}, {row['model']}"
    return f"{where}: {row['ms']:.1f} ± {row['spread_ms']:.1f} ms ({row['samples']}){share}"


def speed_up(
    rows: list[dict[str, Any]], row: dict[str, Any], rival: str, ours: str = OURS
) -> float | None:
    """Return how many times faster ours is than a rival in the same mode and task."""
    keys = ("case", "mode", "task")
    there = {r["model"]: r for r in rows if all(r[key] == row[key] for key in keys)}
    if not all(name in there and there[name]["reason"] is None for name in (rival, ours)):
        return None
    return there[rival]["ms"] / there[ours]["ms"]


def judged(case: Case, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the targets with what was measured; :obj:`None` where it was not."""
    found = []
    for target in case.targets:
        place = {"case": case.name, "mode": target.mode, "task": target.task}
        ratio = speed_up(rows, place, target.rival, target.ours)
        met = None if ratio is None else ratio >= target.least
        found.append({**place, **target._asdict(), "measured": ratio, "met": met})
    return found


def record_of(case: Case, modes: Sequence[str], settings: Settings) -> dict[str, Any]:
    """Measure a case and return all there is to say about it."""
    print(f"{case.title}; agreement {case.agreement}", flush=True)
    rows = measure(case, modes, settings)
    for row in rows:
        row["ours_is_faster"] = speed_up(rows, row, row["model"])
    return {
        "case": case.name,
        "title": case.title,
        "agreement": case.agreement,
        "absent": case.absent,
        "rows": rows,
        "targets": judged(case, rows),
    }


def report(about: dict[str, Any], records: list[dict[str, Any]], out: Path) -> None:
    """Write what is there so far."""
    out.mkdir(parents=True, exist_ok=True)
    record = json.dumps({**about, "cases": records}, indent=1)
    (out / "models.json").write_text(record + "\n")
    (out / "models.md").write_text(markdown(about, records))
    draw(about, records, out / "models.png")


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = records.parser("models", __doc__, repetitions=15)
    parser.add_argument("--seconds", type=float, default=10.0, help="per model and task")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--modes", nargs="+", default=[EAGER, COMPILED], choices=[EAGER, COMPILED])
    parser.add_argument("--cases", nargs="+", help="names of cases in place of all")
    arguments, about = records.parse(parser, arguments_given)
    builders = cases(arguments.quick)
    chosen = arguments.cases or list(builders)
    unknown = sorted(set(chosen) - set(builders))
    if unknown:
        parser.error(f"--cases: expected some of {list(builders)}, got {unknown}")
    torch.set_num_threads(arguments.threads)
    settings = Settings(arguments.repetitions, arguments.seconds, 128 if arguments.quick else 2_048)
    about |= {"threads": arguments.threads, "product": settings.product}
    about["versions"] |= peer_versions()
    log = records.Log(arguments.out, "models", about, arguments.afresh)
    found: list[dict[str, Any]] = []
    for name in chosen:
        torch._dynamo.reset()

        def measured(name: str = name) -> list[dict[str, Any]]:
            return [record_of(builders[name](arguments.seed), arguments.modes, settings)]

        found += log.rows(name, measured)
        report(about, found, arguments.out)
    log.close()
    print(f"wrote {arguments.out / 'models.json'}, models.md and models.png")


if __name__ == "__main__":
    main()
