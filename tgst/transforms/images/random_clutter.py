r"""Random clutter on images: patches of the other images of the batch."""

from __future__ import annotations

import torch
from torch import Tensor

from tgst.transforms.clips.arguments import checked_choice, checked_count, checked_probability
from tgst.transforms.images.arguments import check_images, check_side_fits, chosen


class RandomClutter(torch.nn.Module):
    r"""Puts square patches, cut from other images of the batch at random places, at random places
    of each image, as cluttered MNIST was made.

    Args:
        number (int, optional): Patches per image. (default: :obj:`4`)
        size (int, optional): Their side, in pixels. (default: :obj:`8`)
        p (float, optional): Probability of each patch. (default: :obj:`1`)
        blend (str, optional): What a pixel becomes: :obj:`"max"`, the brighter one of image and
            patch, or :obj:`"add"`, their sum. (default: :obj:`"max"`)

    Shapes:
        - **input, output:** :math:`(B, C, H, W)`, background zero

    Raises:
        ValueError: If a number is out of range or a patch larger than the images.
    """

    def __init__(self, number: int = 4, size: int = 8, p: float = 1.0, blend: str = "max") -> None:
        super().__init__()
        self.number = checked_count("number", number)
        self.size = checked_count("size", size)
        self.p = checked_probability("p", p)
        self.blend = checked_choice("blend", blend, ("max", "add"))

    def forward(self, x: Tensor) -> Tensor:
        r"""Returns the images with clutter."""
        check_images(x)
        check_side_fits("size", self.size, x)
        images, channels, height, width = x.shape
        if images < 2:
            return x  # there is no other image
        each = (images, self.number)
        # from 1 to B - 1 images further on: never the image itself
        step = torch.randint(1, images, each, device=x.device)
        source = (torch.arange(images, device=x.device).unsqueeze(1) + step) % images
        flat = x.flatten(2)
        there = self._pixels(each, height, width, x.device)  # [B, n, size^2]
        patches = flat[source.unsqueeze(-1), :, there].permute(0, 3, 1, 2)  # [B, C, n, size^2]
        patches = patches * chosen(self.p, x, 1, self.number, 1)
        here = self._pixels(each, height, width, x.device).flatten(1).unsqueeze(1)
        index, values = here.expand(-1, channels, -1), patches.flatten(2)
        if self.blend == "add":
            return flat.scatter_add(2, index, values).view_as(x)
        return flat.scatter_reduce(2, index, values, "amax").view_as(x)

    def _pixels(
        self, each: tuple[int, int], height: int, width: int, device: torch.device
    ) -> Tensor:
        r"""The pixels, row-major, of squares at random places."""
        top = torch.randint(0, height - self.size + 1, each, device=device)
        left = torch.randint(0, width - self.size + 1, each, device=device)
        side = torch.arange(self.size, device=device)
        square = (side.unsqueeze(1) * width + side).flatten()
        return (top * width + left).unsqueeze(-1) + square

    def extra_repr(self) -> str:
        r"""The settings."""
        return f"number={self.number}, size={self.size}, p={self.p}, blend={self.blend!r}"
