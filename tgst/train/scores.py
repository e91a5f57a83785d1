r"""Scores of a tested model beside the baselines."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from tgst.train.baselines import (
    Baseline,
    HistoricalMean,
    LastValue,
    LinearAutoregression,
    baseline_scores,
)
from tgst.train.data_module import ForecastData
from tgst.train.report import score_table
from tgst.train.seasonal import WEEK, SeasonalLag
from tgst.train.task import ForecastTask
from tgst.train.text_file import write_text

__all__ = ["model_and_baseline_scores", "table_of_scores", "write_scores"]


def model_and_baseline_scores(
    task: ForecastTask, data: ForecastData
) -> dict[str, dict[str, Tensor]]:
    r"""The test scores of a task and of baselines fitted on the training rows.

    Args:
        task: A task after ``Trainer.test``.
        data: The data it was tested on.

    Returns:
        For each model ``"mae"``, ``"rmse"`` and ``"mape"``, a tensor :math:`(H)` each; the task's
        model comes first. The readings of a week before are a baseline where the training rows
        are that long and the horizon is not longer, the mean of each weekday where they hold two
        weeks. All are scored on the
        same windows, also after a test with ``limit_test_batches``.

    Raises:
        ValueError: If the task was not tested.
    """
    if not task.scores:
        raise ValueError("task: expected one that was tested (Trainer.test), got no scores")
    baselines: dict[str, Baseline] = {
        "last value": LastValue(),
        "historical mean": HistoricalMean(),
        "linear autoregression": LinearAutoregression(
            data.history, data.horizon, within_day=data.within_day
        ),
    }
    weeks = (data.series.timestamps[data.train_rows[-1]] - data.series.timestamps[0]) / WEEK
    if weeks >= 1 and data.horizon * data.series.step <= WEEK:
        baselines["same time last week"] = SeasonalLag(WEEK)
    if weeks >= 2:
        baselines["historical mean of the weekday"] = HistoricalMean(by_weekday=True)
    for baseline in baselines.values():
        baseline.fit(data.series, data.train_rows.stop, data.target_index)
    name = type(task.model).__name__
    batches = islice(data.test_dataloader(), task.tested_batches)
    return {name: task.scores} | baseline_scores(batches, baselines)


def table_of_scores(
    task: ForecastTask, data: ForecastData, scores: dict[str, dict[str, Tensor]]
) -> str:
    r"""The scores as a table to read.

    Args:
        task: A task after ``Trainer.test``.
        data: The data it was tested on.
        scores: What :func:`model_and_baseline_scores` gave.
    """
    return score_table(scores, task.report_steps, step_minutes(data), data.unit)


def write_scores(
    task: ForecastTask,
    data: ForecastData,
    folder: str | Path,
    scores: dict[str, dict[str, Tensor]] | None = None,
) -> str:
    r"""Writes ``scores.json`` (all horizon steps) and ``scores.md`` (the table).

    Args:
        task: A task after ``Trainer.test``.
        data: The data it was tested on.
        folder: Where the files go.
        scores: What :func:`model_and_baseline_scores` gave, if it is known already.

    Returns:
        The table.

    Raises:
        OSError: If a file cannot be written; names it.
    """
    if scores is None:
        scores = model_and_baseline_scores(task, data)
    table = table_of_scores(task, data, scores)
    content = {
        "step_minutes": step_minutes(data),
        "unit": data.unit,
        "scores": {
            model: {name: values.tolist() for name, values in metrics.items()}
            for model, metrics in scores.items()
        },
    }
    folder = Path(folder)
    write_text(folder / "scores.json", json.dumps(content, indent=2) + "\n")
    write_text(folder / "scores.md", table + "\n")
    return table


def step_minutes(data: Any) -> float:
    r"""Length of one step of the series in minutes.

    Args:
        data: The data module.
    """
    return float(data.series.step / np.timedelta64(1, "s")) / 60
