"""Test scores of the shipped Los-loop configuration, over seeds.

``python -m benchmarks.losloop --root DIR`` runs ``tgst fit`` and ``tgst test`` with ``--config
losloop`` once per seed and writes ``losloop.json`` and ``losloop.md``: mean and standard deviation
of the test scores of the best checkpoint by validation, the baselines, and the time of each fit.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import machine

STEPS = (3, 6, 12)  # 15, 30 and 60 minutes


def tgst(command: str, root: Path, runs: Path, *more: str) -> None:
    arguments = [command, "--config", "losloop", "--root", str(root), "--runs", str(runs), *more]
    subprocess.run([sys.executable, "-m", "tgst.train.cli", *arguments], check=True)


def one_seed(seed: int, root: Path, runs: Path) -> dict[str, Any]:
    folder = runs / f"seed_{seed}"
    start = time.perf_counter()
    tgst("fit", root, folder, "--seed_everything", str(seed), "--data.seed", str(seed))
    minutes = (time.perf_counter() - start) / 60
    tgst("test", root, folder)
    found = folder.glob("losloop/version_*/scores.json")
    newest = max(found, key=lambda path: path.stat().st_mtime)
    return {"seed": seed, "fit_minutes": minutes, **json.loads(newest.read_text())}


def summary(results: list[dict[str, Any]]) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Return mean and standard deviation over seeds: model -> metric -> one entry per STEPS."""
    table: dict[str, dict[str, list[dict[str, float]]]] = {}
    for model, metrics in results[0]["scores"].items():
        table[model] = {}
        for metric in metrics:
            columns = [[r["scores"][model][metric][s - 1] for r in results] for s in STEPS]
            table[model][metric] = [
                {"mean": statistics.mean(c), "std": statistics.stdev(c) if len(c) > 1 else 0.0}
                for c in columns
            ]
    return table


def markdown(about: dict[str, Any], results: list[dict[str, Any]]) -> str:
    minutes = ", ".join(f"{r['fit_minutes']:.1f}" for r in results)
    packages = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        "# Los-loop, 12 steps in, 12 out",
        "",
        f"Test part (last 20 % in time), speeds in mph, mean ± standard deviation of "
        f"{len(results)} seeds ({', '.join(str(r['seed']) for r in results)}). "
        f"{about['hardware']}, {about['threads']} thread(s); {packages}; {about['date']}; "
        f"`{about['command']}`. Minutes per fit: {minutes}.",
        "",
        "| model | MAE 15 / 30 / 60 min | RMSE 15 / 30 / 60 min | MAPE 15 / 30 / 60 min, % |",
        "|---|---|---|---|",
    ]
    for model, metrics in summary(results).items():
        cells = (" / ".join(_cell(value) for value in metrics[m]) for m in ("mae", "rmse", "mape"))
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _cell(value: dict[str, float]) -> str:
    spread = f" ± {value['std']:.2f}" if value["std"] else ""
    return f"{value['mean']:.2f}{spread}"


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.losloop", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the data set's files")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=Path("runs/losloop_seeds"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args(arguments_given)
    seeds = [str(seed) for seed in arguments.seeds]
    command = ["python", "-m", "benchmarks.losloop", "--root", "DIR", "--seeds", *seeds]
    results = [one_seed(seed, arguments.root, arguments.runs) for seed in arguments.seeds]
    about = {**machine(), "command": shlex.join(command)}
    arguments.out.mkdir(parents=True, exist_ok=True)
    record = {**about, "steps": STEPS, "summary": summary(results), "runs": results}
    (arguments.out / "losloop.json").write_text(json.dumps(record, indent=1) + "\n")
    table = markdown(about, results)
    (arguments.out / "losloop.md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
