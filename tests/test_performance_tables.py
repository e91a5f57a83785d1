"""The tables of docs/performance.rst hold what the package and the results hold."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import pytest

from benchmarks.peers_spmm import PYG
from tgst.ops.dispatch_table import COSTS

DOCS = Path(__file__).parents[1] / "docs"
HEAD = {
    "hardware": "a machine",
    "threads": 2,
    "versions": {"torch": "2"},
    "date": "2020-01-01",
    "command": "python",
}


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(DOCS)
    return importlib.import_module("performance_tables")


def rows(text):
    return [
        re.split(r"\n +- ?", row)
        for row in text.split(":header-rows: 1\n\n")[1].split("\n\n")[0].split("   * - ")[1:]
    ]


def test_every_table_is_included_and_written(tables, tmp_path):
    tables.write_tables(tmp_path, results=tmp_path)
    page = (DOCS / "performance.rst").read_text()
    included = re.findall(r"^\.\. include:: generated/(.*)$", page, re.MULTILINE)
    assert sorted(included) == sorted(path.name for path in tmp_path.iterdir())
    for name in included:
        text = (tmp_path / name).read_text()
        assert (tables.MISSING in text) is (name != "performance_costs.txt")


def test_costs(tables):
    found = rows(tables.costs())[1:]
    assert len(found) == sum(len(b) for kind in COSTS["cpu"].values() for b in kind.values())
    bag = COSTS["cpu"]["float32"]["spmm"]["embedding_bag"]
    assert found[0][:4] == ["spmm", "float32", "embedding_bag", f"{bag['call']:g}"]
    assert "On cuda: not measured" in tables.costs() or "cuda" in COSTS


def test_spmm(tables):
    def row(rival, ms):
        size = {"graph": "random", "nodes": 2_000, "degree": 3, "features": 768}
        size |= {"dtype": "float32", "edges": 6_000, "rival": rival}
        return {**size, "training_ms": ms, "training_extra_bytes": 184_320}

    text = tables.spmm({**HEAD, "rows": [row("auto", 2.0), row(PYG, 20.0)]})
    assert rows(text)[1][:6] == ["2,000", "3", "768", "2", "10.0", f"10.0 ({PYG})"]
    assert rows(text)[1][6].strip() == "1.00%"
    assert "At least 10.0 times as fast" in text
    assert "Measured on a machine, 2 threads; torch 2; 2020-01-01; ``python``." in text


def test_dispatch_dense_and_scale(tables):
    choice = {"nodes": 1, "degree": 1, "features": 1, "kind": "forward", "chosen": {}, "best": "x"}
    found = [{**choice, "dtype": "float32", "ratio": r, "best_ms": 1.0} for r in (1.0, 1.21)]
    text = tables.dispatch({**HEAD, "rows": found})
    assert [cell.strip() for cell in rows(text)[1]] == ["all", "2", "1.100", "1.21"]
    crossings = {"share": {"16": 0.25, "4096": None}, "nodes": 31.4}
    crossings |= {"matrix_share": {"16": 0.1, "4096": None}, "matrix_nodes": None}
    times = {"dense_ms": 9.0, "embedding_bag_ms": 1.0, "matrix_ms": 0.5}
    measured = [{"line": "share", "nodes": 4096, "share": share, **times} for share in (0.01, 0.05)]
    text = tables.dense_vs_sparse({**HEAD, "crossings": crossings, "rows": measured})
    # Nothing is said about shares that were not measured.
    assert [row[1].strip() for row in rows(text)[1:]] == ["25%", "sparse is faster up to 5%"]
    assert [row[2].strip() for row in rows(text)[1:]] == ["10%", "dense is faster from 1% on"]
    assert "cross at 31 nodes, with the matrix given they do not cross" in text
    row = {"nodes": 200, "edges": 600, "order": "rows", "rival": "auto", "training_ms": 1.5}
    row |= {"training_ns_per_edge": 2500.0, "training_extra_bytes": 2**20}
    text = tables.scale({**HEAD, "rows": [row], "growth": 1.2, "growth_forward": 1.1})
    assert rows(text)[1][:6] == ["200", "600", "rows", "auto", "1.5", "2500"]
    assert "1.20 forward and backward, 1.10 forward" in text


def test_results_in_the_repository_are_read(tables, tmp_path):
    tables.write_tables(tmp_path)
    for path in (DOCS.parent / "benchmarks" / "results").glob("*.json"):
        assert json.loads(path.read_text())
