from __future__ import annotations

import pytest
import torch

from tgst.ops import column_blocks, embedding_bag, sddmm, spmm
from tgst.ops.column_blocks import block_width
from tgst.ops.measure import peak_extra_bytes

from .graphs import FOLDS, GRAPHS, dense_sddmm, dense_spmm, operands, random_graph

WIDE = 600  # blocks of 512 bytes of a row, the last of them narrower
DTYPES = {torch.float64: 1e-14, torch.float32: 1e-6, torch.bfloat16: 1e-2, torch.float16: 1e-3}


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setattr(column_blocks, "BLOCK_BYTES", 1)
    assert [block_width(1, WIDE, size) for size in (2, 4, 8)] == [256, 128, 64]


def test_a_block_is_a_mebibyte_or_512_bytes_of_each_row():
    assert block_width(2_000, 12_288, 4) == 128
    assert block_width(2_000, 12_288, 8) == 64
    assert block_width(1_000, 12_288, 4) == 256
    assert block_width(10**6, 12_288, 4) == 128  # not less, however many rows there are
    assert block_width(2_000, 100, 4) == 100
    assert block_width(0, 5, 4) == 5


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("fold", FOLDS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_blocks_equal_the_dense_formula(narrow, dtype, fold, weighted):
    graph = random_graph(6, 25)
    x, weight, g = operands(graph, fold, (WIDE,), dtype)
    weight = weight if weighted else None
    adjacency = graph.adjacency()
    out = spmm(adjacency, x, weight, fold=fold, backend="column_blocks")
    wanted = dense_spmm(graph, x, torch.ones(25) if weight is None else weight, fold)
    assert out.dtype == dtype
    assert (out.double() - wanted).norm() < DTYPES[dtype] * wanted.norm()
    # A sum over the edges of a row, column by column: the same bits as in one block.
    assert torch.equal(out, spmm(adjacency, x, weight, fold=fold, backend="embedding_bag"))
    dots = sddmm(adjacency, g, x, fold=fold, backend="column_blocks")
    wanted = dense_sddmm(graph, g, x, fold)
    assert (dots.double() - wanted).norm() < DTYPES[dtype] * wanted.norm()


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_block_is_computed_by_itself(narrow, monkeypatch, dtype):
    widths = []
    bags, sampled = embedding_bag.bags, torch.sparse.sampled_addmm

    def watched(x, *rest):
        widths.append(x.shape[1])
        return bags(x, *rest)

    def watched_product(matrix, left, right, **options):
        widths.append(left.shape[1])
        return sampled(matrix, left, right, **options)

    monkeypatch.setattr(embedding_bag, "bags", watched)
    monkeypatch.setattr(torch.sparse, "sampled_addmm", watched_product)
    graph = random_graph(6, 25)
    x, weight, g = operands(graph, None, (WIDE,), dtype)
    spmm(graph.adjacency(), x, weight, backend="column_blocks")
    expected = {2: [256, 256, 88], 4: [128] * 4 + [88], 8: [64] * 9 + [24]}[dtype.itemsize]
    assert widths == expected
    widths.clear()
    sddmm(graph.adjacency(), g, x, backend="column_blocks")
    assert widths == (expected if dtype.itemsize >= 4 else [])


@pytest.mark.parametrize("index_dtype", [torch.int64, torch.int32])
@pytest.mark.parametrize("fold", FOLDS)
@pytest.mark.parametrize("name", GRAPHS)
def test_all_kinds_of_graphs(narrow, name, fold, index_dtype):
    graph = GRAPHS[name]._replace(edge_index=GRAPHS[name].edge_index.to(index_dtype))
    x, weight, g = operands(graph, fold, (300,), torch.float32)
    adjacency = graph.adjacency()
    out = spmm(adjacency, x, weight, fold=fold, backend="column_blocks")
    dots = sddmm(adjacency, g, x, fold=fold, backend="column_blocks")
    near = {"rtol": 1e-5, "atol": 1e-4}
    torch.testing.assert_close(out.double(), dense_spmm(graph, x, weight, fold), **near)
    torch.testing.assert_close(dots.double(), dense_sddmm(graph, g, x, fold), **near)


def test_more_edges_than_pairs(narrow):
    graph = random_graph(3, 200, num_partitions=1)
    x, _, g = operands(graph, None, (300,), torch.float32)
    assert not embedding_bag.is_sampled(g, x, graph.edge_index[0])
    dots = sddmm(graph.adjacency(), g, x, backend="column_blocks")
    wanted = dense_sddmm(graph, g, x, None)
    torch.testing.assert_close(dots.double(), wanted, rtol=1e-5, atol=1e-4)


def test_compiled(narrow):
    graph = random_graph(6, 25)
    x, weight, g = operands(graph, None, (300,), torch.float32)
    adjacency = graph.adjacency()

    def step(x, weight):
        out = spmm(adjacency, x, weight, backend="column_blocks")
        return out, *torch.autograd.grad(out, (x, weight), g)

    leaves = x.requires_grad_(), weight.requires_grad_()
    torch._dynamo.reset()
    run = torch.compile(
        lambda x, weight: spmm(adjacency, x, weight, backend="column_blocks"),
        backend="aot_eager",
        fullgraph=True,
    )
    out = run(*leaves)
    found = (out, *torch.autograd.grad(out, leaves, g))
    for ours, expected in zip(found, step(*leaves), strict=True):
        torch.testing.assert_close(ours, expected)


def test_gradients(narrow):
    graph = random_graph(4, 9)
    x, weight, _ = operands(graph, "target", (70,), torch.float64)
    adjacency = graph.adjacency()

    def product(x, weight):
        return spmm(adjacency, x, weight, fold="target", backend="column_blocks")

    inputs = (x.requires_grad_(), weight.requires_grad_())
    assert torch.autograd.gradcheck(product, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(product, inputs, fast_mode=True)


def test_rows_with_other_strides_and_autocast(narrow):
    graph = random_graph(6, 25)
    x, weight, g = operands(graph, None, (WIDE,), torch.float32)
    adjacency = graph.adjacency()
    turned, turned_g = (t.t().contiguous().t() for t in (x, g))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = spmm(adjacency, turned, weight, backend="column_blocks")
        dots = sddmm(adjacency, turned_g, turned, backend="column_blocks")
    near = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(out.double(), dense_spmm(graph, x, weight, None), **near)
    torch.testing.assert_close(dots.double(), dense_sddmm(graph, g, x, None), **near)


def test_memory_is_that_of_a_block():
    graph = random_graph(5_000, 20_000, num_partitions=1)
    x, weight, g = operands(graph, None, (2_048,), torch.float32)
    adjacency = graph.adjacency()
    assert block_width(*x.shape, 4) == 128
    features = x.numel() * 4
    options = {"backend": "column_blocks"}
    for call in (
        lambda: spmm(adjacency, x, weight, **options),
        lambda: sddmm(adjacency, g, x, **options),
    ):
        assert peak_extra_bytes(call, torch.device("cpu")) < features / 4
