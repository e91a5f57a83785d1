"""The benchmarks of TaxiNYC: variants fit the data, tables, collapses."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import yaml

from benchmarks import taxinyc, taxinyc_ablation
from tests.benchmarks.test_losloop import ABOUT

VARIANTS = {
    name: more for group in taxinyc_ablation.VARIANTS.values() for name, more in group.items()
}


def changed(more):
    """The settings that a variant changes."""
    pairs = [option.removeprefix("--").split("=", 1) for option in more]
    return {name.removeprefix("model.model.init_args."): yaml.safe_load(v) for name, v in pairs}


@pytest.mark.parametrize("name", ["closeness", "period", "trend"])
def test_a_branch_is_left_out_of_network_and_data(name):
    assert changed(VARIANTS[f"without {name}"]) == {name: 0, f"data.{name}": 0}


def test_values_are_those_of_yaml():
    published = changed(VARIANTS["published: one min-max, tanh, no reference"])
    assert published["data.scaling"] == {"method": "min_max"}
    assert published["data.change_scaling"] is None
    assert published["cell_linear"] is False
    assert published["output_activation"] == "tanh"
    assert changed(VARIANTS["1 unit"]) == {"num_units": 1}
    assert all(option.startswith("--") for more in VARIANTS.values() for option in more)


def test_a_collapse_is_reported_and_other_errors_are_raised(tmp_path, monkeypatch):
    def ended(message):
        found = SimpleNamespace(returncode=2, stderr=message)
        monkeypatch.setattr(taxinyc_ablation.subprocess, "run", lambda *args, **kwargs: found)
        return taxinyc_ablation.one_variant("a", [], 0, 1, tmp_path, tmp_path)

    told = "tgst: error: training has collapsed in epoch 0: all zero. To change: data.reference"
    assert ended(told)["collapse"] == "training has collapsed in epoch 0: all zero"
    with pytest.raises(RuntimeError, match="no such file"):
        ended("tgst: error: no such file")


def test_table_of_variants():
    about = {**ABOUT, "epochs": 2, "seed": 0}
    results = {
        "": {"shipped": {"rmse": 40.123, "numbers": 1000, "minutes": 2.0}},
        "scaling": {"published": {"collapse": "training has collapsed", "minutes": 1.0}},
    }
    lines = taxinyc_ablation.table(about, results).splitlines()
    assert "|  | shipped | 40.12 | 1,000 | 2.0 |" in lines
    assert "| scaling | published | - (training has collapsed) | - | 1.0 |" in lines


def test_table_of_scores():
    def run(model, seed, rmse):
        errors = {model: {"rmse": [rmse], "mae": [rmse / 4], "mape": [1.0]}}
        baselines = {"last value": {"rmse": [9.0], "mae": [3.0], "mape": [1.0]}}
        return {"seed": seed, "fit_minutes": 1.0, "scores": errors | baselines}

    results = {
        taxinyc.GRID: [run("STResNet", 0, 4.0), run("STResNet", 1, 6.0)],
        taxinyc.GRAPH: [run("TrafficSTGCN", 0, 5.0)],
    }
    assert taxinyc.rows(results) == [
        "| STResNet | 5.00 ± 1.41 | 1.25 ± 0.35 |",
        "| TrafficSTGCN | 5.00 | 1.25 |",
        "| last value | 9.00 | 3.00 |",
    ]
    text = taxinyc.table(ABOUT, results)
    assert "`grid_taxinyc_graph`: mean" in text
    alone = taxinyc.rows({taxinyc.GRID: results[taxinyc.GRID], taxinyc.GRAPH: []})
    assert [row.split(" | ")[0] for row in alone] == ["| STResNet", "| last value"]
