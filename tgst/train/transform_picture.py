r"""A picture of what a trained model's spatial transformer looks at."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tgst.nn.warp import (
    Affine,
    ParallelTransformers,
    Projective,
    Resample,
    SerialTransformers,
    SpatialTransformer,
)

__all__ = ["write_transforms"]


def write_transforms(model: Any, images: Tensor, path: str | Path) -> Path | None:
    r"""Draws images with the boxes or lattices that a model's transformer reads, and its outputs
    (:func:`tgst.visualize.plot_warp`).

    Args:
        model: A model with ``transform`` and ``transformer``, as
            :class:`tgst.nn.models.ImageClassifier`, in evaluation mode.
        images: The images, :math:`(B, C, H, W)`.
        path: The file.

    Returns:
        The file; None without matplotlib, if the model has no transformer, the images are in other
        than one or three channels, or the map of transformers in series is no matrix.
    """
    transformer = getattr(model, "transformer", None)
    kinds = (ParallelTransformers, SerialTransformers, SpatialTransformer)
    if not isinstance(transformer, kinds) or images.size(1) not in (1, 3):
        return None
    if importlib.util.find_spec("matplotlib") is None:
        return None
    with torch.no_grad():
        theta = model.transform(images)
    drawn: Any = transformer
    if isinstance(transformer, ParallelTransformers):
        theta = theta.unbind(1)
    if isinstance(transformer, SerialTransformers):
        if theta.dim() != 3:  # a sampling grid
            return None
        drawn = _in_series(transformer, theta)
    from tgst.visualize.warp import plot_warp

    plot_warp(images.cpu(), theta, drawn).savefig(path, dpi=100)
    return Path(path)


def _in_series(transformer: SerialTransformers, theta: Tensor) -> Resample:
    r"""Samples at once by a composed matrix, as the last transformer does and to its size."""
    layers: list[Any] = [each.resample for each in transformer.transformers]
    sizes = [each.output_size for each in layers if each.output_size]
    return Resample(
        Affine() if theta.size(1) == 2 else Projective(),
        sizes[-1] if sizes else None,
        layers[-1].sampling,
        layers[-1].padding,
        layers[-1].align_corners,
    )
