r"""The target lattice, and the way from normalised coordinates to pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["target_points", "to_pixels"]


def target_points(
    size: Sequence[int],
    align_corners: bool = False,
    oversample: Sequence[int] | None = None,
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | None = None,
) -> Tensor:
    r"""The pixel centres of an output, row by row, in normalised coordinates.

    Args:
        size (tuple): :math:`(H, W)` or :math:`(D, H, W)`.
        align_corners (bool, optional): Whether -1 and 1 are the centres of the outermost pixels,
            otherwise their outer edges. (default: :obj:`False`)
        oversample (tuple, optional): Number of points per pixel and dimension, evenly spread over
            the pixel. (default: :obj:`None`: one)
        dtype (torch.dtype, optional): Of the result. (default: :obj:`torch.float32`)
        device (torch.device, optional): Of the result. (default: :obj:`None`)

    Shapes:
        - **output**: :math:`(N, d)`, last axis :math:`(x, y[, z])`
    """
    factors = oversample or [1] * len(size)
    axes = [_axis(n, k, align_corners, dtype, device) for n, k in zip(size, factors, strict=True)]
    meshes = torch.meshgrid(*axes, indexing="ij")
    return torch.stack(meshes[::-1], dim=-1).reshape(-1, len(size))


def _axis(n: int, k: int, align_corners: bool, dtype, device) -> Tensor:
    index = torch.arange(n * k, dtype=dtype, device=device)
    if not align_corners:
        return (2 * index + 1) / (n * k) - 1
    if n == 1:  # the only pixel is first and last: the middle
        return torch.zeros_like(index)
    pixel = index if k == 1 else (index + 0.5) / k - 0.5
    return 2 * pixel / (n - 1) - 1


def to_pixels(points: Tensor, size: Sequence[int], align_corners: bool = False) -> Tensor:
    r"""Normalised coordinates in pixels.

    .. math::
        p = \frac{(x + 1) n - 1}{2} \quad \text{or, with aligned corners,} \quad
        p = \frac{(x + 1) (n - 1)}{2}

    Convention:
        Pixel 0 is the centre of the first pixel. Points are :math:`(x, y[, z])`, sizes
        :math:`([D, ] H, W)`, as everywhere in torch.

    Args:
        points (torch.Tensor): Normalised coordinates.
        size (tuple): Size of the image.
        align_corners (bool, optional): See :func:`target_points`. (default: :obj:`False`)

    Shapes:
        - **points**, **output**: :math:`(*, d)`

    Raises:
        ValueError: If the number of sizes is not that of the coordinates.
    """
    if points.size(-1) != len(size):
        raise ValueError(
            f"points: expected [*, {len(size)}] for size {tuple(size)}, got {list(points.shape)}"
        )
    n = torch.tensor(tuple(size)[::-1], dtype=points.dtype, device=points.device)
    return (points + 1) * (n - 1) / 2 if align_corners else ((points + 1) * n - 1) / 2
