from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from tgst.ops import Adjacency, benchmark, spmm
from tgst.ops.backends import BACKENDS, check_backend

EDGES = torch.tensor([[0, 1], [1, 0]])


def test_the_table():
    assert list(BACKENDS) == ["embedding_bag", "dense", "torch_scatter", "reference"]
    for name, module in BACKENDS.items():
        assert module.__name__ == f"tgst.ops.{name}"


def test_unknown_name():
    with pytest.raises(ValueError, match=r"backend: expected one of \['auto', 'embedding_bag', .*"):
        check_backend("cusparse")


def test_missing_torch_scatter(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_scatter", None)
    message = "pip install --no-build-isolation torch-scatter"
    with pytest.raises(ImportError, match=message):
        spmm(Adjacency.build(EDGES), torch.ones(2, 1), backend="torch_scatter")
    table = benchmark(EDGES, 2, (3,), repetitions=2)
    row = next(row for row in table.rows if row["backend"] == "torch_scatter")
    assert message in row["reason"]
    assert row["forward_ms"] is None
    assert message in str(table)


def test_importing_the_package_needs_no_torch_scatter():
    script = "import sys; sys.modules['torch_scatter'] = None; import tgst.ops"
    subprocess.run([sys.executable, "-c", script], check=True)
