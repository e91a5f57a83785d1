"""The values of UniformPartition and DistancePartition."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from tests.transforms.graphs import dense, golden, random_graph
from tgst.transforms import DistancePartition, UniformPartition

hops = pytest.mark.parametrize(("max_hop", "dilation"), [(1, 1), (2, 1), (3, 1), (2, 2)])


@hops
@pytest.mark.parametrize("layout", ["openpose", "ntu-rgb+d"])
@pytest.mark.parametrize(
    ("name", "transform"), [("uniform", UniformPartition), ("distance", DistancePartition)]
)
def test_golden(name: str, transform: type, layout: str, max_hop: int, dilation: int) -> None:
    arrays = golden(f"skeleton/partitions_{layout}.npz")
    bones = arrays["edges"].T
    data = Data(
        edge_index=torch.cat([bones, bones.flip(0)], dim=1),
        num_nodes=int(arrays["num_node"]),
        edge_weight=torch.ones(2 * bones.size(1), dtype=torch.float64),
    )
    partition = transform(max_hop=max_hop, dilation=dilation)
    matrix = dense(partition(data), partition.num_partitions)
    for prefix in ("A", "A_exact"):
        expected = arrays[f"{prefix}_{name}_h{max_hop}d{dilation}"]
        torch.testing.assert_close(matrix, expected, atol=1e-12, rtol=0)


@hops
def test_hops_follow_the_direction_of_edges(max_hop: int, dilation: int) -> None:
    data = random_graph()
    out = DistancePartition(max_hop, dilation)(data)
    graph = nx.DiGraph(data.edge_index.T.tolist())
    graph.add_nodes_from(range(9))
    expected = {
        (source, target, hop // dilation)
        for source, lengths in nx.all_pairs_shortest_path_length(graph, cutoff=max_hop)
        for target, hop in lengths.items()
        if hop % dilation == 0
    }
    found = list(zip(*out.edge_index.tolist(), out.edge_type.tolist(), strict=True))
    assert len(found) == len(expected)
    assert set(found) == expected


def test_given_edges_come_first_in_their_order_then_further_hops_sorted() -> None:
    edge_index = torch.tensor([[2, 1, 1, 0], [3, 2, 2, 1]])  # a path with a parallel edge
    out = DistancePartition(max_hop=3)(Data(edge_index=edge_index, num_nodes=4))
    expected = torch.tensor([[0, 1, 0, 0, 1, 2, 3], [2, 3, 3, 0, 1, 2, 3]])
    assert torch.equal(out.edge_index, torch.cat([edge_index, expected], dim=1))
    assert out.edge_type.tolist() == [1, 1, 1, 1, 2, 2, 3, 0, 0, 0, 0]


def test_uniform_weights_are_shares_of_the_strength() -> None:
    data = Data(edge_index=torch.tensor([[0, 1], [2, 2]]), num_nodes=3)
    data.edge_weight = torch.tensor([3.0, 4.0])
    out = UniformPartition()(data)
    assert out.edge_weight.tolist() == [0.375, 0.5, 1.0, 1.0, 0.125]
    assert out.edge_type.tolist() == [0] * 5


def test_a_long_path_stays_sparse() -> None:
    nodes = torch.arange(200_000)
    data = Data(edge_index=torch.stack([nodes[:-1], nodes[1:]]), num_nodes=200_000)
    out = DistancePartition(max_hop=2)(data)  # a dense search would take 40 GB
    assert out.edge_type.bincount().tolist() == [200_000, 199_999, 199_998]


@pytest.mark.parametrize("transform", [UniformPartition, DistancePartition])
def test_bad_arguments(transform: type) -> None:
    with pytest.raises(ValueError, match=r"max_hop: expected a number >= 1, got 0"):
        transform(max_hop=0)
    with pytest.raises(ValueError, match=r"dilation: expected a number in 1\.\.max_hop=2, got 3"):
        transform(max_hop=2, dilation=3)
    with pytest.raises(ValueError, match=r"dilation: expected a number in 1\.\.max_hop=2, got 0"):
        transform(max_hop=2, dilation=0)
    with pytest.raises(TypeError, match=r"max_hop: expected an int, got 1\.5 \(float\)"):
        transform(max_hop=1.5)
    with pytest.raises(TypeError, match=r"dilation: expected an int, got tensor\(2\) \(Tensor\)"):
        transform(max_hop=2, dilation=torch.tensor(2))
    assert repr(transform(np.int64(2), np.int64(2))) == repr(transform(2, 2))


def test_number_of_partitions() -> None:
    assert UniformPartition(max_hop=3).num_partitions == 1
    assert DistancePartition().num_partitions == 2
    assert DistancePartition(max_hop=3).num_partitions == 4
    assert DistancePartition(max_hop=5, dilation=2).num_partitions == 3
