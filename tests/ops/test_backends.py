from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from tgst.ops import Adjacency, benchmark, spmm, triton
from tgst.ops.backends import BACKENDS, check_backend

EDGES = torch.tensor([[0, 1], [1, 0]])


def test_the_table():
    fused = ["embedding_bag", "column_blocks", "triton", "sparse_csr"]
    assert list(BACKENDS) == [*fused, "dense", "torch_scatter", "reference"]
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


def test_missing_triton(monkeypatch):
    monkeypatch.setattr(triton, "_try_import", lambda: "No module named 'triton'")
    message = "backend: 'triton' needs the package triton: pip install triton .*No module"
    with pytest.raises(ImportError, match=message):
        check_backend("triton")
    with pytest.raises(ImportError, match=message):
        spmm(Adjacency.build(EDGES), torch.ones(2, 1), backend="triton")
    assert not triton.is_available("cpu")
    assert not triton.is_available("cuda")


def test_importing_the_package_needs_and_imports_no_optional_package():
    script = (
        "import sys; sys.modules.update(torch_scatter=None, triton=None); import tgst.ops; "
        "assert 'tgst.ops.triton_kernels' not in sys.modules; "
        "assert not tgst.ops.triton.is_available('cuda')"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
