r"""The external component of ST-ResNet."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tgst.nn.blocks.residual_unit import reset_glorot


class ExternalComponent(torch.nn.Module):
    r"""The external component from `"Deep Spatio-Temporal Residual Networks for Citywide Crowd
    Flows Prediction" <https://arxiv.org/abs/1610.00081>`_ (Zhang, Zheng and Qi, AAAI 2017): what
    is known about a time step (weekday, holiday, weather) becomes one map per channel.

    .. math::
        \mathbf{Y} = \phi(\mathbf{W}_2 \, \mathrm{ReLU}(\mathbf{W}_1 \mathbf{e} + \mathbf{b}_1)
        + \mathbf{b}_2)

    Args:
        in_channels (int): Length :math:`E` of the vector.
        hidden_channels (int): Width of the hidden layer, 10 in the paper.
        out_channels (int): Number of channels.
        height (int): Rows of the grid.
        width (int): Columns of the grid.
        activation (str, optional): :obj:`"both"`: :math:`\phi` is a ReLU too, as in the authors'
            code, so that the component can only raise the flow. :obj:`"first"`: it is the
            identity, as in the paper. (default: :obj:`"both"`)

    Shapes:
        - **external**: :math:`(B, E)`
        - **output**: :math:`(B, C, H, W)`

    Raises:
        ValueError: If the activation is unknown, a size is less than one or the vector does not
            fit.
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        height: int,
        width: int,
        activation: str = "both",
    ):
        super().__init__()
        if activation not in ("both", "first"):
            raise ValueError(f"external_activation: expected 'both' or 'first', got {activation!r}")
        if min(in_channels, hidden_channels, out_channels, height, width) < 1:
            raise ValueError(
                "in_channels, hidden_channels, out_channels, height, width: expected at least 1, "
                f"got {(in_channels, hidden_channels, out_channels, height, width)}"
            )
        self.shape, self.activation = (out_channels, height, width), activation
        self.hidden = torch.nn.Linear(in_channels, hidden_channels)
        self.out = torch.nn.Linear(hidden_channels, out_channels * height * width)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Draws new weights."""
        for layer in (self.hidden, self.out):
            reset_glorot(layer)

    def forward(self, external: Tensor) -> Tensor:
        r"""Returns the maps; see the class for shapes."""
        if external.dim() != 2 or external.size(1) != self.hidden.in_features:
            raise ValueError(
                f"external: expected [B, {self.hidden.in_features}] (batch, features), got "
                f"{list(external.shape)}"
            )
        out = self.out(F.relu(self.hidden(external)))
        if self.activation == "both":
            out = F.relu(out)
        return out.unflatten(1, self.shape)
