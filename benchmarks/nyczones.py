"""Test scores of the shipped NYC zones configuration, over seeds, and what 2020 does to them.

``python -m benchmarks.nyczones --root DIR`` fits ``--config nyczones`` on 2019 once per mode and
seed and writes ``nyczones.json`` and ``nyczones.md``: the test scores of the best checkpoint by
validation beside the baselines, and the errors of the same checkpoints on the months of 2020, of
which neither a model nor a baseline has seen anything in training.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from benchmarks.machine import machine
from benchmarks.seeds import cell, newest, one_seed, origin, rows, spread, summary, write
from tgst.data import Series, split_rows, window_starts
from tgst.datasets import NYCZones
from tgst.loader import WindowBatch
from tgst.loader.window_dataset import WindowDataset
from tgst.nn.models import TrafficSTGCN
from tgst.train import ForecastTask
from tgst.train.baselines import HistoricalMean, LastValue, baseline_scores
from tgst.train.seasonal import WEEK, SeasonalLag

MODES = ("bike", "taxi")
PERIODS = ("2020-01", "2020-03", "2020-04", "2020-07", "2020-10", "2021-01")
HISTORY, HORIZON, BATCH = 12, 1, 256


class Forecast:
    """The model of a checkpoint in the form of a baseline."""

    def __init__(self, checkpoint: Path):
        settings = yaml.safe_load((checkpoint.parents[1] / "config.yaml").read_text())
        model = TrafficSTGCN(**settings["model"]["model"]["init_args"])
        average = settings["model"]["average"]
        self.task = ForecastTask.load_from_checkpoint(
            checkpoint, model=model, average=average, map_location="cpu", weights_only=True
        ).eval()

    @torch.no_grad()
    def predict(self, batch: WindowBatch) -> torch.Tensor:
        """Forecast a batch."""
        return self.task(batch)


def batches(series: Series, first: str, last: str) -> Iterator[WindowBatch]:
    """Windows whose target lies in the months from ``first`` to before ``last``."""
    starts = window_starts(series, HISTORY, HORIZON)
    moments = series.timestamps[starts + HISTORY]
    inside = (moments >= np.datetime64(first)) & (moments < np.datetime64(last))
    starts = starts[inside]
    dataset = WindowDataset(series, starts, HISTORY, HORIZON, time_of_day=True, day_of_week=True)
    for begin in range(0, len(starts), BATCH):
        yield dataset.__getitems__(range(begin, min(begin + BATCH, len(starts))))


def shift(mode: str, root: Path, runs: Path, seeds: Sequence[int]) -> dict[str, dict[str, Any]]:
    """MAE by period and model: of the checkpoints and of baselines fitted on the same rows."""
    series = NYCZones(root, mode, year=None).series
    train = split_rows(NYCZones(root, mode, year=2019).series.num_steps)["train"]
    models: dict[str, Any] = {
        "last value": LastValue(),
        "historical mean of the weekday": HistoricalMean(by_weekday=True),
        "same hour last week": SeasonalLag(WEEK),
    }
    for baseline in models.values():
        baseline.fit(series, train.stop)
    for seed in seeds:
        folder = runs / mode / f"seed_{seed}"
        checkpoint = newest("nyczones/version_*/checkpoints/best.ckpt", folder)
        models[f"seed {seed}"] = Forecast(checkpoint)
    table = {}
    for first, last in pairwise(PERIODS):
        scores = baseline_scores(batches(series, first, last), models)
        errors = {name: float(metrics["mae"][0]) for name, metrics in scores.items()}
        ours = spread([errors.pop(f"seed {seed}") for seed in seeds])
        constant = {name: {"mean": error, "std": 0.0} for name, error in errors.items()}
        period = f"{first} to {np.datetime64(last) - np.timedelta64(1, 'M')}"
        table[period] = {"TrafficSTGCN": ours, **constant}
    return table


def markdown(
    about: dict[str, Any],
    results: dict[str, list[dict[str, Any]]],
    shifts: dict[str, dict[str, dict[str, Any]]],
) -> str:
    lines = ["# NYC zones 2019, 12 hours in, one hour ahead", ""]
    for mode, runs in results.items():
        lines += [
            f"## {mode}",
            "",
            f"Test part (last 20 % of 2019), trips per hour, {origin(about, runs)}",
            "",
            "| model | MAE | RMSE | MAPE, % |",
            "|---|---|---|---|",
            *rows(runs, [1]),
            "",
        ]
    lines += [
        "## The shift of 2020",
        "",
        "MAE of the same models, trained on the first 70 % of 2019, on the months of 2020.",
    ]
    for mode, table in shifts.items():
        names = list(next(iter(table.values())))
        lines += ["", f"| {mode} | {' | '.join(names)} |", "|---" * (1 + len(names)) + "|"]
        for period, errors in table.items():
            lines.append(f"| {period} | {' | '.join(map(cell, errors.values()))} |")
    return "\n".join([*lines, ""])


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.nyczones", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the data set's files")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--modes", nargs="+", choices=MODES, default=MODES)
    parser.add_argument("--runs", type=Path, default=Path("runs/nyczones_seeds"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args(arguments_given)
    root, runs, seeds = arguments.root, arguments.runs, arguments.seeds
    results, shifts = {}, {}
    for mode in arguments.modes:
        option = ("--data.dataset_args.mode", mode)
        results[mode] = [one_seed("nyczones", seed, root, runs / mode, *option) for seed in seeds]
        shifts[mode] = shift(mode, root, runs, seeds)
    command = ["python", "-m", "benchmarks.nyczones", "--root", "DIR", "--seeds", *map(str, seeds)]
    about = {**machine(), "command": shlex.join(command)}
    means = {mode: summary(each, [1]) for mode, each in results.items()}
    record = {**about, "summary": means, "shift": shifts, "runs": results}
    write("nyczones", arguments.out, record, markdown(about, results, shifts))


if __name__ == "__main__":
    main()
