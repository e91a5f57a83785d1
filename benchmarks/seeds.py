"""Fits and tests a shipped configuration, over seeds."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MINUTES = "fit_minutes.txt"


def tgst(command: str, config: str, root: Path, runs: Path, *more: str) -> None:
    """Run one command of the command line; it raises if the command fails."""
    arguments = [command, "--config", config, "--root", str(root), "--runs", str(runs), *more]
    subprocess.run([sys.executable, "-m", "tgst.train.cli", *arguments], check=True)


def newest(pattern: str, folder: Path) -> Path:
    """Return the file that was written last."""
    return max(folder.glob(pattern), key=lambda path: path.stat().st_mtime)


def fit(config: str, seed: int, root: Path, folder: Path, *more: str) -> float:
    """Fit with one seed and return the minutes it took. They stay beside the run, which is then
    complete and not fitted again: a benchmark of hours goes on where it stopped.
    """
    if (folder / MINUTES).is_file():
        return float((folder / MINUTES).read_text())
    start = time.perf_counter()
    seeds = ("--seed_everything", str(seed), "--data.seed", str(seed))
    tgst("fit", config, root, folder, *seeds, *more)
    minutes = (time.perf_counter() - start) / 60
    (folder / MINUTES).write_text(f"{minutes}\n")
    return minutes


def one_seed(config: str, seed: int, root: Path, runs: Path, *more: str) -> dict[str, Any]:
    """Fit, test the best epoch by validation, and return minutes and scores."""
    folder = runs / f"seed_{seed}"
    minutes = fit(config, seed, root, folder, *more)
    tgst("test", config, root, folder, *more)
    scores = newest(f"{config}/version_*/scores.json", folder)
    return {"seed": seed, "fit_minutes": minutes, **json.loads(scores.read_text())}


def summary(
    results: list[dict[str, Any]], steps: Sequence[int]
) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Return mean and standard deviation over seeds: model -> metric -> one entry per step."""
    table: dict[str, dict[str, list[dict[str, float]]]] = {}
    for model, metrics in results[0]["scores"].items():
        table[model] = {}
        for metric in metrics:
            columns = [[r["scores"][model][metric][s - 1] for r in results] for s in steps]
            table[model][metric] = [spread(column) for column in columns]
    return table


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return mean and sample standard deviation, 0 of a single value."""
    std = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.mean(values), "std": std}


def cell(value: dict[str, float]) -> str:
    """Return ``mean ± std`` with two decimals."""
    return f"{value['mean']:.2f}" + (f" ± {value['std']:.2f}" if value["std"] else "")


def rows(results: list[dict[str, Any]], steps: Sequence[int]) -> list[str]:
    """Return a Markdown table row per model: MAE, RMSE and MAPE at the steps."""
    lines = []
    for model, metrics in summary(results, steps).items():
        cells = (" / ".join(map(cell, metrics[metric])) for metric in ("mae", "rmse", "mape"))
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return lines


def origin(about: dict[str, Any], results: list[dict[str, Any]]) -> str:
    """Return a sentence: seeds, hardware, versions, date, command and minutes per fit."""
    minutes = ", ".join(f"{r['fit_minutes']:.1f}" for r in results)
    packages = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return (
        f"mean ± standard deviation of {len(results)} seeds "
        f"({', '.join(str(r['seed']) for r in results)}). {about['hardware']}, "
        f"{about['threads']} thread(s); {packages}; {about['date']}; `{about['command']}`. "
        f"Minutes per fit: {minutes}."
    )


def write(name: str, folder: Path, record: dict[str, Any], table: str) -> None:
    """Write ``name.json`` and ``name.md``, and print the table."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    (folder / f"{name}.md").write_text(table)
    print(table)
