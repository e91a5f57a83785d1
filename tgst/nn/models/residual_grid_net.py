r"""A stack of residual units on a grid."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from tgst.nn.blocks.residual_unit import ResidualUnit, reset_glorot, same_conv
from tgst.nn.checkpointing import run_block
from tgst.nn.folding import fold_norm, fuse


class ResidualGridNet(torch.nn.Module):
    r"""Frames in, frames out: the simple residual stack for videos and weather fields, and without
    its :obj:`skip` one branch of :class:`~tgst.nn.models.STResNet`.

    .. math::
        \mathbf{Y} = \mathrm{Conv}_2(\mathrm{ReLU}(\mathrm{Unit}_L(\cdots \mathrm{Unit}_1(
        \mathrm{Conv}_1(\mathbf{X}))))) \, [+ \, \mathrm{Skip}(\mathbf{X})]

    with units :class:`tgst.nn.ResidualUnit`. Padding keeps the grid, which may have any size and
    may change from call to call.

    Convention:
        Frames lie in the channel dimension: :math:`T` frames of :math:`C` channels enter as
        :math:`TC` channels, **the most recent frame first** and its channels together
        (:obj:`in_channels = T * C`). A clip :obj:`[B, T, C, H, W]` in the order of time becomes
        this by :obj:`clip.flip(1).flatten(1, 2)`. Several output frames leave in the same way,
        the next step first.

    Args:
        in_channels (int): Number of input channels, frames times channels.
        out_channels (int): Number of output channels.
        num_blocks (int): Number of residual units :math:`L`.
        hidden_channels (int, optional): Width of the units. (default: :obj:`64`)
        kernel_size (int, optional): Side of all convolutions, odd. (default: :obj:`3`)
        batch_norm (bool, optional): Whether units use batch normalisation. (default: :obj:`False`)
        dropout (float, optional): Dropout probability in the units. (default: :obj:`0.0`)
        convs_per_unit (int, optional): Convolutions of a unit. (default: :obj:`2`)
        residual (bool, optional): Whether each unit adds its input. (default: :obj:`True`)
        skip (bool, optional): Whether the input is added to the output: as it is where
            :obj:`in_channels == out_channels`, otherwise through a 1x1 convolution that starts as
            the copy of the first channels (the most recent frame) and zero beyond them.
            (default: :obj:`True`)
        activation_checkpointing (bool, optional): Whether the backward pass of training computes
            the activations within a unit again instead of keeping them: less memory for the
            time of another forward pass, and the same gradients. (default: :obj:`False`)

    Shapes:
        - **x**: :math:`(B, C_{in}, H, W)`
        - **output**: :math:`(B, C_{out}, H, W)`

    Raises:
        ValueError: If a number is less than one, the kernel is even or the input does not fit.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_blocks: int,
        hidden_channels: int = 64,
        kernel_size: int = 3,
        batch_norm: bool = False,
        dropout: float = 0.0,
        convs_per_unit: int = 2,
        residual: bool = True,
        skip: bool = True,
        activation_checkpointing: bool = False,
    ):
        super().__init__()
        if min(num_blocks, convs_per_unit) < 1:
            raise ValueError(
                "num_blocks, convs_per_unit: expected at least 1, got "
                f"{(num_blocks, convs_per_unit)}"
            )
        self.in_channels, self.out_channels, self.skip = in_channels, out_channels, skip
        self.activation_checkpointing = activation_checkpointing
        self.conv_in = same_conv(in_channels, hidden_channels, kernel_size)
        self.units = torch.nn.ModuleList(
            ResidualUnit(
                hidden_channels, kernel_size, convs_per_unit, batch_norm, dropout, residual
            )
            for _ in range(num_blocks)
        )
        self.conv_out = same_conv(hidden_channels, out_channels, kernel_size)
        self.align = None
        if skip and in_channels != out_channels:
            self.align = torch.nn.Conv2d(in_channels, out_channels, 1, bias=False)
            _copy_first(self.align)

    def reset_parameters(self) -> None:
        r"""Draws new weights."""
        for conv in (self.conv_in, self.conv_out):
            reset_glorot(conv)
        for unit in self.units:
            unit.reset_parameters()  # type: ignore[operator]
        if self.align is not None:
            _copy_first(self.align)

    def forward(self, x: Tensor) -> Tensor:
        r"""Runs the stack; see the class for shapes."""
        if x.dim() != 4 or x.size(1) != self.in_channels:
            raise ValueError(
                f"x: expected [B, {self.in_channels}, H, W] (batch, frames times channels, height, "
                f"width), got {list(x.shape)}"
            )
        out = self.conv_in(x)
        for unit in self.units:
            out = run_block(unit, out, recompute=self.activation_checkpointing)
        out = self.conv_out(F.relu(out))
        if self.skip:
            out = out + (x if self.align is None else self.align(x))
        return out

    def fuse(self) -> ResidualGridNet:
        r"""Returns a copy for inference, see :func:`tgst.nn.fuse`: without the normalisations that
        directly follow a convolution.
        """
        return fuse(self)

    def fold_(self) -> None:
        r"""Writes into the convolutions what :class:`tgst.nn.ResidualUnit` leaves: without the sum,
        the first normalisation of a unit directly follows a convolution, too.
        """
        before: torch.nn.Module = self.conv_in
        for unit in cast(list[ResidualUnit], list(self.units)):
            if not unit.residual:
                unit.norms[0] = fold_norm(before, unit.norms[0])
                before = unit.convs[-1]


def _copy_first(conv: torch.nn.Conv2d) -> None:
    with torch.no_grad():
        conv.weight.copy_(torch.eye(*conv.weight.shape[:2])[..., None, None])
