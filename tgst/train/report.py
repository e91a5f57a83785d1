r"""Scores as a table to read."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

__all__ = ["score_table"]

PERCENT = ("mape",)


def score_table(
    scores: Mapping[str, Mapping[str, Tensor]],
    steps: Sequence[int] | None = None,
    step_minutes: float = 5,
    unit: str = "mph",
    decimals: int = 2,
) -> str:
    r"""Lays out the errors of several models as an aligned Markdown table.

    One row per model; for each metric one column per horizon step, headed by the metric and the
    minutes ahead, as in :obj:`MAE 15`. The smallest error of a column is marked by an asterisk.

    Args:
        scores (Mapping[str, Mapping[str, torch.Tensor]]): Name of the model to its metrics by
            name, :math:`(H)` each, as :func:`tgst.train.baselines.baseline_scores` gives them.
        steps (Sequence[int], optional): Horizon steps to show, counted from 1; by default a
            quarter, half and all of the horizon. (default: :obj:`None`)
        step_minutes (float, optional): Length of one step in minutes. (default: :obj:`5`)
        unit (str, optional): Unit of the readings. (default: :obj:`"mph"`)
        decimals (int, optional): Digits after the point. (default: :obj:`2`)

    Returns:
        str: A line that names the units, an empty line and the table.

    Raises:
        ValueError: If there is no model, the models do not have the same metrics and horizon, or
            a step is outside of the horizon.
    """
    metrics, horizon = _common_columns(scores)
    steps = quarter_half_all(horizon) if steps is None else list(steps)
    if not steps or min(steps) < 1 or max(steps) > horizon:
        raise ValueError(f"steps: expected horizon steps in 1 to {horizon}, got {steps}")
    columns = [(metric, step) for metric in metrics for step in steps]
    header = ["model", *(f"{m.upper()} {step * step_minutes:g}" for m, step in columns)]
    errors = {
        n: [float(s[metric][step - 1]) for metric, step in columns] for n, s in scores.items()
    }
    best = [_smallest(column) for column in zip(*errors.values(), strict=True)]
    rows = [
        [name, *(_cell(error, low, decimals) for error, low in zip(row, best, strict=True))]
        for name, row in errors.items()
    ]
    units = ", ".join(f"{m.upper()} in {'%' if m in PERCENT else unit}" for m in metrics)
    minutes = ", ".join(f"{step * step_minutes:g}" for step in steps)
    return f"{units}; {minutes} minutes ahead; * = best\n\n{_aligned(header, rows)}"


def quarter_half_all(horizon: int) -> list[int]:
    r"""The horizon steps, counted from 1, after a quarter, half and all of the horizon.

    Args:
        horizon (int): Number of horizon steps.
    """
    return sorted({-(-horizon // 4), -(-horizon // 2), horizon})


def _common_columns(scores: Mapping[str, Mapping[str, Tensor]]) -> tuple[list[str], int]:
    r"""The metrics and the horizon that all models share."""
    if not scores:
        raise ValueError("scores: expected at least one model, got none")
    shapes = {
        name: {metric: tuple(errors.shape) for metric, errors in metrics.items()}
        for name, metrics in scores.items()
    }
    first = next(iter(shapes.values()))
    horizons = {shape for metrics in shapes.values() for shape in metrics.values()}
    if any(metrics != first for metrics in shapes.values()) or len(horizons) != 1:
        raise ValueError(
            f"scores: expected the same metrics of shape [horizon] for every model, got {shapes}"
        )
    return list(first), horizons.pop()[0]


def _smallest(errors: Sequence[float]) -> float:
    return min((error for error in errors if not math.isnan(error)), default=math.nan)


def _cell(error: float, best: float, decimals: int) -> str:
    return f"{error:.{decimals}f}{'*' if error == best else ' '}"


def _aligned(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""A Markdown table whose columns line up as plain text; numbers to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = []
    for cells in (header, rule, *rows):
        first = cells[0].ljust(widths[0])
        rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
        lines.append(f"| {' | '.join((first, *rest))} |")
    return "\n".join(lines)
