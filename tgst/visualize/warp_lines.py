r"""Where the output of a warp lies in its input, and what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tgst.nn.warp import (
    MatrixWarp,
    ParallelTransformers,
    Resample,
    SpatialTransformer,
    Warp,
)

STEPS = 32  # pieces of a curved line
CURVED_LINES = 5  # of each direction, where a box would not say enough
Warps = Warp | Resample | SpatialTransformer | ParallelTransformers
Transforms = Tensor | np.ndarray | Sequence[Tensor | np.ndarray]


def quiet_resample(warp: Warps, output_size: int | tuple[int, int] | None) -> Resample:
    r"""Grid generator and sampler of a warp or a transformer, without its warnings.

    Args:
        warp (Warp or SpatialTransformer): A family of maps, or a layer whose options hold.
        output_size (int or tuple, optional): Size of the output, if not that of the layer.

    Raises:
        TypeError: If it is none of these.
        ValueError: If it warps volumes.
    """
    given = getattr(warp, "resample", warp)
    if isinstance(given, Warp):
        given = Resample(given)
    if not isinstance(given, Resample):
        raise TypeError(f"warp: expected a Warp or a layer with one, got {type(warp).__name__}")
    if given.warp.dim != 2:
        raise ValueError(f"warp: expected one of images, got {given.warp} of volumes")
    size = given.output_size if output_size is None else output_size
    return Resample(
        given.warp,
        size,
        given.sampling,
        given.padding,
        given.align_corners,
        given.antialias,
        warn_outside=False,
    )


def as_transforms(theta: Transforms, images: int, batch_dims: int = 1) -> list[Tensor]:
    r"""The parameters of one or of several transforms of each image.

    Args:
        theta (torch.Tensor or numpy.ndarray or list of them): The parameters.
        images (int): Number of images.
        batch_dims (int, optional): Which dimension has to be that of the images.
            (default: :obj:`1`)

    Raises:
        ValueError: If there are others than one for each image.
    """
    several = theta if isinstance(theta, (list, tuple)) else [theta]
    found = [torch.as_tensor(each).detach().cpu().float() for each in several]
    for each in found:
        if each.dim() <= batch_dims or each.size(batch_dims - 1) != images:
            frames = "T, " * (batch_dims - 1)
            raise ValueError(
                f"theta: expected [{frames}{images}, P], one row for each image, got "
                f"{list(each.shape)}"
            )
    return found


def warped_lines(
    warp: Warp,
    theta: Tensor,
    size: Sequence[int],
    align_corners: bool = False,
    lattice: int | None = None,
) -> np.ndarray:
    r"""The lines of a lattice over the output, where they lie in the input, in pixels.

    Two lines of each direction are the outline, which is all that is needed of a warp that keeps
    lines straight.

    Args:
        warp (Warp): The family of maps.
        theta (torch.Tensor): Their parameters.
        size (tuple): Height and width of the input.
        align_corners (bool, optional): See :class:`tgst.nn.warp.Warp`. (default: :obj:`False`)
        lattice (int, optional): Lines of each direction. (default: :obj:`None`, two of straight
            ones and five of curved ones)

    Shapes:
        - **theta**: :math:`(B, P)` or what the family takes in its place
        - **output**: :math:`(B, 2 L, S, 2)`: the rows from top to bottom, then the columns from
          left to right, each as :math:`S` points :math:`(x, y)`

    Raises:
        ValueError: If there are fewer than two lines.
    """
    straight = isinstance(warp, MatrixWarp)
    lines = (2 if straight else CURVED_LINES) if lattice is None else lattice
    if lines < 2:
        raise ValueError(f"lattice: expected at least 2 lines of each direction, got {lines}")
    across = torch.linspace(-1, 1, lines)
    along = torch.linspace(-1, 1, 2 if straight else STEPS + 1)
    y, x = torch.meshgrid(across, along, indexing="ij")
    rows = torch.stack([x, y], dim=-1)
    target = torch.cat([rows, rows.flip(-1)])  # [2 L, S, 2]
    with torch.no_grad():
        source = warp.transform(theta, target.flatten(0, 1))
        pixels = warp.to_pixels(source, size, align_corners)
    return pixels.view(-1, *target.shape).numpy()


def shown_output(resample: Resample, x: Tensor, theta: Tensor) -> np.ndarray:
    r"""The outputs of a warp, to be shown.

    Shapes:
        - **x**: :math:`(B, C, H, W)`
        - **output**: :math:`(B, H', W')`, or :math:`(B, H', W', 3)` in colours
    """
    with torch.no_grad():
        return shown_images(resample(x, theta))


def shown_images(x: Tensor) -> np.ndarray:
    r"""Images in the order of matplotlib.

    Shapes:
        - **x**: :math:`(B, C, H, W)`
        - **output**: :math:`(B, H, W)`, or :math:`(B, H, W, 3)` in colours
    """
    return x[:, 0].numpy() if x.size(1) == 1 else x.permute(0, 2, 3, 1).clamp(0, 1).numpy()


def as_images(x: Any) -> Tensor:
    r"""A batch of images in one channel or three.

    Raises:
        ValueError: If it has another shape, or none is in it.
    """
    x = torch.as_tensor(x).detach().cpu().float()
    if x.dim() != 4 or x.size(1) not in (1, 3) or len(x) == 0:
        raise ValueError(f"x: expected images [B, 1 or 3, H, W], got {list(x.shape)}")
    return x


def limits(lines: Sequence[np.ndarray], size: Sequence[int]) -> tuple[float, float, float, float]:
    r"""Left, right, bottom and top end of axes that show the whole image, and lines up to half an
    image outside of it; those of a training that diverged may be nowhere.
    """
    height, width = size
    ends = []
    for axis, length in ((0, width), (1, height)):
        places = np.concatenate([each[..., axis].ravel() for each in lines])
        places = places[np.isfinite(places)]
        low, high = places.min(initial=-0.5), places.max(initial=length - 0.5)
        margin = 0.03 * length
        ends.append(max(float(low), -0.5 - length / 2) - margin)
        ends.append(min(float(high), 1.5 * length - 0.5) + margin)
    left, right, top, bottom = ends
    return left, right, bottom, top
