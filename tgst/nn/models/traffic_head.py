r"""The output block of traffic STGCN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Parameter

from tgst.nn.blocks.traffic_block import make_norm
from tgst.nn.dropout import dropout
from tgst.nn.row_linear import RowLinear
from tgst.nn.temporal import TemporalConv


class TrafficHead(torch.nn.Module):
    r"""Output block of :class:`~tgst.nn.models.TrafficSTGCN`: a gated temporal convolution that
    covers the remaining steps, a normalisation and a fully connected part per node.

    .. math::
        \mathbf{z}_i = \mathrm{Norm}(\Gamma \star_t \mathbf{X})_i \, [\, \| \, \mathbf{r}_i], \quad
        \hat{\mathbf{y}}_i = \mathbf{W}_2 \, \phi(\mathbf{W}_1 \mathbf{z}_i + \mathbf{b}_1)
        + \mathbf{b}_2

    With :obj:`skip_channels` the readings :math:`\mathbf{r}_i` join the fully connected part: the
    normalisations take the level of a node from the features.

    Args:
        in_channels (int): Size of each input sample.
        hidden_channels (int): Width of the temporal and the hidden layer.
        out_channels (int): Number of values per node (horizon times channels).
        steps (int): Number of remaining time steps.
        gate (str): Gate of the temporal convolution.
        hidden (str or None): :obj:`"relu"` or :obj:`"sigmoid"` for a hidden layer with that
            activation :math:`\phi`, :obj:`None` for none.
        norm, num_nodes, eps: See :class:`tgst.nn.TrafficBlock`. With :obj:`norm="node"` and a
            sigmoid, :math:`\mathbf{b}_2` is one value per node, as in the authors' code.
        dropout (float): Dropout probability after the hidden layer.
        skip_channels (int, optional): Number of readings per node that join. (default: :obj:`0`)

    Shapes:
        - **x**: :math:`(N, *, \text{steps}, C_{in})`
        - **readings**: :math:`(N, *, C_{skip})`, with :obj:`skip_channels` only
        - **output**: :math:`(N, *, C_{out})`
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: int,
        out_channels: int,
        steps: int,
        gate: str,
        hidden: str | None,
        norm: str,
        num_nodes: int | None,
        eps: float,
        dropout: float,
        skip_channels: int = 0,
    ):
        super().__init__()
        self.hidden_activation = hidden
        joined = hidden_channels + skip_channels
        self.dropout = dropout
        self.temporal = TemporalConv(
            in_channels, hidden_channels, steps, padding="valid", gate=gate, residual=True
        )
        self.norm = make_norm(norm, hidden_channels, num_nodes, eps)
        self.hidden = RowLinear(joined, hidden_channels) if hidden else None
        per_node = hidden == "sigmoid" and norm == "node"
        self.out = RowLinear(hidden_channels if hidden else joined, out_channels, bias=not per_node)
        shape = (num_nodes or 0, out_channels)
        self.node_bias = Parameter(torch.zeros(shape)) if per_node else None

    def reset_parameters(self):
        r"""Draws new weights."""
        for module in (self.temporal, self.norm, self.hidden, self.out):
            if module is not None:
                module.reset_parameters()  # type: ignore[operator]
        if self.node_bias is not None:
            torch.nn.init.zeros_(self.node_bias)

    def forward(self, x: Tensor, readings: Tensor | None = None) -> Tensor:
        r"""Runs the output block; see the class for shapes."""
        x = self.norm(self.temporal(x)).squeeze(-2)
        if readings is not None:
            x = torch.cat([x, readings], dim=-1)
        if self.hidden is not None:
            activation = torch.sigmoid if self.hidden_activation == "sigmoid" else F.relu
            x = dropout(activation(self.hidden(x)), self.dropout, self.training)
        x = self.out(x)
        if self.node_bias is not None:
            x = x + self.node_bias.view(x.size(0), *[1] * (x.dim() - 2), -1)
        return x
