"""A weighted graph as a symmetric matrix, and a matrix as edges: both spectral kernels use it."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch_geometric.data import Data

from tgst.transforms.edges import checked_graph, edge_strength, replace_edges

Symmetrization = Literal["max"]

# Weights that differ by less than this share of the largest one count as equal: single precision.
_TOLERANCE = 1e-5


class SymmetricGraph(NamedTuple):
    r"""The weight matrix W of an undirected graph, in double precision.

    Args:
        edge_index (torch.Tensor): The off-diagonal edges with non-zero weight,
            :math:`(2, |\mathcal{E}|)`.
        weight (torch.Tensor): Their weights, :math:`(|\mathcal{E}|)`. Weights of parallel edges add
            up to the matrix entry.
        origin (torch.Tensor): The edge of the input graph each one comes from,
            :math:`(|\mathcal{E}|)`.
        diagonal (torch.Tensor): :math:`W_{ii}`, the self loops, :math:`(|\mathcal{V}|)`.
        diagonal_origin (torch.Tensor): The first self loop of each node, -1 without,
            :math:`(|\mathcal{V}|)`.
    """

    edge_index: Tensor
    weight: Tensor
    origin: Tensor
    diagonal: Tensor
    diagonal_origin: Tensor

    def degree(self) -> Tensor:
        r"""Returns the row sums of W."""
        return self.diagonal.index_add(0, self.edge_index[1], self.weight)

    def scaled(self, degree: Tensor) -> SymmetricGraph:
        r"""Returns :math:`D^{-1/2} W D^{-1/2}`, where :math:`0^{-1/2} = 0`."""
        root = torch.where(degree > 0, degree.rsqrt(), 0.0)
        source, target = self.edge_index
        return self._replace(
            weight=self.weight * root[source] * root[target], diagonal=self.diagonal * root**2
        )

    def to_scipy(self) -> sparse.csr_array:
        r"""Returns the matrix, target nodes in rows."""
        source, target = self.edge_index.cpu().numpy()
        nodes = np.arange(self.diagonal.numel())
        values = torch.cat([self.weight, self.diagonal]).cpu().numpy()
        rows, columns = np.concatenate([target, nodes]), np.concatenate([source, nodes])
        return sparse.csr_array((values, (rows, columns)), shape=(nodes.size, nodes.size))


def symmetric_graph(data: Data, symmetrize: Symmetrization | None) -> SymmetricGraph:
    r"""Reads the weight matrix of :obj:`data`.

    Args:
        data (torch_geometric.data.Data): The graph; :obj:`edge_weight` is 1 where it is missing.
        symmetrize (str, optional): :obj:`None` refuses a matrix that is not symmetric,
            :obj:`"max"` takes the larger one of :math:`W_{ij}` and :math:`W_{ji}`.

    Raises:
        ValueError: If the matrix is not symmetric, or an edge weight is negative or not finite.
    """
    edge_index, num_nodes = checked_graph(data)
    weight = edge_strength(data, edge_index).double()
    loops = (edge_index[0] == edge_index[1]).nonzero().flatten()
    first = loops.new_full((num_nodes,), edge_index.size(1))
    first.scatter_reduce_(0, edge_index[0, loops], loops, "amin")
    diagonal_origin = torch.where(first < edge_index.size(1), first, -1)
    diagonal = weight.new_zeros(num_nodes).index_add_(0, edge_index[0, loops], weight[loops])
    origin = ((edge_index[0] != edge_index[1]) & (weight > 0)).nonzero().flatten()
    graph = SymmetricGraph(edge_index[:, origin], weight[origin], origin, diagonal, diagonal_origin)
    if symmetrize is not None:
        return _larger_direction(graph)
    _check_symmetry(graph)
    return graph


def write_matrix(data: Data, matrix: SymmetricGraph, fill_value: float) -> Data:
    r"""Writes a matrix as edges and weights: its off-diagonal edges, then one self loop per node.

    The self loops are written even where their weight is 0: the number and order of the edges
    follow from the graph alone, not from the numbers.
    """
    dtype = edge_strength(data, data.edge_index).dtype
    nodes = torch.arange(matrix.diagonal.numel(), device=matrix.diagonal.device)
    edge_index = torch.cat([matrix.edge_index, nodes.expand(2, -1)], dim=1)
    origin = torch.cat([matrix.origin, matrix.diagonal_origin])
    data.edge_weight = None  # written below: no need to carry it
    data = replace_edges(data, edge_index, origin, fill_value)
    data.edge_weight = torch.cat([matrix.weight, matrix.diagonal]).to(dtype)
    return data


def check_symmetrize(symmetrize: str | None) -> None:
    r"""Refuses another value than :obj:`None` and :obj:`"max"`.

    Raises:
        ValueError: Naming the value.
    """
    if symmetrize not in (None, "max"):
        raise ValueError(f'symmetrize: expected "max" or None, got {symmetrize!r}')


def _check_symmetry(graph: SymmetricGraph) -> None:
    matrix = graph.to_scipy()
    difference = abs(matrix - matrix.T).tocoo()
    largest = abs(matrix).max() if matrix.nnz else 0.0
    wrong = np.flatnonzero(difference.data > _TOLERANCE * largest)
    if wrong.size > 0:
        target, source = (int(index[wrong[0]]) for index in difference.coords)
        raise ValueError(
            'data.edge_weight: expected an undirected graph (or symmetrize="max"), got weight '
            f"{matrix[target, source]:g} from node {source} to {target} and "
            f"{matrix[source, target]:g} back"
        )


def _larger_direction(graph: SymmetricGraph) -> SymmetricGraph:
    """Makes the off-diagonal part max(W, W^T); edges come sorted by target, then source."""
    offdiagonal = graph._replace(diagonal=torch.zeros_like(graph.diagonal)).to_scipy()
    larger = offdiagonal.maximum(offdiagonal.T).tocsr()
    larger.eliminate_zeros()
    larger.sort_indices()
    larger = larger.tocoo()
    target, source = larger.coords
    return graph._replace(
        edge_index=torch.from_numpy(np.stack([source, target])).to(graph.edge_index),
        weight=torch.from_numpy(larger.data).to(graph.weight),
        origin=_origin_of_pairs(graph, source, target).to(graph.origin),
    )


def _origin_of_pairs(graph: SymmetricGraph, source: np.ndarray, target: np.ndarray) -> Tensor:
    """The edge each pair takes its attributes from: its own, or else that of the reverse."""
    num_nodes = graph.diagonal.numel()
    given_source, given_target = graph.edge_index.cpu().numpy()
    given, first = np.unique(given_target * num_nodes + given_source, return_index=True)
    key = target.astype(np.int64) * num_nodes + source
    reverse = source.astype(np.int64) * num_nodes + target
    chosen = np.where(np.isin(key, given), key, reverse)
    return graph.origin.cpu()[torch.from_numpy(first[np.searchsorted(given, chosen)])]
