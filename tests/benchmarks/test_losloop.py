from __future__ import annotations

import pytest

from benchmarks.losloop import STEPS, markdown, summary

ABOUT = {
    "hardware": "two cores",
    "threads": 2,
    "versions": {"torch": "2.0"},
    "date": "2024-01-01",
    "command": "python -m benchmarks.losloop",
}


def result(seed, offset):
    errors = [step + offset for step in range(1, 13)]
    metrics = dict.fromkeys(("mae", "rmse", "mape"), errors)
    constant = {name: [9.0] * 12 for name in metrics}
    scores = {"model": metrics, "last value": constant}
    return {"seed": seed, "fit_minutes": 1.25, "scores": scores}


def test_summary_is_mean_and_sample_deviation_at_the_steps():
    table = summary([result(0, 0.0), result(1, 2.0)])
    assert list(table) == ["model", "last value"]
    assert [entry["mean"] for entry in table["model"]["mae"]] == [step + 1 for step in STEPS]
    assert [entry["std"] for entry in table["model"]["mae"]] == pytest.approx([2**0.5] * 3)
    assert table["last value"]["rmse"] == [{"mean": 9.0, "std": 0.0}] * 3


def test_one_seed_has_no_deviation():
    assert summary([result(0, 0.0)])["model"]["mae"][0] == {"mean": 3.0, "std": 0.0}


def test_markdown_has_a_row_per_model():
    text = markdown(ABOUT, [result(0, 0.0), result(1, 2.0)])
    model = "4.00 ± 1.41 / 7.00 ± 1.41 / 13.00 ± 1.41"
    assert f"| model | {model} | {model} | {model} |" in text.splitlines()
    constant = "9.00 / 9.00 / 9.00"
    assert f"| last value | {constant} | {constant} | {constant} |" in text.splitlines()
    assert "2 seeds (0, 1). two cores, 2 thread(s); torch 2.0; 2024-01-01" in text
    assert "Minutes per fit: 1.2, 1.2." in text
    assert text.endswith("|\n")
