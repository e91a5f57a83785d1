from __future__ import annotations

import json

import pytest
import torch

from benchmarks.dense_vs_sparse import (
    AUTO,
    DENSE,
    ELEMENTS,
    MATRIX,
    NODES,
    SHARES,
    SPARSE,
    crossing,
    crossings,
    given_matrix,
    main,
    points,
)
from tgst.ops import Adjacency, spmm


def line(over, places, sparse_over_dense):
    return [
        {over: place, f"{DENSE}_ms": 2.0, f"{SPARSE}_ms": 2.0 * ratio}
        for place, ratio in zip(places, sparse_over_dense, strict=True)
    ]


def test_crossing_is_found_on_a_logarithmic_axis():
    # Sparse takes a half, then four times as long: two thirds of the way back, on a log axis.
    found = crossing(line("share", (0.1, 0.8), (0.5, 4.0)), "share")
    assert found == pytest.approx(0.1 * 8 ** (1 / 3))
    found = crossing(line("nodes", (100, 10, 1000), (0.5, 2.0, 0.25)), "nodes")
    assert found == pytest.approx(10 * 10**0.5)
    assert crossing(line("share", (0.1, 0.8), (0.5, 0.9)), "share") is None
    assert crossing(line("share", (0.1, 0.8), (1.5, 4.0)), "share") is None
    assert crossing([], "share") is None
    rows = [{**row, f"{MATRIX}_ms": 1.0} for row in line("share", (0.1, 0.4), (0.25, 1.0))]
    assert crossing(rows, "share", MATRIX) == pytest.approx(0.2)


def test_points():
    found = points(NODES, SHARES, 768)
    assert len(found) == len(set(found))
    assert all(p.nodes * p.degree * 768 <= ELEMENTS for p in found)
    assert {p.nodes for p in found if p.line == "degree"} == set(NODES)
    assert all(1 <= p.degree <= p.nodes for p in found)


def test_the_given_matrix_is_that_of_the_graph():
    adjacency = Adjacency.build(torch.tensor([[0, 1, 2, 2], [1, 0, 0, 1]]), None, 3)
    x, weight = torch.randn(3, 4), torch.randn(4)
    expected = spmm(adjacency, x, weight, backend="reference")
    torch.testing.assert_close(given_matrix(adjacency, weight) @ x, expected)


def test_quick_run(tmp_path):
    pytest.importorskip("matplotlib")
    main(["--quick", "--out", str(tmp_path)])
    record = json.loads((tmp_path / "dense_vs_sparse.json").read_text())
    rows = record["rows"]
    assert [(r["nodes"], r["degree"]) for r in rows if r["line"] == "share"] == [
        (16, 2),
        (16, 6),
        (16, 16),
        (64, 6),
        (64, 26),
        (64, 64),
    ]
    for row in rows:
        assert row["share"] == row["degree"] / row["nodes"]
        assert all(row[f"{name}_ms"] > 0 for name in (DENSE, MATRIX, SPARSE, AUTO))
        # The dense matrix is extra memory; the sum over edges forms none.
        if row["nodes"] == 64 and row["degree"] == 6:
            assert row[f"{DENSE}_extra_bytes"] >= 64 * 64 * 4 > row[f"{SPARSE}_extra_bytes"]
    assert record["crossings"] == crossings(rows)
    text = (tmp_path / "dense_vs_sparse.md").read_text()
    assert "With 8 edges per node the lines " in text
    assert ", with the matrix given they " in text
    assert "| 64 | 64 | 100.0% |" in text
    assert (tmp_path / "dense_vs_sparse.png").read_bytes()[1:4] == b"PNG"
