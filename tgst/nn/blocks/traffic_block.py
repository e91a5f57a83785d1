r"""The spatio-temporal block of traffic STGCN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from tgst.nn.blocks.graph_conv import checked_conv, edge_arguments
from tgst.nn.conv import ChebConv
from tgst.nn.dropout import dropout
from tgst.nn.folding import watched
from tgst.nn.norm import NodeLayerNorm
from tgst.nn.rectifier import relu
from tgst.nn.row_linear import RowLinear
from tgst.nn.temporal import TemporalConv


class TrafficBlock(torch.nn.Module):
    r"""The spatio-temporal convolutional block from `"Spatio-Temporal Graph Convolutional
    Networks: A Deep Learning Framework for Traffic Forecasting"
    <https://arxiv.org/abs/1709.04875>`_ (Yu et al., IJCAI 2018): a graph convolution between two
    temporal convolutions.

    .. math::
        \mathbf{H} = \Gamma_0 \star_t \mathbf{X}, \quad
        \mathbf{S} = \mathrm{ReLU}(\Theta \star_{\mathcal{G}} A(\mathbf{H}) + A(\mathbf{H})), \quad
        \mathbf{X}' = \mathrm{Norm}(\Gamma_1 \star_t \mathbf{S})

    with gated temporal convolutions :math:`\Gamma` (:class:`tgst.nn.TemporalConv`, no padding in
    time), a graph convolution :math:`\Theta` and the alignment :math:`A` of the first temporal
    width to the spatial one: identity, zero channels, or a learnt linear map where it narrows (the
    bottleneck).

    Args:
        in_channels (int): Size of each input sample.
        channels (tuple of int): Widths after the first temporal, the spatial and the second
            temporal convolution, for example :obj:`(64, 16, 64)`.
        conv (torch.nn.Module): The graph convolution. It maps the spatial width to itself with
            :obj:`align="before"`, the first temporal width to the spatial one with
            :obj:`align="beside"`. Ours, or any PyG convolution in :class:`tgst.nn.PerStep`; it
            receives those of :obj:`edge_type` and :obj:`edge_weight` that its :obj:`forward`
            names.
        kernel_size (int, optional): Taps of both temporal convolutions. (default: :obj:`3`)
        gates (tuple, optional): Gates of the two temporal convolutions; :obj:`None` stands for a
            ReLU. (default: :obj:`("glu", "glu")`)
        align (str, optional): :obj:`"before"` convolves the aligned features, :obj:`"beside"`
            convolves the features themselves and adds the aligned ones (the authors' released
            code). (default: :obj:`"before"`)
        norm (str, optional): :obj:`"channel"` normalises over the channels of each node and step,
            :obj:`"node"` over all nodes and channels of each step (as published; needs
            :obj:`num_nodes`). (default: :obj:`"channel"`)
        num_nodes (int, optional): Number of nodes for :obj:`norm="node"`. (default: :obj:`None`)
        eps (float, optional): Epsilon of the normalisation. (default: :obj:`1e-6`)
        dropout (float, optional): Dropout probability after the normalisation.
            (default: :obj:`0.0`)

    Shapes:
        - **x**: :math:`(N, *, T, C_{in})`
        - **edge_index**: :math:`(2, E)` or a :class:`tgst.ops.Adjacency`
        - **edge_type**, **edge_weight**: :math:`(E)`
        - **output**: :math:`(N, *, T - 2(k - 1), C_{out})`

    Raises:
        ValueError: If an option is unknown or a series is too short.
    """

    def __init__(
        self,
        in_channels: int,
        channels: tuple[int, int, int],
        conv: torch.nn.Module,
        kernel_size: int = 3,
        gates: tuple[str | None, str | None] = ("glu", "glu"),
        align: str = "before",
        norm: str = "channel",
        num_nodes: int | None = None,
        eps: float = 1e-6,
        dropout: float = 0.0,
    ):
        super().__init__()
        if align not in ("before", "beside"):
            raise ValueError(f"align: expected 'before' or 'beside', got {align!r}")
        first, spatial, second = channels
        self.spatial_channels = spatial
        self.gates = tuple(gates)
        self.align_mode = align
        self.dropout = dropout
        self.temporal1 = _temporal(in_channels, first, kernel_size, gates[0])
        self.align = None
        if first > spatial:
            # The bias of the alignment matters only where a convolution follows it.
            self.align = RowLinear(first, spatial, bias=align == "before")
        self.conv = checked_conv(conv)
        self.temporal2 = _temporal(spatial, second, kernel_size, gates[1])
        self.norm = make_norm(norm, second, num_nodes, eps)
        self.edge_arguments = edge_arguments(conv)
        self.folded = False  # whether the convolution adds the alignment itself

    def reset_parameters(self):
        r"""Draws new weights."""
        for module in (self.temporal1, self.align, self.conv, self.temporal2, self.norm):
            if module is not None:
                module.reset_parameters()  # type: ignore[operator]

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_type: Tensor | None = None,
        edge_weight: Tensor | None = None,
    ) -> Tensor:
        r"""Runs the block; see the class for shapes."""
        x = _activate(self.temporal1(x), self.gates[0])
        given = {"edge_type": edge_type, "edge_weight": edge_weight}
        edges = {name: given[name] for name in self.edge_arguments}
        aligned = x if self.folded and self.align_mode == "beside" else self._align(x)
        x = self.conv(aligned if self.align_mode == "before" else x, edge_index, **edges)
        # Flat: what is kept in four dimensions, the compiler rearranges as if it were an image.
        rows = x.flatten(0, -2)
        rows = relu(rows) if self.folded else relu(rows + aligned.flatten(0, -2), inplace=True)
        x = rows.view(x.shape)
        x = _activate(self.temporal2(x), self.gates[1])
        return dropout(self.norm(x), self.dropout, self.training)

    def fold_(self) -> None:
        r"""Writes the alignment that is added into the weight of order zero of a Chebyshev
        convolution, which is the same product, see :func:`tgst.nn.fuse`.
        """
        seen = [part for part in (self.conv, self.align) if part is not None and watched(part)]
        if self.folded or seen or type(self.conv) is not ChebConv:
            return
        weight = self.conv.weight[0]
        if self.align_mode == "before" or self.align is None:
            weight += torch.eye(*weight.shape, dtype=weight.dtype, device=weight.device)
        else:
            weight += self.align.weight.t()
            self.align = None
        self.folded = True

    def _align(self, x: Tensor) -> Tensor:
        if self.align is not None:
            return self.align(x)
        missing = self.spatial_channels - x.size(-1)
        return F.pad(x, (0, missing)) if missing else x


def make_norm(norm: str, channels: int, num_nodes: int | None, eps: float) -> torch.nn.Module:
    r"""Returns the normalisation by name: :obj:`"channel"` or :obj:`"node"`."""
    if norm == "channel":
        return torch.nn.LayerNorm(channels, eps)
    if norm == "node":
        if num_nodes is None:
            raise ValueError("num_nodes: norm='node' needs the number of nodes, got None")
        return NodeLayerNorm(num_nodes, channels, eps)
    raise ValueError(f"norm: expected 'channel' or 'node', got {norm!r}")


def _temporal(in_channels: int, out_channels: int, kernel_size: int, gate: str | None):
    return TemporalConv(
        in_channels, out_channels, kernel_size, padding="valid", gate=gate, residual=True
    )


def _activate(x: Tensor, gate: str | None) -> Tensor:
    return relu(x) if gate is None else x
