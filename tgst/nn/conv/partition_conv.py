r"""The labelled sparse graph convolution that every spatial model here is made of."""

from __future__ import annotations

import operator

import torch
from torch import Tensor
from torch.nn import Parameter
from torch_geometric.nn.inits import glorot, zeros

from tgst import ops
from tgst.nn.conv.arguments import (
    check_backend,
    check_edge_weight,
    check_features,
    edge_tensors,
    flat_rows,
)
from tgst.nn.conv.sparse_conv import SparseConv
from tgst.nn.products import product_per_label, sum_over_labels


class PartitionConv(SparseConv):
    r"""Graph convolution with one weight matrix per partition label of the edges, from
    `"Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/1801.07455>`_ (Yan et al., AAAI 2018), on sparse graphs.

    .. math::
        \mathbf{x}'_i = \mathbf{b} + \sum_{e = (j \to i)} w_e \,
        \mathbf{W}_{\ell(e)} \mathbf{x}_j

    with :math:`\ell(e)` the partition label (:obj:`edge_type`) and :math:`w_e` the weight of
    edge :math:`e`, fixed, learnable, or a product of both. With :obj:`bias="message"` the bias
    travels along the edges, as in the published ST-GCN code:
    :math:`\sum_e w_e (\mathbf{W}_{\ell(e)} \mathbf{x}_j + \mathbf{b}_{\ell(e)})`.
    One sparse product serves all batch entries, time steps and channels. Parallel edges add up,
    edges may come in any order, and a node without incoming edges receives the bias alone.

    Convention:
        Messages flow from :obj:`edge_index[0]` (source) to :obj:`edge_index[1]` (target).
        Nothing is normalised here: the partition transforms of :mod:`tgst.transforms` write
        weights that are ready to multiply.

    Args:
        in_channels (int): Size of each input sample.
        out_channels (int): Size of each output sample.
        num_partitions (int, optional): Number of partition labels :math:`K`.
            (default: :obj:`1`)
        bias (bool or str, optional): :obj:`True` adds a bias after the sum, :obj:`"message"`
            gives every message the bias of its partition, :obj:`False` leaves it out.
            (default: :obj:`True`)
        backend (str, optional): The sparse kernel, see :func:`tgst.ops.spmm`.
            (default: :obj:`"auto"`)
        **kwargs (optional): Additional arguments of
            :class:`torch_geometric.nn.conv.MessagePassing`; :obj:`aggr` other than
            :obj:`"add"` and :obj:`flow` other than :obj:`"source_to_target"` are refused.

    Shapes:
        - **x**: :math:`(N, *, C_{in})`, for example :math:`(N, T, C)` or :math:`(N, B, T, C)`
        - **edge_index**: :math:`(2, E)`, an :class:`~torch_geometric.EdgeIndex` or a
          :class:`tgst.ops.Adjacency` (which then carries the labels)
        - **edge_type**: :math:`(E)`, long, in :math:`[0, K)`; may be left out when :math:`K = 1`
        - **edge_weight**: :math:`(E)`, of the dtype of **x**; ones when left out
        - **output**: :math:`(N, *, C_{out})`

    Raises:
        ValueError: If an index, a label or a length does not fit; the message names it.
        RuntimeError: If hooks are registered and the layer is compiled (they would not run).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_partitions: int = 1,
        bias: bool | str = True,
        backend: str = "auto",
        **kwargs,
    ):
        if bias != "message" and not isinstance(bias, bool):
            raise ValueError(f"bias: expected True, False or 'message', got {bias!r}")
        check_backend(backend)
        if isinstance(num_partitions, Tensor):
            raise TypeError("num_partitions: expected an int (of the transform), got a tensor")
        super().__init__(**kwargs)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.num_partitions = operator.index(num_partitions)
        if self.num_partitions < 1:
            raise ValueError(f"num_partitions: expected at least 1, got {num_partitions}")
        self.backend = backend
        self.bias_mode = bias
        self.weight = Parameter(torch.empty(self.num_partitions, in_channels, out_channels))
        if bias == "message":
            self.bias = Parameter(torch.empty(self.num_partitions, out_channels))
        elif bias:
            self.bias = Parameter(torch.empty(out_channels))
        else:
            self.register_parameter("bias", None)
        # What tgst.nn.fuse adds after the sum, where the bias travels along the edges.
        self.register_parameter("shift", None)
        self.reset_parameters()

    def reset_parameters(self):
        r"""Draws new weights (Glorot) and sets the bias to zero."""
        super().reset_parameters()
        glorot(self.weight)
        zeros(self.bias)
        zeros(self.shift)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        edge_type: Tensor | None = None,
        edge_weight: Tensor | None = None,
    ) -> Tensor:
        r"""Runs the convolution; see the class for shapes."""
        check_features(x, self.in_channels)
        num_nodes, lead = x.size(0), x.shape[1:-1]
        adjacency = ops.as_adjacency(edge_index, edge_type, num_nodes, self.num_partitions)
        check_edge_weight(edge_weight, x, adjacency.num_edges)
        if self._observed():
            return self._propagate_path(x, edge_index, edge_type, edge_weight)
        flat = flat_rows(x)
        # The sparse product runs on the narrower side of the dense one.
        if self.in_channels <= self.out_channels:
            out = self._aggregate_first(flat, adjacency, edge_weight)
        else:
            out = self._transform_first(flat, adjacency, edge_weight)
        return out.view(num_nodes, *lead, self.out_channels)

    def _aggregate_first(self, x: Tensor, adjacency: ops.Adjacency, weight: Tensor | None):
        num_nodes, steps, _ = x.shape
        hidden = ops.spmm(adjacency, x, weight, fold="target", backend=self.backend)
        hidden = hidden.view(num_nodes, self.num_partitions, steps, self.in_channels)
        bias: Tensor | None = self.bias
        if self.bias_mode == "message":
            ones = x.new_ones(num_nodes, 1)
            degree = ops.spmm(adjacency, ones, weight, fold="target", backend=self.backend)
            bias = degree.view(num_nodes, self.num_partitions) @ self.bias.to(degree.dtype)
            bias = bias if self.shift is None else bias + self.shift.to(bias.dtype)
        return sum_over_labels(hidden, self.weight, bias)

    def _transform_first(self, x: Tensor, adjacency: ops.Adjacency, weight: Tensor | None):
        hidden = self._transform(x).flatten(0, 1)
        out = ops.spmm(adjacency, hidden, weight, fold="source", backend=self.backend)
        return self._add_bias(out)

    def _add_bias(self, out: Tensor) -> Tensor:
        # In the dtype of the sum: under autocast the output is as narrow as its products.
        bias = self.bias if self.bias_mode is True else self.shift
        return out if bias is None else out + bias.to(out.dtype)

    def _transform(self, x: Tensor) -> Tensor:
        bias = self.bias if self.bias_mode == "message" else None
        return product_per_label(x, self.weight, bias)

    def _propagate_path(self, x, edge_index, edge_type, edge_weight) -> Tensor:
        # One propagate over all edges in edge order, as explainers and hooks expect.
        edge_index, edge_type = edge_tensors(edge_index, edge_type)
        num_nodes, lead = x.size(0), x.shape[1:-1]
        hidden = self._transform(flat_rows(x)).flatten(0, 1)
        source = edge_index[0] * self.num_partitions
        if edge_type is not None:
            source = source + edge_type
        edges = torch.stack([source, edge_index[1]])
        hidden = hidden.view(-1, *lead, self.out_channels)
        out = self._propagate_sum(edges, hidden, edge_weight, num_nodes)
        return self._add_bias(out)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.in_channels}, {self.out_channels}, "
            f"num_partitions={self.num_partitions})"
        )
