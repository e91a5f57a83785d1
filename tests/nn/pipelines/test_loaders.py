"""Sub-graphs of PyG's loaders: attributes, and the parameters of every edge, follow e_id."""

import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.loader import ClusterData, ClusterLoader, RandomNodeLoader

from tests.nn.pipelines.graphs import assert_in_step, edges_of, labelled
from tgst.nn import EdgeImportance, PartitionConv
from tgst.nn.models import TrafficSTGCN
from tgst.transforms import UniformPartition


@pytest.fixture
def data():
    return labelled(num_nodes=10, num_edges=60)


@pytest.fixture
def model(data):
    torch.manual_seed(0)
    model = TrafficSTGCN(
        2,
        1,
        kernel="partition",
        num_partitions=3,
        edge_importance=True,
        num_edges=data.num_edges,
        channels=[(4, 3, 4), (4, 3, 4)],
    )
    torch.nn.init.uniform_(model.edge_importance.weight, 0.5, 1.5)
    return model.double()


class GivenClusters(ClusterData):
    """PyG's clusters from a vector in place of METIS."""

    def __init__(self, data, cluster, **kwargs):
        self.cluster = cluster
        super().__init__(data, int(cluster.max()) + 1, log=False, **kwargs)

    def _metis(self, edge_index, num_nodes):
        return self.cluster


CLUSTER = torch.tensor([2, 0, 1, 1, 0, 2, 2, 0, 1, 0])


def parts(data, kind):
    if kind == "random":
        torch.manual_seed(3)
        return RandomNodeLoader(data, num_parts=3, shuffle=True)
    sparse_format, _, batch_size = kind.partition(" ")
    clusters = GivenClusters(data, CLUSTER, sparse_format=sparse_format)
    return ClusterLoader(clusters, batch_size=int(batch_size))


KINDS = ["random", "csr 1", "csc 1", "csr 2", "csc 2"]


@pytest.mark.parametrize("kind", KINDS)
def test_parts_follow_their_edges(data, model, kind):
    nodes = []
    for part in parts(data, kind):
        assert_in_step(part, data)
        assert part.num_edges > part.num_nodes  # more than the self loops
        out = model(part.x, *edges_of(part), part.e_id)
        # The same with all edges of the full graph, those that left at weight zero.
        inside = torch.zeros(10, dtype=torch.bool)
        inside[part.n_id] = True
        weight = data.edge_weight * inside[data.edge_index].all(0)
        expected = model(data.x, data.edge_index, data.edge_type, weight, data.e_id)[part.n_id]
        torch.testing.assert_close(out, expected)
        nodes.append(part.n_id)
    assert torch.cat(nodes).sort().values.tolist() == list(range(10))


def test_random_nodes_equal_a_subgraph(data, model):
    for part in parts(data, "random"):
        expected = data.subgraph(part.n_id)
        assert torch.equal(part.edge_index, expected.edge_index)
        torch.testing.assert_close(
            model(part.x, *edges_of(part), part.e_id),
            model(expected.x, *edges_of(expected), expected.e_id),
        )


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_the_parameters_of_the_edges_of_a_part(data, kind):
    importance = EdgeImportance(data.num_edges).double()
    conv = PartitionConv(2, 3, 3).double()
    for part in parts(data, kind):
        weight = importance(part.edge_weight, part.e_id)
        out = conv(part.x, part.edge_index, part.edge_type, weight)
        (grad,) = torch.autograd.grad(out.square().sum(), importance.weight)
        assert grad.nonzero().flatten().tolist() == part.e_id.sort().values.tolist()


def test_a_single_cluster_of_cluster_data(data):
    clusters = GivenClusters(data, CLUSTER)
    assert len(clusters) == 3
    for part in clusters:
        assert_in_step(part, data)


def test_names_in_lists(data):
    """PyG selects lists in sub-graphs, but joins tensors alone in its ClusterLoader."""
    data.node_id = list("abcdefghij")
    for part in parts(data, "random"):
        assert part.node_id == [data.node_id[node] for node in part.n_id.tolist()]
    keep = torch.tensor([7, 2, 5])
    part = data.subgraph(keep)
    assert part.node_id == [data.node_id[node] for node in part.n_id.tolist()]
    with pytest.raises(TypeError, match="got list"):
        next(iter(parts(data, "csr 1")))
    names = data.node_id
    del data.node_id  # the remedy: numbers in place of names
    for part in parts(data, "csr 2"):
        assert {names[node] for node in part.n_id.tolist()} <= set(names)
        assert_in_step(part, data)


def test_as_many_nodes_as_edges():
    """PyG then takes e_id, whose name has no "edge", for nodes; the layers notice the length."""
    ring = Data(x=torch.randn(4, 12, 2), edge_index=torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]]))
    ring = UniformPartition(add_self_loops=False)(ring)
    assert ring.is_node_attr("e_id")
    assert ring.is_edge_attr("edge_type")
    part = ring.subgraph(torch.tensor([0, 1]))
    assert part.edge_type.shape == (1,)
    assert part.e_id.shape == (2,)
    with pytest.raises(ValueError, match=r"edge_weight: expected shape \[2\]"):
        EdgeImportance(4)(part.edge_weight, part.e_id)
    # With self loops there are more edges than nodes, and all is in step.
    part = UniformPartition()(ring).subgraph(torch.tensor([0, 1]))
    assert part.e_id.tolist() == [0, 4, 5]
