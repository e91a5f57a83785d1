"""Every family of warps in the same network on cluttered MNIST, on held-out training images.

``python -m benchmarks.warp_families --root DIR`` fits the shipped configuration
``cluttered_mnist_stn`` for few epochs, once per family and once without a transformer, and writes
``warp_families.json`` and ``warp_families.md``. Only the family and the number of its parameters
differ; the test images are not read.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import yaml

from benchmarks.actions import last_validation
from benchmarks.machine import machine
from benchmarks.seeds import fit, newest, write
from tgst.nn import warp
from tgst.train.config_files import config_path

CONFIG = "cluttered_mnist_stn"
SHARE = 0.15  # of the training images, held out
# name: (class, its arguments, what it may do)
FAMILIES: dict[str, tuple[str, dict[str, Any], str]] = {
    "none": ("", {}, "the CNN alone, on the whole image averaged to half the side"),
    "translation": ("Translation", {}, "shift of a window as large as the image"),
    "attention, scale 0.5": ("Attention", {"scale": 0.5}, "shift of a window half as large"),
    "attention": ("Attention", {}, "shift and one scale"),
    "scale + translation": ("ScaleTranslation", {}, "shift and a scale for each direction"),
    "similarity": ("Similarity", {}, "shift, scale and turn"),
    "affine": ("Affine", {}, "shift, scales, turn and shear"),
    "projective": ("Projective", {}, "affine and perspective"),
    "thin-plate spline, 4 x 4": ("ThinPlateSpline", {"points": 4}, "16 points that move freely"),
}


def model_settings(name: str) -> dict[str, Any]:
    """Return the network of the configuration with another family of warps."""
    model = yaml.safe_load(Path(config_path(CONFIG)).read_text())["model"]["model"]
    family, arguments, _ = FAMILIES[name]
    options = model["init_args"]
    if not family:
        del options["transformer"]
        options["downsample"] = 2  # as many pixels for the CNN as the transformer gives it
        return model
    layer = options["transformer"]["init_args"]
    layer["warp"] = {"class_path": f"tgst.nn.warp.{family}", "init_args": arguments}
    layer["localization"]["init_args"]["num_classes"] = num_params(name)
    return model


def num_params(name: str) -> int:
    """Return the number of parameters of a family."""
    family, arguments, _ = FAMILIES[name]
    return getattr(warp, family)(**arguments).num_params if family else 0


def one_family(name: str, seed: int, epochs: int, root: Path, runs: Path) -> dict[str, Any]:
    """Fit with one family and score the held-out images at the last epoch."""
    folder = runs / name.replace(" ", "_").replace(",", "")
    more = [
        f"--model.model={json.dumps(model_settings(name))}",
        f"--trainer.max_epochs={epochs}",
        f"--data.validation_share={SHARE}",
    ]
    if name == "none":
        more.append("--trainer.callbacks=null")  # nothing to record
    minutes = fit(CONFIG, seed, root, folder, *more)
    run = newest(f"{CONFIG}/version_*/checkpoints/last.ckpt", folder)
    weights = torch.load(run, map_location="cpu", weights_only=True)["state_dict"]
    trained = sum(w.numel() for key, w in weights.items() if key.startswith("model."))
    accuracy = last_validation(run.parents[1] / "metrics.csv")
    return {"accuracy": accuracy, "minutes": minutes, "numbers_in_checkpoint": trained}


def table(about: dict[str, Any], results: dict[str, dict[str, Any]]) -> str:
    """Return the errors as Markdown."""
    packages = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        "# Warp families on cluttered MNIST",
        "",
        f"Error in percent on {SHARE:.0%} of the training images, held out, at the last of "
        f"{about['epochs']} epochs, seed {about['seed']}, otherwise as `{CONFIG}`. One seed: "
        "differences of half a percent are noise. "
        f"{about['hardware']}, {about['threads']} thread(s); {packages}; {about['date']}; "
        f"`{about['command']}`.",
        "",
        "| warp | parameters | what it may do | error | minutes |",
        "|---|---|---|---|---|",
    ]
    for name, result in results.items():
        cells = [name, str(num_params(name)), FAMILIES[name][2]]
        cells += [f"{100 * (1 - result['accuracy']):.2f}", f"{result['minutes']:.1f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", "`Affine3d` is for volumes and has no place here.", ""])


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.warp_families", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the data set's file")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path, default=Path("runs/warp_families"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args(arguments_given)
    epochs, seed = arguments.epochs, arguments.seed
    command = ["python", "-m", "benchmarks.warp_families", "--root", "DIR"]
    command += ["--epochs", str(epochs), "--seed", str(seed)]
    results = {
        name: one_family(name, seed, epochs, arguments.root, arguments.runs) for name in FAMILIES
    }
    about = {**machine(), "command": shlex.join(command), "epochs": epochs, "seed": seed}
    write("warp_families", arguments.out, {**about, "results": results}, table(about, results))


if __name__ == "__main__":
    main()
