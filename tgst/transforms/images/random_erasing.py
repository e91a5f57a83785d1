r"""Random squares of images are erased."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tgst.transforms.clips.arguments import checked_probability
from tgst.transforms.images.arguments import (
    check_images,
    check_side_fits,
    checked_sides,
    chosen,
)


class RandomErasing(torch.nn.Module):
    r"""Sets a square at a random place of each image to one value, from `"Random Erasing Data
    Augmentation" <https://arxiv.org/abs/1708.04896>`_ (Zhong et al., 2020).

    Args:
        size (int or sequence of int, optional): Side of the square in pixels, or its smallest and
            largest. (default: :obj:`8`)
        p (float, optional): Probability with which an image is changed. (default: :obj:`0.5`)
        value (float, optional): What is put there. (default: :obj:`0`)

    Shapes:
        - **input, output:** :math:`(B, C, H, W)`

    Raises:
        ValueError: If a number is out of range or the square larger than the images.
    """

    def __init__(self, size: int | Sequence[int] = 8, p: float = 0.5, value: float = 0.0) -> None:
        super().__init__()
        self.low, self.high = checked_sides("size", size)
        self.p = checked_probability("p", p)
        self.value = float(value)

    def forward(self, x: Tensor) -> Tensor:
        r"""Returns the images with holes."""
        check_images(x)
        check_side_fits("size", self.high, x)
        side = torch.randint(self.low, self.high + 1, (x.size(0),), device=x.device)
        rows = self._within(side, x.size(2)).unsqueeze(2)
        columns = self._within(side, x.size(3)).unsqueeze(1)
        hole = rows & columns & chosen(self.p, x, 1, 1)
        return x.masked_fill(hole.unsqueeze(1), self.value)

    def _within(self, side: Tensor, length: int) -> Tensor:
        r"""Which pixels of an axis are in a segment at a random place."""
        draw = torch.rand(len(side), device=side.device)
        first = (draw * (length - side + 1)).floor().unsqueeze(1)
        pixels = torch.arange(length, device=side.device)
        return (pixels >= first) & (pixels < first + side.unsqueeze(1))

    def extra_repr(self) -> str:
        r"""The settings."""
        return f"size=[{self.low}, {self.high}], p={self.p}, value={self.value}"
