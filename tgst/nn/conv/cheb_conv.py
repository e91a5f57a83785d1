r"""The Chebyshev spectral graph convolution on node-first time series."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator

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
from tgst.nn.products import sum_of_products


class ChebConv(SparseConv):
    r"""Chebyshev spectral graph convolution from `"Convolutional Neural Networks on Graphs with
    Fast Localized Spectral Filtering" <https://arxiv.org/abs/1606.09375>`_ (Defferrard et al.,
    NIPS 2016), in the form of `STGCN <https://arxiv.org/abs/1709.04875>`_ (Yu et al., 2018).

    .. math::
        \mathbf{X}' = \mathbf{b} + \sum_{k=0}^{K-1} \mathbf{T}_k \mathbf{W}_k, \quad
        \mathbf{T}_0 = \mathbf{X}, \;
        \mathbf{T}_1 = \tilde{\mathbf{L}} \mathbf{X}, \;
        \mathbf{T}_k = 2 \tilde{\mathbf{L}} \mathbf{T}_{k-1} - \mathbf{T}_{k-2}

    The layer takes the edges and weights of the **already scaled** Laplacian
    :math:`\tilde{\mathbf{L}}` (its diagonal as self loops), which
    :class:`tgst.transforms.ScaledLaplacian` writes once; it computes none itself. One sparse
    product per order serves all batch entries, time steps and channels.

    Convention:
        Edge :math:`(j \to i)` carries :math:`\tilde{L}_{ij}`: row = target, column = source.

    Args:
        in_channels (int): Size of each input sample.
        out_channels (int): Size of each output sample.
        K (int): Number of Chebyshev polynomials (:math:`T_0` to :math:`T_{K-1}`).
        bias (bool, optional): If set to :obj:`False`, no bias is learnt.
            (default: :obj:`True`)
        backend (str, optional): The sparse kernel, see :func:`tgst.ops.spmm`.
            (default: :obj:`"auto"`)
        **kwargs (optional): Additional arguments of
            :class:`torch_geometric.nn.conv.MessagePassing`; :obj:`aggr` other than
            :obj:`"add"` and :obj:`flow` other than :obj:`"source_to_target"` are refused.

    Shapes:
        - **x**: :math:`(N, *, C_{in})`
        - **edge_index**: :math:`(2, E)`, an :class:`~torch_geometric.EdgeIndex` or a
          :class:`tgst.ops.Adjacency`
        - **edge_weight**: :math:`(E)`, entries of the scaled Laplacian; ones when left out
        - **output**: :math:`(N, *, C_{out})`

    Raises:
        ValueError: If :obj:`K` is below one or an argument does not fit; the message names it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        K: int,
        bias: bool = True,
        backend: str = "auto",
        **kwargs,
    ):
        if operator.index(K) < 1:
            raise ValueError(f"K: expected at least 1 Chebyshev polynomial, got {K}")
        check_backend(backend)
        super().__init__(**kwargs)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.K = K
        self.backend = backend
        self.weight = Parameter(torch.empty(K, in_channels, out_channels))
        self.bias = Parameter(torch.empty(out_channels)) if bias else None
        self.reset_parameters()

    def reset_parameters(self):
        r"""Draws new weights (Glorot) and sets the bias to zero."""
        super().reset_parameters()
        glorot(self.weight)
        zeros(self.bias)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor | None = None) -> Tensor:
        r"""Runs the convolution; see the class for shapes."""
        check_features(x, self.in_channels)
        num_nodes, lead = x.size(0), x.shape[1:-1]
        product = self._product(edge_index, edge_weight, x)
        out = sum_of_products(self._terms(flat_rows(x), product), self._weights(), self.bias)
        return out.view(num_nodes, *lead, self.out_channels)

    def _terms(self, x: Tensor, product: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
        yield x
        previous = current = x
        for order in range(1, self.K):
            following = product(current)
            if 1 < order < self.K - 1:
                following = 2 * following - previous
            previous, current = current, following
            yield current

    def _weights(self) -> list[Tensor]:
        # The last polynomial is needed in one product only, 2 L T W - T' W: its recursion goes
        # into the small weights instead of two sums of large tensors.
        weights = list(self.weight)
        if self.K > 2:
            weights[-3] = weights[-3] - weights[-1]
            weights[-1] = 2 * weights[-1]
        return weights

    def _product(self, edge_index, edge_weight: Tensor | None, x: Tensor):
        # Multiplication with the scaled Laplacian, fused unless somebody watches the messages.
        num_nodes = x.size(0)
        adjacency = ops.as_adjacency(edge_index, None, num_nodes)
        check_edge_weight(edge_weight, x, adjacency.num_edges)
        if not self._observed():
            return lambda x: ops.spmm(adjacency, x, edge_weight, backend=self.backend)
        edge_index, _ = edge_tensors(edge_index)
        return lambda x: self._propagate_sum(edge_index, x, edge_weight, num_nodes)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.in_channels}, {self.out_channels}, K={self.K})"
