"""A graph like those of road sensors: points in the plane and the shortest links between them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.spatial import cKDTree
from torch import Tensor
from torch_geometric.data import Data

from tgst.ops import Adjacency
from tgst.transforms import ScaledLaplacian


class SensorGraph(NamedTuple):
    """Edges without loops, and those of the scaled Laplacian with weights in double precision."""

    edge_index: Tensor
    scaled_index: Tensor
    scaled_weight: Tensor
    num_nodes: int

    def adjacency(self) -> Adjacency:
        """Return the sorted edges of the scaled Laplacian."""
        return Adjacency.build(self.scaled_index, num_nodes=self.num_nodes)

    def matrix(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Return the scaled Laplacian, dense."""
        matrix = torch.zeros(self.num_nodes, self.num_nodes, dtype=dtype)
        source, target = self.scaled_index
        return matrix.index_put_((target, source), self.scaled_weight.to(dtype), accumulate=True)


def sensor_graph(num_nodes: int, num_edges: int, seed: int) -> SensorGraph:
    """Return random points joined by the shortest links, each in both directions.

    The largest eigenvalue of the Laplacian is taken to be its bound 2, as in PyG's ``ChebConv``.
    """
    edge_index = shortest_links(num_nodes, num_edges, seed)
    weight = torch.ones(edge_index.size(1), dtype=torch.float64)
    data = Data(edge_index=edge_index, edge_weight=weight, num_nodes=num_nodes)
    scaled = ScaledLaplacian(largest_eigenvalue=2.0)(data)
    return SensorGraph(edge_index, scaled.edge_index, scaled.edge_weight, num_nodes)


def shortest_links(num_nodes: int, num_edges: int, seed: int) -> Tensor:
    """Return ``[2, num_edges]``, unsorted; an odd number is rounded down."""
    positions = np.random.default_rng(seed).random((num_nodes, 2))
    neighbours = min(num_nodes - 1, 2 * num_edges // num_nodes + 8)
    lengths, ends = cKDTree(positions).query(positions, k=neighbours + 1)
    start = np.repeat(np.arange(num_nodes), neighbours)
    end, length = ends[:, 1:].ravel(), lengths[:, 1:].ravel()
    pairs = np.minimum(start, end) * num_nodes + np.maximum(start, end)
    pairs, first = np.unique(pairs, return_index=True)
    if len(pairs) < num_edges // 2:
        raise ValueError(f"num_edges: expected at most {2 * len(pairs)}, got {num_edges}")
    shortest = np.argsort(length[first], kind="stable")[: num_edges // 2]
    links = torch.from_numpy(np.stack(np.divmod(pairs[shortest], num_nodes)))
    both = torch.cat([links, links.flip(0)], dim=1)
    generator = torch.Generator().manual_seed(seed)
    return both[:, torch.randperm(both.size(1), generator=generator)]
