"""Draws the one idea: a graph convolution is one sparse product over labelled edges.

``python docs/pictures/one_idea.py`` writes ``one_idea.png`` beside this file.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.offsetbox import AnnotationBbox, HPacker, TextArea
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path as MplPath

# Label 0 (the node itself), 1 and 2; then the offsets of the pixel grid. Apart for colour-blind
# readers too (Okabe and Ito).
BLACK, ORANGE, BLUE = "#222222", "#d55e00", "#0072b2"
OFFSETS = [ORANGE, "#e69f00", "#b8a900", "#009e73", "#56b4e9", BLUE, "#7b5ea7", "#cc79a7"]
GREY, FAINT = "#8a8a8a", "#c9c9c9"
HEAD = "-|>,head_length=7,head_width=4"

Point = tuple[float, float]


class Edge(NamedTuple):
    """An edge into the target, drawn in the colour of its label."""

    source: Point
    target: Point
    colour: str
    bend: float = 0.0


def draw_edge(axes: Axes, edge: Edge, width: float = 2.6, shrink: float = 13.0) -> None:
    arrow = FancyArrowPatch(
        edge.source,
        edge.target,
        arrowstyle=HEAD,
        connectionstyle=f"arc3,rad={edge.bend}",
        shrinkA=shrink,
        shrinkB=shrink,
        linewidth=width,
        color=edge.colour,
        zorder=3,
    )
    axes.add_patch(arrow)


def draw_loop(
    axes: Axes, node: Point, angle: float, size: float, width: float = 2.6, spread: float = 36.0
) -> None:
    """An arrow from a node back to itself, on the side of `angle` (degrees)."""

    def at(turn: float, distance: float) -> Point:
        direction = np.radians(angle + turn)
        return node[0] + distance * np.cos(direction), node[1] + distance * np.sin(direction)

    near, far = 0.3 * size, 1.35 * size
    start = 2 / 3 * spread
    curve = [at(-start, near), at(-spread, far), at(spread, far), at(start, near)]
    path = MplPath(curve, [MplPath.MOVETO, *[MplPath.CURVE4] * 3])
    axes.add_patch(
        FancyArrowPatch(path=path, arrowstyle=HEAD, linewidth=width, color=BLACK, zorder=3)
    )


def draw_nodes(axes: Axes, places: Iterable[Point], size: float, target: Point) -> None:
    for place in places:
        chosen = place == target
        axes.scatter(
            *place,
            s=size * (1.5 if chosen else 1.0),
            color="#ffe9a8" if chosen else "white",
            edgecolor=BLACK if chosen else GREY,
            linewidth=1.8 if chosen else 1.2,
            zorder=4,
        )


def draw_lines(axes: Axes, pairs: Iterable[tuple[Point, Point]]) -> None:
    for a, b in pairs:
        axes.plot(*zip(a, b, strict=True), color=FAINT, linewidth=1.6, zorder=1)


def clear(axes: Axes, width: tuple[float, float], height: tuple[float, float]) -> None:
    axes.set_xlim(*width)
    axes.set_ylim(*height)
    axes.set_aspect("equal")
    axes.axis("off")


def draw_operator(axes: Axes) -> None:
    """One target node, its labelled incoming edges, and what travels along one of them."""
    target = (0.0, 0.0)
    first = [(-2.1, 1.3), (-2.3, -0.95)]
    second = [(2.15, 1.25), (1.9, -1.15)]
    others = [(-3.5, 0.15), (3.4, 0.05), (-0.3, -2.0)]
    links = [
        (first[0], others[0]),
        (first[1], others[0]),
        (second[0], others[1]),
        (second[1], others[1]),
        (first[1], others[2]),
        (second[1], others[2]),
    ]
    draw_lines(axes, links)
    for source in first:
        draw_edge(axes, Edge(source, target, ORANGE), 3.2, 17)
    for source in second:
        draw_edge(axes, Edge(source, target, BLUE), 3.2, 17)
    draw_loop(axes, target, 90, 1.0, 3.2)
    draw_nodes(axes, [target, *first, *second, *others], 520, target)
    write = {"ha": "center", "va": "center", "zorder": 5}
    axes.text(*target, "$i$", fontsize=17, **write)
    axes.text(*first[0], "$j$", fontsize=15, **write)
    along = {"rotation": -31.8, "rotation_mode": "anchor", "color": ORANGE}
    axes.text(-0.98, 0.88, r"$w_e\, m_e\, \mathbf{W}_1\, x_j$", fontsize=16, **along, **write)
    axes.text(0.0, 1.2, "label 0", color=BLACK, fontsize=14, **write)
    axes.text(-1.35, -0.95, "label 1", color=ORANGE, fontsize=14, **write)
    axes.text(1.5, 0.42, "label 2", color=BLUE, fontsize=14, **write)
    draw_series(axes, first[0])
    clear(axes, (-4.0, 4.0), (-2.45, 2.55))


def draw_series(axes: Axes, node: Point) -> None:
    """The time series that a node carries."""
    steps = np.linspace(0.0, 1.0, 60)
    left, bottom, width, height = node[0] - 1.6, node[1] + 0.42, 1.3, 0.5
    frame = plt.Rectangle(
        (left - 0.06, bottom - 0.06),
        width + 0.12,
        height + 0.12,
        facecolor="white",
        edgecolor=GREY,
        linewidth=1.0,
    )
    axes.add_patch(frame)
    for shift, shade in ((0.0, BLACK), (0.35, GREY)):
        wave = 0.5 + 0.3 * np.sin(9 * (steps + shift)) * np.cos(4 * steps + shift)
        axes.plot(left + width * steps, bottom + height * wave, color=shade, linewidth=1.3)
    axes.text(
        left + width + 0.16,
        bottom + 0.26,
        "$x_j$: $T$ steps, $C$ channels",
        fontsize=12.5,
        ha="left",
        va="center",
    )


def write_coloured(axes: Axes, place: Point, parts: list[tuple[str, str]], size: float) -> None:
    """Pieces of one line, each in its colour, centred at `place`."""
    pieces = [TextArea(text, textprops={"color": c, "fontsize": size}) for text, c in parts]
    line = HPacker(children=pieces, align="baseline", pad=0, sep=4)
    axes.add_artist(AnnotationBbox(line, place, frameon=False, xycoords="axes fraction"))


def write_formula(axes: Axes) -> None:
    """The formula, the same for the node in the picture, and what each term is."""
    axes.axis("off")
    formula = (
        r"$\mathrm{out}_i \;=\; b \;+\!\! \sum_{e\,=\,(j \to i)} \!\! "
        r"w_e \; m_e \; \mathbf{W}_{\ell(e)} \; x_j$"
    )
    axes.text(0.5, 0.86, formula, fontsize=25, ha="center", va="center")
    per_label = [
        (r"$=\; b \;+\; $", BLACK),
        (r"$w_e m_e \mathbf{W}_0\, x_i$", BLACK),
        (r"$+ \; \sum \; w_e m_e \mathbf{W}_1\, x_j$", ORANGE),
        (r"$+ \; \sum \; w_e m_e \mathbf{W}_2\, x_j$", BLUE),
    ]
    write_coloured(axes, (0.5, 0.64), per_label, 16)
    terms = [
        (r"$x_j$", "time series of the source node,  x"),
        (r"$\ell(e)$", "label of the edge, its partition,  edge_type"),
        (r"$\mathbf{W}_{\ell}$", "one learnt matrix per label"),
        (r"$w_e$", "fixed, normalised weight,  edge_weight"),
        (r"$m_e$", "learnt weight of this edge,  EdgeImportance"),
        (r"$b$", "learnt bias"),
    ]
    for row, (symbol, meaning) in enumerate(terms):
        height = 0.47 - 0.093 * row
        axes.text(0.14, height, symbol, fontsize=16, ha="right", va="center")
        axes.text(0.17, height, meaning, fontsize=13.5, ha="left", va="center")


def draw_skeleton(axes: Axes) -> None:
    """A body; the target is an elbow."""
    joints: dict[str, Point] = {
        "head": (0.0, 2.5),
        "neck": (0.0, 1.8),
        "hip": (0.0, 0.0),
        "shoulder left": (-0.8, 1.72),
        "elbow left": (-1.45, 0.95),
        "hand left": (-2.05, 0.15),
        "shoulder right": (0.8, 1.72),
        "elbow right": (1.75, 1.25),
        "hand right": (2.55, 2.15),
        "hip left": (-0.5, -0.15),
        "knee left": (-0.75, -1.3),
        "foot left": (-0.9, -2.45),
        "hip right": (0.5, -0.15),
        "knee right": (0.75, -1.3),
        "foot right": (0.9, -2.45),
    }
    bones = [
        ("head", "neck"),
        ("neck", "hip"),
        ("neck", "shoulder left"),
        ("shoulder left", "elbow left"),
        ("elbow left", "hand left"),
        ("neck", "shoulder right"),
        ("shoulder right", "elbow right"),
        ("elbow right", "hand right"),
        ("hip", "hip left"),
        ("hip left", "knee left"),
        ("knee left", "foot left"),
        ("hip", "hip right"),
        ("hip right", "knee right"),
        ("knee right", "foot right"),
    ]
    target = joints["elbow right"]
    draw_lines(axes, [(joints[a], joints[b]) for a, b in bones])
    draw_edge(axes, Edge(joints["hand right"], target, ORANGE), shrink=8)
    draw_edge(axes, Edge(joints["shoulder right"], target, BLUE), shrink=8)
    draw_loop(axes, target, -75, 0.85)
    draw_nodes(axes, joints.values(), 100, target)
    axes.text(-0.12, 1.42, "centre", color=GREY, fontsize=11, ha="right", va="center")
    clear(axes, (-3.1, 3.1), (-2.85, 2.95))


def draw_roads(axes: Axes) -> None:
    """A junction of one-way roads; the target is a road in the middle."""
    target = (0.0, 0.0)
    upstream = [(-1.45, 0.95), (-1.5, -0.85)]
    downstream = [(1.5, 0.85), (1.45, -0.95)]
    far = [(-2.75, 1.55), (-2.8, -0.35), (-1.9, -2.1), (2.75, 1.6), (2.8, -0.4), (1.8, -2.15)]
    far += [(0.1, 2.0)]
    links = [
        (far[0], upstream[0]),
        (far[1], upstream[1]),
        (far[2], upstream[1]),
        (downstream[0], far[3]),
        (downstream[1], far[4]),
        (downstream[1], far[5]),
        (far[6], upstream[0]),
        (downstream[0], far[6]),
    ]
    for source, end in links:
        draw_edge(axes, Edge(source, end, FAINT), 1.6, 7)
    # Traffic runs from left to right; messages come from both sides.
    for place in upstream:
        draw_edge(axes, Edge(place, target, ORANGE), shrink=8)
    for place in downstream:
        draw_edge(axes, Edge(target, place, FAINT, 0.22), 1.6, 8)
        draw_edge(axes, Edge(place, target, BLUE, 0.22), shrink=8)
    draw_loop(axes, target, 90, 0.85)
    draw_nodes(axes, [target, *upstream, *downstream, *far], 100, target)
    clear(axes, (-3.1, 3.1), (-2.85, 2.95))


def draw_pixels(axes: Axes) -> None:
    """Pixels of an image; the target is the one in the middle."""
    target = (0.0, 0.0)
    step, edge = 1.75, 2.6
    side = (-step, 0.0, step)
    draw_lines(axes, [((-edge, row), (edge, row)) for row in side])
    draw_lines(axes, [((column, -edge), (column, edge)) for column in side])
    offsets = [(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)]
    for (column, row), colour in zip(offsets, OFFSETS, strict=True):
        draw_edge(axes, Edge((step * column, step * row), target, colour), shrink=9)
    draw_loop(axes, target, 67.5, 1.25, 2.2, spread=17.0)
    draw_nodes(axes, [(column, row) for row in side for column in side], 110, target)
    clear(axes, (-3.0, 3.0), (-2.75, 2.75))


def draw() -> plt.Figure:
    plt.rcParams.update({"font.family": "DejaVu Sans", "mathtext.fontset": "cm"})
    figure = plt.figure(figsize=(13.0, 10.0), facecolor="white")
    draw_operator(figure.add_axes((0.0, 0.47, 0.55, 0.47)))
    write_formula(figure.add_axes((0.55, 0.48, 0.44, 0.44)))
    title = {"weight": "bold", "ha": "center", "va": "center"}
    headline = "A graph convolution is one sparse product over labelled edges"
    figure.text(0.5, 0.965, headline, fontsize=20, **title)
    itself = ("0 itself", BLACK)
    panels = [
        (
            draw_skeleton,
            "Skeleton",
            [itself, ("1 farther from the centre", ORANGE), ("2 nearer", BLUE)],
        ),
        (draw_roads, "Road network", [itself, ("1 upstream", ORANGE), ("2 downstream", BLUE)]),
        (draw_pixels, "Pixel grid", [("9 offsets: a 3 x 3 image convolution", BLACK)]),
    ]
    for column, (paint, name, labels) in enumerate(panels):
        axes = figure.add_axes((0.015 + 0.33 * column, 0.06, 0.31, 0.355))
        paint(axes)
        axes.text(0.5, 1.03, name, fontsize=16, transform=axes.transAxes, **title)
        spaced = [(text if i == 0 else f"   {text}", c) for i, (text, c) in enumerate(labels)]
        write_coloured(axes, (0.5, -0.06), spaced, 13)
    return figure


if __name__ == "__main__":
    draw().savefig(Path(__file__).with_name("one_idea.png"), dpi=130)
