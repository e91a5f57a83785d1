from __future__ import annotations

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend
from torch_geometric import EdgeIndex

from tgst.ops import as_adjacency, sddmm, spmm, triton

from .graphs import BACKENDS, GRAPHS, dense_spmm, operands, random_graph


@pytest.fixture(autouse=True)
def fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def from_tensors(edge_index, edge_type, x, weight):
    adjacency = as_adjacency(edge_index, edge_type, x.shape[0], 3)
    return spmm(adjacency, x, weight, fold="target")


def from_adjacency(adjacency, x, weight):
    return spmm(adjacency, x, weight, fold="target")


def check_step(function, graph_arguments, graph):
    x, weight, g = operands(graph, "target", (4,))
    leaves = x.requires_grad_(), weight.requires_grad_()
    out = function(*graph_arguments, *leaves)
    found = (out, *torch.autograd.grad(out, leaves, g))
    expected = dense_spmm(graph, *leaves, "target")
    torch.testing.assert_close(found, (expected, *torch.autograd.grad(expected, leaves, g)))


@pytest.mark.parametrize("dynamic", [None, True])
@pytest.mark.parametrize("form", ["tensors", "adjacency"])
def test_full_graph_and_few_compilations(form, dynamic):
    counter = CompileCounterWithBackend("aot_eager")
    function = from_tensors if form == "tensors" else from_adjacency
    compiled = torch.compile(function, fullgraph=True, backend=counter, dynamic=dynamic)
    compilations = []
    sizes = [(10, 30), (10, 30), (12, 40), (15, 41), (9, 9), (10, 30)]
    for seed, size in enumerate(sizes):
        graph = random_graph(*size, seed=seed)
        arguments = graph[:2] if form == "tensors" else (graph.adjacency(),)
        check_step(compiled, arguments, graph)
        compilations.append(counter.frame_count)
    expected = [1, 1, 1, 1, 1, 1] if dynamic else [1, 1, 2, 2, 2, 2]
    assert compilations == expected


@pytest.mark.parametrize("backend", ["auto", *BACKENDS])
def test_int32_graphs_compile(backend):
    if backend == "torch_scatter":
        pytest.importorskip("torch_scatter")
    counter = CompileCounterWithBackend("aot_eager")

    @torch.compile(fullgraph=True, backend=counter, dynamic=True)
    def product(edge_index, edge_type, x, weight):
        adjacency = as_adjacency(edge_index, edge_type, x.shape[0], 3)
        return spmm(adjacency, x, weight, fold="target", backend=backend)

    for seed, size in enumerate([(10, 30), (12, 40)]):
        graph = random_graph(*size, seed=seed)
        check_step(product, (graph.edge_index.int(), graph.edge_type.int()), graph)
    assert counter.frame_count == 1


@pytest.mark.parametrize("name", GRAPHS)
def test_every_graph_compiles(name):
    graph = GRAPHS[name]
    x, weight, _ = operands(graph, None)

    @torch.compile(fullgraph=True, backend="aot_eager")
    def product(edge_index, edge_type, x, weight):
        adjacency = as_adjacency(edge_index, edge_type, x.shape[0], graph.num_partitions)
        return spmm(adjacency, x, weight)

    found = product(graph.edge_index, graph.edge_type, x, weight)
    torch.testing.assert_close(found, dense_spmm(graph, x, weight, None))


def test_edge_index_class_compiles():
    graph = random_graph(6, 17, num_partitions=1)
    x, weight, _ = operands(graph, None)
    edge_index = EdgeIndex(graph.edge_index, sparse_size=(6, 6))

    @torch.compile(fullgraph=True, backend="aot_eager")
    def product(edge_index, x, weight):
        return spmm(as_adjacency(edge_index, None, x.shape[0]), x, weight)

    torch.testing.assert_close(product(edge_index, x, weight), dense_spmm(graph, x, weight, None))


def test_number_of_nodes_is_needed_in_compiled_code():
    @torch.compile(fullgraph=True, backend="eager")
    def sort(edge_index):
        return as_adjacency(edge_index).ptr_in

    with pytest.raises(Exception, match="num_nodes: expected an int in compiled code"):
        sort(torch.tensor([[0], [1]]))


@pytest.mark.parametrize("dynamic", [None, True])
@pytest.mark.parametrize("value", [-1, 3, 10])
@pytest.mark.parametrize("row", ["source", "target", "label"])
def test_values_out_of_range_raise_in_compiled_code(row, value, dynamic):
    graph = random_graph(10, 30)
    x, weight, _ = operands(graph, "target", (4,))
    compiled = torch.compile(from_tensors, fullgraph=True, backend="aot_eager", dynamic=dynamic)
    leaf = x.requires_grad_()
    expected = dense_spmm(graph, x, weight, "target")
    torch.testing.assert_close(compiled(*graph[:2], leaf, weight), expected)
    edge_index, edge_type = graph.edge_index.clone(), graph.edge_type.clone()
    places = {"source": edge_index[0], "target": edge_index[1], "label": edge_type}
    places[row][7] = value
    if row != "label" and value == 3:  # node 3 exists, label 3 does not
        compiled(edge_index, edge_type, leaf, weight)
        return
    message = r"edge_index: expected node numbers in \[0, num_nodes\)"
    if row == "label":
        message = r"edge_type: expected labels in \[0, num_partitions\)"
    with pytest.raises(RuntimeError, match=message):
        compiled(edge_index, edge_type, leaf, weight)


