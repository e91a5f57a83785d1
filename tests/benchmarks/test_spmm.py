from __future__ import annotations

import json

import pytest
import torch

from benchmarks.peers_spmm import DGL, PYG, GatherScatter, check_agreement, not_importable
from benchmarks.spmm import NODES, WORK, WORK_OF_RIVALS, Point, limits, main, points
from benchmarks.spmm_report import by_point, judged, markdown, ratios, summary
from tgst.ops import Adjacency, spmm
from tgst.ops.rivals import TORCH_SPARSE

CPU = torch.device("cpu")
GIB = 2**30


def test_the_peer_is_pyg_itself_and_computes_the_same():
    layer = GatherScatter()
    # PyG falls back to a slower propagate in silence when it cannot generate the code.
    assert layer.propagate.__module__ != "torch_geometric.nn.conv.message_passing"
    edge_index = torch.randint(6, (2, 17))
    x, weight = torch.randn(6, 4), torch.randn(17)
    expected = spmm(Adjacency.build(edge_index, None, 6), x, weight)
    torch.testing.assert_close(layer(x, edge_index, weight), expected)


def test_a_rival_that_computes_something_else_is_refused():
    with pytest.raises(AssertionError, match="rival: "):
        check_agreement(torch.zeros(3), torch.ones(3), "rival")


def test_why_a_package_cannot_be_imported():
    assert not_importable("torch") is None
    assert not_importable("no_such_package").startswith("ModuleNotFoundError: No module named")


def test_the_grid_of_sizes():
    found = points(False, CPU)
    assert len(found) == len(set(found)) == 7 * 4 * 3 + 2
    assert {p.nodes for p in found} == set(NODES)
    assert {p.degree for p in found} == {2, 3, 8, 24}
    assert {p.features for p in found} == {64, 768, 12_288}
    assert {p.dtype for p in points(False, torch.device("cuda"))} == {"float32", "bfloat16"}
    for point in points(True, CPU):
        assert point.edge_index(0).max() < point.nodes


def test_what_is_left_out():
    def reasons(*size):
        point = Point("random", *size)
        return limits(point, point.nodes * point.degree, 10 * GIB)

    small = reasons(2_000, 8, 768)
    assert set(small.values()) == {(None, None)}
    # A row per edge: 600,000 * 768 * 4 bytes, three at a time beside four sets of rows, is 7.4 GiB.
    assert reasons(200_000, 3, 768)[PYG] == (None, None)
    forward, training = reasons(200_000, 5, 768)[PYG]
    assert forward is None
    assert training == f"memory: {(3 * 1_000_000 + 4 * 200_000) * 768 * 4 / GIB:.1f} of 10.0 GiB"
    assert reasons(200_000, 5, 768)["auto"] == (None, None)
    # Pairs of nodes: 33,113 squared is 4.1 GiB; torch's product forms them for its gradient alone.
    wide = reasons(8_600, 3, 12_288)
    assert wide["dense"][0] == f"time: {8_600**2 * 12_288:.1e} of 6.0e+10 multiplications"
    assert wide[TORCH_SPARSE] == reasons(8_600, 3, 768)["dense"] == (None, None)
    large = reasons(33_113, 3, 64)
    assert large["dense"][0].startswith("pairs: a matrix of 4.1 of 1 GiB")
    assert large[TORCH_SPARSE][0] is None
    assert large[TORCH_SPARSE][1].startswith("pairs: ")
    everything = reasons(2_000_000, 24, 12_288)
    assert all(forward.startswith("time: ") for forward, _ in everything.values())
    assert 33_113 * 8 * 12_288 < WORK < 33_113 * 24 * 12_288
    # Between the limits ours alone is measured.
    alone = reasons(2_000_000, 24, 64)
    assert [name for name, (forward, _) in alone.items() if forward is None] == ["auto"]
    assert 2_000_000 * 8 * 64 < WORK_OF_RIVALS < 2_000_000 * 24 * 64


def row(nodes, degree, features, rival, training_ms, extra=0, **others):
    size = {"graph": "random", "nodes": nodes, "degree": degree, "features": features}
    times = {"training_ms": training_ms, "training_spread_ms": 0.0, "training_extra_bytes": extra}
    times |= {"forward_ms": training_ms, "forward_spread_ms": 0.0, "forward_extra_bytes": extra}
    more = {"dtype": "float32", "edges": nodes * degree, "reason": None, "training_reason": None}
    return {**size, "rival": rival, **times, **more, **others}


