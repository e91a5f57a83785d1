r"""The confusion matrix of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tgst.visualize.arguments import as_array

NUMBERS_UP_TO = 30  # classes; beyond, the cells are too small for numbers
NAMES_UP_TO = 70


def plot_confusion(
    matrix: Any,
    class_names: Sequence[str] | None = None,
    *,
    normalize: bool = True,
    colormap: str = "Blues",
    items: str = "clips",
) -> Figure:
    r"""Draws a confusion matrix: how often examples of each class (row) were taken for each class
    (column).

    With up to 30 classes every cell that is not zero shows its count. No global state of matplotlib
    is touched and nothing is shown: save with :obj:`figure.savefig(path)`.

    Args:
        matrix (torch.Tensor or numpy.ndarray or list): The counts.
        class_names (sequence of str, optional): Names of the classes; their numbers if left out.
            (default: :obj:`None`)
        normalize (bool, optional): Colour by the share of the class of the row, so that classes of
            different size compare; else by the count. (default: :obj:`True`)
        colormap (str, optional): Name of a matplotlib colormap. (default: :obj:`"Blues"`)
        items (str, optional): What was classified, for the title. (default: :obj:`"clips"`)

    Shapes:
        - **matrix**: :math:`(K, K)`, rows the true classes

    Raises:
        ValueError: If the matrix is not square, has a negative or no entry, or there is not one
            name per class.
    """
    counts = as_array("matrix", matrix, (None, None))
    classes = counts.shape[0]
    if classes == 0 or counts.shape[1] != classes or (counts < 0).any():
        raise ValueError(f"matrix: expected counts of shape (K, K), got {counts.shape}")
    names = [str(k) for k in range(classes)] if class_names is None else list(class_names)
    if len(names) != classes:
        raise ValueError(f"class_names: expected {classes} names, got {len(names)}")
    total = counts.sum(axis=1, keepdims=True)
    shade = counts / np.maximum(total, 1) if normalize else counts.astype(float)
    side = float(np.clip(2.5 + 0.32 * classes, 4, 16))
    figure = Figure(figsize=(side + 1, side), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(shade, cmap=colormap, vmin=0, vmax=1 if normalize else None)
    label = "share of the class" if normalize else items
    figure.colorbar(image, ax=axes, label=label, shrink=0.8).outline.set_visible(False)
    if classes <= NUMBERS_UP_TO:
        _write_counts(axes, counts, shade)
    _name_classes(axes, names)
    right = np.trace(counts) / max(counts.sum(), 1)
    axes.set_title(f"{right:.1%} of {counts.sum():g} {items} right")
    return figure


def _write_counts(axes: Axes, counts: np.ndarray, shade: np.ndarray) -> None:
    middle = shade.max() / 2
    size = float(np.clip(140 / len(counts), 5, 10))
    for row, column in np.argwhere(counts > 0):
        axes.text(
            column,
            row,
            f"{counts[row, column]:g}",
            ha="center",
            va="center",
            fontsize=size,
            color="white" if shade[row, column] > middle else "black",
        )


def _name_classes(axes: Axes, names: Sequence[str]) -> None:
    axes.set_xlabel("recognised as")
    axes.set_ylabel("class")
    if len(names) > NAMES_UP_TO:
        return  # matplotlib's own ticks number the classes
    places = np.arange(len(names))
    size = float(np.clip(480 / len(names), 6, 10))
    axes.set_xticks(places, names, rotation=90, fontsize=size)
    axes.set_yticks(places, names, fontsize=size)
