from __future__ import annotations

import pytest

from benchmarks.seeds import summary

STEPS = (3, 6, 12)


def result(seed, offset):
    errors = [step + offset for step in range(1, 13)]
    metrics = dict.fromkeys(("mae", "rmse", "mape"), errors)
    constant = {name: [9.0] * 12 for name in metrics}
    scores = {"model": metrics, "last value": constant}
    return {"seed": seed, "fit_minutes": 1.25, "scores": scores}


def test_summary_is_mean_and_sample_deviation_at_the_steps():
    table = summary([result(0, 0.0), result(1, 2.0)], STEPS)
    assert list(table) == ["model", "last value"]
    assert [entry["mean"] for entry in table["model"]["mae"]] == [step + 1 for step in STEPS]
    assert [entry["std"] for entry in table["model"]["mae"]] == pytest.approx([2**0.5] * 3)
    assert table["last value"]["rmse"] == [{"mean": 9.0, "std": 0.0}] * 3


def test_one_seed_has_no_deviation():
    assert summary([result(0, 0.0)], STEPS)["model"]["mae"][0] == {"mean": 3.0, "std": 0.0}
