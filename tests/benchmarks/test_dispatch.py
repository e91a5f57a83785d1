from __future__ import annotations

import json
import runpy

import pytest
import torch

from benchmarks.dispatch import ELEMENTS, main, points, verdict
from benchmarks.dispatch_fit import (
    KINDS,
    amounts,
    candidates,
    fit,
    may_be_chosen,
    regrets,
    render,
    sizes,
)
from tgst.ops.backends import BACKENDS
from tgst.ops.choose import LEFT_OUT, choose_backend
from tgst.ops.dispatch_table import COSTS, MEASURED_ON

TRUE = {
    "embedding_bag": {"call": 2e4, "edge": 3.0, "gathered_byte": 0.02, "far_byte": 0.1},
    "column_blocks": {"call": 2e4, "edge": 3.0, "gathered_byte": 0.02, "far_byte": 0.1}
    | {"copied_byte": 0.05},
    "sparse_csr": {"call": 3e4, "edge": 9.0, "gathered_byte": 0.01, "output_byte": 0.3},
    "dense": {"call": 2e4, "pair": 0.5, "multiplication": 0.01},
}


def synthetic(noise=0.0):
    generator = torch.Generator().manual_seed(0)
    rows = []
    for nodes, degree, features in sizes():
        for product in KINDS:
            for name in candidates(product, torch.device("cpu")):
                row = {"kind": "float32", "nodes": nodes, "edges": nodes * degree}
                row |= {"features": features, "product": product, "backend": name}
                size = (nodes, degree, features)
                if name == "column_blocks" and not may_be_chosen(name, size, "float32", product):
                    continue
                if name == "dense" and nodes > 500:
                    continue
                work = amounts(row)
                ms = sum(cost * work[kind] for kind, cost in TRUE[name].items()) / 1e6
                ms *= 1 + noise * float(torch.randn(1, generator=generator))
                rows.append({**row, "ms": ms, "least_ms": ms})
    return rows


def test_costs_are_found_again():
    costs = fit(synthetic())["float32"]
    assert set(costs["spmm"]) == set(TRUE)
    assert set(costs["sddmm"]) == set(TRUE) - {"sparse_csr"}
    for name, true in TRUE.items():
        for kind, value in true.items():
            assert costs["spmm"][name][kind] == pytest.approx(value, rel=0.02)


def test_the_choice_by_fitted_costs_is_near_the_best():
    rows = synthetic(noise=0.05)
    found = regrets(rows, fit(rows))
    assert {row["chosen"] for row in found} == set(TRUE)
    ratios = torch.tensor([row["ratio"] for row in found])
    assert float(ratios.log().mean().exp()) < 1.03
    assert float(ratios.max()) < 1.4
    wrong = {"float32": {product: {"dense": {"call": 1.0}} for product in KINDS}}
    few = [row for row in rows if row["nodes"] <= 500]
    for row in few:
        for name in TRUE:
            wrong["float32"][row["product"]].setdefault(name, {"call": 2.0})
    assert max(row["ratio"] for row in regrets(few, wrong)) > 10


def test_the_table_is_written_as_it_is_read(tmp_path):
    path = tmp_path / "table.py"
    path.write_text(render(COSTS, MEASURED_ON))
    names = runpy.run_path(str(path))
    assert names["COSTS"] == COSTS
    assert names["MEASURED_ON"] == MEASURED_ON
    assert all(len(line) <= 100 for line in path.read_text().splitlines())


def test_candidates_are_what_may_be_chosen():
    for product in KINDS:
        assert set(KINDS[product]) <= set(BACKENDS)
        assert not set(candidates(product, torch.device("cpu"))) & set(LEFT_OUT)
    assert "triton" in candidates("spmm", torch.device("cuda"))
    # Every backend is a candidate or left out for a reason.
    assert set(KINDS["spmm"]) | set(LEFT_OUT) == set(BACKENDS)


def row(ratio, best_ms=1.0, **others):
    size = {"nodes": 10, "degree": 2, "features": 3, "dtype": "float32", "kind": "forward"}
    times = {"ratio": ratio, "best_ms": best_ms, "best": "dense", "chosen": {"spmm": "dense"}}
    return {**size, **times, **others}


@pytest.mark.parametrize(
    ("ratios", "wanted"),
    [([1.0, 1.21], True), ([1.0, 1.26], False), ([1.12, 1.12], False), ([0.9, 1.24], True)],
)
def test_verdict(ratios, wanted):
    # What takes less than 0.2 ms does not count.
    found = verdict([row(r) for r in ratios] + [row(9.0, best_ms=0.19)])
    assert found["as_wanted"] is wanted
    assert found["points"] == 2
    assert found["worst"] == max(ratios)
    assert found["mean"] == pytest.approx((ratios[0] * ratios[1]) ** 0.5)
    assert verdict([row(2.0, best_ms=0.1)])["as_wanted"] is None


def test_points():
    found = points(False)
    assert len(found) == len(set(found))
    assert {p.dtype for p in found} == {"float32", "float64", "bfloat16"}
    assert {p.nodes for p in found} >= {25, 207, 2_000, 8_600, 33_113, 200_000, 2_000_000}
    assert {p.features for p in found if p.dtype == "float32"} == {64, 768, 12_288}
    assert max(p.nodes * p.degree * p.features for p in found) <= ELEMENTS
    assert any(p.degree == p.nodes for p in found)


def test_quick_run(tmp_path):
    pytest.importorskip("matplotlib")
    main(["--quick", "--out", str(tmp_path)])
    record = json.loads((tmp_path / "dispatch.json").read_text())
    assert "commit" in record
    assert len(record["rows"]) == 2 * len(points(True))
    for found in record["rows"]:
        assert found["ratio"] == pytest.approx(found["auto_ms"] / found["best_ms"])
        assert found["best_ms"] == min(found["times"].values()) == found["times"][found["best"]]
        assert set(found["spreads"]) == {"auto", *found["times"]}
        assert all(spread >= 0 for spread in found["spreads"].values())
        chosen = choose_backend(
            found["nodes"],
            found["nodes"],
            found["edges"],
            torch.device("cpu"),
            width=found["features"],
            dtype=getattr(torch, found["dtype"]),
        )
        assert found["chosen"]["spmm"] == chosen
    assert record["verdict"] == verdict(record["rows"])
    text = (tmp_path / "dispatch.md").read_text()
    assert text.count("| 300, 8, 64 | bfloat16 |") == 2
    assert (tmp_path / "dispatch.png").read_bytes()[1:4] == b"PNG"


def test_quick_fit_leaves_other_devices_alone(tmp_path, monkeypatch):
    import benchmarks.dispatch as dispatch

    cuda = {"float32": {"spmm": {"triton": {"call": 1.0}}}}
    monkeypatch.setattr(dispatch.dispatch_table, "COSTS", {"cuda": cuda})
    monkeypatch.setattr(dispatch.dispatch_table, "MEASURED_ON", {"cuda": "a GPU"})
    path = tmp_path / "table.py"
    arguments = ["--fit", "--quick", "--repetitions", "2", "--table", str(path)]
    main([*arguments, "--out", str(tmp_path)])
    names = runpy.run_path(str(path))
    assert names["COSTS"]["cuda"] == cuda
    assert names["MEASURED_ON"]["cuda"] == "a GPU"
    assert set(names["COSTS"]["cpu"]) == {"float32", "float64", "half"}
    assert "threads" in names["MEASURED_ON"]["cpu"]
    record = json.loads((tmp_path / "dispatch_fit.json").read_text())
    assert {found["chosen"] for found in record["choices"]} <= set(BACKENDS)
