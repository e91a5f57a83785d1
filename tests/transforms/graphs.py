"""Graphs and dense formulas that the transform tests share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data

GOLDEN = Path(__file__).parents[1] / "golden"


def golden(name: str) -> dict[str, Tensor]:
    with np.load(GOLDEN / name, allow_pickle=False) as arrays:
        return {key: torch.from_numpy(np.asarray(arrays[key])) for key in arrays}


def real_data(folder: str) -> Path:
    root = os.environ.get("TGST_DATA")
    if root is None:
        pytest.skip(f"TGST_DATA is not set to the folder that holds {folder}/")
    return Path(root) / folder


def dense(data: Data, num_partitions: int = 1) -> Tensor:
    """Sums the edges into A[label, source, target], in double precision."""
    label = data.edge_type if num_partitions > 1 else torch.zeros_like(data.edge_index[0])
    source, target = data.edge_index
    matrix = torch.zeros(num_partitions, data.num_nodes, data.num_nodes, dtype=torch.float64)
    return matrix.index_put((label, source, target), data.edge_weight.double(), accumulate=True)


def from_dense(matrix: Tensor, name: str = "edge_weight") -> Data:
    """A graph from W[target, source]: its non-zero entries are edges."""
    target, source = matrix.nonzero().T
    data = Data(edge_index=torch.stack([source, target]), num_nodes=matrix.size(0))
    data[name] = matrix[target, source]
    return data


def all_pairs(distance: Tensor) -> Data:
    """A graph of all pairs, with their distances as lengths."""
    data = from_dense(torch.ones_like(distance), "edge_length")
    source, target = data.edge_index
    data.edge_length = distance[target, source]
    return data


def random_graph(num_nodes: int = 9, num_edges: int = 20, directed: bool = True) -> Data:
    """Distinct random edges with weights; nodes 0 and 1 have a self loop, the last is isolated."""
    generator = torch.Generator().manual_seed(num_nodes)
    pairs = torch.cartesian_prod(torch.arange(num_nodes - 1), torch.arange(num_nodes - 1))
    pairs = pairs[pairs[:, 0] != pairs[:, 1] if directed else pairs[:, 0] < pairs[:, 1]]
    edge_index = pairs[torch.randperm(len(pairs), generator=generator)[:num_edges]].T
    weight = torch.rand(num_edges, generator=generator, dtype=torch.float64) + 0.1
    if not directed:
        edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1)
        weight = weight.repeat(2)
    loops = torch.tensor([[0, 1], [0, 1]])
    data = Data(x=torch.zeros(num_nodes, 3, 2), edge_index=torch.cat([loops, edge_index], dim=1))
    data.edge_weight = torch.cat([torch.tensor([0.5, 2.0], dtype=torch.float64), weight])
    return data


def tagged(data: Data) -> Data:
    """Gives every edge a number, its ends, a flag and a name, to follow it through a transform."""
    num_edges = data.edge_index.size(1)
    data.edge_number = torch.arange(num_edges) + 100
    data.edge_ends = data.edge_index.T.clone()
    data.edge_flag = torch.ones(num_edges, dtype=torch.bool)
    data.edge_names = [str(number) for number in data.edge_number.tolist()]
    return data


def assert_tags_follow(data: Data, before: Data, reversed_edge: Tensor | None = None) -> None:
    """Each edge has the tags of the edge of :obj:`before` with its ends, or those of a new one."""
    old = data.edge_number > 0
    assert torch.equal(data.edge_flag, old)
    assert [name is not None for name in data.edge_names] == old.tolist()
    names = [name for name in data.edge_names if name is not None]
    assert names == [str(number) for number in data.edge_number[old].tolist()]
    ends = data.edge_index.T
    if reversed_edge is not None:
        ends = torch.where(reversed_edge[:, None], ends.flip(1), ends)
    assert torch.equal(data.edge_ends[old], ends[old])
    assert torch.equal(data.edge_ends[old], before.edge_ends[data.edge_number[old] - 100])
    assert bool((data.edge_ends[~old] == 0).all())
    assert torch.equal(data.e_id, torch.arange(data.edge_index.size(1)))
    assert data.edge_weight.shape == data.e_id.shape


def permuted(data: Data, permutation: Tensor, edge_order: Tensor) -> Data:
    """Renames node i to permutation[i] and shuffles the edges."""
    out = Data(edge_index=permutation[data.edge_index][:, edge_order], num_nodes=data.num_nodes)
    for name in ("edge_weight", "edge_length"):
        if name in data:
            out[name] = data[name][edge_order]
    return out
