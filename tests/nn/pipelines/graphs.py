"""Graphs with series, labelled by a partition, that the pipeline tests share."""

import torch
from torch_geometric.data import Data

from tgst.transforms import DirectionPartition


def labelled(num_nodes=6, num_edges=9, seed=0, steps=12, channels=2):
    """A directed graph with two-way pairs after :class:`DirectionPartition`, in double precision.

    Its edges are not sorted, and `edge_ends`, `n_id` tell later where edges and nodes come from.
    """
    generator = torch.Generator().manual_seed(seed)
    pairs = torch.cartesian_prod(torch.arange(num_nodes), torch.arange(num_nodes))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    edge_index = pairs[torch.randperm(len(pairs), generator=generator)[:num_edges]].T
    x = torch.randn(num_nodes, steps, channels, generator=generator, dtype=torch.float64)
    weight = torch.rand(num_edges, generator=generator, dtype=torch.float64) + 0.1
    data = DirectionPartition()(Data(x=x, edge_index=edge_index, edge_weight=weight))
    data.n_id = torch.arange(num_nodes)
    data.edge_ends = data.edge_index.T.clone()
    return data


def edges_of(data):
    """The edge arguments of a model."""
    return data.edge_index, data.edge_type, data.edge_weight


def assert_in_step(part, full):
    """Every edge of the part has the ends, label and weight of the edge with its id."""
    assert part.e_id.numel() == part.edge_index.size(1)
    assert torch.equal(part.n_id[part.edge_index], full.edge_index[:, part.e_id])
    for name in ("edge_type", "edge_weight", "edge_ends"):
        assert torch.equal(part[name], full[name][part.e_id])
    assert torch.equal(part.x, full.x[part.n_id])
