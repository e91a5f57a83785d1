r"""The network, its nodes coloured by error."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from torch_geometric.data import Data

from tgst.visualize.arguments import as_array
from tgst.visualize.layout import layout_from_edges

PLOT_POINTS = 450  # extent of the network on the page, in the points that measure the nodes


def plot_network(
    data: Data,
    error: Any,
    *,
    label: str = "MAE",
    unit: str = "mph",
    position_unit: str | None = None,
    limits: tuple[float, float] | None = None,
    colormap: str = "viridis_r",
    seed: int = 0,
) -> Figure:
    r"""Draws a network with each node in the colour of its error.

    Nodes stand at :obj:`data.pos` (its first two columns). Without one, each connected part is
    laid out by `"An Algorithm for Drawing General Undirected Graphs"
    <https://doi.org/10.1016/0020-0190(89)90102-6>`_ (Kamada and Kawai, 1989) or, above 300 nodes,
    by the quicker `"Graph Drawing by Force-directed Placement"
    <https://doi.org/10.1002/spe.4380211102>`_ (Fruchterman and Reingold, 1991). Nodes whose error
    is NaN (nothing observed) are hollow. Nodes at one and the same place, such as the two
    directions of a street, are drawn side by side around it. Edges are drawn without direction,
    self loops not at all.

    No global state of matplotlib is touched and nothing is shown: save with
    :obj:`figure.savefig(path)`.

    Args:
        data (torch_geometric.data.Data): The network, with :obj:`edge_index` and perhaps
            :obj:`pos`.
        error (torch.Tensor or numpy.ndarray): The error of each node.
        label (str, optional): Name of the error. (default: :obj:`"MAE"`)
        unit (str, optional): Unit of the error. (default: :obj:`"mph"`)
        position_unit (str, optional): Unit of :obj:`data.pos`. (default: :obj:`None`)
        limits (tuple[float, float], optional): The errors at the two ends of the colour bar. If
            left out, the smallest and the largest error. (default: :obj:`None`)
        colormap (str, optional): Name of a matplotlib colormap; keep to perceptually uniform
            ones. (default: :obj:`"viridis_r"`: the larger the error, the darker)
        seed (int, optional): Seed of the layout of large parts. (default: :obj:`0`)

    Shapes:
        - **error**: :math:`(N)`
        - **data.pos**: :math:`(N, 2)` or wider

    Raises:
        ValueError: If :obj:`error` or :obj:`data.pos` does not have one row per node.
    """
    error = as_array("error", error, (data.num_nodes,)).astype(float)
    edges = as_array("data.edge_index", data.edge_index, (2, None))
    edges = np.unique(np.sort(edges[:, edges[0] != edges[1]], axis=0), axis=1)
    if data.pos is None:
        position = layout_from_edges(edges, len(error), seed)
    else:
        position = as_array("data.pos", data.pos, (len(error), None))[:, :2]
    size = float(np.clip(9000 / max(1, len(error)), 6, 120))
    position = _spread(position, diameter=np.sqrt(size) / PLOT_POINTS)
    extent = np.ptp(position, axis=0) + 1e-9
    height = 1 + 6.5 * float(np.clip(extent[1] / extent[0], 0.4, 1.2))
    figure = Figure(figsize=(8.5, height), layout="constrained")
    axes = figure.add_subplot()
    width = float(np.clip(25 / np.sqrt(1 + edges.shape[1]), 0.2, 1.2))
    lines = position[edges.T]
    axes.add_collection(LineCollection(list(lines), colors="0.7", linewidths=width, zorder=1))
    _draw_nodes(figure, axes, position, error, size, limits, colormap, f"{label} [{unit}]")
    _finish_axes(axes, data.pos is not None, position_unit)
    return figure


def _draw_nodes(
    figure: Figure,
    axes: Axes,
    position: np.ndarray,
    error: np.ndarray,
    size: float,
    limits: tuple[float, float] | None,
    colormap: str,
    label: str,
) -> None:
    r"""Coloured nodes with their colour bar, hollow ones where there is no error."""
    known = np.isfinite(error)
    # The worst nodes come last, on top of their neighbours.
    order = np.flatnonzero(known)[np.argsort(error[known], kind="stable")]
    low, high = limits or (None, None)
    points = axes.scatter(
        position[order, 0],
        position[order, 1],
        c=error[order],
        s=size,
        cmap=colormap,
        vmin=low,
        vmax=high,
        edgecolors="0.25",
        linewidths=0.4,
        zorder=3,
    )
    bar = figure.colorbar(points, ax=axes, label=label, shrink=0.8, extend=_extend(error, limits))
    bar.outline.set_visible(False)
    if not known.all():
        axes.scatter(
            position[~known, 0],
            position[~known, 1],
            s=size,
            facecolors="white",
            edgecolors="0.25",
            linewidths=0.8,
            zorder=2,
            label="nothing observed",
        )
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, borderaxespad=0.2)


def _finish_axes(axes: Axes, has_position: bool, unit: str | None) -> None:
    r"""Equal aspect; coordinates only where they mean something."""
    axes.set_aspect("equal")
    axes.margins(0.04)
    axes.spines[["top", "right"]].set_visible(False)
    if has_position:
        axes.set_xlabel("x" if unit is None else f"x [{unit}]")
        axes.set_ylabel("y" if unit is None else f"y [{unit}]")
    else:
        axes.set_axis_off()


def _spread(position: np.ndarray, diameter: float) -> np.ndarray:
    r"""Puts nodes that share one place on a circle around it, where they touch each other.

    :obj:`diameter` is that of a node as a fraction of the network's extent.
    """
    place, index, count = np.unique(position, axis=0, return_inverse=True, return_counts=True)
    spread = position.astype(float)
    unit = diameter * np.ptp(position, axis=0).max()
    for shared in np.flatnonzero(count > 1):
        angle = 2 * np.pi * np.arange(count[shared]) / count[shared]
        radius = 0.5 * unit / np.sin(np.pi / count[shared])
        circle = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        spread[index.reshape(-1) == shared] = place[shared] + circle
    return spread


def _extend(error: np.ndarray, limits: tuple[float, float] | None) -> str:
    r"""Which ends of the colour bar have errors beyond them."""
    if limits is None or not np.isfinite(error).any():
        return "neither"
    below, above = np.nanmin(error) < limits[0], np.nanmax(error) > limits[1]
    return {(0, 0): "neither", (1, 0): "min", (0, 1): "max", (1, 1): "both"}[(below, above)]
