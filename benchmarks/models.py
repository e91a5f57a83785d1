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
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks import records
from benchmarks.contenders import (
    COMPILED,
    EAGER,
    INFERENCE,
    MODES,
    TRAINING,
    Case,
    counted_flops,
    on,
    relative_difference,
    runs,
    step,
)
from benchmarks.model_cases import OURS, cases, device_cases
from benchmarks.models_report import draw, markdown
from benchmarks.peers import peer_versions
from tgst.ops.measure import peak_extra_bytes, time_interleaved

CPU = torch.device("cpu")
PRODUCT = "matrix product"
PLACE = ("case", "mode", "task", "model")


class Settings(NamedTuple):
    """Repetitions, the seconds that the samples of one model may take, the product's size, and
    where all of it runs.
    """

    repetitions: int
    seconds: float
    product: int
    device: torch.device = CPU


def measure(case: Case, modes: Sequence[str], settings: Settings) -> list[dict[str, Any]]:
    """Time all contenders of a case, in each mode and task."""
    rows = []
    moved = {name: on(settings.device, each) for name, each in case.contenders.items()}
    case = case._replace(contenders=moved)
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
    functions, rows = started(case, task, mode)
    timed = {**functions, PRODUCT: matrix_product(settings.product, mode, settings.device)}
    times = time_interleaved(timed, settings.repetitions, settings.device, settings.seconds)
    rate = 2 * settings.product**3 / (times[PRODUCT].median / 1e3)
    for row in rows:
        name = row["model"]
        if name not in functions:
            continue
        row |= {"ms": times[name].median, "spread_ms": times[name].spread}
        row |= {"samples": times[name].samples, "product_flops_per_s": rate}
        if task == TRAINING:
            if name in flops:
                row["flops"] = flops[name]
                row["share"] = flops[name] / (times[name].median / 1e3) / rate
            case.contenders[name].model.zero_grad()  # else a GPU's peak lacks the gradients before
            row["peak_bytes"] = peak_extra_bytes(functions[name], settings.device, warm_up=False)
        if task == INFERENCE and mode != EAGER:
            eager = runs(case.contenders[name], task, EAGER)()
            row["from_eager"] = relative_difference(functions[name]().float(), eager)
        print(_line(row), flush=True)
    return rows


def started(
    case: Case, task: str, mode: str
) -> tuple[dict[str, Callable[[], Any]], list[dict[str, Any]]]:
    """Run every contender once; return those that can be timed, and a row for each."""
    functions, rows = {}, []
    for name, contender in case.contenders.items():
        takes_part = contender.trains or task != TRAINING
        if not takes_part or (mode != EAGER and name not in case.compiled):
            continue
        row = {"case": case.name, "mode": mode, "task": task, "model": name, "reason": None}
        row |= dict.fromkeys(("ms", "flops", "share", "peak_bytes", "from_eager"))
        function, start = runs(contender, task, mode), time.perf_counter()
        try:
            function()
        except Exception as error:  # a compiler may stop at anything
            row["reason"] = f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
        else:
            functions[name] = function
            row["first_run_s"] = time.perf_counter() - start
        told = row["reason"] or f"the first run took {row['first_run_s']:.1f} s"
        print(f"{case.name}, {mode}, {task}, {name}: {told}", flush=True)
        rows.append(row)
    return functions, rows


def matrix_product(size: int, mode: str, device: torch.device) -> Callable[[], torch.Tensor]:
    """Return a square product in the precision of a mode."""
    dtype = torch.float32 if mode in (EAGER, COMPILED) else torch.bfloat16
    one, two = torch.randn(2, size, size, device=device).to(dtype)
    return lambda: one @ two


def _line(row: dict[str, Any]) -> str:
    share = "" if row["share"] is None else f", {row['share']:.0%} of the product's rate"
    where = f"{row['case']}, {row['mode']}, {row['task']}, {row['model']}"
    return f"{where}: {row['ms']:.1f} ± {row['spread_ms']:.1f} ms ({row['samples']}){share}"


def ratio(
    rows: list[dict[str, Any]], rival: dict[str, Any], ours: dict[str, Any], quantity: str = "ms"
) -> float | None:
    """Return how many times more of a quantity a rival takes than ours.

    Both are what identifies a row: case, mode, task and model.
    """
    values = []
    for wanted in (rival, ours):
        there = [r for r in rows if all(r[key] == wanted[key] for key in PLACE)]
        if not there or there[0]["reason"] is not None:
            return None
        values.append(there[0][quantity])
    return values[0] / values[1]


def judged(case: Case, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the targets with what was measured; :obj:`None` where it was not."""
    found = []
    for target in case.targets:
        ours = {"case": case.name, "mode": target.mode, "task": target.task, "model": target.ours}
        rival = {**ours, "mode": target.rival_mode or target.mode, "model": target.rival}
        measured = ratio(rows, rival, ours, target.quantity)
        met = None if measured is None else measured >= target.least
        found.append({"case": case.name, **target._asdict(), "measured": measured, "met": met})
    return found


def record_of(case: Case, modes: Sequence[str], settings: Settings) -> dict[str, Any]:
    """Measure a case and return all there is to say about it."""
    print(f"{case.title}; agreement {case.agreement}", flush=True)
    rows = measure(case, modes, settings)
    for row in rows:
        row["ours_is_faster"] = ratio(rows, row, {**row, "model": OURS})
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
    parser.add_argument(
        "--modes", nargs="+", choices=MODES, help="bfloat16 by default on CUDA only"
    )
    parser.add_argument("--cases", nargs="+", help="names of cases in place of all")
    arguments, about = records.parse(parser, arguments_given)
    device, on_cpu = arguments.device, arguments.device.type == "cpu"
    modes = arguments.modes or (MODES[:2] if on_cpu else MODES)
    builders = cases(arguments.quick) if on_cpu or arguments.quick else device_cases()
    chosen = arguments.cases or list(builders)
    unknown = sorted(set(chosen) - set(builders))
    if unknown:
        parser.error(f"--cases: expected some of {list(builders)}, got {unknown}")
    torch.set_num_threads(arguments.threads)
    product = 128 if arguments.quick else 2_048 if on_cpu else 8_192
    settings = Settings(arguments.repetitions, arguments.seconds, product, device)
    about |= {"threads": arguments.threads, "product": settings.product}
    about["versions"] |= peer_versions()
    log = records.Log(arguments.out, "models", about, arguments.afresh)
    found: list[dict[str, Any]] = []
    for name in chosen:
        torch._dynamo.reset()

        def measured(name: str = name) -> list[dict[str, Any]]:
            return [record_of(builders[name](arguments.seed), modes, settings)]

        found += log.rows(name, measured)
        report(about, found, arguments.out)
    log.close()
    print(f"wrote {arguments.out / 'models.json'}, models.md and models.png")


if __name__ == "__main__":
    main()
