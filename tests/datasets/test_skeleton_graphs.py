import pytest
import torch
from torch_geometric.transforms import Compose

from tests.datasets.test_skeleton_clips import CHAIN, STAR
from tgst.datasets.skeleton_graphs import SkeletonGraphs
from tgst.transforms import SpatialPartition, UniformPartition


def test_labels_and_ids():
    graphs = SkeletonGraphs([CHAIN], SpatialPartition(center=1))
    assert (graphs.num_partitions, graphs.num_edges) == (3, 7)
    one, three = graphs.graph(0, 1), graphs.graph(0, 3)
    assert one.edge_index.tolist() == [[0, 1, 1, 2, 0, 1, 2], [1, 2, 0, 1, 0, 1, 2]]
    assert one.edge_type.tolist() == [1, 2, 2, 1, 0, 0, 0]  # 1: from farther away
    assert three.edge_type.tolist() == one.edge_type.tolist() * 3
    assert three.e_id.tolist() == list(range(7)) * 3
    assert torch.equal(three.edge_index[:, 14:], one.edge_index + 6)
    assert three.person.tolist() == [0] * 3 + [1] * 3 + [2] * 3


def test_a_graph_may_be_changed_without_the_others():
    graphs = SkeletonGraphs([CHAIN])
    first = graphs.graph(0, 2)
    first.x = torch.ones(6, 1)
    first.e_id = None
    assert sorted(graphs.graph(0, 2).keys()) == ["e_id", "edge_index", "num_nodes", "person"]


def test_a_composition_is_counted_by_its_labels():
    graphs = SkeletonGraphs([CHAIN], Compose([SpatialPartition(center=1)]))
    assert graphs.num_partitions == 3
    assert SkeletonGraphs([CHAIN], Compose([UniformPartition()])).num_partitions == 1
    assert SkeletonGraphs([CHAIN]).num_partitions == 1


def test_ids_of_several_layouts():
    graphs = SkeletonGraphs([CHAIN, STAR], UniformPartition())
    assert graphs.num_edges == 7 + 10
    assert graphs.graph(1, 2).e_id.tolist() == list(range(7, 17)) * 2


def test_errors():
    with pytest.raises(ValueError, match="partition: expected an entry for 'star-4'"):
        SkeletonGraphs([CHAIN, STAR], {"chain-3": UniformPartition()})
    partition = {"chain-3": UniformPartition(), "star-4": SpatialPartition(center=0)}
    message = r"as many partitions for every skeleton, got .*'chain-3': 1, 'star-4': 3"
    with pytest.raises(ValueError, match=message):
        SkeletonGraphs([CHAIN, STAR], partition)
