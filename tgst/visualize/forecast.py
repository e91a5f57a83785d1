r"""Forecast against truth, with the error by horizon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tgst.visualize.arguments import as_array

# Okabe and Ito's colours, which stay apart under the common colour-vision deficiencies.
TRUTH_COLOUR = "#a0a0a0"
STEP_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
ERROR_COLOURS = ("#000000", "#E69F00", "#56B4E9", "#CC79A7", "#009E73", "#D55E00", "#0072B2")
MARKERS = "osD^vPX"


def plot_forecast(
    timestamps: Any,
    truth: Any,
    prediction: Any,
    rows: Any,
    errors: Mapping[str, Any],
    *,
    mask: Any = None,
    nodes: Sequence[int] = (0, 1, 2),
    steps: Sequence[int] | None = None,
    node_id: Sequence[str] | None = None,
    step_minutes: float = 5,
    quantity: str = "speed",
    unit: str = "mph",
    metric: str = "MAE",
) -> Figure:
    r"""Draws forecast against truth for a few nodes, and the error by horizon for the model and
    its baselines.

    Left, one panel per node: the readings :math:`y_i(t)` and, for each chosen horizon step
    :math:`h`, the value that was forecast *for* time :math:`t`, :math:`h` steps earlier. Lines
    are broken where a reading is masked and where time jumps. Right: the error at each horizon.

    No global state of matplotlib is touched and nothing is shown: save with
    :obj:`figure.savefig(path)`.

    Args:
        timestamps (numpy.ndarray): Times of the series, :obj:`datetime64`.
        truth (torch.Tensor or numpy.ndarray): Readings of one channel.
        prediction (torch.Tensor or numpy.ndarray): Forecasts of that channel for :math:`W`
            windows.
        rows (torch.Tensor or numpy.ndarray): For each window the row of the series that its
            first horizon step forecasts (start of the window plus history).
        errors (Mapping[str, torch.Tensor]): Name of the model to its error at each horizon step;
            the first one is drawn in bold.
        mask (torch.Tensor or numpy.ndarray, optional): :obj:`True` where a reading was observed.
            (default: :obj:`None`)
        nodes (Sequence[int], optional): Indices of the nodes to draw.
            (default: :obj:`(0, 1, 2)`)
        steps (Sequence[int], optional): Horizon steps to draw, counted from 1, four at most; by
            default a quarter and all of the horizon. (default: :obj:`None`)
        node_id (Sequence[str], optional): Names of all nodes. (default: :obj:`None`)
        step_minutes (float, optional): Length of one step in minutes. (default: :obj:`5`)
        quantity (str, optional): What was measured. (default: :obj:`"speed"`)
        unit (str, optional): Unit of the readings and errors. (default: :obj:`"mph"`)
        metric (str, optional): Name of the error. (default: :obj:`"MAE"`)

    Shapes:
        - **timestamps**: :math:`(T)`
        - **truth**, **mask**: :math:`(N, T)`
        - **prediction**: :math:`(N, W, H)`
        - **rows**: :math:`(W)`
        - **errors**: :math:`(H)` each

    Raises:
        ValueError: On a shape that does not fit, an index out of range or more than four steps.
    """
    timestamps = as_array("timestamps", timestamps, (None,))
    truth = as_array("truth", truth, (None, len(timestamps))).astype(float)
    prediction = as_array("prediction", prediction, (len(truth), None, None))
    rows = as_array("rows", rows, (prediction.shape[1],))
    horizon = prediction.shape[2]
    errors = {name: as_array(f"errors[{name!r}]", e, (horizon,)) for name, e in errors.items()}
    if mask is not None:
        mask = as_array("mask", mask, truth.shape)
        truth = np.where(mask, truth, np.nan)
    steps = sorted({-(-horizon // 4), horizon}) if steps is None else steps
    if len(steps) > len(STEP_COLOURS):
        raise ValueError(f"steps: expected {len(STEP_COLOURS)} at most, got {len(steps)}")
    _check_range("rows", rows, 0, len(timestamps) - horizon)
    _check_range("nodes", nodes, 0, len(truth) - 1)
    _check_range("steps", steps, 1, horizon)

    figure = Figure(figsize=(12, 1.2 + 1.8 * max(2, len(nodes))), layout="constrained")
    grid = figure.add_gridspec(len(nodes), 2, width_ratios=(2.3, 1))
    shared: Axes | None = None
    for position, node in enumerate(nodes):
        axes = figure.add_subplot(grid[position, 0], sharex=shared)
        shared = shared or axes
        _draw_node(axes, timestamps, truth[node], prediction[node], rows, steps, step_minutes)
        name = node if node_id is None else node_id[node]
        axes.set_ylabel(f"node {name}\n{quantity} [{unit}]")
        axes.tick_params(labelbottom=position == len(nodes) - 1)
    _finish_time_axis(figure.axes)
    error_axes = figure.add_subplot(grid[:, 1])
    _draw_errors(error_axes, errors, step_minutes, f"{metric} [{unit}]")
    return figure


def _draw_node(
    axes: Axes,
    timestamps: np.ndarray,
    truth: np.ndarray,
    prediction: np.ndarray,
    rows: np.ndarray,
    steps: Sequence[int],
    step_minutes: float,
) -> None:
    r"""The readings of one node over the forecast span, and the forecasts at each step."""
    span = slice(rows.min() + min(steps) - 1, rows.max() + max(steps))
    axes.plot(
        *_with_breaks(timestamps[span], truth[span]), color=TRUTH_COLOUR, lw=2.4, label="observed"
    )
    order = np.argsort(rows, kind="stable")
    for step, colour in zip(steps, STEP_COLOURS, strict=False):
        times, values = timestamps[rows[order] + step - 1], prediction[order, step - 1]
        label = f"{step * step_minutes:g} min ahead"
        axes.plot(*_with_breaks(times, values), color=colour, lw=1.1, label=label)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _finish_time_axis(panels: Sequence[Axes]) -> None:
    r"""One legend above the panels and one time axis below them."""
    handles, labels = panels[0].get_legend_handles_labels()
    panels[0].legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=len(handles),
        fontsize="small",
        frameon=False,
        borderaxespad=0.2,
    )
    locator = AutoDateLocator(maxticks=9)
    panels[-1].xaxis.set_major_locator(locator)
    panels[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))
    panels[-1].set_xlabel("time")
    panels[-1].margins(x=0.01)


def _draw_errors(
    axes: Axes, errors: Mapping[str, np.ndarray], step_minutes: float, label: str
) -> None:
    r"""One line per model over the horizon; the first in bold."""
    for index, (name, error) in enumerate(errors.items()):
        minutes = step_minutes * np.arange(1, len(error) + 1)
        axes.plot(
            minutes,
            error,
            label=name,
            color=ERROR_COLOURS[index % len(ERROR_COLOURS)],
            marker=MARKERS[index % len(MARKERS)],
            markersize=4,
            lw=2.4 if index == 0 else 1.3,
            ls="-" if index == 0 else "--",
        )
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 1.5, 2, 3, 5, 6, 10]))
    axes.set_xlabel("horizon [min]")
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if errors:
        axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=2,
            columnspacing=1.0,
            fontsize="small",
            frameon=False,
            borderaxespad=0.2,
        )


def _with_breaks(times: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Inserts a NaN wherever time jumps, so that no line is drawn across the gap."""
    steps = np.diff(times)
    if len(steps) == 0:
        return times, values
    jumps = np.flatnonzero(steps > 1.5 * np.median(steps)) + 1
    values = np.insert(np.asarray(values, dtype=float), jumps, np.nan)
    return np.insert(times, jumps, times[jumps - 1] + np.median(steps)), values


def _check_range(name: str, indices: Any, low: int, high: int) -> None:
    r"""Raises unless there is an index and all lie in :math:`[low, high]`."""
    indices = np.asarray(indices)
    if indices.size == 0 or indices.min() < low or indices.max() > high:
        found = "none" if indices.size == 0 else f"{indices.min()} to {indices.max()}"
        raise ValueError(f"{name}: expected at least one, within {low} to {high}, got {found}")
