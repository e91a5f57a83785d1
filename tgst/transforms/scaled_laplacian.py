"""The scaled Laplacian of Chebyshev convolutions."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.matrix import (
    Symmetrization,
    check_symmetrize,
    symmetric_graph,
    write_matrix,
)

# Up to this size all eigenvalues at once are faster, and do not iterate.
_DENSE_NODES = 512

# Lanczos restarts before the matrix is factorised: more than well separated spectra take.
_MAX_RESTARTS = 300

# Beyond the bound 2 of all eigenvalues, so that the factors are regular and the largest eigenvalue
# is the nearest one; so little that its neighbours are further away by comparison.
_SHIFT = 2 + 1e-5


@functional_transform("tgst_scaled_laplacian")
class ScaledLaplacian(BaseTransform):
    r"""Replaces the edges by those of the scaled normalised Laplacian, for
    :class:`~tgst.nn.ChebConv`, as in `"Spatio-Temporal Graph Convolutional Networks"
    <https://arxiv.org/abs/1709.04875>`_.

    .. math::
        \tilde{L} = \frac{2}{\lambda_{\max}} L - I, \quad
        L = I - D^{-1/2} W D^{-1/2}, \quad D_{ii} = \sum_j W_{ij}

    where :math:`W` is :obj:`data.edge_weight` (1 where it is missing). The edges of :math:`W` come
    first, in their order and with their attributes (parallel edges stay parallel and add up; edges
    of weight 0 leave), then one self loop per node with the diagonal of :math:`\tilde{L}`, **also
    where that is 0**, so that the edges follow from the graph alone. A self loop of :math:`W`
    counts as the formula says, as :math:`W_{ii}` in the degree and on the diagonal; it gives its
    attributes to the self loop of :math:`\tilde{L}`.

    Convention: an isolated node has :math:`D_{ii} = 0`. The formula gives it :math:`L_{ii} = 1`,
    that is :math:`\tilde{L}_{ii} = 2 / \lambda_{\max} - 1`, as in PyG; the code of the paper's
    authors leaves :math:`L_{ii} = 0`, that is :math:`\tilde{L}_{ii} = -1`. Where :math:`L` is 0
    (no edges under :obj:`isolated="authors"`, or self loops only), :math:`\lambda_{\max}` is taken
    to be 2, its upper bound.

    Everything is computed in double precision and written in the dtype of :obj:`edge_weight` (that
    of :obj:`x` where it is missing).

    Args:
        largest_eigenvalue (float, optional): :math:`\lambda_{\max}`; :obj:`None` computes the true
            one of :math:`L`. (default: :obj:`None`)
        isolated (str, optional): :obj:`"formula"` or :obj:`"authors"`. (default:
            :obj:`"formula"`)
        symmetrize (str, optional): What to do with a directed graph: :obj:`None` refuses it,
            :obj:`"max"` takes :math:`\max(W, W^{\top})`; edges are then sorted by target and
            source, parallel edges are joined, and an edge that had no reverse gives its attributes
            to it. (default: :obj:`None`)
        fill_value (float, optional): What the other attributes of new self loops hold.
            (default: :obj:`0.0`)

    Shapes:
        - **input:** :obj:`data.edge_weight` :math:`(|\mathcal{E}|)`, optional
        - **output:** :obj:`data.edge_weight` :math:`(|\mathcal{E}'| + |\mathcal{V}|)`

    Raises:
        ValueError: If an argument is out of range, the graph is directed and :obj:`symmetrize` is
            :obj:`None`, or an edge weight is negative or not finite.
    """

    def __init__(
        self,
        largest_eigenvalue: float | None = None,
        isolated: Literal["formula", "authors"] = "formula",
        symmetrize: Symmetrization | None = None,
        fill_value: float = 0.0,
    ) -> None:
        if largest_eigenvalue is not None and not 0 < largest_eigenvalue < math.inf:
            raise ValueError(
                f"largest_eigenvalue: expected a number > 0 or None, got {largest_eigenvalue}"
            )
        if isolated not in ("formula", "authors"):
            raise ValueError(f'isolated: expected "formula" or "authors", got {isolated!r}')
        check_symmetrize(symmetrize)
        self.largest_eigenvalue = largest_eigenvalue
        self.isolated = isolated
        self.symmetrize = symmetrize
        self.fill_value = fill_value

    def forward(self, data: Data) -> Data:
        r"""Replaces the edges and writes :obj:`edge_weight`."""
        graph = symmetric_graph(data, self.symmetrize)
        degree = graph.degree()
        product = graph.scaled(degree)
        identity = torch.ones_like(degree)
        if self.isolated == "authors":
            identity = (degree > 0).to(degree)
        laplacian = product._replace(weight=-product.weight, diagonal=identity - product.diagonal)
        largest = self.largest_eigenvalue
        if largest is None:
            largest = _largest_eigenvalue(laplacian.to_scipy())
        scaled = laplacian._replace(
            weight=laplacian.weight * (2 / largest), diagonal=laplacian.diagonal * (2 / largest) - 1
        )
        return write_matrix(data, scaled, self.fill_value)

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(largest_eigenvalue={self.largest_eigenvalue}, "
            f"isolated={self.isolated!r}, symmetrize={self.symmetrize!r})"
        )


def _largest_eigenvalue(laplacian: sparse.csr_array) -> float:
    num_nodes = laplacian.shape[0]
    if num_nodes == 0:
        return 2.0
    if num_nodes <= _DENSE_NODES:
        largest = float(np.linalg.eigvalsh(laplacian.toarray())[-1])
    elif (laplacian - sparse.diags_array(laplacian.diagonal())).count_nonzero() == 0:
        largest = float(laplacian.diagonal().max())
    else:
        largest = _largest_by_iteration(laplacian)
    return largest if largest > np.finfo(np.float64).eps * num_nodes else 2.0


def _largest_by_iteration(laplacian: sparse.csr_array) -> float:
    # A fixed start makes repeated runs agree to the last bit.
    start = np.random.default_rng(0).standard_normal(laplacian.shape[0])
    try:
        values = eigsh(
            laplacian,
            k=1,
            which="LA",
            v0=start,
            maxiter=_MAX_RESTARTS,
            return_eigenvectors=False,
        )
    except ArpackNoConvergence:
        # Long paths have eigenvalues too close to 2 to be told apart without inversion. Their
        # factors are sparse; graphs with dense factors have gaps and do not come here.
        values = eigsh(
            laplacian.tocsc(),
            k=1,
            sigma=_SHIFT,
            which="LM",
            v0=start,
            return_eigenvectors=False,
        )
    return float(values[0])
