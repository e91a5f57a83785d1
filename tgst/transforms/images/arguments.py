r"""Checks of what several transforms of images take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tgst.transforms.clips.arguments import checked_count


def check_images(x: Tensor) -> None:
    r"""Refuses what is no batch of images.

    Raises:
        ValueError: If it has other dimensions or no floating point numbers.
    """
    if x.dim() != 4 or not x.is_floating_point():
        raise ValueError(
            f"x: expected a floating point tensor [B, C, H, W], got {x.dtype} {list(x.shape)}"
        )


def checked_sides(name: str, value: Any) -> tuple[int, int]:
    r"""Returns the smallest and largest side of a square, given as one number or two.

    Raises:
        TypeError: If they are no integers.
        ValueError: If they are less than 1 or in the wrong order.
    """
    pair = tuple(value) if isinstance(value, Sequence) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"{name}: expected a number of pixels or [smallest, largest], got {value}")
    low, high = (checked_count(name, each) for each in pair)
    if low > high:
        raise ValueError(f"{name}: expected [smallest, largest], got {value}")
    return low, high


def check_side_fits(name: str, side: int, x: Tensor) -> None:
    r"""Refuses images that a square does not fit into.

    Raises:
        ValueError: If it is larger than the images.
    """
    if side > min(x.shape[-2:]):
        raise ValueError(
            f"{name}: expected at most the images' sides {list(x.shape[-2:])}, got {side}"
        )


def chosen(p: float, x: Tensor, *shape: int) -> Tensor:
    r"""Which of :math:`(B, *\text{shape})` are drawn, each with probability :obj:`p`."""
    return torch.rand(x.size(0), *shape, device=x.device) < p
