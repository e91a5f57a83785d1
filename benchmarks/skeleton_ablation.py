"""What partition, importance and normalisation are worth on MSR-Action3D, on validation subjects.

``python -m benchmarks.skeleton_ablation --root DIR`` fits the second network of the shipped
configuration ``skeleton_msr`` (bones and their motion) for few epochs, once per variant and group
of held-out training subjects, and writes ``skeleton_ablation.json`` and ``skeleton_ablation.md``:
the accuracy at the last epoch over the clips of all groups. Only partition, edge importance and
normalisation differ; the test subjects are not read.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.actions import one_group
from benchmarks.machine import machine
from benchmarks.seeds import write
from tgst.datasets import MSRAction3D
from tgst.train.config_files import config_path

CONFIG = "skeleton_msr"
GROUPS = ("1 3", "5 7", "9")
CENTER = 3


def partition(name: str, **arguments: Any) -> dict[str, Any]:
    return {"class_path": f"tgst.transforms.{name}", "init_args": arguments}


def spatial(**arguments: Any) -> dict[str, Any]:
    return partition("SpatialPartition", center=CENTER, **arguments)


# name: (partition, number of its labels, whether edges have a learnt importance)
VARIANTS: dict[str, tuple[dict[str, Any], int, bool]] = {
    "uniform": (partition("UniformPartition"), 1, False),
    "distance": (partition("DistancePartition"), 2, False),
    "spatial": (spatial(), 3, False),
    "spatial + importance": (spatial(), 3, True),
    "spatial, truncated distance": (spatial(hop_distance="truncated"), 3, False),
    "spatial, truncated distance + importance": (spatial(hop_distance="truncated"), 3, True),
    "spatial, symmetric normalisation": (spatial(normalize="symmetric"), 3, False),
    "spatial, symmetric normalisation + importance": (spatial(normalize="symmetric"), 3, True),
}


def settings(name: str, epochs: int) -> list[str]:
    """Return the arguments of one variant: one network, its graph, and the budget."""
    graph, num_partitions, importance = VARIANTS[name]
    recipe = yaml.safe_load(Path(config_path(CONFIG)).read_text())["model"]["model"]["init_args"]
    network = recipe["models"][1]
    network["init_args"]["num_partitions"] = num_partitions
    if not importance:
        network["init_args"]["num_edges"] = None
    fusion = {"models": [network], "channels": recipe["channels"][1:]}
    model = {"class_path": "tgst.nn.models.LateFusion", "init_args": fusion}
    return [
        f"--model.model={json.dumps(model)}",
        f"--data.partition={json.dumps(graph)}",
        f"--trainer.max_epochs={epochs}",
    ]


def pooled(runs: Sequence[dict[str, Any]], clips: dict[str, int]) -> float:
    """Return the share of right answers over the clips of all groups."""
    right = sum(run["accuracy"] * clips[run["held_out"]] for run in runs)
    return right / sum(clips[run["held_out"]] for run in runs)


def markdown(about: dict[str, Any], results: dict[str, dict[str, Any]]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        "# MSR-Action3D, one part changed at a time",
        "",
        f"Validation accuracy at the last epoch, one network, {about['epochs']} epochs, seed "
        f"{about['seed']}, training subjects held out in turn ({'; '.join(GROUPS)}: "
        f"{sum(about['clips'].values())} clips). {about['hardware']}, {about['threads']} "
        f"thread(s); {packages}; {about['date']}; `{about['command']}`.",
        "",
        f"| variant | {' | '.join(GROUPS)} | all clips |",
        "|---" * (2 + len(GROUPS)) + "|",
    ]
    for name, result in results.items():
        cells = " | ".join(f"{run['accuracy']:.3f}" for run in result["runs"])
        lines.append(f"| {name} | {cells} | {result['accuracy']:.3f} |")
    return "\n".join([*lines, ""])


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.skeleton_ablation", description=__doc__
    )
    parser.add_argument("--root", type=Path, required=True, help="folder of the data set's files")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=Path("runs/skeleton_ablation"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args(arguments_given)
    epochs, seed = arguments.epochs, arguments.seed
    command = ["python", "-m", "benchmarks.skeleton_ablation", "--root", "DIR"]
    command += ["--epochs", str(epochs), "--seed", str(seed)]
    clips = {
        group: len(MSRAction3D(arguments.root, subjects=[int(s) for s in group.split()]))
        for group in GROUPS
    }
    about = {**machine(), "epochs": epochs, "seed": seed, "clips": clips}
    about["command"] = shlex.join(command)
    results: dict[str, dict[str, Any]] = {}
    for name in VARIANTS:
        plain = "".join(c if c.isalnum() else "_" for c in name)
        folder = arguments.runs / f"{epochs}_epochs" / plain
        options = settings(name, epochs)
        runs = [one_group(CONFIG, g, seed, arguments.root, folder, *options) for g in GROUPS]
        results[name] = {"accuracy": pooled(runs, clips), "runs": runs}
        record = {**about, "variants": results}
        write("skeleton_ablation", arguments.out, record, markdown(about, results))


if __name__ == "__main__":
    main()
