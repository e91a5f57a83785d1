r"""A small localisation net."""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from tgst.nn.warp.arguments import LAYOUTS, check_size


class ConvLocalization(torch.nn.Module):
    r"""The localisation net of the MNIST experiments in `"Spatial Transformer Networks"
    <https://arxiv.org/abs/1506.02025>`_ (Jaderberg et al., NeurIPS 2015): convolutions with
    pooling, one hidden layer, one linear layer that returns the parameters.

    .. math::
        \theta = \mathbf{W}_2 \, \mathrm{ReLU}(\mathbf{W}_1 \, \mathrm{vec}(\mathbf{Z}_L) +
        \mathbf{b}_1) + \mathbf{b}_2, \quad \mathbf{Z}_l = \mathrm{ReLU}(\mathrm{pool}(
        \mathrm{conv}_l(\mathbf{Z}_{l-1})))

    Args:
        in_channels (int): Number of channels of the images.
        num_params (int): Number of parameters of the warp, :attr:`Warp.num_params`.
        image_size (int or tuple): Size of the images :math:`([D, ] H, W)`; one number stands for
            a square image.
        channels (tuple, optional): Channels of the convolutions. (default: :obj:`(20, 20)`)
        kernel_size (int, optional): Of the convolutions, an odd number.
            (default: :obj:`5`)
        hidden (int, optional): Size of the hidden layer. (default: :obj:`20`)
        downsample (int, optional): Factor by which the images are averaged first; the paper
            takes 2 for distorted MNIST. (default: :obj:`1`)

    Shapes:
        - **x**: :math:`(B, C, [D, ] H, W)`
        - **output**: :math:`(B, P)`

    Raises:
        ValueError: If a size is not possible, nothing is left of the image after pooling, or the
            images are of another shape.
    """

    def __init__(
        self,
        in_channels: int,
        num_params: int,
        image_size: int | tuple[int, ...],
        channels: tuple[int, ...] = (20, 20),
        kernel_size: int = 5,
        hidden: int = 20,
        downsample: int = 1,
    ):
        super().__init__()
        size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        if len(size) not in (2, 3):
            raise ValueError(f"image_size: expected 2 or 3 sizes, got {image_size}")
        size = check_size(size, len(size), "image_size")
        widths = (in_channels, *channels)
        if min(*widths, num_params, hidden, downsample) < 1 or kernel_size % 2 != 1:
            raise ValueError(
                "in_channels, channels, num_params, hidden, downsample, kernel_size: expected at "
                "least 1 and an odd kernel_size, got "
                f"{(in_channels, channels, num_params, hidden, downsample, kernel_size)}"
            )
        left = [n // downsample // 2 ** len(channels) for n in size]
        if min(left) < 1:
            raise ValueError(
                f"image_size: {size} has nothing left after downsample={downsample} and "
                f"{len(channels)} poolings"
            )
        self.in_channels = in_channels
        self.num_params = num_params
        self.image_size = size
        self.downsample = downsample
        conv = torch.nn.Conv2d if len(size) == 2 else torch.nn.Conv3d
        self.convs = torch.nn.ModuleList(
            conv(a, b, kernel_size, padding=kernel_size // 2) for a, b in pairwise(widths)
        )
        features = widths[-1]
        for n in left:
            features *= n
        self.hidden = torch.nn.Linear(features, hidden)
        self.out = torch.nn.Linear(hidden, num_params)

    def forward(self, x: Tensor) -> Tensor:
        r"""Predicts parameters; see the class for shapes."""
        expected = (self.in_channels, *self.image_size)
        if tuple(x.shape[1:]) != expected:
            raise ValueError(
                f"x: expected {LAYOUTS[len(self.image_size)]} with shape [B, "
                f"{', '.join(map(str, expected))}] (channels first), got {list(x.shape)}"
            )
        flat = len(self.image_size) == 2
        average, pool = (F.avg_pool2d, F.max_pool2d) if flat else (F.avg_pool3d, F.max_pool3d)
        if self.downsample > 1:
            x = average(x, self.downsample)
        for conv in self.convs:
            x = F.relu(pool(conv(x), 2))
        return self.out(F.relu(self.hidden(x.flatten(1))))

    def reset_parameters(self):
        r"""Draws new weights."""
        for module in (*self.convs, self.hidden, self.out):
            module.reset_parameters()

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.in_channels}, {self.num_params}, "
            f"image_size={self.image_size}, downsample={self.downsample})"
        )
