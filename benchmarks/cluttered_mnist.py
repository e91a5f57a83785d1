"""Cluttered MNIST: a plain CNN against a smaller network with a spatial transformer, over seeds.

``python -m benchmarks.cluttered_mnist --root DIR`` fits the two shipped configurations on all
training images once per seed, tests the weights of the last epoch, and writes
``cluttered_mnist.json``, ``cluttered_mnist.md``, ``cluttered_mnist_boxes.png`` (what the
transformer of the first seed looks at) and ``cluttered_mnist_training.gif`` (how it came to look
there).
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from jsonargparse import ArgumentParser

from benchmarks.actions import one_seed, summary
from benchmarks.machine import machine
from benchmarks.seeds import newest, origin, write
from tgst.datasets import ClutteredMNIST
from tgst.nn.models import ImageClassifier
from tgst.train import ImageTask
from tgst.train.config_files import config_path
from tgst.visualize import animate_warp, plot_warp

CONFIGS = {
    "cluttered_mnist_cnn": "plain CNN",
    "cluttered_mnist_stn": "spatial transformer + CNN",
}
SHOWN, ANIMATED = 6, 3  # images in the picture and in the animation
EPOCHS_PER_FRAME = 2  # the animation stays small


def checkpoint(config: str, seed: int, runs: Path) -> Path:
    """Return the file of the last epoch of a fit."""
    return newest(f"{config}/version_*/checkpoints/last.ckpt", runs / config / f"seed_{seed}")


def network(config: str, seed: int, runs: Path) -> ImageClassifier:
    """Return a fitted network with the weights that were tested."""
    settings = yaml.safe_load(Path(config_path(config)).read_text())["model"]["model"]
    parser = ArgumentParser()
    parser.add_argument("--model", type=torch.nn.Module)
    model = parser.instantiate(parser.parse_object({"model": settings})).model
    path = checkpoint(config, seed, runs)
    task = ImageTask.load_from_checkpoint(path, model=model, weights_only=True).eval()
    return task.used_model


def num_parameters(model: torch.nn.Module) -> int:
    """Return the number of numbers that are learnt."""
    return sum(parameter.numel() for parameter in model.parameters())


def error(result: dict[str, Any], name: str = "accuracy") -> str:
    """Return the share of wrong answers in percent, with its spread."""
    return f"{100 * (1 - result[name]['mean']):.2f} ± {100 * result[name]['std']:.2f}"


def table(about: dict[str, Any], results: dict[str, Any]) -> str:
    """Return the test errors and sizes as Markdown."""
    seeds = [str(run["seed"]) for run in next(iter(results.values()))["runs"]]
    lines = ["# Cluttered MNIST, 40 x 40: test error in percent at the last epoch", ""]
    lines += [f"| network | parameters | {' | '.join(f'seed {s}' for s in seeds)} | mean |"]
    lines += ["|---" * (3 + len(seeds)) + "|"]
    for name, result in results.items():
        runs = [f"{100 * (1 - run['scores']['accuracy']):.2f}" for run in result["runs"]]
        cells = [CONFIGS[name], f"{result['parameters']:,}", *runs, error(result["summary"])]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "10,000 training images, 1,000 test images (`X_valid`)."]
    for name, result in results.items():
        lines += [f"`{name}`: {origin(about, result['runs'])}", ""]
    return "\n".join(lines)


def draw(model: ImageClassifier, root: Path, recorded: Path, out: Path) -> None:
    """Draw what a transformer looks at in test images, and the transforms during the training."""
    images = torch.stack([ClutteredMNIST(root, part="test")[i][0] for i in range(SHOWN)])
    with torch.no_grad():
        theta = model.transform(images)
    layer = model.transformer
    plot_warp(images, theta, layer).savefig(out / "cluttered_mnist_boxes.png", dpi=70)
    with np.load(recorded, allow_pickle=False) as record:
        titles = [f"epoch {number}" for number in record["epoch"][::EPOCHS_PER_FRAME]]
        images = record["images"][:ANIMATED]
        theta = record["theta"][::EPOCHS_PER_FRAME, :ANIMATED]
    path = out / "cluttered_mnist_training.gif"
    animate_warp(images, theta, layer, titles=titles, path=path)


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cluttered_mnist", description=__doc__
    )
    parser.add_argument("--root", type=Path, required=True, help="folder of the data set's file")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, default=Path("runs/cluttered_mnist"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args(arguments_given)
    root, runs, seeds = arguments.root, arguments.runs, arguments.seeds
    command = ["python", "-m", "benchmarks.cluttered_mnist", "--root", "DIR"]
    command += ["--seeds", *map(str, seeds)]
    results: dict[str, Any] = {}
    for config in CONFIGS:
        fits = [one_seed(config, seed, root, runs / config) for seed in seeds]
        parameters = num_parameters(network(config, seeds[0], runs))
        results[config] = {"parameters": parameters, "summary": summary(fits), "runs": fits}
    about = {**machine(), "command": shlex.join(command)}
    write("cluttered_mnist", arguments.out, {**about, "results": results}, table(about, results))
    config = "cluttered_mnist_stn"
    recorded = checkpoint(config, seeds[0], runs).parents[1] / "transforms.npz"
    draw(network(config, seeds[0], runs), root, recorded, arguments.out)


if __name__ == "__main__":
    main()