def test_autocast_compiles():
    graph = random_graph(6, 17)
    adjacency = graph.adjacency()
    x, _, _ = operands(graph, None, (4,), torch.bfloat16)
    weight = torch.ones(17, requires_grad=True)

    @torch.compile(fullgraph=True, backend="aot_eager")
    def product(x, weight):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return spmm(adjacency, x, weight)

    out = product(x, weight)
    assert out.dtype == torch.bfloat16
    expected = dense_spmm(graph, x, weight.detach(), None)
    torch.testing.assert_close(out.double(), expected, rtol=1e-2, atol=1e-2)
    out.sum().backward()
    assert weight.grad.dtype == torch.float32


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [None, True])
def test_inductor(dynamic):
    graph = random_graph(10, 30)
    compiled = torch.compile(from_tensors, fullgraph=True, dynamic=dynamic)
    check_step(compiled, graph[:2], graph)


class Product(torch.nn.Module):
    def forward(self, adjacency, x, weight):
        return spmm(adjacency, x, weight, fold="target")


class SortedProduct(torch.nn.Module):
    def forward(self, edge_index, edge_type, x, weight):
        return from_tensors(edge_index, edge_type, x, weight)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("form", ["tensors", "adjacency"])
def test_export_with_any_sizes(form, strict):
    def arguments(graph):
        x, weight, _ = operands(graph, "target", (4,))
        return (*(graph[:2] if form == "tensors" else (graph.adjacency(),)), x, weight)

    module = SortedProduct() if form == "tensors" else Product()
    graph, other = random_graph(10, 30), random_graph(13, 47, seed=5)
    inputs = arguments(graph)

    def any_size(tensor):
        return {0: auto, 1: auto} if tensor is pair else {0: auto}

    auto, pair = torch.export.Dim.AUTO, graph.edge_index
    shapes = torch.utils._pytree.tree_map(any_size, inputs)
    program = torch.export.export(module, inputs, dynamic_shapes=shapes, strict=strict)
    for case in (graph, other):
        x, weight, _ = operands(case, "target", (4,))
        found = program.module()(*arguments(case))
        torch.testing.assert_close(found, dense_spmm(case, x, weight, "target"))
    assert "tgst.spmm" in str(program.graph)
    assert "assert_async" not in str(program.graph)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_export_with_named_sizes(dtype):
    nodes, edges = torch.export.Dim("nodes"), torch.export.Dim("edges")
    shapes = {1: edges}, {0: edges}, {0: nodes}, {0: edges}

    def arguments(graph):
        x, weight, _ = operands(graph, "target", (4,))
        return graph.edge_index.to(dtype), graph.edge_type, x, weight

    program = torch.export.export(
        SortedProduct(), arguments(random_graph(10, 30)), dynamic_shapes=shapes
    )
    other = random_graph(13, 47, seed=5)
    given = arguments(other)
    torch.testing.assert_close(program.module()(*given), dense_spmm(other, *given[2:], "target"))


def index_tensors(graph, fold):
    a = graph.adjacency()
    incoming, outgoing = (a.ptr_in, a.order_in), (a.ptr_out, a.order_out)
    if fold is None:
        return a.source, a.target, *incoming, *outgoing
    row = a.target * a.num_partitions + a.label
    return a.source, row, a.ptr_label_in, a.order_label_in, *outgoing


@pytest.mark.parametrize(
    ("name", "fold", "dtype", "backend"),
    [
        *(("unsorted", None, torch.float64, backend) for backend in ["triton", *BACKENDS]),
        ("unsorted", "target", torch.float32, "embedding_bag"),
        ("unsorted", "target", torch.bfloat16, "embedding_bag"),
        ("no_edges", None, torch.float64, "embedding_bag"),
        ("no_nodes", "target", torch.float64, "embedding_bag"),
    ],
)
def test_opcheck(name, fold, dtype, backend):
    if backend in ("triton", "torch_scatter"):
        pytest.importorskip(backend)
    if backend == "triton" and not triton.is_available("cpu"):
        pytest.skip("needs TRITON_INTERPRET=1")
    graph = GRAPHS[name]
    six = index_tensors(graph, fold)
    x, weight, g = (t.requires_grad_() for t in operands(graph, fold, (4,), dtype))
    loose = {"rtol": 2e-2, "atol": 2e-2} if dtype == torch.bfloat16 else {}
    spmm_op, sddmm_op = torch.ops.tgst.spmm.default, torch.ops.tgst.sddmm.default
    for op, pair in ((spmm_op, (x, weight)), (spmm_op, (x, None)), (sddmm_op, (g, x))):
        torch.library.opcheck(op, (*pair, *six, backend), **loose)


def test_dots_compile():
    graph = random_graph(6, 17)
    adjacency = graph.adjacency()
    x, _, g = operands(graph, "source")
    compiled = torch.compile(
        lambda g, x: sddmm(adjacency, g, x, fold="source"), fullgraph=True, backend="aot_eager"
    )
    torch.testing.assert_close(compiled(g, x), sddmm(adjacency, g, x, fold="source"))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_trace_sorts_the_edges_it_is_given():
    graph, other = random_graph(6, 17), random_graph(6, 17, seed=1)
    as_adjacency(graph.edge_index, graph.edge_type, 6, 3)  # what is remembered is not traced
    x, weight, _ = operands(graph, "target")
    example = (graph.edge_index, graph.edge_type, x, weight)
    traced = torch.jit.trace(from_tensors, example, check_trace=False)
    found = traced(other.edge_index, other.edge_type, x, weight)
    torch.testing.assert_close(found, dense_spmm(other, x, weight, "target"))
