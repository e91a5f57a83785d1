from __future__ import annotations

import json
import sys

import pytest
import torch

from benchmarks.layer_ways import DENSE, FAST, LEADING, LOOP, OURS, PYG, TSL, Problem, results, ways
from benchmarks.layers import LEAST, agreement, judged, main

TINY = Problem("ChebConv", 20, 60, 2, steps=3, width=8)
LAYERS = ("ChebConv", "PartitionConv")


@pytest.fixture
def without_tsl(monkeypatch):
    for module in ["tsl", *(m for m in sys.modules if m.startswith("tsl."))]:
        monkeypatch.setitem(sys.modules, module, None)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("learnable", [False, True])
def test_all_ways_agree_in_double_precision(layer, learnable):
    found = agreement(TINY._replace(layer=layer, learnable=learnable), seed=0)
    assert DENSE in found
    if layer == "ChebConv":
        assert f"{PYG}, {LEADING}" in found
    assert (layer == "PartitionConv" and not learnable) == (FAST in found)
    assert all(0 <= value < 1e-9 for value in found.values())


@pytest.mark.parametrize("layer", LAYERS)
def test_unions_of_any_size_agree(layer, monkeypatch):
    monkeypatch.setattr("benchmarks.layer_ways.ROWS", 250)  # four of six graphs, then two
    found, _ = ways(TINY._replace(layer=layer), torch.float64, seed=0)
    expected = results(found[OURS])
    for name, way in found.items():
        if way.stacked is not None and way.share == 1:
            for actual, wanted in zip(results(way), expected, strict=True):
                torch.testing.assert_close(actual, wanted, msg=name)


def test_other_weights_do_not_agree():
    found, _ = ways(TINY, torch.float64, seed=0)
    expected = results(found[OURS])
    with torch.no_grad():
        found[f"{PYG}, {LOOP}"].weights[1][0, 0] += 0.1
    out, grad, weights = results(found[f"{PYG}, {LOOP}"])
    assert (out - expected[0]).abs().max() > 1e-3
    assert (grad - expected[1]).abs().max() > 1e-3
    torch.testing.assert_close(weights, expected[2])


@pytest.mark.parametrize("layer", LAYERS)
def test_edge_weights_receive_gradients_where_they_are_learnt(layer):
    learnt, _ = ways(TINY._replace(layer=layer, learnable=True), torch.float64, seed=0)
    given, _ = ways(TINY._replace(layer=layer), torch.float64, seed=0)
    assert all(way.edges.requires_grad for way in learnt.values())
    assert all(way.edges is None for way in given.values())


def test_a_part_of_the_steps_stands_for_all(monkeypatch):
    monkeypatch.setattr("benchmarks.layer_ways.ROWS", 130)
    way = ways(TINY._replace(layer="PartitionConv"), torch.float64, seed=0)[0][FAST]
    assert way.share == 3  # two of six
    assert way.x.shape == (2, 20, 8)


def test_what_cannot_be_imported_is_listed(without_tsl):
    found, absent = ways(TINY, torch.float32, seed=0)
    assert TSL not in found
    assert absent[TSL].startswith("tsl.nn.layers: ModuleNotFoundError: ")


def test_the_target_is_over_the_best_way_of_pyg():
    rows = [
        {"way": way, "ms": ms, "ours_is_faster": ms / 2.0}
        for way, ms in ((OURS, 2.0), (DENSE, 1.0), (f"{PYG}, {LEADING}", 9.0), (FAST, 12.0))
    ]
    found = judged(TINY, rows)
    assert (found["rival"], found["measured"], found["met"]) == (f"{PYG}, {LEADING}", 4.5, False)
    assert judged(TINY, [rows[0], rows[3]])["met"]
    assert judged(TINY, rows[:2]) is None


def test_writes_its_record(tmp_path, without_tsl, capsys):
    threads = torch.get_num_threads()
    try:
        main(["--quick", "--threads", "1", "--out", str(tmp_path)])
    finally:
        torch.set_num_threads(threads)
    record = json.loads((tmp_path / "layers.json").read_text())
    text = (tmp_path / "layers.md").read_text()
    assert [p["rows"][0]["layer"] for p in record["problems"]] == [LAYERS[0]] * 2 + [LAYERS[1]] * 2
    for problem in record["problems"]:
        times = {row["way"]: row for row in problem["rows"]}
        for row in times.values():
            assert row["ours_is_faster"] == pytest.approx(row["ms"] / times[OURS]["ms"])
        peers = [row["ms"] for way, row in times.items() if way.startswith(PYG)]
        if peers:
            assert problem["target"]["measured"] == pytest.approx(min(peers) / times[OURS]["ms"])
            assert problem["target"]["met"] == (problem["target"]["measured"] >= LEAST)
        else:
            assert problem["target"] is None
    first = record["problems"][0]["rows"][0]
    assert f"| ChebConv | 20, 60, 2 | given | ours | {first['ms']:.1f} ± " in text
    assert f"Not measured: {TSL} (tsl.nn.layers" in text
    assert (tmp_path / "layers.png").exists()
