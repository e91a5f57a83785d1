"""A PyG batch of different graphs gives what its graphs give, one by one."""

import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data
from torch_geometric.loader import DataLoader
from torch_geometric.nn import GATConv, GCNConv

from tests.nn.pipelines.graphs import edges_of, labelled
from tgst.nn import ChebConv, EdgeImportance, PartitionConv, PerStep, TrafficBlock
from tgst.nn.models import TrafficSTGCN
from tgst.transforms import DirectionPartition

SMALL = {"channels": [(4, 3, 4), (4, 3, 4)]}
BUILD = {
    "partition": (lambda: PartitionConv(2, 4, 3), edges_of),
    "block": (lambda: TrafficBlock(2, (4, 3, 4), PartitionConv(3, 3, 3)), edges_of),
    "cheb": (lambda: ChebConv(2, 4, K=3), lambda data: (data.edge_index, data.edge_weight)),
    "gcn": (lambda: PerStep(GCNConv(2, 4)), lambda data: (data.edge_index, data.edge_weight)),
    "gat": (lambda: PerStep(GATConv(2, 4, heads=2)), lambda data: (data.edge_index,)),
    "traffic": (
        lambda: TrafficSTGCN(2, 1, kernel="partition", num_partitions=3, **SMALL),
        edges_of,
    ),
    "importance": (
        lambda: TrafficSTGCN(
            2, 1, kernel="partition", num_partitions=3, edge_importance=True, num_edges=40, **SMALL
        ),
        lambda data: (*edges_of(data), data.e_id),
    ),
}


def built(name):
    torch.manual_seed(0)
    build, edges = BUILD[name]
    model = build().double().eval()
    for module in model.modules():
        if isinstance(module, EdgeImportance):  # not all ones
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return model, edges


# With a graph whose nodes have self loops alone, and one of a single node.
GRAPHS = [(6, 9), (4, 3), (3, 0), (1, 0), (9, 14)]


@pytest.mark.parametrize("name", BUILD)
@pytest.mark.parametrize("kind", [Batch.from_data_list, None])
def test_different_graphs(name, kind):
    model, edges = built(name)
    graphs = [labelled(*size, seed=seed) for seed, size in enumerate(GRAPHS)]
    for key in ("edge_type", "edge_weight", "e_id"):  # no edge at all
        graphs[3][key] = graphs[3][key][:0]
    graphs[3].edge_index = graphs[3].edge_index[:, :0]
    batch = kind(graphs) if kind else next(iter(DataLoader(graphs, batch_size=5)))
    assert batch.num_nodes == 23
    apart = torch.cat([model(graph.x, *edges(graph)) for graph in graphs])
    together = model(batch.x, *edges(batch))
    torch.testing.assert_close(together, apart, rtol=1e-9, atol=1e-9)
    first = model(graphs[0].x, *edges(graphs[0]))
    for graph, out in zip(batch.to_data_list(), together.split([6, 4, 3, 1, 9]), strict=True):
        torch.testing.assert_close(model(graph.x, *edges(graph)), out, rtol=1e-9, atol=1e-9)
    assert (first - together[:6]).abs().max() < 1e-9


def test_shuffled_data_loader_gives_every_graph_once():
    model, edges = built("importance")
    graphs = [labelled(*size, seed=seed) for seed, size in enumerate(GRAPHS)]
    for seed, graph in enumerate(graphs):
        graph.number = seed
    torch.manual_seed(1)
    seen = []
    for batch in DataLoader(graphs, batch_size=2, shuffle=True):
        out = model(batch.x, *edges(batch))
        for number, part in enumerate(batch.number.tolist()):
            expected = model(graphs[part].x, *edges(graphs[part]))
            torch.testing.assert_close(out[batch.batch == number], expected)
            seen.append(part)
    assert sorted(seen) == [0, 1, 2, 3, 4]


def test_copies_of_a_graph_share_the_parameters_of_its_edges():
    """A batch does not count e_id up: the same edge has the same parameter in every copy."""
    data = labelled()
    num_edges = data.num_edges
    copies = [data.clone() for _ in range(3)]
    for copy in copies[1:]:
        copy.x = torch.randn_like(data.x)
    batch = Batch.from_data_list(copies)
    assert torch.equal(batch.e_id, torch.arange(num_edges).repeat(3))
    importance = EdgeImportance(num_edges).double()
    torch.nn.init.uniform_(importance.weight)
    conv = PartitionConv(2, 4, 3).double()

    def gradient(data):
        weight = importance(data.edge_weight, data.e_id)
        loss = conv(data.x, data.edge_index, data.edge_type, weight).square().sum()
        return torch.autograd.grad(loss, importance.weight)[0]

    expected = sum(gradient(copy) for copy in copies)
    torch.testing.assert_close(gradient(batch), expected)
    weight = importance(batch.edge_weight, batch.e_id)
    assert torch.equal(weight, (data.edge_weight * importance.weight).repeat(3))


def test_a_norm_over_the_nodes_of_one_graph_refuses_a_batch():
    model = TrafficSTGCN(
        2, 1, kernel="partition", num_partitions=3, norm="node", num_nodes=6, **SMALL
    )
    model = model.double()
    data = labelled()
    assert model(data.x, *edges_of(data)).shape == (6, 12, 1)
    batch = Batch.from_data_list([data, data])
    with pytest.raises(ValueError, match="6"):
        model(batch.x, *edges_of(batch))


@pytest.mark.parametrize("name", BUILD)
@pytest.mark.parametrize("order", ["row", "col", None])
@pytest.mark.parametrize("size", [(6, 6), None])
def test_edge_index_class(name, order, size):
    """Any order, with or without a size; the graph's last node may have no edge."""
    model, edges = built(name)
    data = labelled()
    expected = model(data.x, *edges(data))
    if order is not None:
        places = (data.edge_index[0 if order == "row" else 1]).argsort(stable=True)
        for key in ("edge_type", "edge_weight", "e_id"):
            data[key] = data[key][places]
        data.edge_index = data.edge_index[:, places]
    data.edge_index = EdgeIndex(data.edge_index, sparse_size=size, sort_order=order).validate()
    torch.testing.assert_close(model(data.x, *edges(data)), expected)
    batch = Batch.from_data_list([data, data])
    assert isinstance(batch.edge_index, EdgeIndex)
    assert batch.edge_index.sort_order == data.edge_index.sort_order
    together = model(batch.x, *edges(batch))
    torch.testing.assert_close(together, torch.cat([expected, expected]))


def test_edge_index_class_with_an_isolated_last_node():
    edge_index = EdgeIndex(torch.tensor([[0, 1], [1, 0]]), sparse_size=(4, 4), sort_order="row")
    data = DirectionPartition(add_self_loops=False)(
        Data(x=torch.randn(4, 3, 2), edge_index=edge_index)
    )
    conv = PartitionConv(2, 5, 3)
    torch.nn.init.uniform_(conv.bias)
    out = conv(data.x, EdgeIndex(data.edge_index, sparse_size=(4, 4)), data.edge_type)
    assert torch.equal(out[2:], conv.bias.expand(2, 3, 5))
