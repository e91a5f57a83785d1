from __future__ import annotations

import json

import pytest
import torch

from benchmarks.spmm import PEER, GatherScatter, main
from tgst.ops import Adjacency, spmm

from .graphs import random_graph


def test_the_peer_is_pyg_itself_and_computes_the_same():
    layer = GatherScatter()
    # PyG falls back to a slower propagate in silence when it cannot generate the code.
    assert layer.propagate.__module__ != "torch_geometric.nn.conv.message_passing"
    edge_index = random_graph(6, 17).edge_index
    x, weight = torch.randn(6, 4), torch.randn(17)
    expected = spmm(Adjacency.build(edge_index, None, 6), x, weight)
    torch.testing.assert_close(layer(x, edge_index, weight), expected)


@pytest.mark.slow
def test_quick_run(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    main(["--quick", "--out", str(tmp_path), "--seed", "3"])
    record = json.loads((tmp_path / "spmm.json").read_text())
    assert record["seed"] == 3
    assert record["versions"]["torch"] == torch.__version__
    assert record["command"].startswith("python -m benchmarks.spmm --quick")
    assert "cores" in record["hardware"]
    peers = [row for row in record["rows"] if row["backend"] == PEER]
    assert [(row["nodes"], row["edges"], row["features"]) for row in peers] == [
        (25, 75, 512),
        (200, 1600, 256),
    ]
    for row in peers:  # learnable weights: PyG keeps a message per edge
        assert row["training_extra_bytes"] >= row["edges"] * row["features"] * 4
    table = (tmp_path / "spmm.md").read_text().splitlines()
    assert sum(line.startswith("| ") for line in table) == 1 + len(record["rows"])
    assert all(line.endswith("| 1.0 |") for line in table if f"| {PEER} |" in line)
    assert 0 < (tmp_path / "spmm.png").stat().st_size < 300_000
    assert "the automatic choice" in capsys.readouterr().out
