"""What is exported to ONNX equals the operator, and gives the same on several threads each time."""

import pytest
import torch

from tests.onnx_runs import assert_agrees, exported, operators, run
from tgst.ops import Adjacency, as_adjacency, onnx, spmm
from tgst.ops.adjacency import _sort
from tgst.ops.spmm import _folded

from .graphs import FOLDS, GRAPHS, dense_spmm, operands, random_graph


def index_tensors(graph, fold):
    """The six tensors of a product, as the operator folds them."""
    return _folded(graph.adjacency(), fold)


@pytest.fixture(params=["dense", "padded"])
def form(request, monkeypatch):
    monkeypatch.setattr(onnx, "_DENSE_NODES", 325 if request.param == "dense" else -1)
    return request.param


@pytest.mark.parametrize("fold", FOLDS)
@pytest.mark.parametrize("name", GRAPHS)
def test_both_forms_equal_the_operator(name, fold, form):
    graph = GRAPHS[name]
    x, weight, _ = operands(graph, fold, (4,))
    tensors = index_tensors(graph, fold)
    expected = dense_spmm(graph, x, weight, fold)
    torch.testing.assert_close(onnx.spmm(x, weight, *tensors), expected)
    ones = dense_spmm(graph, x, torch.ones_like(weight), fold)
    torch.testing.assert_close(onnx.spmm(x, None, *tensors), ones)


def test_a_hub_beside_single_edges(form):
    graph = random_graph(40, 300)
    graph.edge_index[1, :150] = 7
    x, weight, _ = operands(graph, "target", (4,))
    found = onnx.spmm(x, weight, *index_tensors(graph, "target"))
    torch.testing.assert_close(found, dense_spmm(graph, x, weight, "target"))


def test_a_nan_reaches_its_neighbours_alone(monkeypatch):
    monkeypatch.setattr(onnx, "_DENSE_NODES", -1)
    graph = GRAPHS["isolated"]
    x, weight, _ = operands(graph, None, (2,))
    for node in range(7):
        bad = x.clone()
        bad[node] = torch.nan
        found = onnx.spmm(bad, weight, *index_tensors(graph, None)).isnan().any(1)
        reached = graph.edge_index[1, graph.edge_index[0] == node].unique()
        assert found.nonzero().flatten().tolist() == reached.tolist()


@pytest.mark.parametrize("name", GRAPHS)
def test_the_order_of_the_edges(name):
    graph = GRAPHS[name]
    target = graph.edge_index[1]
    expected = _sort(target, graph.num_nodes)
    torch.testing.assert_close(onnx.sort(target, graph.num_nodes), expected, rtol=0, atol=0)


class Product(torch.nn.Module):
    def forward(self, x, weight, adjacency):
        return spmm(adjacency, x, weight, fold="target")


class SortedProduct(torch.nn.Module):
    def __init__(self, fold):
        super().__init__()
        self.fold = fold

    def forward(self, x, weight, edge_index, edge_type):
        return spmm(as_adjacency(edge_index, edge_type, x.shape[0], 3), x, weight, fold=self.fold)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("num_nodes", "fold"), [(207, "target"), (2000, None)])
def test_repeated_runs_on_several_threads_agree(num_nodes, fold, tmp_path):
    graph = random_graph(num_nodes, 4 * num_nodes)
    x, weight, _ = operands(graph, fold, (240,), torch.float32)
    inputs = x, weight, graph.edge_index, graph.edge_type
    session = exported(SortedProduct(fold), inputs, tmp_path / "product.onnx")
    # Sums into shared rows become ScatterND, which is not atomic: some runs would be wrong.
    assert "ScatterND" not in operators(tmp_path / "product.onnx")
    expected = spmm(graph.adjacency(), x, weight, fold=fold)
    assert_agrees(session, inputs, expected)


@pytest.mark.filterwarnings("ignore")
def test_graphs_of_any_size(tmp_path):
    graph, other = random_graph(30, 90), random_graph(41, 77, seed=2)
    other.edge_index[1, :40] = 5

    def inputs(graph):
        return *operands(graph, "target", (4,), torch.float32)[:2], *graph[:2]

    nodes, edges = torch.export.Dim("nodes"), torch.export.Dim("edges")
    shapes = {0: nodes}, {0: edges}, {1: edges}, {0: edges}
    session = exported(
        SortedProduct("target"), inputs(graph), tmp_path / "product.onnx", dynamic_shapes=shapes
    )
    for case in (graph, other):
        x, weight, *_ = inputs(case)
        expected = dense_spmm(case, x, weight, "target").float()
        torch.testing.assert_close(run(session, *inputs(case)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("num_nodes", [30, 400])
def test_an_adjacency_is_not_sorted_again(num_nodes, tmp_path):
    graph = random_graph(num_nodes, 900)
    x, weight, _ = operands(graph, "target", (4,), torch.float32)
    adjacency = graph.adjacency()
    session = exported(Product(), (x, weight, adjacency), tmp_path / "product.onnx")
    assert "TopK" not in operators(tmp_path / "product.onnx")
    names = [node.name for node in session.get_inputs()]
    given = {f"adjacency_{field}": value for field, value in adjacency._asdict().items()}
    given |= {"x": x, "weight": weight}
    feed = {name: given[name].numpy() for name in names}
    found = torch.from_numpy(session.run(None, feed)[0])
    expected = dense_spmm(graph, x, weight, "target").float()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert isinstance(adjacency, Adjacency)
