from __future__ import annotations

import pytest
import torch

from tgst.ops import as_adjacency, benchmark

from .graphs import GRAPHS, random_graph

NAMES = ["embedding_bag", "dense", "torch_scatter", "reference", "gather_scatter"]


@pytest.mark.parametrize("partitions", [1, 3])
def test_every_backend_is_listed(partitions):
    pytest.importorskip("torch_scatter")
    graph = random_graph(6, 17, num_partitions=partitions)
    table = benchmark(*graph[:1], 6, (2, 3, 4), *graph[1:2], partitions, repetitions=2)
    assert [row["backend"] for row in table.rows] == NAMES
    assert [row["backend"] for row in table.rows if row["auto"]] == [
        "dense" if partitions == 1 else "embedding_bag"
    ]
    for row in table.rows:
        assert row["reason"] is None
        assert row["forward_ms"] > 0
        assert row["training_ms"] > 0
        assert row["forward_spread_ms"] >= 0


def test_the_printed_table():
    graph = random_graph(30, 60, num_partitions=1)
    text = str(benchmark(graph.edge_index, 30, (2, 3), repetitions=2))
    title, head, *rows, note = text.splitlines()
    assert title == "nodes 30, edges 60, partitions 1, features (2, 3), float32, cpu"
    assert head.split("  ")[0] == "backend"
    assert [row.split()[0] for row in rows] == NAMES
    assert [row.split()[0] for row in rows if " * " in row] == ["embedding_bag"]
    measured = [row for row in rows if "not run" not in row]
    assert len({len(row) for row in [head, *measured]}) == 1  # aligned
    assert note == "* the automatic choice"


def test_too_large_backends_are_left_out():
    graph = random_graph(100, 200, num_partitions=1)
    table = benchmark(graph.edge_index, 100, (40,), repetitions=2, memory_limit=30_000)
    reasons = {row["backend"]: row["reason"] for row in table.rows}
    assert reasons["embedding_bag"] is None
    for name in NAMES[1:]:
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
        row = adjacency.label * 8 + adjacency.target
        outputs["x"], outputs["weight"] = x, weight
        return out.index_add(0, row, x[adjacency.source] * weight.view(-1, 1))

    from tgst.ops.benchmark import _gather_scatter, _product

    table = benchmark(adjacency, 8, (5,), num_partitions=3, repetitions=2, others={"own": watched})
    assert table.rows[-1]["backend"] == "own"
    x, weight = outputs["x"], outputs["weight"]
    wanted = watched(x, weight)
    torch.testing.assert_close(_gather_scatter(adjacency, "target")(x, weight), wanted)
    torch.testing.assert_close(_product(adjacency, "target", "embedding_bag")(x, weight), wanted)


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
