"""Test scores of the shipped Los-loop configuration, over seeds.

``python -m benchmarks.losloop --root DIR`` runs ``tgst fit`` and ``tgst test`` with ``--config
losloop`` once per seed and writes ``losloop.json`` and ``losloop.md``: mean and standard deviation
of the test scores of the best checkpoint by validation, the baselines, and the time of each fit.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.seeds import one_seed, origin, rows, summary, write

STEPS = (3, 6, 12)  # 15, 30 and 60 minutes


def markdown(about: dict[str, Any], results: list[dict[str, Any]]) -> str:
    lines = [
        "# Los-loop, 12 steps in, 12 out",
        "",
        f"Test part (last 20 % in time), speeds in mph, {origin(about, results)}",
        "",
        "| model | MAE 15 / 30 / 60 min | RMSE 15 / 30 / 60 min | MAPE 15 / 30 / 60 min, % |",
        "|---|---|---|---|",
    ]
    return "\n".join([*lines, *rows(results, STEPS), ""])


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.losloop", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the data set's files")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=Path("runs/losloop_seeds"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args(arguments_given)
    seeds = [str(seed) for seed in arguments.seeds]
    command = ["python", "-m", "benchmarks.losloop", "--root", "DIR", "--seeds", *seeds]
    results = [
        one_seed("losloop", seed, arguments.root, arguments.runs) for seed in arguments.seeds
    ]
    about = {**machine(), "command": shlex.join(command)}
    record = {**about, "steps": STEPS, "summary": summary(results, STEPS), "runs": results}
    write("losloop", arguments.out, record, markdown(about, results))


if __name__ == "__main__":
    main()
