"""What each part of the Los-loop recipe is worth, on the validation part.

``python -m benchmarks.ablation --root DIR --distances FILE`` fits the shipped configuration, then
with one part left out or replaced at a time, and writes ``ablation.json`` and ``ablation.md``: the
smallest ``val/mae`` over the epochs (mean over all twelve steps). The test part is not read. FILE
is ``W_metrla.csv``, the road distances between the same sensors; without it the variants
on that graph are left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.seeds import cell, fit, newest, spread, write

MODEL = "--model.model.init_args"
# A width of 3,300 m keeps the 1,318 pairs within 5 km. The kernel's own width, the standard
# deviation of all 14,736 distances, keeps 234. The distances are the same both ways: there is no
# direction that DirectionPartition could tell.
ROADS = {"class_path": "tgst.transforms.GaussianKernel", "init_args": {"sigma": 3300.0}}
HOPS = {"class_path": "tgst.transforms.DistancePartition", "init_args": {"max_hop": 1}}
LAPLACIAN = {"class_path": "tgst.transforms.ScaledLaplacian"}


def transform(*steps: dict[str, Any]) -> str:
    return f"--data.transform={json.dumps(steps)}"


def learnt(edges: int) -> list[str]:
    return [f"{MODEL}.edge_importance=true", f"{MODEL}.num_edges={edges}"]


PARTITION = [f"{MODEL}.kernel=partition", f"{MODEL}.num_partitions=2"]  # itself, neighbours
VARIANTS: dict[str, list[str]] = {
    "the recipe": [],
    "head without the readings (skip: false)": [f"{MODEL}.skip=false"],
    "the same, output as a correction of the last reading": [
        f"{MODEL}.skip=false",
        f"{MODEL}.residual=true",
    ],
    "partition kernel, learnt edge weights": [transform(HOPS), *PARTITION, *learnt(2833)],
    "no averaged weights": ["--model.average=null"],
    "no time of day": ["--data.time_of_day=false", f"{MODEL}.in_channels=1"],
    "no neighbours (K: 1)": [f"{MODEL}.K=1"],
    "no dropout": [f"{MODEL}.dropout=0"],
    "the paper's variant": [f"{MODEL}.variant=paper"],
    "one scale for all sensors (norm: channel)": [f"{MODEL}.norm=channel"],
}
ON_ROADS: dict[str, list[str]] = {
    "graph of road distances": [transform(ROADS, LAPLACIAN)],
    "road distances, partition kernel, learnt edge weights": [
        transform(ROADS, HOPS),
        *PARTITION,
        *learnt(1525),
    ],
}


def variants(distances: Path | None) -> dict[str, list[str]]:
    """Return the arguments of every variant."""
    if distances is None:
        return VARIANTS
    file = f"--data.dataset_args={json.dumps({'distances': str(distances)})}"
    on_roads = {name: [file, *arguments] for name, arguments in ON_ROADS.items()}
    return {"the recipe": [], **on_roads} | VARIANTS


def best_validation(log: Path) -> tuple[float, int]:
    """Return the smallest ``val/mae`` of a run and its epoch."""
    with log.open() as lines:
        rows = [row for row in csv.DictReader(lines) if row["val/mae"]]
        found = [(float(row["val/mae"]), int(row["epoch"])) for row in rows]
    return min(found)


def one_variant(arguments: list[str], root: Path, folder: Path, seeds: Sequence[int]) -> dict:
    runs = []
    for seed in seeds:
        runs_folder = folder / f"seed_{seed}"
        minutes = fit("losloop", seed, root, runs_folder, *arguments)
        error, epoch = best_validation(newest("losloop/version_*/metrics.csv", runs_folder))
        runs.append({"seed": seed, "val_mae": error, "epoch": epoch, "fit_minutes": minutes})
    return {**spread([run["val_mae"] for run in runs]), "runs": runs}


def markdown(about: dict[str, Any], results: dict[str, dict[str, Any]]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        "# Los-loop recipe, one part changed at a time",
        "",
        f"Smallest MAE on the validation part over the epochs, mean over the 12 steps, mph; "
        f"{about['epochs']} epochs; seeds {', '.join(map(str, about['seeds']))}. "
        f"{about['hardware']}, {about['threads']} thread(s); {packages}; {about['date']}; "
        f"`{about['command']}`.",
        "",
        "| variant | validation MAE | difference |",
        "|---|---|---|",
    ]
    base = results.get("the recipe")
    for name, result in results.items():
        whole = base is None or base is result
        difference = "" if whole else f"{result['mean'] - base['mean']:+.2f}"
        lines.append(f"| {name} | {cell(result)} | {difference} |")
    return "\n".join([*lines, ""])


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ablation", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the data set's files")
    parser.add_argument("--distances", type=Path, help="W_metrla.csv, road distances")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=40, help="of every fit; the recipe has 40")
    parser.add_argument("--variants", nargs="+", metavar="NAME", help="measure only these")
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args(arguments_given)
    seeds = [str(seed) for seed in arguments.seeds]
    command = ["python", "-m", "benchmarks.ablation", "--root", "DIR"]
    if arguments.distances:
        command += ["--distances", "FILE"]
    command += ["--epochs", str(arguments.epochs)]
    about = {**machine(), "seeds": arguments.seeds, "epochs": arguments.epochs}
    command += ["--seeds", *seeds]
    if arguments.variants is not None:
        command += ["--variants", *arguments.variants]
    about["command"] = shlex.join(command)
    results = {}
    shown = variants(arguments.distances and Path("FILE"))  # without paths of the machine
    for name, options in variants(arguments.distances).items():
        if arguments.variants is not None and name not in arguments.variants:
            continue
        plain = "".join(c if c.isalnum() else "_" for c in name)
        folder = arguments.runs / f"{arguments.epochs}_epochs" / plain
        options = [*options, f"--trainer.max_epochs={arguments.epochs}"]
        result = one_variant(options, arguments.root, folder, arguments.seeds)
        results[name] = {"arguments": shown[name], **result}
        write("ablation", arguments.out, {**about, "variants": results}, markdown(about, results))


if __name__ == "__main__":
    main()
