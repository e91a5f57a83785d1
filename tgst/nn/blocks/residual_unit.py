r"""The pre-activation residual unit of ST-ResNet."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tgst.nn.dropout import dropout
from tgst.nn.folding import fold_norm


class ResidualUnit(torch.nn.Module):
    r"""The residual unit from `"Deep Spatio-Temporal Residual Networks for Citywide Crowd Flows
    Prediction" <https://arxiv.org/abs/1610.00081>`_ (Zhang, Zheng and Qi, AAAI 2017): nothing but
    the sum on the way past, activations before the convolutions.

    .. math::
        \mathbf{X}' = \mathbf{X} + F(\mathbf{X}), \quad
        F = (\mathrm{Conv} \circ \mathrm{ReLU} \, [\circ \, \mathrm{Norm}])^n

    with :math:`n` convolutions, which are padded with zeros and keep the grid. They start as in the
    authors' Keras code, with Glorot's uniform weights and zero biases. With :obj:`batch_norm` in
    training mode the samples of a batch are normalised together.

    Args:
        channels (int): Number of input and output channels.
        kernel_size (int, optional): Side of the convolutions, odd. (default: :obj:`3`)
        num_convs (int, optional): Number of convolutions in the unit, one in the paper's
            L12-single-E. (default: :obj:`2`)
        batch_norm (bool, optional): Whether each activation follows a batch normalisation.
            (default: :obj:`False`)
        dropout (float, optional): Dropout probability before the last convolution.
            (default: :obj:`0.0`)
        residual (bool, optional): Whether the input is added. (default: :obj:`True`)

    Shapes:
        - **x**: :math:`(B, C, H, W)`
        - **output**: :math:`(B, C, H, W)`

    Raises:
        ValueError: If the kernel is even, or there is no convolution or channel.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int = 3,
        num_convs: int = 2,
        batch_norm: bool = False,
        dropout: float = 0.0,
        residual: bool = True,
    ):
        super().__init__()
        if num_convs < 1:
            raise ValueError(f"num_convs: expected at least 1, got {num_convs}")
        self.channels, self.dropout, self.residual = channels, dropout, residual
        self.convs = torch.nn.ModuleList(
            same_conv(channels, channels, kernel_size) for _ in range(num_convs)
        )
        self.norms = torch.nn.ModuleList(
            torch.nn.BatchNorm2d(channels) if batch_norm else torch.nn.Identity()
            for _ in range(num_convs)
        )

    def reset_parameters(self) -> None:
        r"""Draws new weights."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            reset_glorot(conv)
            if isinstance(norm, torch.nn.BatchNorm2d):
                norm.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        r"""Runs the unit; see the class for shapes."""
        out, last = x, len(self.convs) - 1
        for number, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            out = F.relu(norm(out))
            if number == last:
                out = dropout(out, self.dropout, self.training)
            out = conv(out)
        return x + out if self.residual else out

    def fold_(self) -> None:
        r"""Writes the normalisations between the convolutions into these, see
        :func:`tgst.nn.fuse`. The first one follows the sum on the way past, and stays.
        """
        for number in range(1, len(self.convs)):
            self.norms[number] = fold_norm(self.convs[number - 1], self.norms[number])


def same_conv(in_channels: int, out_channels: int, kernel_size: int) -> torch.nn.Conv2d:
    r"""Returns a convolution that keeps the grid, with weights drawn by :func:`reset_glorot`."""
    if min(in_channels, out_channels) < 1:
        raise ValueError(
            f"channels: expected at least 1 in and out, got {in_channels} and {out_channels}"
        )
    if kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(
            f"kernel_size: expected an odd number (the padding keeps the grid), got {kernel_size}"
        )
    conv = torch.nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
    reset_glorot(conv)
    return conv


def reset_glorot(layer: torch.nn.Module) -> None:
    r"""Draws Glorot's uniform weights and sets the bias to zero, as Keras does."""
    torch.nn.init.xavier_uniform_(layer.weight)  # type: ignore[arg-type]
    torch.nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
