r"""How a spatial transformer learns where to look."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from tgst.visualize.warp import COLORS, draw_lines, frame, show_image
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


def animate_warp(
    x: Tensor | np.ndarray,
    theta: Transforms,
    warp: Warps,
    output_size: int | tuple[int, int] | None = None,
    *,
    lattice: int | None = None,
    frames_per_second: float = 4.0,
    titles: Sequence[str] | None = None,
    colormap: str = "gray",
    path: str | Path | None = None,
) -> FuncAnimation:
    r"""Animates what a warp reads of a few images, and what it makes of them, over a training.

    The images stand side by side with the outlines of :func:`tgst.visualize.plot_warp` on them,
    the outputs below. :class:`tgst.train.RecordTransforms` records the parameters during a fit:

    .. code-block:: python

        record = np.load("runs/cluttered_mnist_stn/version_0/transforms.npz")
        titles = [f"epoch {number}" for number in record["epoch"]]
        animate_warp(record["images"], record["theta"], tgst.nn.warp.Affine(), 20, titles=titles,
                     path="training.gif")

    Args:
        x (torch.Tensor or numpy.ndarray): The images, in one channel or in three.
        theta (torch.Tensor or numpy.ndarray or list of them): The parameters in each frame, or
            several of them for several transforms of each image.
        warp (Warp or SpatialTransformer or ParallelTransformers): The family of maps, or the
            layer, whose output size and way of sampling then hold.
        output_size (int or tuple, optional): Size of the outputs. (default: :obj:`None`, that of
            the layer, or of the images)
        lattice (int, optional): See :func:`tgst.visualize.plot_warp`. (default: :obj:`None`)
        frames_per_second (float, optional): The rate of the animation. (default: :obj:`4.0`)
        titles (sequence of str, optional): One for each frame. (default: :obj:`None`)
        colormap (str, optional): Of images in one channel. (default: :obj:`"gray"`)
        path (str or Path, optional): Where to write it: a ``.gif`` file, or one of another kind,
            such as ``.mp4``, that matplotlib has a writer for. (default: :obj:`None`)

    Shapes:
        - **x**: :math:`(B, 1, H, W)` or :math:`(B, 3, H, W)`
        - **theta**: :math:`(T, B, P)`, or :math:`(T, B, *)` of what the family takes in its place

    Raises:
        TypeError: If :obj:`warp` is no warp.
        ValueError: If a shape does not fit, there are too few lines or no frame, the rate is not
            above zero, or there is not one title for each frame.
    """
    images = as_images(x)
    transforms = as_transforms(theta, len(images), batch_dims=2)
    _check_frames(transforms, titles, frames_per_second)
    resample = quiet_resample(warp, output_size)
    size = images.shape[2:]
    options = (size, resample.align_corners, lattice)
    lines = [
        np.stack([warped_lines(resample.warp, theta, *options) for theta in each])
        for each in transforms
    ]
    figure, grid = _panels(len(images), 1 + len(transforms))
    top, ends = float(images.max()), limits(lines, size)
    drawn: list[list[Any]] = []
    for column, image in enumerate(shown_images(images)):
        show_image(grid[0, column], image, colormap, top)
        frame(grid[0, column], ends)
    for number, each in enumerate(lines):
        color = COLORS[number % len(COLORS)]
        outputs = shown_output(resample, images, transforms[number][0])
        for column, output in enumerate(outputs):
            collection, dot = draw_lines(grid[0, column], each[0, column], color)
            picture = show_image(grid[1 + number, column], output, colormap, top)
            drawn.append([collection, dot, picture])
    heading = figure.suptitle(titles[0] if titles else "", fontsize=10)

    def draw(step: int) -> list[Any]:
        for number, each in enumerate(lines):
            outputs = shown_output(resample, images, transforms[number][step])
            for column, output in enumerate(outputs):
                collection, dot, picture = drawn[number * len(images) + column]
                collection.set_segments(list(each[step, column]))
                dot.set_data(*each[step, column, 0, :1].T)
                picture.set_data(output)
        if titles:
            heading.set_text(titles[step])
        return [artist for artists in drawn for artist in artists] + [heading]

    milliseconds = 1000 / frames_per_second
    frames = len(transforms[0])
    animation = FuncAnimation(figure, draw, frames=frames, interval=milliseconds, blit=False)
    if path is not None:
        _save(animation, Path(path), frames_per_second)
    return animation


def _check_frames(
    transforms: Sequence[Tensor], titles: Sequence[str] | None, frames_per_second: float
) -> None:
    lengths = [len(each) for each in transforms]
    if min(lengths) == 0 or len(set(lengths)) > 1:
        raise ValueError(
            f"theta: expected one or more frames, as many of each transform, got {lengths}"
        )
    if titles is not None and len(titles) != lengths[0]:
        raise ValueError(
            f"titles: expected one for each of the {lengths[0]} frames, got {len(titles)}"
        )
    if not 0 < frames_per_second < np.inf:
        raise ValueError(f"frames_per_second: expected a number > 0, got {frames_per_second}")


def _save(animation: FuncAnimation, path: Path, rate: float) -> None:
    options: dict[str, Any] = {"fps": rate}
    if path.suffix.lower() == ".gif":
        options = {"writer": PillowWriter(rate)}  # type: ignore[arg-type]
    animation.save(path, dpi=80, **options)


def _panels(columns: int, rows: int) -> tuple[Figure, np.ndarray]:
    figure = Figure(figsize=(1.5 * columns + 0.2, 1.5 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(rows, columns, squeeze=False)
