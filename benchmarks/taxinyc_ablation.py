"""What each part of ST-ResNet and of the recipe is worth on TaxiNYC, on validation days.

``python -m benchmarks.taxinyc_ablation --root DIR`` fits the shipped configuration
``grid_taxinyc`` for few epochs, once per variant with one part changed, and writes
``taxinyc_ablation.json`` and ``taxinyc_ablation.md``: the RMSE on the 28 days before the test days
at the last epoch. A variant whose training collapses is reported as such. The test days are not
read.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.actions import last_validation
from benchmarks.machine import machine
from benchmarks.seeds import newest, write

CONFIG = "grid_taxinyc"
MODEL = "--model.model.init_args"


def model(**options: Any) -> list[str]:
    """Return arguments of the network."""
    return [f"{MODEL}.{name}={_text(value)}" for name, value in options.items()]


def data(**options: Any) -> list[str]:
    """Return arguments of the data."""
    return [f"--data.{name}={_text(value)}" for name, value in options.items()]


def branch(name: str, frames: int) -> list[str]:
    """Return arguments that give a branch another number of frames."""
    return [*model(**{name: frames}), *data(**{name: frames})]


def _text(value: Any) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


# group -> variant -> what differs from the shipped configuration
VARIANTS: dict[str, dict[str, list[str]]] = {
    "": {"shipped configuration": []},
    "branches": {
        "without closeness": branch("closeness", 0),
        "without period": branch("period", 0),
        "without trend": branch("trend", 0),
    },
    "external": {
        "without external": [*model(external_channels=0), *data(external=False)],
        "ReLU after both layers, as in the released code": model(external_activation="both"),
    },
    "fusion": {"sum instead of parametric": model(fusion="sum")},
    "depth": {
        "1 unit": model(num_units=1),
        "4 units": model(num_units=4),
        "one convolution per unit": model(convs_per_unit=1),
        "no residual": model(residual=False),
        "batch normalisation": model(batch_norm=True),
    },
    "not in the paper": {
        "without learnt planes": model(position_channels=0),
        "without the linear map in each cell": model(cell_linear=False),
        "the linear map and the external part alone": model(num_units=1, hidden_channels=1),
        "without changes as input": [*model(in_channels=2), *data(changes=False)],
        "loss in scaled units": ["--model.loss_unit=scaled"],
        "forecast itself, not its change": data(reference="none"),
    },
    "scaling": {
        "one scale for all cells": [
            *data(**{"scaling.per": "all"}),
            *data(**{"change_scaling.per": "all"}),
        ],
        "published: one min-max, tanh, no reference": [
            *model(output_activation="tanh", in_channels=2, position_channels=0),
            *model(external_activation="both", cell_linear=False, zero_start=False),
            *data(reference="none", changes=False, scaling="{method: min_max}"),
            *data(change_scaling=None),
            "--model.loss_unit=scaled",
        ],
    },
}


def one_variant(
    name: str, more: Sequence[str], seed: int, epochs: int, root: Path, runs: Path
) -> dict[str, Any]:
    """Fit one variant and return the error on the validation days, or what stopped it."""
    folder = runs / re.sub(r"\W+", "_", name)
    command = [sys.executable, "-m", "tgst.train.cli", "fit", "--config", CONFIG]
    command += ["--root", str(root), "--runs", str(folder), "--seed_everything", str(seed)]
    command += [f"--trainer.max_epochs={epochs}", *more]
    start = time.perf_counter()
    ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    result: dict[str, Any] = {"minutes": (time.perf_counter() - start) / 60}
    if ended.returncode:
        found = re.search(r"training has collapsed in epoch.*?(?=\. To change)", ended.stderr)
        if found is None:
            raise RuntimeError(ended.stderr)
        return {**result, "collapse": found.group()}
    log = newest(f"{CONFIG}/version_*/metrics.csv", folder)
    weights = newest(f"{CONFIG}/version_*/checkpoints/last.ckpt", folder)
    state = torch.load(weights, map_location="cpu", weights_only=True)["state_dict"]
    numbers = sum(value.numel() for key, value in state.items() if key.startswith("model."))
    return {**result, "rmse": last_validation(log, "val/rmse"), "numbers": numbers}


def table(about: dict[str, Any], results: dict[str, dict[str, dict[str, Any]]]) -> str:
    """Return the errors as Markdown."""
    packages = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        "# TaxiNYC, one part changed at a time",
        "",
        "RMSE in trips per hour over all cells and both flows on the 28 days before the test days, "
        f"at the last of {about['epochs']} epochs, seed {about['seed']}, otherwise as `{CONFIG}`. "
        f"{about['hardware']}, {about['threads']} thread(s); {packages}; {about['date']}; "
        f"`{about['command']}`.",
        "",
        "| part | variant | RMSE | numbers in the checkpoint | minutes |",
        "|---|---|---|---|---|",
    ]
    for group, variants in results.items():
        for name, result in variants.items():
            score = f"{result['rmse']:.2f}" if "rmse" in result else f"- ({result['collapse']})"
            numbers = f"{result['numbers']:,}" if "numbers" in result else "-"
            cells = [group, name, score, numbers, f"{result['minutes']:.1f}"]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.taxinyc_ablation", description=__doc__
    )
    parser.add_argument("--root", type=Path, required=True, help="folder of the data set's files")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=Path("runs/taxinyc_ablation"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args(arguments_given)
    epochs, seed, root, runs = arguments.epochs, arguments.seed, arguments.root, arguments.runs
    command = ["python", "-m", "benchmarks.taxinyc_ablation", "--root", "DIR"]
    command += ["--epochs", str(epochs), "--seed", str(seed)]
    results = {
        group: {
            name: one_variant(name, more, seed, epochs, root, runs)
            for name, more in variants.items()
        }
        for group, variants in VARIANTS.items()
    }
    about = {**machine(), "command": shlex.join(command), "epochs": epochs, "seed": seed}
    write("taxinyc_ablation", arguments.out, {**about, "results": results}, table(about, results))


if __name__ == "__main__":
    main()
