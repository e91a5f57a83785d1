from __future__ import annotations

import pytest

from benchmarks import seeds
from benchmarks.seeds import fit, summary

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


def test_a_complete_run_is_not_fitted_again(tmp_path, monkeypatch):
    calls = []

    def command(*arguments):
        calls.append(arguments)
        tmp_path.joinpath("seed_1").mkdir(exist_ok=True)
        if len(calls) == 1:
            raise RuntimeError("stopped")

    monkeypatch.setattr(seeds, "tgst", command)
    with pytest.raises(RuntimeError, match="stopped"):
        fit("demo", 1, tmp_path, tmp_path / "seed_1")
    minutes = fit("demo", 1, tmp_path, tmp_path / "seed_1", "--a", "b")
    assert fit("demo", 1, tmp_path, tmp_path / "seed_1") == minutes
    seed = ("--seed_everything", "1", "--data.seed", "1")
    assert calls[1:] == [("fit", "demo", tmp_path, tmp_path / "seed_1", *seed, "--a", "b")]
