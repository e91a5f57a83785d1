r"""A linear map in each cell of a grid."""

from __future__ import annotations

import torch
from torch import Tensor


class CellLinear(torch.nn.Module):
    r"""Linear map of the channels of each cell by weights of its own, the linear counterpart of
    :class:`tgst.nn.ParametricFusion`.

    .. math::
        \mathbf{Y}_{c} = \sum_{k} \mathbf{W}_{ck} \odot \mathbf{X}_k

    Where convolutions treat all cells alike, this one tells them apart, and sees no neighbours. It
    starts at zero.

    Args:
        in_channels (int): Number of input planes.
        out_channels (int): Number of output planes.
        height (int): Rows of the grid.
        width (int): Columns of the grid.

    Shapes:
        - **x**: :math:`(B, C_{in}, H, W)`
        - **output**: :math:`(B, C_{out}, H, W)`

    Raises:
        ValueError: If a number is below one or the input has another shape.
    """

    def __init__(self, in_channels: int, out_channels: int, height: int, width: int):
        super().__init__()
        if min(in_channels, out_channels, height, width) < 1:
            raise ValueError(
                "in_channels, out_channels, height, width: expected at least 1, got "
                f"{(in_channels, out_channels, height, width)}"
            )
        self.weight = torch.nn.Parameter(torch.empty(out_channels, in_channels, height, width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Sets the weights to zero."""
        torch.nn.init.zeros_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        r"""Runs the map; see the class for shapes."""
        if x.dim() != 4 or x.shape[1:] != self.weight.shape[1:]:
            raise ValueError(
                f"x: expected [B, {', '.join(map(str, self.weight.shape[1:]))}] (batch, channels, "
                f"height, width), got {list(x.shape)}"
            )
        return torch.einsum("bkhw,ckhw->bchw", x, self.weight)

    def __repr__(self) -> str:
        outputs, inputs, height, width = self.weight.shape
        return f"{self.__class__.__name__}({inputs}, {outputs}, height={height}, width={width})"
