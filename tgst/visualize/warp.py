r"""What a spatial transformer looks at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from tgst.visualize.warp_lines import (
    Transforms,
    Warps,
    as_images,
    as_transforms,
    limits,
    quiet_resample,
    shown_images,
    shown_output,
    warped_lines,
)

# colour-blind safe, and seen on black as on white
COLORS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def plot_warp(
    x: Tensor | np.ndarray,
    theta: Transforms,
    warp: Warps,
    output_size: int | tuple[int, int] | None = None,
    *,
    lattice: int | None = None,
    titles: Sequence[str] | None = None,
    colormap: str = "gray",
) -> Figure:
    r"""Draws images with the part that a warp reads outlined on them, and beside each what the
    warp makes of it; one image in each row.

    The outline is that of the output; where lines do not stay straight a lattice over the output
    is drawn. A dot marks the output's left top corner, so that turns and mirror images show. No
    global state of matplotlib is touched and nothing is shown: save with
    :obj:`figure.savefig(path)`.

    .. code-block:: python

        output, theta = transformer(x, return_transform=True)
        plot_warp(x, theta, transformer)

    Args:
        x (torch.Tensor or numpy.ndarray): The images, in one channel or in three.
        theta (torch.Tensor or numpy.ndarray or list of them): The parameters of the warp, or
            several of them for several transforms of each image: :obj:`theta.unbind(1)` of
            :class:`tgst.nn.warp.ParallelTransformers`.
        warp (Warp or SpatialTransformer or ParallelTransformers): The family of maps, or the
            layer, whose output size and way of sampling then hold.
        output_size (int or tuple, optional): Size of the outputs. (default: :obj:`None`, that of
            the layer, or of the images)
        lattice (int, optional): Lines of each direction, 2 for the outline alone.
            (default: :obj:`None`, the outline where lines stay straight, else 5)
        titles (sequence of str, optional): One for each image. (default: :obj:`None`)
        colormap (str, optional): Of images in one channel. (default: :obj:`"gray"`)

    Shapes:
        - **x**: :math:`(B, 1, H, W)` or :math:`(B, 3, H, W)`
        - **theta**: :math:`(B, P)`, or what the family takes in its place

    Raises:
        TypeError: If :obj:`warp` is no warp.
        ValueError: If a shape does not fit, there are too few lines, or there is not one title
            for each image.
    """
    images = as_images(x)
    transforms = as_transforms(theta, len(images))
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"titles: expected {len(images)}, got {len(titles)}")
    resample = quiet_resample(warp, output_size)
    size = images.shape[2:]
    options = (size, resample.align_corners, lattice)
    lines = [warped_lines(resample.warp, each, *options) for each in transforms]
    outputs = [shown_output(resample, images, each) for each in transforms]
    ends = limits(lines, size)
    rows, columns = len(images), 1 + len(transforms)
    figure = Figure(figsize=(1.7 * columns + 0.3, 1.7 * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    top = float(images.max())
    for row, image in enumerate(shown_images(images)):
        show_image(grid[row, 0], image, colormap, top)
        frame(grid[row, 0], ends)
        for number, each in enumerate(lines):
            draw_lines(grid[row, 0], each[row], COLORS[number % len(COLORS)])
            axes = grid[row, 1 + number]
            show_image(axes, outputs[number][row], colormap, top)
            for spine in axes.spines.values():
                spine.set(edgecolor=COLORS[number % len(COLORS)], linewidth=1.6)
        if titles is not None:
            grid[row, 0].set_title(titles[row], fontsize=9)
    return figure


def show_image(axes: Axes, image: np.ndarray, colormap: str, top: float):
    r"""Puts an image into axes without ticks; returns it."""
    axes.set_xticks([])
    axes.set_yticks([])
    return axes.imshow(image, cmap=colormap, vmin=0, vmax=max(top, 1e-12))


def frame(axes: Axes, ends: tuple[float, float, float, float]) -> None:
    r"""Makes room for what lies outside of an image."""
    axes.set_xlim(ends[:2])
    axes.set_ylim(ends[2:])
    axes.spines[:].set_visible(False)


def draw_lines(axes: Axes, lines: np.ndarray, color: str) -> tuple[LineCollection, Line2D]:
    r"""Draws the lines of a lattice and a dot where the first of them begins; returns both."""
    drawn = LineCollection(list(lines), colors=color, linewidths=widths(len(lines)))
    axes.add_collection(drawn, autolim=False)
    (dot,) = axes.plot(*lines[0, :1].T, "o", color=color, markersize=4)
    return drawn, dot


def widths(lines: int) -> list[float]:
    r"""The outline is wider than what is in it."""
    last = lines // 2 - 1
    return [1.6 if place in (0, last) else 0.8 for place in range(last + 1)] * 2
