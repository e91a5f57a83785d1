"""PerStep equals a loop over steps, for the convolutions of PyG."""

import pytest
import torch
import torch_geometric.nn as gnn

from tgst.nn import PerStep
from tgst.ops import Adjacency
from tgst.testing import random_graph

CONVS = {
    "GCN": (lambda: gnn.GCNConv(3, 4), {}),
    "GCN weighted": (lambda: gnn.GCNConv(3, 4), {"edge_weight": "positive"}),
    "SAGE": (lambda: gnn.SAGEConv(3, 4), {}),
    "SAGE max": (lambda: gnn.SAGEConv(3, 4, aggr="max"), {}),
    "GAT": (lambda: gnn.GATConv(3, 4, heads=2), {}),
    "GAT edge features": (lambda: gnn.GATConv(3, 4, edge_dim=2), {"edge_attr": "features"}),
    "GATv2": (lambda: gnn.GATv2Conv(3, 4), {}),
    "Transformer": (lambda: gnn.TransformerConv(3, 4), {}),
    "RGCN": (lambda: gnn.RGCNConv(3, 4, num_relations=3), {"edge_type": "labels"}),
    "GraphConv": (lambda: gnn.GraphConv(3, 4), {"edge_weight": "positive"}),
    "Cheb": (lambda: gnn.ChebConv(3, 4, K=3), {}),
    "GIN": (lambda: gnn.GINConv(torch.nn.Linear(3, 4)), {}),
    "TAG": (lambda: gnn.TAGConv(3, 4), {}),
    "GatedGraph": (lambda: gnn.GatedGraphConv(4, 2), {}),
}


def edge_attributes(graph):
    generator = torch.Generator().manual_seed(1)
    return {
        "positive": graph.edge_weight.abs(),
        "features": torch.randn(18, 2, dtype=torch.float64, generator=generator),
        "labels": graph.edge_type,
    }


@pytest.mark.parametrize("name", CONVS)
@pytest.mark.parametrize("steps_per_call", [None, 4])
def test_equals_a_loop(name, steps_per_call):
    torch.manual_seed(0)
    build, wanted = CONVS[name]
    graph = random_graph(num_partitions=3)
    edges = {key: edge_attributes(graph)[kind] for key, kind in wanted.items()}
    layer = PerStep(build().double(), steps_per_call)
    x = torch.randn(7, 2, 5, 3, dtype=torch.float64, requires_grad=True)
    out = layer(x, graph.edge_index, **edges)
    flat = x.reshape(7, 10, 3)
    loop = [layer.conv(flat[:, s], graph.edge_index, **edges) for s in range(10)]
    loop = torch.stack(loop, dim=1).view(7, 2, 5, -1)
    torch.testing.assert_close(out, loop)
    grads = [torch.autograd.grad(y.square().sum(), [x, *layer.parameters()]) for y in (out, loop)]
    for a, b in zip(*grads, strict=True):
        torch.testing.assert_close(a, b)


def test_adjacency_stands_for_edge_index():
    graph = random_graph()
    layer = PerStep(gnn.SAGEConv(3, 4).double())
    x = torch.randn(7, 5, 3, dtype=torch.float64)
    adjacency = Adjacency.build(graph.edge_index, num_nodes=7)
    torch.testing.assert_close(layer(x, adjacency), layer(x, graph.edge_index))


def test_refuses_cached_convs():
    with pytest.raises(ValueError, match="cached=True"):
        PerStep(gnn.GCNConv(3, 4, cached=True))
    with pytest.raises(ValueError, match="steps_per_call: expected at least 1, got 0"):
        PerStep(gnn.GCNConv(3, 4), steps_per_call=0)


def test_names_the_edge_attribute_of_wrong_length():
    graph = random_graph()
    layer = PerStep(gnn.GCNConv(3, 4).double())
    x = torch.randn(7, 5, 3, dtype=torch.float64)
    with pytest.raises(ValueError, match="'edge_weight': expected first dimension 18"):
        layer(x, graph.edge_index, edge_weight=graph.edge_weight[:5])
    with pytest.raises(ValueError, match="x: expected"):
        layer(x[:, 0, 0], graph.edge_index)
