r"""Scores of a tested grid model beside the baselines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tgst.loader import WindowBatch
from tgst.train.baselines import Baseline, HistoricalMean, LastValue
from tgst.train.cell_regression import CellRegression
from tgst.train.grid_data import GridData
from tgst.train.grid_metrics import GridMetrics
from tgst.train.grid_task import GridTask
from tgst.train.report import score_table
from tgst.train.scores import step_minutes
from tgst.train.seasonal import WEEK, SeasonalLag
from tgst.train.text_file import write_text
from tgst.utils import nodes_to_grid

__all__ = ["grid_baseline_scores", "grid_scores", "grid_table", "write_grid_scores"]

LINEAR = "linear in each cell"
MEAN_WEEKS = 16
WINDOWS_PER_CHUNK = 64


def grid_scores(task: GridTask, data: GridData) -> dict[str, dict[str, Tensor]]:
    r"""The test scores of a task and of simple baselines on the same windows.

    Args:
        task: A task after ``Trainer.test``.
        data: The data it was tested on.

    Returns:
        For each model its errors by name, a tensor :math:`(H)` each; the task's model comes first.

    Raises:
        ValueError: If the task was not tested.
    """
    if not task.scores:
        raise ValueError("task: expected one that was tested (Trainer.test), got no scores")
    name = type(task.model).__name__
    factor = task.hparams["rmse_factor"]
    return {name: task.scores} | grid_baseline_scores(data, factor, task.tested_windows)


def grid_baseline_scores(
    data: GridData, rmse_factor: float | None = None, windows: int | None = None
) -> dict[str, dict[str, Tensor]]:
    r"""The test scores of what needs no network: the last value; where the training frames are that
    long, the value of a week before and the mean of the same time of the week over the last 16
    weeks of the training frames (or as many as there are); and a linear regression in each cell on
    the frames that the model reads (:class:`tgst.train.cell_regression.CellRegression`).

    Args:
        data: Data that were set up.
        rmse_factor: See :class:`tgst.train.grid_metrics.GridMetrics`.
        windows: The first so many test windows only.
    """
    series = data.series
    stop = data.train_stop
    baselines: dict[str, Baseline] = {"last value": LastValue().fit(series, stop)}
    known = series.timestamps[stop - 1] + series.step - series.timestamps[0]
    if known >= WEEK and data.horizon * series.step <= WEEK:
        baselines["same time last week"] = SeasonalLag(WEEK).fit(series, stop)
    weeks = min(MEAN_WEEKS, int(known / WEEK))
    if weeks >= 2:
        mean = HistoricalMean(by_weekday=True, weeks=weeks)
        name = f"mean by time of week, {weeks} weeks"
        baselines[name] = mean.fit(series, stop)
    names = [*baselines, LINEAR]
    metrics = {n: GridMetrics(data.horizon, series.channels, rmse_factor) for n in names}
    for batch in _batches(data, windows):
        target = _frames(batch.y, data)
        for name, baseline in baselines.items():
            metrics[name].update(_frames(baseline.predict(batch), data), target)
    linear = CellRegression().fit(data.frames, data.parts["train"])
    rows = data.parts["test"].select(slice(windows))
    for start in range(0, len(rows.target), WINDOWS_PER_CHUNK):
        part = rows.select(slice(start, start + WINDOWS_PER_CHUNK))
        metrics[LINEAR].update(linear.predict(data.frames, part), data.frames[part.target])
    return {name: metric.scores() for name, metric in metrics.items()}


def _batches(data: GridData, windows: int | None) -> Iterator[WindowBatch]:
    """The test windows as batches on nodes, with the last known slot as their history."""
    values = data.series.values
    targets = torch.from_numpy(data.parts["test"].target[:windows])
    for rows in targets.split(WINDOWS_PER_CHUNK):
        last = rows[:, :1] - 1
        x, y = values[:, last], values[:, rows]
        seen, wanted = torch.ones(x.shape[:3]).bool(), torch.ones(y.shape[:3]).bool()
        yield WindowBatch(x, y, seen, wanted, x.new_empty(1, *rows.shape, 0), last[:, 0])


def _frames(values: Tensor, data: GridData) -> Tensor:
    height, width = data.frames.shape[-2:]
    return nodes_to_grid(values, height, width)


def grid_table(task: GridTask, data: GridData, scores: Mapping[str, Mapping[str, Tensor]]) -> str:
    r"""The scores as a table to read.

    Args:
        task: A task after ``Trainer.test``.
        data: The data it was tested on.
        scores: What :func:`grid_scores` gave.
    """
    steps: Sequence[int] | None = task.report_steps
    largest = max(float(errors.max()) for metrics in scores.values() for errors in metrics.values())
    decimals = 2 if largest >= 1 else 4  # fields of no unit may be small
    unit = data.unit or "the unit of the data"
    return score_table(scores, steps, step_minutes(data), unit, decimals)


def write_grid_scores(
    task: GridTask,
    data: GridData,
    folder: str | Path,
    scores: Mapping[str, Mapping[str, Tensor]],
) -> None:
    r"""Writes ``scores.json`` (all horizon steps) and ``scores.md`` (the table).

    Args:
        task: A task after ``Trainer.test``.
        data: The data it was tested on.
        folder: Where the files go.
        scores: What :func:`grid_scores` gave.

    Raises:
        OSError: If a file cannot be written; names it.
    """
    content: dict[str, Any] = {
        "step_minutes": step_minutes(data),
        "unit": data.unit,
        "windows": len(data.parts["test"].target[: task.tested_windows]),
        "scores": {
            model: {name: values.tolist() for name, values in metrics.items()}
            for model, metrics in scores.items()
        },
    }
    folder = Path(folder)
    write_text(folder / "scores.json", json.dumps(content, indent=2) + "\n")
    write_text(folder / "scores.md", grid_table(task, data, scores) + "\n")
