r"""``tgst demo``: the whole way from readings to scores, forecasts and plots."""

from __future__ import annotations

import argparse
from itertools import islice
from pathlib import Path

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from tgst.loader import WindowBatch
from tgst.train.checkpoint import AtomicCheckpointIO
from tgst.train.data_module import ForecastData
from tgst.train.forecast_cli import ForecastCLI
from tgst.train.forecast_writer import ForecastWriter
from tgst.train.scores import (
    model_and_baseline_scores,
    step_minutes,
    table_of_scores,
    write_scores,
)
from tgst.train.task import ForecastTask
from tgst.visualize import plot_forecast, plot_network

__all__ = ["run_demo"]

CONFIGS = {"simulated": "demo", "losloop": "losloop"}


def run_demo(options: argparse.Namespace) -> Path:
    r"""Trains, tests and predicts with a shipped configuration, and draws two plots.

    Args:
        options: ``dataset``, ``root``, ``out``, ``epochs`` and ``seed`` of the command line.

    Returns:
        The run's folder with ``checkpoints/best.ckpt``, ``scores.json``, ``scores.md``,
        ``forecasts.csv``, ``forecast.png`` and ``network.png``.
    """
    cli = ForecastCLI(fit_arguments(options))
    task, data, folder = cli.model, cli.datamodule, cli.run_folder
    best = folder / "checkpoints" / "best.ckpt"
    writer = ForecastWriter(folder / "forecasts.csv")
    trainer = Trainer(
        devices=1,
        logger=False,
        callbacks=[writer],
        plugins=[AtomicCheckpointIO()],
        enable_checkpointing=False,
        default_root_dir=str(folder),
    )
    trainer.test(task, datamodule=data, ckpt_path=str(best), verbose=False)
    trainer.predict(task, datamodule=data, ckpt_path=str(best), return_predictions=False)
    scores = model_and_baseline_scores(task, data)
    print(f"\n{table_of_scores(task, data, scores)}\n")
    write_scores(task, data, folder, scores)
    plots = draw_plots(task, data, scores, folder)
    lines = {
        "best checkpoint": best,
        "forecasts": writer.path,
        "scores": folder / "scores.json",
        "forecast plot": plots[0],
        "network plot": plots[1],
    }
    for name, path in lines.items():
        print(f"{name + ':':17}{path}")
    return folder


def fit_arguments(options: argparse.Namespace) -> list[str]:
    r"""The command line of the demo's fit.

    Args:
        options: Those of the demo.

    Raises:
        ValueError: If ``epochs`` is not positive.
    """
    arguments = ["fit", "--config", CONFIGS[options.dataset], "--runs", options.out]
    arguments += ["--seed_everything", str(options.seed)]
    if options.root is not None:
        arguments += ["--root", options.root]
    if options.epochs is not None:
        if options.epochs < 1:
            raise ValueError(f"--epochs must be at least 1, got {options.epochs}")
        arguments += ["--trainer.max_epochs", str(options.epochs)]
    return arguments


def draw_plots(
    task: ForecastTask,
    data: ForecastData,
    scores: dict[str, dict[str, Tensor]],
    folder: Path,
) -> tuple[Path, Path]:
    r"""Draws forecast against truth and the network coloured by error.

    Args:
        task: A trained task.
        data: Its data.
        scores: Test scores by model and metric.
        folder: Where the plots go.

    Returns:
        The files of the two plots.
    """
    error = node_errors(task, data)
    prediction, rows = first_day(task, data)
    forecast = plot_forecast(
        data.series.timestamps,
        data.series.values[..., data.target_index[0]],
        prediction,
        rows,
        {name: metrics["mae"] for name, metrics in scores.items()},
        mask=data.series.mask,
        nodes=_spread(error),
        node_id=data.series.node_id,
        step_minutes=step_minutes(data),
        quantity=data.target_names[0],
        unit=data.unit,
    )
    paths = folder / "forecast.png", folder / "network.png"
    forecast.savefig(paths[0], dpi=120)
    network = plot_network(data.graph, error, unit=data.unit, position_unit=data.position_unit)
    network.savefig(paths[1], dpi=120)
    return paths


def first_day(task: ForecastTask, data: ForecastData) -> tuple[Tensor, Tensor]:
    r"""Forecasts the first predicted channel for the first day of the test part.

    Args:
        task: A trained task.
        data: Its data.

    Returns:
        The forecasts :math:`(N, W, H)` and the row of each window's first target :math:`(W)`.
    """
    windows = round(24 * 60 / step_minutes(data))
    loader = data.test_dataloader()
    batches = islice(loader, -(-windows // data.batch_size))
    predictions, rows = zip(
        *((_forecast(task, batch)[..., 0], batch.start + data.history) for batch in batches),
        strict=True,
    )
    return torch.cat(predictions, dim=1), torch.cat(rows)


def node_errors(task: ForecastTask, data: ForecastData) -> Tensor:
    r"""Mean absolute error of each node on the windows of ``predict``.

    Args:
        task: A trained task.
        data: Its data.

    Returns:
        The error of the first predicted channel :math:`(N)`; NaN where nothing was observed.
    """
    total = torch.zeros(data.series.num_nodes, dtype=torch.float64)
    count = torch.zeros(data.series.num_nodes, dtype=torch.long)
    for batch in data.predict_dataloader():
        difference = (_forecast(task, batch) - batch.y)[..., 0].abs() * batch.y_mask
        total += difference.sum(dim=(1, 2), dtype=torch.float64)
        count += batch.y_mask.sum(dim=(1, 2))
    return total / count


@torch.no_grad()
def _forecast(task: ForecastTask, batch: WindowBatch) -> Tensor:
    moved = WindowBatch(*(value.to(task.device) for value in batch))
    return task.eval()(moved).cpu()


def _spread(error: Tensor) -> list[int]:
    """The nodes with the smallest, the median and the largest error."""
    known = int(error.isfinite().sum())
    order = torch.argsort(error).tolist()[: max(known, 1)]  # NaN comes last
    return list(dict.fromkeys([order[0], order[len(order) // 2], order[-1]]))
