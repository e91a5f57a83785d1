from __future__ import annotations

import json

import pytest
import torch

from benchmarks.graphs import road_graph
from benchmarks.peers_spmm import PYG
from benchmarks.scale import AUTO, HILBERT, QUICK, RCM, ROWS, SHUFFLED, growth, main, orders
from tgst.ops import Adjacency, spmm


def test_all_orders_are_one_network():
    x = torch.randn(300, 2, generator=torch.Generator().manual_seed(0))
    sums = {}
    for name, data in orders(300, seed=0).items():
        # Features that belong to the place, whatever its number.
        at = data.pos.sum(1, keepdim=True) * x[:1]
        out = spmm(Adjacency.build(data.edge_index, None, 300), at)
        sums[name] = out[data.pos[:, 0].argsort()]
    assert set(sums) == {ROWS, SHUFFLED, HILBERT, RCM}
    for found in sums.values():
        torch.testing.assert_close(found, sums[ROWS])


def test_spatial_orders_bring_neighbours_together():
    def distance(data):
        source, target = data.edge_index
        return float((source - target).abs().float().median())

    found = orders(2000, seed=0)
    for name in (HILBERT, RCM):
        assert distance(found[name]) < distance(found[SHUFFLED]) / 5


def test_growth():
    def row(nodes, per_edge, order=ROWS, rival=AUTO):
        return {"nodes": nodes, "order": order, "rival": rival, "training_ns_per_edge": per_edge}

    rows = [row(10, 7.0), row(1000, 3.0), row(100, 2.0), row(1000, 50.0, order=SHUFFLED)]
    assert growth([*rows, row(1000, 90.0, rival=PYG)]) == 1.5
    assert growth(rows[:1]) is None


def test_the_network_grows_by_nodes_alone():
    small, large = road_graph(1_000, 0), road_graph(10_000, 0)
    assert large.num_edges / small.num_edges == pytest.approx(10, rel=0.05)


def test_quick_run(tmp_path):
    pytest.importorskip("matplotlib")
    main(["--quick", "--out", str(tmp_path)])
    record = json.loads((tmp_path / "scale.json").read_text())
    rows = record["rows"]
    found = [(row["nodes"], row["order"], row["rival"]) for row in rows]
    assert len(found) == len(set(found)) == 2 * 5
    for row in rows:
        assert row["training_ns_per_edge"] == pytest.approx(row["training_ms"] * 1e6 / row["edges"])
        assert row["nodes"] in QUICK
        operands = 4 * row["nodes"] * 64 * 4 + 2 * row["edges"] * 4
        assert row["operand_bytes"] == operands
        if row["rival"] == PYG:  # a message per edge
            assert row["training_extra_bytes"] >= row["edges"] * 64 * 4
        else:
            assert row["training_extra_bytes"] < row["edges"] * 64 * 4 / 4
    assert record["growth"] == growth(rows)
    text = (tmp_path / "scale.md").read_text()
    assert f"forward and backward {record['growth']:.2f}, forward" in text
    assert "| SpatialOrder hilbert |" in text
    assert (tmp_path / "scale.png").read_bytes()[1:4] == b"PNG"
