from __future__ import annotations

import pytest
import torch

from tgst.ops import as_adjacency, benchmark, explain_choice
from tgst.ops.backends import BACKENDS
from tgst.ops.rivals import GATHER_SCATTER, TORCH_SPARSE, rivals

from .graphs import GRAPHS, dense_spmm, random_graph

NAMES = [*BACKENDS, GATHER_SCATTER, TORCH_SPARSE]
LEFT_OUT = {"triton", "column_blocks"}  # on CPU, and where one block has all columns


def distinct_edges(num_nodes, num_edges):
    pair = torch.randperm(num_nodes**2, generator=torch.Generator().manual_seed(0))[:num_edges]
    return torch.stack([pair % num_nodes, pair // num_nodes])


@pytest.mark.parametrize("partitions", [1, 3])
def test_every_backend_is_listed(partitions):
    pytest.importorskip("torch_scatter")
    edge_index = distinct_edges(6, 17)
    edge_type = torch.arange(17) % partitions
    table = benchmark(edge_index, 6, (2, 3, 4), edge_type, partitions, repetitions=2)
    assert [row["backend"] for row in table.rows] == NAMES
    assert sum(row["auto"] for row in table.rows) == 1
    for row in table.rows:
        assert (row["reason"] is None) is (row["backend"] not in LEFT_OUT)
        if row["reason"] is not None:
            assert row["forward_ms"] is row["training_extra_bytes"] is row["gathered_share"] is None
            continue
        assert row["training_ms"] > 0
        assert row["forward_spread_ms"] >= 0
        assert row["forward_samples"] == row["training_samples"] == 2
        # 6 rows in and 6 * K out; every edge reads one; a row is 96 bytes.
        seconds = row["forward_ms"] / 1e3
        for kind, moved_rows in (
            ("compulsory", 6 + 6 * partitions),
            ("gathered", 17 + 6 * partitions),
        ):
            expected = moved_rows * 96 / seconds / table.copy_bandwidth
            assert row[f"{kind}_share"] == pytest.approx(expected)


def test_the_choice_is_told():
    edge_index = distinct_edges(30, 60)
    table = benchmark(edge_index, 30, (2, 3), repetitions=2)
    adjacency = as_adjacency(edge_index, None, 30)
    assert table.choice == explain_choice(adjacency, torch.zeros(30, 2, 3))
    chosen = [row["backend"] for row in table.rows if row["auto"]]
    assert chosen == [table.choice.split(":")[0]]


def test_the_printed_table():
    edge_index = distinct_edges(30, 60)
    table = benchmark(edge_index, 30, (2, 3), repetitions=2)
    title, head, *lines = str(table).splitlines()
    rows, notes = lines[: len(NAMES)], lines[len(NAMES) :]
    assert title == "nodes 30, edges 60, partitions 1, features (2, 3), float32, cpu"
    assert head.split("  ")[0] == "backend"
    assert [row.split()[0] for row in rows] == NAMES
    assert [row.split()[0] for row in rows if " * " in row] == ["embedding_bag"]
    measured = [row for row in rows if "not run" not in row]
    assert len({len(row) for row in [head, *measured]}) == 1  # aligned
    assert notes[0].endswith(f"a copy moves {table.copy_bandwidth / 1e9:.3g} GB/s")
    assert notes[1:] == ["* the automatic choice", *table.choice.splitlines()]


def test_parallel_edges_are_not_for_torch_sparse():
    table = benchmark(GRAPHS["parallel"].edge_index, 4, (2,), repetitions=2)
    reasons = {row["backend"]: row["reason"] for row in table.rows}
    assert reasons[TORCH_SPARSE] == "not run: its gradient is wrong for parallel edges"
    assert reasons[GATHER_SCATTER] is None


def test_a_rival_may_run_forward_only():
    # 100 x 100 numbers are 40,000 bytes, which only the gradient of torch's sparse product needs.
    table = benchmark(distinct_edges(100, 200), 100, (4,), repetitions=2, memory_limit=30_000)
    row = table.rows[-1]
    assert row["backend"] == TORCH_SPARSE
    assert row["forward_ms"] > 0
    assert row["training_ms"] is row["training_extra_bytes"] is None
    assert "needs a tensor of" in row["training_reason"]
    assert "forward only" in str(table)
    assert f"{TORCH_SPARSE}: {row['training_reason']}" in str(table)


def test_device_is_where_it_is_measured():
    table = benchmark(distinct_edges(6, 10), 6, (2,), device="cpu", repetitions=2)
    assert table.title.endswith(", cpu")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_graph_is_moved_to_cuda():
    table = benchmark(distinct_edges(6, 10), 6, (2,), device="cuda", repetitions=2)
    assert "cuda" in table.title
    assert all(row["training_ms"] > 0 for row in table.rows if row["reason"] is None)


def test_too_large_backends_are_left_out():
    graph = random_graph(100, 200, num_partitions=1)
    table = benchmark(graph.edge_index, 100, (40,), repetitions=2, memory_limit=30_000)
    reasons = {row["backend"]: row["reason"] for row in table.rows}
    assert reasons["embedding_bag"] is None
    for name in ("dense", "torch_scatter", "reference", GATHER_SCATTER):
        assert "not run: needs a tensor of" in reasons[name]
    assert "memory_limit" in str(table)


def test_extra_memory_tells_the_backends_apart():
    graph = random_graph(50, 3000, num_partitions=1)
    table = benchmark(graph.edge_index, 50, (64,), repetitions=2)
    extra = {row["backend"]: row["training_extra_bytes"] for row in table.rows}
    messages = 3000 * 64 * 4
    assert extra["embedding_bag"] < messages / 4
    assert extra["gather_scatter"] >= messages


def test_all_products_are_the_same():
    graph = random_graph(8, 30)
    adjacency = graph.adjacency()
    outputs = {}

    def watched(x, weight):
        out = torch.zeros(24, *x.shape[1:])
        row = adjacency.target * 3 + adjacency.label
        outputs["x"], outputs["weight"] = x, weight
        return out.index_add(0, row, x[adjacency.source] * weight.view(-1, 1))

    table = benchmark(adjacency, 8, (5,), num_partitions=3, repetitions=2, others={"own": watched})
    assert table.rows[-1]["backend"] == "own"
    x, weight = outputs["x"], outputs["weight"]
    wanted = watched(x, weight)
    for fold, expected in (("target", wanted), (None, dense_spmm(graph, x, weight, None).float())):
        for name, rival in rivals(adjacency, fold, 5, torch.float32).items():
            if rival.reason is None or name == TORCH_SPARSE:  # its gradient alone is wrong
                torch.testing.assert_close(rival.product(x, weight), expected)


def test_torch_sparse_has_the_gradients():
    edge_index = distinct_edges(8, 30)
    adjacency = as_adjacency(edge_index, None, 8)
    product = rivals(adjacency, None, 5, torch.float64)[TORCH_SPARSE].product
    x, weight = torch.randn(8, 5, dtype=torch.float64), torch.randn(30, dtype=torch.float64)
    leaves = x.requires_grad_(), weight.requires_grad_()
    matrix = torch.zeros(8, 8, dtype=torch.float64).index_put(
        (edge_index[1], edge_index[0]), weight
    )
    found, expected = product(*leaves), matrix @ x
    grad = torch.randn_like(expected)
    torch.testing.assert_close(
        (found, *torch.autograd.grad(found, leaves, grad)),
        (expected, *torch.autograd.grad(expected, leaves, grad)),
    )


def test_more_pairs_of_rows_than_32_bits_count():
    generator = torch.Generator().manual_seed(0)
    edge_index = torch.randint(70_000, (2, 300), generator=generator, dtype=torch.int32)
    found = rivals(as_adjacency(edge_index, None, 70_000), None, 1, torch.float64)
    assert found[TORCH_SPARSE].reason is None
    x, weight = (torch.randn(size, 1, dtype=torch.float64) for size in (70_000, 300))
    outs = [found[name].product(x, weight[:, 0]) for name in (TORCH_SPARSE, "reference")]
    torch.testing.assert_close(*outs)


def test_the_random_state_is_kept():
    state = torch.get_rng_state()
    graph = GRAPHS["unsorted"]
    benchmark(graph.edge_index, 6, (2,), repetitions=2)
    assert torch.equal(torch.get_rng_state(), state)


def test_errors():
    graph = random_graph(6, 17)
    with pytest.raises(ValueError, match="repetitions: expected at least 2, got 1"):
        benchmark(graph.edge_index, 6, (2,), repetitions=1)
    with pytest.raises(ValueError, match="edge_index: expected node numbers in"):
        benchmark(graph.edge_index, 3, (2,))
    with pytest.raises(ValueError, match="num_partitions=1, got num_partitions=3"):
        benchmark(as_adjacency(graph.edge_index, graph.edge_type, 6, 3), 6, (2,))
