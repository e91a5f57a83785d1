from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.data.flow_files import slot_stamps, write_flow, write_meteorology
from tests.train.tiny_grid import CONFIG, flows, write_taxi_nyc
from tgst.nn.models import STResNet
from tgst.train import ForecastData, GridData, cli
from tgst.train.config_files import config_path, shipped_configs


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_taxi_nyc(tmp_path_factory.mktemp("grid"))


@pytest.fixture
def run(tmp_path, root, monkeypatch):
    r"""Runs a command in a new folder on the tiny data."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(yaml.safe_dump(CONFIG))

    def call(command, *arguments, config="tiny.yaml"):
        return cli.main([command, "--config", config, "--root", str(root), *arguments])

    return call


def load(path):
    return torch.load(path, weights_only=True)


def error_of(status, capsys):
    assert status == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("tgst: error: ")]
    return line.removeprefix("tgst: error: ")


def test_fit_test_validate_and_predict_work_on_the_newest_run(run, capsys):
    assert run("fit", "--trainer.max_epochs", "2") == 0
    folder = Path("runs/tiny/version_0")
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert "val/rmse" in (folder / "metrics.csv").read_text()
    assert "(val/rmse " in capsys.readouterr().out

    assert run("test", "--model.rmse_factor", "1.25") == 0
    out = capsys.readouterr().out
    for name in ("STResNet", "last value", "same time last week", "mean by time of week"):
        assert f"| {name}" in out
    assert "RMSE X1.2500 60" in out
    assert (folder / "scores.md").read_text().strip() in out
    scores = json.loads((folder / "scores.json").read_text())["scores"]
    assert set(scores["last value"]) == {
        "rmse", "rmse x1.2500", "mae", "rmse new_flow", "rmse end_flow"
    }  # fmt: skip
    assert scores["STResNet"]["rmse"] < scores["last value"]["rmse"]

    assert run("predict", "--output", "a.csv") == 0
    assert Path("a.csv").read_text().startswith("timestamp,row,column,horizon,channel,value\n")
    assert run("predict") == 0
    assert (folder / "forecasts.csv").read_bytes() == Path("a.csv").read_bytes()
    assert run("validate", "--ckpt_path", str(folder / "checkpoints" / "last.ckpt")) == 0
    assert [path.name for path in Path("runs/tiny").iterdir()] == ["version_0"]


@pytest.mark.parametrize("average", ["null", "0.9"])
def test_a_resumed_fit_ends_like_an_uninterrupted_one(run, average):
    kwargs = ("--model.average", average, "--model.model.init_args.dropout", "0.3")
    assert run("fit", "--name", "straight", "--trainer.max_epochs", "2", *kwargs) == 0
    assert run("fit", *kwargs) == 0
    assert run("fit", "--ckpt_path", "last", "--trainer.max_epochs", "2", *kwargs) == 0
    assert [path.name for path in Path("runs/tiny").iterdir()] == ["version_0"]
    one, two = (load(f"runs/{n}/version_0/checkpoints/last.ckpt") for n in ("tiny", "straight"))
    for name, value in one["state_dict"].items():
        assert torch.equal(value, two["state_dict"][name]), name
    assert one["epoch"] == two["epoch"] == 1


def test_the_second_stage_goes_on_with_all_frames(run, capsys):
    assert run("fit") == 0
    stage = ("--data.train_on_all", "true", "--name", "all")
    start = "runs/tiny/version_0/checkpoints/best.ckpt"
    assert run("fit", *stage, "--model.start_from", start) == 0
    folder = Path("runs/all/version_0")
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"last.ckpt"}
    first, second = load(start), load(folder / "checkpoints" / "last.ckpt")
    name = "scaling.frames.scale"
    assert torch.equal(first["state_dict"][name], second["state_dict"][name])
    assert second["trained_on"] > first["trained_on"]
    assert run("test", *stage) == 0
    assert (folder / "scores.json").is_file()
    capsys.readouterr()
    message = error_of(run("validate", *stage), capsys)
    assert message.startswith("data.val_days or data.val_share must say what to validate on")
    message = error_of(run("predict", *stage, "--data.predict_part", "val"), capsys)
    assert message.startswith("data.val_days or data.val_share must say what to validate on")


def test_errors_of_the_user_are_one_line(run, capsys, tmp_path):
    message = error_of(run("fit", "--model.model.init_args.height", "5"), capsys)
    assert message == (
        "height: the data give 4, the model has 5; set model.model.init_args.height to 4"
    )
    message = error_of(run("fit", "--root", str(tmp_path / "none")), capsys)
    assert "NYC10_Taxi_M16x8_T60_InOut.h5" in message
    message = error_of(run("fit", "--data.reference", "week", "--data.horizon", "200"), capsys)
    assert "reference: expected slots before the 200 targets" in message


def test_a_checkpoint_of_another_grid_is_refused(run, capsys, tmp_path):
    assert run("fit") == 0
    capsys.readouterr()
    wide = write_taxi_nyc(tmp_path / "wide", size=(2, 5, 3))
    height = ("--model.model.init_args.height", "5", "--root", str(wide))
    message = error_of(run("test", *height), capsys)
    assert message == (
        "checkpoint runs/tiny/version_0/checkpoints/best.ckpt was trained on another grid: "
        "height is 4 in the checkpoint and 5 here"
    )


def write_all(folder: Path) -> dict[str, Path]:
    r"""Short files of every data set that a shipped configuration reads."""
    folders = {name: folder / name for name in ("taxinyc", "taxibj", "bikenyc")}
    for path in folders.values():
        path.mkdir()
    spans = {
        2010: ("2010-01-01", "2010-01-20"),
        2011: ("2011-01-01", "2011-01-20"),
        2012: ("2012-01-01", "2012-04-20"),
    }
    write_taxi_nyc(folders["taxinyc"], spans, size=(2, 16, 8))
    stamps = []
    for span in (13, 14, 15, 16):
        days = ("01-01", "02-20") if span == 16 else ("01-01", "01-09")
        of_span = slot_stamps(*(f"20{span}-{day}" for day in days), 48, 1)
        path = folders["taxibj"] / f"BJ{span}_M32x32_T30_InOut.h5"
        write_flow(path, of_span, flows(of_span, (2, 32, 32)))
        stamps += of_span
    write_meteorology(folders["taxibj"] / "BJ_Meteorology.h5", stamps)
    (folders["taxibj"] / "BJ_Holiday.txt").write_text("20130101\n")
    stamps = slot_stamps("2014-04-01", "2014-06-10", 24, 0)
    path = folders["bikenyc"] / "NYC14_M16x8_T60_NewEnd.h5"
    write_flow(path, stamps, flows(stamps, (2, 16, 8)))
    return folders


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("all"))


CONFIGS = [name for name in shipped_configs() if name.startswith("grid_")]


@pytest.mark.parametrize("name", CONFIGS)
def test_shipped_configurations_take_a_step(name, folders, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = yaml.safe_load(Path(config_path(name)).read_text())
    arguments = ["--trainer.fast_dev_run", "true", "--trainer.accelerator", "cpu"]
    arguments += ["--data.batch_size", "2", "--trainer.enable_progress_bar", "false"]
    folder = folders.get(content["data"]["dataset"])
    if folder is not None:
        arguments += ["--root", str(folder)]
    if content["data"]["dataset"] == "taxibj":
        arguments += ["--model.model.init_args.hidden_channels", "4"]
    assert cli.main(["fit", "--config", name, *arguments]) == 0


def test_the_second_stage_of_a_published_recipe_needs_no_other_callbacks(
    folders, tmp_path, monkeypatch
):
    """Its early stopping finds no val/rmse to look at."""
    monkeypatch.chdir(tmp_path)
    arguments = ["--root", str(folders["bikenyc"]), "--data.train_on_all", "true"]
    arguments += ["--trainer.max_epochs", "2", "--trainer.limit_train_batches", "1"]
    arguments += ["--trainer.accelerator", "cpu", "--data.batch_size", "2"]
    assert cli.main(["fit", "--config", "grid_bikenyc", *arguments]) == 0
    folder = Path("runs/grid_bikenyc/version_0/checkpoints")
    assert [path.name for path in folder.iterdir()] == ["last.ckpt"]
    assert load(folder / "last.ckpt")["epoch"] == 1


def test_there_is_a_configuration_for_every_data_set():
    assert CONFIGS == [
        "grid_bikenyc",
        "grid_movingfields",
        "grid_taxibj",
        "grid_taxinyc",
        "grid_taxinyc_graph",
    ]


def test_published_recipes_are_the_published_ones():
    parameters = {"grid_taxibj": 2_706_408, "grid_bikenyc": 906_272}
    for name, number in parameters.items():
        content = yaml.safe_load(Path(config_path(name)).read_text())
        model = STResNet(**content["model"]["model"]["init_args"])
        assert sum(p.numel() for p in model.parameters()) == number
        task, data = content["model"], content["data"]
        assert (task["loss"], task["optimizer"], task["learning_rate"]) == ("mse", "adam", 2e-4)
        assert data["scaling"] == {"method": "min_max"}
        assert (data["batch_size"], data["val_share"]) == (32, 0.1)
    bike = yaml.safe_load(Path(config_path("grid_bikenyc")).read_text())
    assert bike["model"]["rmse_factor"] == pytest.approx(np.sqrt(128 / 81), abs=1e-5)


def test_grid_and_graph_are_tested_on_the_same_hours(folders, tmp_path):
    grid, graph = (
        yaml.safe_load(Path(config_path(name)).read_text())["data"]
        for name in ("grid_taxinyc", "grid_taxinyc_graph")
    )
    root = str(folders["taxinyc"])
    frames = GridData(**(grid | {"root": root}))
    nodes = ForecastData(**(graph | {"root": root, "transform": None}))
    frames.setup()
    nodes.setup()
    np.testing.assert_array_equal(frames.series.timestamps, nodes.series.timestamps)
    for part in ("val", "test"):
        starts = nodes.loader(part).starts + graph["history"]
        np.testing.assert_array_equal(frames.parts[part].target[:, 0], starts)