SYNTHETIC = [
    row(2_000, 3, 768, "auto", 10.0, extra=184_320),
    row(2_000, 3, 768, PYG, 80.0),
    row(2_000, 3, 768, "torch_scatter", 90.0),
    row(2_000, 3, 768, TORCH_SPARSE, 40.0),
    row(2_000, 3, 768, "dense", 20.0),
    row(8_600, 8, 768, "auto", 10.0, extra=0),
    row(8_600, 8, 768, PYG, 60.0),
    row(8_600, 8, 768, "torch_scatter", 70.0),
    row(8_600, 8, 768, TORCH_SPARSE, None, training_reason="pairs: too many"),
    # Not judged: few nodes, few edges, few features.
    row(207, 3, 768, "auto", 10.0, extra=10**9),
    row(207, 3, 768, PYG, 1.0),
    row(2_000, 2, 768, "auto", 10.0, extra=10**9),
    row(2_000, 2, 768, PYG, 1.0),
    row(2_000, 3, 64, "auto", 10.0, extra=10**9),
    row(2_000, 3, 64, PYG, 1.0),
    # Judged by memory alone: the rivals have not run.
    row(200_000, 8, 768, "auto", 10.0, extra=0),
    row(200_000, 8, 768, PYG, None, reason="memory: too much"),
]


def test_ratios_of_a_point():
    first, second, *_, last = by_point(SYNTHETIC)
    # 184,320 of 2,000 * 3 * 768 * 4 bytes.
    assert ratios(first) == {
        "over_pyg": 8.0,
        "over_best": 4.0,
        "best": TORCH_SPARSE,
        "extra": pytest.approx(0.01),
    }
    assert ratios(second) == {"over_pyg": 6.0, "over_best": 6.0, "best": PYG, "extra": 0.0}
    assert ratios(last) == {"over_pyg": None, "over_best": None, "best": None, "extra": 0.0}
    assert [judged(p) for p in by_point(SYNTHETIC)] == [True, True, False, False, False, True]


def test_summary_takes_the_worst_of_the_judged_points():
    found = summary(SYNTHETIC)
    assert found["over_pyg"] == 6.0
    assert found["over_pyg_at"] == "8,600, 8, 768"
    assert found["over_pyg_points"] == 2
    assert found["over_best"] == 4.0
    assert found["over_best_at"] == "2,000, 3, 768"
    assert found["extra"] == pytest.approx(0.01)
    assert found["extra_points"] == 3
    assert found["over_pyg_mean"] == pytest.approx(48**0.5)
    assert summary(SYNTHETIC[9:15])["points"] == 0


def test_markdown_of_synthetic_rows():
    about = {
        **{"hardware": "a machine", "threads": 2, "versions": {"torch": "2"}, "date": "2020-01-01"},
        **{"command": "python", "seed": 0, "repetitions": 3, "commit": "abc", "device": "cpu"},
        **{"copy_bandwidth": 2e10, "memory_limit": 10 * GIB, "pairs_limit": GIB},
        **{
            "work_limit": 4e9,
            "work_limit_of_rivals": 1e9,
            "work_limit_of_dense": 6e10,
            "seconds": 2.0,
            "not_importable": {"DGL": "no module"},
        },
    }
    text = markdown(about, SYNTHETIC)
    assert "* 6.0 times faster than PyG gather-scatter at 8,600, 8, 768, of 2 points" in text
    assert "* 1.00% of the E x F messages as extra memory at 2,000, 3, 768, of 3 points" in text
    assert "Not importable: DGL: no module." in text
    assert "commit abc" in text
    line = next(line for line in text.splitlines() if line.startswith("| 2,000, 3, 768 |"))
    assert "| 8.0 | 4.0 (torch_sparse) | 1.00% |" in line
    assert "| memory |" in text
    assert "| pairs |" in text


def test_quick_run(tmp_path):
    pytest.importorskip("matplotlib")
    main(["--quick", "--out", str(tmp_path), "--seed", "3"])
    record = json.loads((tmp_path / "spmm.json").read_text())
    assert record["seed"] == 3
    assert record["versions"]["torch"] == torch.__version__
    assert record["command"].startswith("python -m benchmarks.spmm --quick")
    assert "cores" in record["hardware"]
    assert "commit" in record
    assert record["copy_bandwidth"] > 0
    found = by_point(record["rows"])
    assert [(p["auto"]["graph"], p["auto"]["nodes"], p["auto"]["features"]) for p in found] == [
        ("random", 25, 64),
        ("random", 300, 32),
        ("road", 400, 16),
    ]
    for rivals in found:
        assert {"auto", "embedding_bag", "sparse_csr", "dense", TORCH_SPARSE, PYG, DGL} <= set(
            rivals
        )
        auto, peer = rivals["auto"], rivals[PYG]
        # Learnable weights: PyG keeps a message per edge.
        assert peer["training_extra_bytes"] >= peer["edges"] * peer["features"] * 4
        assert ratios(rivals)["over_pyg"] == peer["training_ms"] / auto["training_ms"]
        assert auto["chosen"] in rivals
        assert auto["training_samples"] == 3
        moved = (peer["edges"] + peer["nodes"]) * peer["features"] * 4
        share = moved / (peer["forward_ms"] / 1e3) / record["copy_bandwidth"]
        assert peer["gathered_share"] == pytest.approx(share)
    if not_importable("dgl") is not None:
        assert "import" in record["not_importable"][DGL]
    text = (tmp_path / "spmm.md").read_text()
    assert "No point with N >= 2,000" in text
    assert text.count("| 300, 8, 32 |") == 4
    assert (tmp_path / "spmm.png").read_bytes()[1:4] == b"PNG"
    assert not list(tmp_path.glob("*.jsonl"))
