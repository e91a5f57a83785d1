r"""Scores of a tested classifier as tables, files and a picture."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tgst.train.classification_task import ClassificationTask
from tgst.train.recognition_metrics import accuracy_of_classes
from tgst.train.text_file import write_text

__all__ = ["recognition_scores", "recognition_table", "write_recognition_scores"]


def recognition_scores(task: ClassificationTask, checkpoint: str | None = None) -> dict[str, Any]:
    r"""All scores of a task after ``Trainer.test``, in plain containers.

    Args:
        task: The task.
        checkpoint: The file that was tested, for the record.

    Raises:
        ValueError: If the task was not tested.
    """
    metrics: Any = dict(task.metrics.items()).get("test")
    matrix = torch.zeros(0) if metrics is None else metrics.confusion().cpu()
    if int(matrix.sum()) == 0:
        raise ValueError("task: expected one that was tested (Trainer.test), got no scores")
    rates = accuracy_of_classes(matrix)
    return {
        "checkpoint": checkpoint,
        task.items: int(matrix.sum()),
        "scores": {name: float(value) for name, value in metrics.scores().items()},
        "class_names": task.class_names,
        f"{task.items}_of_class": matrix.sum(1).tolist(),
        "accuracy_of_class": [_plain(rate) for rate in rates],
        "confusion": matrix.tolist(),
    }


def _plain(rate: Tensor) -> float | None:
    return None if rate.isnan() else float(rate)  # JSON knows no NaN


def recognition_table(scores: dict[str, Any], items: str = "clips") -> str:
    r"""The scores as two tables to read: overall, and per class with what it is taken for most.

    Args:
        scores: What :func:`recognition_scores` gave.
        items: What was classified.
    """
    lines = [f"| {' | '.join([items, *scores['scores']])} |"]
    lines.append("|" + "---|" * (1 + len(scores["scores"])))
    values = [f"{value:.4f}" for value in scores["scores"].values()]
    lines += [f"| {' | '.join([str(scores[items]), *values])} |", ""]
    lines += [f"| class | {items} | accuracy | taken most often for |", "|---|---|---|---|"]
    names = scores["class_names"]
    for label, name in enumerate(names):
        rate = scores["accuracy_of_class"][label]
        shown = "-" if rate is None else f"{rate:.4f}"
        wrong = _taken_for(scores["confusion"][label], label, names)
        lines.append(f"| {name} | {scores[f'{items}_of_class'][label]} | {shown} | {wrong} |")
    if scores["checkpoint"] is not None:
        lines += ["", f"checkpoint: {scores['checkpoint']}"]
    return "\n".join(lines)


def _taken_for(row: list[int], label: int, names: list[str]) -> str:
    others = [count if other != label else 0 for other, count in enumerate(row)]
    if not any(others):
        return ""
    most = others.index(max(others))
    return f"{names[most]} ({others[most]})"


def write_recognition_scores(
    task: ClassificationTask, folder: str | Path, scores: dict[str, Any]
) -> list[Path]:
    r"""Writes ``scores.json``, ``scores.md`` (the tables) and, with matplotlib, ``confusion.png``.

    Args:
        task: A task after ``Trainer.test``.
        folder: Where the files go.
        scores: What :func:`recognition_scores` gave.

    Returns:
        The files.

    Raises:
        OSError: If a file cannot be written; names it.
    """
    folder = Path(folder)
    files = [folder / "scores.json", folder / "scores.md"]
    write_text(files[0], json.dumps(scores, indent=2) + "\n")
    write_text(files[1], recognition_table(scores, task.items) + "\n")
    if importlib.util.find_spec("matplotlib") is not None:
        from tgst.visualize.confusion import plot_confusion

        files.append(folder / "confusion.png")
        figure = plot_confusion(scores["confusion"], task.class_names, items=task.items)
        figure.savefig(files[-1], dpi=120)
    return files
