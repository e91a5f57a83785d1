"""The first-order kernel: the renormalised adjacency matrix."""

from __future__ import annotations

from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.matrix import (
    Symmetrization,
    check_symmetrize,
    symmetric_graph,
    write_matrix,
)


@functional_transform("tgst_first_order_kernel")
class FirstOrderKernel(BaseTransform):
    r"""Replaces the edges by those of the first-order approximation of the spectral convolution, as
    in `"Semi-Supervised Classification with Graph Convolutional Networks"
    <https://arxiv.org/abs/1609.02907>`_ and, with the extra identity, in the code of
    `"Spatio-Temporal Graph Convolutional Networks" <https://arxiv.org/abs/1709.04875>`_.

    .. math::
        A = \tilde{D}^{-1/2} (W + I) \tilde{D}^{-1/2} \; [\, + \, I \,], \quad
        \tilde{D}_{ii} = 1 + \sum_j W_{ij}

    where :math:`W` is :obj:`data.edge_weight` (1 where it is missing). A self loop of :math:`W`
    counts as the formula says: its weight plus 1. An isolated node has :math:`A_{ii} = 1`. Order
    and attributes of the edges are those of :class:`ScaledLaplacian`: the edges of :math:`W`, then
    one self loop per node.

    Args:
        extra_identity (bool, optional): Whether to add :math:`I`, as the authors' code does.
            (default: :obj:`False`)
        symmetrize (str, optional): What to do with a directed graph: :obj:`None` refuses it,
            :obj:`"max"` takes :math:`\max(W, W^{\top})`, see :class:`ScaledLaplacian`.
            (default: :obj:`None`)
        fill_value (float, optional): What the other attributes of new self loops hold.
            (default: :obj:`0.0`)

    Shapes:
        - **input:** :obj:`data.edge_weight` :math:`(|\mathcal{E}|)`, optional
        - **output:** :obj:`data.edge_weight` :math:`(|\mathcal{E}'| + |\mathcal{V}|)`

    Raises:
        ValueError: If the graph is directed and :obj:`symmetrize` is :obj:`None`, or an edge weight
            is negative or not finite.
    """

    def __init__(
        self,
        extra_identity: bool = False,
        symmetrize: Symmetrization | None = None,
        fill_value: float = 0.0,
    ) -> None:
        check_symmetrize(symmetrize)
        self.extra_identity = extra_identity
        self.symmetrize = symmetrize
        self.fill_value = fill_value

    def forward(self, data: Data) -> Data:
        r"""Replaces the edges and writes :obj:`edge_weight`."""
        graph = symmetric_graph(data, self.symmetrize)
        graph = graph._replace(diagonal=graph.diagonal + 1)
        kernel = graph.scaled(graph.degree())
        if self.extra_identity:
            kernel = kernel._replace(diagonal=kernel.diagonal + 1)
        return write_matrix(data, kernel, self.fill_value)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(extra_identity={self.extra_identity}, "
            f"symmetrize={self.symmetrize!r})"
        )
