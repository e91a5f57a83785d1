"""FixedGraph: the network as it is, with the graph inside."""

import copy
import pickle

import pytest
import torch
from torch_geometric.nn import GATConv, GCNConv, RGCNConv

from tests.nn import skeletons as s
from tgst.nn import ChebConv, FixedGraph, PartitionConv, PerStep
from tgst.nn.models import TrafficSTGCN
from tgst.ops import Adjacency
from tgst.testing import random_graph

SMALL = {"channels": [(4, 3, 4), (4, 3, 4)], "horizon": 2}


def edges(graph):
    return graph.edge_index, graph.edge_type, graph.edge_weight


@pytest.fixture
def graph():
    torch.manual_seed(0)
    return random_graph(num_partitions=3)


def test_traffic(graph):
    model = TrafficSTGCN(
        2, 1, kernel="partition", num_partitions=3, edge_importance=True, num_edges=18, **SMALL
    ).double()
    torch.nn.init.uniform_(model.edge_importance.weight)
    x = torch.randn(7, 2, 12, 2, dtype=torch.float64)
    expected = model(x, *edges(graph), graph.e_id)
    fixed = FixedGraph(model, *edges(graph), graph.e_id, num_nodes=7)
    assert str(fixed) == "FixedGraph(TrafficSTGCN, num_nodes=7)"
    adjacency = Adjacency.build(graph.edge_index, graph.edge_type, 7, 3)
    other = FixedGraph(model, adjacency, None, graph.edge_weight, graph.e_id)
    for run in (fixed, other, copy.deepcopy(fixed), pickle.loads(pickle.dumps(fixed))):
        torch.testing.assert_close(run(x), expected)
    assert list(fixed.state_dict()) == [f"model.{name}" for name in model.state_dict()]
    assert fixed.float()(x.float()).dtype == torch.float32  # the weights follow
    for tensor in (graph.edge_index, graph.edge_weight, graph.e_id):
        tensor.zero_()  # what is done to the graph later changes nothing
    torch.testing.assert_close(fixed(x.float()).double(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("conv", [GCNConv, GATConv])
def test_convolutions_of_pyg_take_the_edges_as_they_are(graph, conv):
    model = TrafficSTGCN(2, 1, conv=lambda i, o: PerStep(conv(i, o)), **SMALL).double()
    weight = graph.edge_weight.abs() if conv is GCNConv else None
    x = torch.randn(7, 2, 12, 2, dtype=torch.float64)
    fixed = FixedGraph(model, graph.edge_index, None, weight, num_nodes=7)
    torch.testing.assert_close(fixed(x), model(x, graph.edge_index, edge_weight=weight))


@pytest.mark.parametrize("form", ["tensors", "adjacency"])
def test_labels_reach_convolutions_of_pyg(graph, form):
    model = TrafficSTGCN(2, 1, conv=lambda i, o: PerStep(RGCNConv(i, o, 3)), **SMALL).double()
    x = torch.randn(7, 2, 12, 2, dtype=torch.float64)
    given = graph.edge_index, graph.edge_type
    expected = model(x, *given)
    if form == "adjacency":
        given = Adjacency.build(*given, 7, 3), None
    torch.testing.assert_close(FixedGraph(model, *given, num_nodes=7)(x), expected)


def test_skeletons_with_masks_by_name():
    model, graph = s.small(num_edges=None), s.tree(7)
    x, mask = torch.randn(7, 2, 9, 3, dtype=torch.float64), torch.rand(7, 2, 9) > 0.3
    fixed = FixedGraph(model, *graph)
    torch.testing.assert_close(fixed(x, mask=mask), model(x, *graph, mask=mask))


def test_layers(graph):
    x = torch.randn(7, 5, 2, dtype=torch.float64)
    conv = PartitionConv(2, 4, 3).double()
    torch.testing.assert_close(
        FixedGraph(conv, *edges(graph), num_nodes=7)(x), conv(x, *edges(graph))
    )
    conv = ChebConv(2, 4, 3).double()
    fixed = FixedGraph(conv, graph.edge_index, None, graph.edge_weight, num_nodes=7)
    torch.testing.assert_close(fixed(x), conv(x, graph.edge_index, graph.edge_weight))


def test_what_does_not_fit_is_refused(graph):
    conv = PartitionConv(2, 4, 3)
    with pytest.raises(ValueError, match="edge_type: expected a label per edge"):
        FixedGraph(conv, graph.edge_index)
    with pytest.raises(ValueError, match=r"x: expected .*\[7, \*\]|edge_index: expected an Adjac"):
        FixedGraph(conv, *edges(graph), num_nodes=7)(torch.zeros(8, 5, 2))
