r"""Random noise on images."""

from __future__ import annotations

import torch
from torch import Tensor

from tgst.transforms.clips.arguments import checked_amount
from tgst.transforms.images.arguments import check_images


class RandomNoise(torch.nn.Module):
    r"""Adds normal noise to every pixel.

    Args:
        std (float, optional): Standard deviation. (default: :obj:`0.05`)

    Shapes:
        - **input, output:** :math:`(B, C, H, W)`

    Raises:
        ValueError: If it is negative.
    """

    def __init__(self, std: float = 0.05) -> None:
        super().__init__()
        self.std = checked_amount("std", std)

    def forward(self, x: Tensor) -> Tensor:
        r"""Returns the noisy images."""
        check_images(x)
        return x + self.std * torch.randn_like(x) if self.std else x

    def extra_repr(self) -> str:
        r"""The settings."""
        return f"std={self.std}"
