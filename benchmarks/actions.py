"""Test accuracy of a shipped skeleton configuration at the last epoch, over seeds.

``python -m benchmarks.actions --config skeleton_msr --root DIR`` fits the configuration on all
training subjects once per seed, tests the weights of the last epoch, and writes
``skeleton_msr.json`` and ``skeleton_msr.md``. With ``--held_out "1 3" "5 7" 9`` it fits once per
group of training subjects instead, without them, and scores those: the protocol by which the recipe
was chosen. The test subjects are not read then.
"""

from __future__ import annotations

import argparse
import csv
import json
import shlex
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.seeds import fit, newest, origin, spread, tgst, write

CONFIGS = ("skeleton_msr", "skeleton_utkinect")


def one_seed(config: str, seed: int, root: Path, runs: Path, *more: str) -> dict[str, Any]:
    """Fit on all training subjects and test the last epoch."""
    folder = runs / f"seed_{seed}"
    minutes = fit(config, seed, root, folder, *more)
    tgst("test", config, root, folder, "--ckpt_path", "last", *more)
    scores = json.loads(newest(f"{config}/version_*/scores.json", folder).read_text())
    scores.pop("checkpoint")
    return {"seed": seed, "fit_minutes": minutes, **scores}


def last_validation(log: Path, metric: str = "val/accuracy") -> float:
    """Return a validation score of the last epoch."""
    with log.open() as lines:
        return [float(row[metric]) for row in csv.DictReader(lines) if row[metric]][-1]


def one_group(
    config: str, group: str, seed: int, root: Path, runs: Path, *more: str
) -> dict[str, Any]:
    """Fit without a group of training subjects and score it at the last epoch."""
    folder = runs / f"without_{group.replace(' ', '_')}" / f"seed_{seed}"
    held_out = f"--data.validation_subjects=[{', '.join(group.split())}]"
    minutes = fit(config, seed, root, folder, held_out, *more)
    accuracy = last_validation(newest(f"{config}/version_*/metrics.csv", folder))
    return {"held_out": group, "seed": seed, "fit_minutes": minutes, "accuracy": accuracy}


def seeds_table(config: str, about: dict[str, Any], runs: list[dict[str, Any]]) -> str:
    lines = [f"# {config}: test accuracy at the last epoch", ""]
    lines += [f"{runs[0]['clips']} clips of the test subjects, {origin(about, runs)}", ""]
    names = list(runs[0]["scores"])
    lines += [f"| seed | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|"]
    for run in runs:
        cells = " | ".join(f"{run['scores'][name]:.4f}" for name in names)
        lines.append(f"| {run['seed']} | {cells} |")
    means = summary(runs)
    cells = " | ".join(f"{means[n]['mean']:.4f} ± {means[n]['std']:.4f}" for n in names)
    lines += [f"| mean | {cells} |", ""]
    return "\n".join(lines)


def summary(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Return mean and standard deviation of every score over the seeds."""
    names = runs[0]["scores"]
    return {name: spread([run["scores"][name] for run in runs]) for name in names}


def groups_table(config: str, about: dict[str, Any], runs: list[dict[str, Any]]) -> str:
    lines = [f"# {config}: validation accuracy at the last epoch", ""]
    lines += [f"Training subjects held out in turn, {origin(about, runs)}", ""]
    lines += ["| held out | seed | accuracy |", "|---|---|---|"]
    lines += [f"| {run['held_out']} | {run['seed']} | {run['accuracy']:.4f} |" for run in runs]
    mean = statistics.mean(run["accuracy"] for run in runs)
    return "\n".join([*lines, f"| mean | | {mean:.4f} |", ""])


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.actions", description=__doc__)
    parser.add_argument("--config", choices=CONFIGS, required=True)
    parser.add_argument("--root", type=Path, required=True, help="folder of the data set's files")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--held_out", nargs="+", metavar="SUBJECTS", help="groups, as in the text")
    parser.add_argument("--runs", type=Path, default=Path("runs/actions"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args(arguments_given)
    config, root, runs = arguments.config, arguments.root, arguments.runs
    command = ["python", "-m", "benchmarks.actions", "--config", config, "--root", "DIR"]
    command += ["--seeds", *map(str, arguments.seeds)]
    name, table = config, seeds_table
    if arguments.held_out:
        command += ["--held_out", *arguments.held_out]
        name, table = f"{config}_validation", groups_table
        pairs = [(group, seed) for group in arguments.held_out for seed in arguments.seeds]
        results = [one_group(config, group, seed, root, runs) for group, seed in pairs]
    else:
        results = [one_seed(config, seed, root, runs) for seed in arguments.seeds]
    about = {**machine(), "command": shlex.join(command)}
    record = {**about, "runs": results}
    if not arguments.held_out:
        record["summary"] = summary(results)
    write(name, arguments.out, record, table(config, about, results))


if __name__ == "__main__":
    main()
