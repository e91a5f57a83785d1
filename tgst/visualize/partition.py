r"""The labels of a partition, drawn on its graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import EllipseCollection, LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from torch_geometric.data import Data

from tgst.utils import Skeleton
from tgst.utils.skeleton import as_skeleton
from tgst.visualize.arguments import as_array
from tgst.visualize.layout import layout_from_edges

# Okabe and Ito's colours, which stay apart for colour-blind readers; more labels start again.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
OTHER = "0.82"  # nodes and edges that do not take part
VECTOR_EDGES = 2000  # above, a PDF or SVG holds pixels: it would take minutes to open


def plot_partition(
    data: Data,
    root: int | None = None,
    *,
    skeleton: str | Skeleton | None = None,
    pos: Any = None,
    center: int | Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    seed: int = 0,
) -> Figure:
    r"""Draws a graph with every edge as an arrow in the colour of its label.

    With :obj:`root`, only what this node receives: the arrows that end there, and each node in the
    colour of its edge to the root, as figure 3 of `"Spatial Temporal Graph Convolutional Networks
    for Skeleton-Based Action Recognition" <https://arxiv.org/abs/1801.07455>`_ shows partitions.
    Without, all edges; each node has the colour of its self loop. The two directions between a pair
    lie side by side.

    Nodes stand at :obj:`pos`, or in the pose of :obj:`skeleton`, or at :obj:`data.pos`, or else
    where a layout of the edges puts them (see :func:`plot_network`).

    Made for graphs of up to a few hundred nodes, where an arrow can be told from its neighbour. Of
    a larger one, such as the streets of a city, draw the surroundings of a node after labelling the
    whole:

    .. code-block:: python

        nodes, _, _, _ = torch_geometric.utils.k_hop_subgraph(root, 8, data.edge_index)
        plot_partition(data.subgraph(nodes))

    No global state of matplotlib is touched and nothing is shown: save with
    :obj:`figure.savefig(path)`.

    Args:
        data (torch_geometric.data.Data): The graph, with :obj:`edge_index` and :obj:`edge_type`.
        root (int, optional): The node around which to draw the labels. (default: :obj:`None`)
        skeleton (str or Skeleton, optional): The skeleton whose graph it is. (default:
            :obj:`None`)
        pos (torch.Tensor or numpy.ndarray, optional): The places of the nodes.
            (default: :obj:`None`)
        center (int or list of int, optional): Nodes to mark by a cross, the centre of a spatial
            partition. (default: :obj:`None`)
        names (list of str, optional): What the legend calls the labels. (default: :obj:`"label 0"`,
            ...)
        seed (int, optional): Seed of the layout of large graphs. (default: :obj:`0`)

    Shapes:
        - **pos**: :math:`(N, 2)` or wider

    Raises:
        ValueError: If the graph has no labels, :obj:`root` or :obj:`center` is outside of it, there
            is not one place per node, or fewer names than labels.
    """
    edges = as_array("data.edge_index", data.edge_index, (2, None))
    if data.get("edge_type") is None:
        raise ValueError("data.edge_type: expected the labels of a partition transform, got None")
    label = as_array("data.edge_type", data.edge_type, (edges.shape[1],))
    num_nodes = int(data.num_nodes or 0)
    marked = _nodes("center", center, num_nodes)
    _nodes("root", root, num_nodes)
    place = _places(data, edges, num_nodes, skeleton, pos, seed)
    names = _names(label, names)
    extent = np.ptp(place, axis=0) if num_nodes else np.ones(2)
    height = 1 + 6.5 * float(np.clip(extent[1] / (extent[0] + 1e-9), 0.5, 1.3))
    figure = Figure(figsize=(7.5, height), layout="constrained")
    axes = figure.add_subplot()
    size = _size(place, edges)
    _draw_edges(axes, place, edges, label, root, size)
    _draw_nodes(axes, place, edges, label, root, size)
    if marked:
        x, y = place[marked].T
        axes.scatter(x, y, marker="x", s=90, c="black", linewidths=2, zorder=5)
    patches = [Patch(color=_color(k), label=name) for k, name in enumerate(names)]
    figure.legend(handles=patches, loc="outside right upper", frameon=False)
    axes.set_aspect("equal")
    axes.margins(0.06)
    axes.set_axis_off()
    return figure


def _nodes(argument: str, nodes: Any, num_nodes: int) -> list[int]:
    r"""None, one or several nodes as a list of those that exist."""
    given = [] if nodes is None else np.atleast_1d(np.asarray(nodes)).tolist()
    for node in given:
        if not isinstance(node, int) or not 0 <= node < num_nodes:
            raise ValueError(f"{argument}: expected nodes in 0..{num_nodes - 1}, got {node!r}")
    return given


def _places(
    data: Data,
    edges: np.ndarray,
    num_nodes: int,
    skeleton: str | Skeleton | None,
    pos: Any,
    seed: int,
) -> np.ndarray:
    if pos is not None:
        return as_array("pos", pos, (num_nodes, None))[:, :2].astype(float)
    if skeleton is not None:
        record = as_skeleton(skeleton)
        record.check(num_nodes, "data")
        if record.pose:
            return np.array(record.pose, dtype=float)
    if data.pos is not None:
        return as_array("data.pos", data.pos, (num_nodes, None))[:, :2].astype(float)
    return layout_from_edges(edges, num_nodes, seed)


def _names(label: np.ndarray, names: Sequence[str] | None) -> list[str]:
    count = int(label.max(initial=0)) + 1
    if names is None:
        return [f"label {k}" for k in range(count)]
    if len(names) < count:
        raise ValueError(f"names: expected one for each of {count} labels, got {len(names)}")
    return list(names)


def _color(label: int) -> str:
    return COLORS[label % len(COLORS)]


def _size(place: np.ndarray, edges: np.ndarray) -> float:
    r"""The radius of a node: a part of the typical edge, and of the picture."""
    lengths = np.linalg.norm(place[edges[0]] - place[edges[1]], axis=1)
    extent = np.ptp(place, axis=0).max(initial=1e-9) if len(place) else 1.0
    typical = np.median(lengths[lengths > 0]) if (lengths > 0).any() else extent
    return float(min(0.12 * typical, 0.022 * extent))


def _draw_edges(
    axes: Axes,
    place: np.ndarray,
    edges: np.ndarray,
    label: np.ndarray,
    root: int | None,
    size: float,
) -> None:
    drawn = edges[0] != edges[1]
    pixels = int(drawn.sum()) > VECTOR_EDGES
    if root is not None:
        lines = LineCollection(place[edges[:, drawn].T], colors=OTHER, linewidths=1, zorder=1)
        lines.set_rasterized(pixels)
        axes.add_collection(lines)
        drawn &= edges[1] == root
    for k in np.unique(label[drawn]):
        start, end = place[edges[:, drawn & (label == k)]]
        arrows = _arrows(start, end, size, aside=0.0 if root is not None else 0.4 * size)
        # The thin outline keeps the arrows of large graphs from vanishing between the pixels.
        polygons = PolyCollection(
            list(arrows), facecolors=_color(k), edgecolors=_color(k), linewidths=0.3, zorder=2
        )
        polygons.set_rasterized(pixels)
        axes.add_collection(polygons)


def _arrows(start: np.ndarray, end: np.ndarray, size: float, aside: float) -> np.ndarray:
    r"""The outline of every arrow [E, 7, 2], between the rims of its two nodes, to the right of
    the line by :obj:`aside`.
    """
    along = end - start
    length = np.linalg.norm(along, axis=1, keepdims=True)
    along = along / np.maximum(length, 1e-12)
    right = np.stack([along[:, 1], -along[:, 0]], axis=1)
    rim = np.minimum(1.15 * size, 0.3 * length)
    scale = np.minimum(size, 0.25 * length)  # in short edges everything shrinks
    tail = start + rim * along + np.minimum(aside, 0.4 * scale) * right
    tip = end - rim * along + np.minimum(aside, 0.4 * scale) * right
    neck = tip - 1.1 * scale * along
    shaft, head = 0.18 * scale * right, 0.5 * scale * right
    corners = [tail - shaft, neck - shaft, neck - head, tip, neck + head, neck + shaft]
    return np.stack([*corners, tail + shaft], axis=1)


def _draw_nodes(
    axes: Axes,
    place: np.ndarray,
    edges: np.ndarray,
    label: np.ndarray,
    root: int | None,
    size: float,
) -> None:
    r"""Circles in the colour of the self loop, or of the edge to the root."""
    colors = [OTHER] * len(place)
    shown = edges[0] == edges[1] if root is None else edges[1] == root
    for node, k in zip(edges[0, shown], label[shown], strict=True):
        colors[node] = _color(k)
    rims = ["black" if node == root else "none" for node in range(len(place))]
    circles = EllipseCollection(
        widths=2 * size,
        heights=2 * size,
        angles=0,
        units="xy",
        offsets=place,
        offset_transform=axes.transData,
        facecolors=colors,
        edgecolors=rims,
        linewidths=[2.0 if node == root else 0.6 for node in range(len(place))],
        zorder=3,
    )
    circles.set_rasterized(edges.shape[1] > VECTOR_EDGES)
    axes.add_collection(circles)
    axes.update_datalim(place)
    axes.autoscale_view()
