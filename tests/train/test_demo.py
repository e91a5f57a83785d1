from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from tests.train.tiny import tiny_trainer, trained, write_los_loop
from tgst.train import cli, demo
from tgst.train.config_files import config_path
from tgst.train.demo import _spread, draw_plots, first_day, node_errors
from tgst.train.scores import model_and_baseline_scores

RESULTS = (
    "checkpoints/best.ckpt",
    "forecasts.csv",
    "scores.json",
    "scores.md",
    "forecast.png",
    "network.png",
)


def check(folder: Path, out: str) -> None:
    for name in RESULTS:
        assert (folder / name).stat().st_size > 0, name
    for name in ("best.ckpt", "forecasts.csv", "forecast.png", "network.png"):
        assert name in out
    assert (folder / "scores.md").read_text().strip() in out
    for name in ("forecast.png", "network.png"):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_demo_on_a_data_set_from_disk(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    root = write_los_loop(tmp_path / "losloop", num_steps=400)
    config = Path(config_path("losloop")).read_text()
    small = tmp_path / "losloop.yaml"
    small.write_text(config.replace("num_nodes: 207", "num_nodes: 4"))
    monkeypatch.setitem(demo.CONFIGS, "losloop", str(small))
    assert (
        cli.main(
            ["demo", "--dataset", "losloop", "--root", str(root), "--epochs", "1", "--out", "o"]
        )
        == 0
    )
    check(tmp_path / "o" / "losloop" / "version_0", capsys.readouterr().out)


@pytest.mark.slow
def test_demo_beats_the_baselines(tmp_path, capsys):
    assert cli.main(["demo", "--out", str(tmp_path)]) == 0
    folder = tmp_path / "demo" / "version_0"
    check(folder, capsys.readouterr().out)
    scores = json.loads((folder / "scores.json").read_text())["scores"]
    means = {name: sum(metrics["mae"]) / 12 for name, metrics in scores.items()}
    assert min(means, key=means.__getitem__) == "TrafficSTGCN"
    with open(folder / "forecasts.csv") as file:
        rows = [(r["timestamp"], r["node_id"]) for r in csv.DictReader(file)]
    assert len(rows) == len(set(rows))  # every moment once


def test_node_errors_are_those_of_the_forecasts(tmp_path, root):
    task, data, _ = trained(tmp_path, root)
    task.eval()
    differences = [(task(b) - b.y).detach().abs() for b in data.predict_dataloader()]
    expected = torch.cat(differences, dim=1).double().mean(dim=(1, 2, 3))
    torch.testing.assert_close(node_errors(task, data), expected)


def test_plots_show_the_first_and_last_quarter_of_the_horizon(tmp_path, root, monkeypatch):
    task, data, _ = trained(tmp_path, root)
    tiny_trainer(tmp_path).test(task, datamodule=data, verbose=False)
    figures, draw = [], demo.plot_forecast
    monkeypatch.setattr(
        demo, "plot_forecast", lambda *a, **k: figures.append(draw(*a, **k)) or figures[0]
    )
    draw_plots(task, data, model_and_baseline_scores(task, data), tmp_path)
    labels = [line.get_label() for line in figures[0].axes[0].lines]
    assert labels == ["observed", "5 min ahead", "20 min ahead"]  # of 4 steps, 1 and 4


def test_nodes_without_error_are_not_drawn():
    nan = float("nan")
    assert _spread(torch.tensor([nan, 3.0, 1.0, nan, 2.0])) == [2, 4, 1]
    assert _spread(torch.tensor([nan, 3.0])) == [1]
    assert _spread(torch.tensor([nan, nan])) == [0]


def test_a_node_without_readings_has_no_error(tmp_path, root):
    task, data, _ = trained(tmp_path, root)
    data.series.mask = torch.ones(data.series.values.shape[:2], dtype=torch.bool)
    data.series.mask[1] = False
    assert node_errors(task, data).isnan().tolist() == [False, True, False, False]


def test_first_day_starts_with_the_test_part(tmp_path, root):
    task, data, _ = trained(tmp_path, root)
    prediction, rows = first_day(task, data)
    batches = list(data.test_dataloader())
    assert rows.tolist() == (torch.cat([b.start for b in batches]) + data.history).tolist()
    forecast = torch.cat([task.eval()(b)[..., 0].detach() for b in batches], dim=1)
    torch.testing.assert_close(prediction, forecast)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "--epochs must be at least 1, got 0"),
        (["--dataset", "losloop"], "'losloop' is read from a folder: root (--root DIR) is missing"),
        (["--root", "somewhere"], "data set 'simulated' takes"),
    ],
)
def test_bad_options_are_one_line(tmp_path, capsys, arguments, message):
    assert cli.main(["demo", "--out", str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("tgst: error: ")
    assert message in error
