from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from tests.train.tiny import HISTORY, HORIZON, write_los_loop
from tgst.train import cli
from tgst.train.config_files import config_path, shipped_configs, with_config_paths
from tgst.train.forecast_cli import ForecastCLI
from tgst.train.run_cli import keep_metrics

REPOSITORY = Path(__file__).parents[2]
NODES = (
    "num_nodes: the data give 4 nodes, the model has 207; set model.model.init_args.num_nodes to 4"
)
CONFIG = {
    "trainer": {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "log_every_n_steps": 1,
    },
    "model": {
        "model": {
            "class_path": "tgst.nn.models.TrafficSTGCN",
            "init_args": {
                "in_channels": 3,
                "out_channels": 1,
                "history": HISTORY,
                "horizon": HORIZON,
                "channels": [[4, 2, 4]],
                "dropout": 0.3,
            },
        }
    },
    "data": {
        "dataset": "losloop",
        "transform": [{"class_path": "tgst.transforms.ScaledLaplacian"}],
        "history": HISTORY,
        "horizon": HORIZON,
        "batch_size": 16,
        "time_of_day": True,
    },
}


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


def same_weights(one, two):
    states = load(one)["state_dict"], load(two)["state_dict"]
    return all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_fit_test_and_predict_work_on_the_newest_run(run, capsys):
    assert run("fit") == 0
    folder = Path("runs/tiny/version_0")
    written = {path.name for path in folder.iterdir()}
    assert {"config.yaml", "metrics.csv", "checkpoints"} <= written
    assert any(name.startswith("events.out.tfevents") for name in written)
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert "val/mae" in (folder / "metrics.csv").read_text()
    assert "best checkpoint: " in capsys.readouterr().out

    assert run("test") == 0
    out = capsys.readouterr().out
    for name in ("TrafficSTGCN", "last value", "historical mean", "linear autoregression"):
        assert name in out
    assert (folder / "scores.md").read_text().strip() in out
    assert set(json.loads((folder / "scores.json").read_text())["scores"]["last value"]) == {
        "mae",
        "rmse",
        "mape",
    }

    assert run("predict", "--output", "a.csv") == 0
    assert Path("a.csv").read_text().startswith("timestamp,node_id,horizon,value\n")
    assert run("predict") == 0
    assert (folder / "forecasts.csv").read_bytes() == Path("a.csv").read_bytes()
    assert run("validate", "--ckpt_path", str(folder / "checkpoints" / "last.ckpt")) == 0
    assert [path.name for path in Path("runs/tiny").iterdir()] == ["version_0"]


def test_the_saved_config_repeats_the_run(run, root):
    assert run("fit", "--model.learning_rate", "0.02") == 0
    saved = "runs/tiny/version_0/config.yaml"
    content = yaml.safe_load(Path(saved).read_text())
    assert content["model"]["learning_rate"] == 0.02
    assert content["data"]["root"] == str(root)
    assert cli.main(["fit", "--config", saved]) == 0
    checkpoints = [f"runs/tiny/version_{version}/checkpoints/last.ckpt" for version in (0, 1)]
    assert same_weights(*checkpoints)


def test_a_resumed_fit_continues_in_its_folder(run):
    assert run("fit", "--name", "straight", "--trainer.max_epochs", "2") == 0
    assert run("fit") == 0
    assert run("fit", "--ckpt_path", "last", "--trainer.max_epochs", "2") == 0
    assert [path.name for path in Path("runs/tiny").iterdir()] == ["version_0"]
    assert same_weights(
        "runs/tiny/version_0/checkpoints/last.ckpt", "runs/straight/version_0/checkpoints/last.ckpt"
    )
    logs = [
        Path("runs/tiny/version_0", name).read_text().splitlines()[1:]
        for name in ("metrics_part_1.csv", "metrics.csv")
    ]
    epochs = [{line.split(",")[0] for line in log} for log in logs]
    assert epochs == [{"0"}, {"1"}]


def test_best_and_last_mean_the_newest_run_that_has_one(run, capsys):
    run("fit")
    run("fit", "--seed_everything", "1")
    Path("runs/tiny/version_7/checkpoints").mkdir(parents=True)  # stopped before its first epoch
    capsys.readouterr()
    assert run("test") == 0
    assert Path("runs/tiny/version_1/scores.json").is_file()
    assert not Path("runs/tiny/version_0/scores.json").exists()
    assert run("fit") == 0
    assert Path("runs/tiny/version_8/checkpoints/last.ckpt").is_file()


def error_of(status, capsys):
    assert status == 2
    (line,) = [x for x in capsys.readouterr().err.splitlines() if x.startswith("tgst: error: ")]
    return line.removeprefix("tgst: error: ")


def test_errors_of_the_user_are_one_line(run, root, capsys, tmp_path):
    message = error_of(run("test"), capsys)
    assert message.startswith(
        "ckpt_path: no run in runs/tiny has a checkpoint 'best'; run `tgst fit"
    )
    message = error_of(run("fit", "--ckpt_path", "no.ckpt"), capsys)
    assert message == "ckpt_path: there is no file no.ckpt"
    message = error_of(run("fit", "--root", str(tmp_path / "none")), capsys)
    assert "los_speed.csv" in message
    message = error_of(run("fit", config="metr"), capsys)
    assert message == (
        "config 'metr' is neither a file nor a shipped configuration "
        f"({', '.join(shipped_configs())})"
    )
    message = error_of(run("fit", "--data.horizon", "3"), capsys)
    assert message == "horizon: the data give 3 steps, the model has 4"
    message = error_of(run("fit", "--trainer.enable_checkpointing", "false"), capsys)
    assert "enable_checkpointing=False" in message
    speed = root / "los_speed.csv"
    speed.write_bytes(speed.read_bytes()[:-20])
    message = error_of(run("fit"), capsys)
    assert "los_speed.csv line 151" in message


def test_a_checkpoint_of_another_model_is_named(run, capsys):
    run("fit")
    status = run("test", "--model.model.init_args.channels", "[[6, 2, 6]]")
    message = error_of(status, capsys)
    assert message.startswith(
        "checkpoint runs/tiny/version_0/checkpoints/best.ckpt does not fit the model: "
    )


def test_settings_come_from_the_command_line_not_from_the_checkpoint(run):
    decay = ("--model.weight_decay", "0.5")
    run("fit", *decay)
    resume = ("--ckpt_path", "last", "--trainer.max_epochs", "2")
    assert run("fit", *resume, *decay, "--model.loss", "mse") == 0
    saved = load("runs/tiny/version_0/checkpoints/last.ckpt")
    assert saved["epoch"] == 1
    assert saved["hyper_parameters"]["loss"] == "mse"
    assert saved["optimizer_states"][0]["param_groups"][0]["weight_decay"] == 0.5


def test_a_refused_resumption_leaves_the_folder_as_it_was(run, capsys):
    def contents():
        paths = [path for path in Path("runs").rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in paths}

    run("fit")
    before = contents()
    assert Path("runs/tiny/version_0/metrics.csv") in before
    last = "runs/tiny/version_0/checkpoints/last.ckpt"
    for changed, text in (
        (("--model.weight_decay", "0.5"), f"checkpoint {last} cannot be resumed"),
        (("--model.model.init_args.channels", "[[6,2,6]]"), f"checkpoint {last} does not fit"),
        (("--data.horizon", "3"), "horizon: the data give 3 steps, the model has 4"),
    ):
        message = error_of(run("fit", "--ckpt_path", "last", *changed), capsys)
        assert message.startswith(text)
        assert contents() == before


def test_the_saved_config_of_a_resumed_fit_names_no_checkpoint(run):
    run("fit")
    run("fit", "--ckpt_path", "last", "--trainer.max_epochs", "2")
    content = yaml.safe_load(Path("runs/tiny/version_0/config.yaml").read_text())
    assert content["trainer"]["max_epochs"] == 2
    assert content["ckpt_path"] is None


def test_the_seed_of_the_run_is_that_of_the_loaders(run, root):
    def seed(*arguments):
        command = ["fit", "--config", "tiny.yaml", "--root", str(root), *arguments]
        return ForecastCLI([*command, "--trainer.fast_dev_run", "true"]).datamodule.seed

    assert seed() == 0
    assert seed("--seed_everything", "5") == 5
    assert seed("--seed_everything", "5", "--data.seed", "3") == 3


def test_the_table_is_printed_even_if_it_cannot_be_written(run, capsys):
    run("fit")
    Path("runs/tiny/version_0/scores.json").mkdir()
    capsys.readouterr()
    assert run("test") == 2
    captured = capsys.readouterr()
    assert "last value" in captured.out
    assert "cannot write the scores (Is a directory): " in captured.err
    assert "'runs/tiny/version_0/scores.json'" in captured.err
    assert not list(Path("runs/tiny/version_0").glob(".scores*"))


def test_a_trial_run_leaves_no_checkpoint(run):
    assert run("fit", "--trainer.fast_dev_run", "true") == 0
    assert not Path("runs/tiny/version_0/checkpoints").exists()


def test_faults_of_ours_keep_their_traceback(run, monkeypatch):
    def fail(self):
        raise RuntimeError("a fault")

    monkeypatch.setattr(ForecastCLI, "before_instantiate_classes", fail)
    with pytest.raises(RuntimeError, match="a fault"):
        run("fit")


def test_debug_shows_the_traceback(run, monkeypatch):
    monkeypatch.setenv("TGST_DEBUG", "1")
    with pytest.raises(FileNotFoundError, match="no run in"):
        run("test")


def test_parser_errors_end_with_status_two(run, capsys):
    with pytest.raises(SystemExit) as stop:
        run("fit", "--model.momentum", "1")
    assert stop.value.code == 2
    assert "model.momentum" in capsys.readouterr().err


def test_help_names_all_commands(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert all(command in out for command in ("demo", "fit", "validate", "test", "predict"))
    assert "`tgst fit --task TASK --help` those of recognition, grid or image" in out


def test_says_what_to_install(monkeypatch, capsys):
    found = cli.importlib.util.find_spec
    monkeypatch.setattr(
        cli.importlib.util, "find_spec", lambda name: None if name == "lightning" else found(name)
    )
    assert error_of(cli.main(["fit"]), capsys) == (
        'lightning not installed: pip install "tgst[train]"'
    )


def test_shipped_configs_are_found_by_name():
    skeletons = ["demo", "kinetics", "msr", "ntu60_xsub", "utkinect"]
    grids = ["bikenyc", "movingfields", "taxibj", "taxinyc", "taxinyc_graph"]
    names = ["cluttered_mnist_cnn", "cluttered_mnist_stn", "demo"]
    names += [f"grid_{name}" for name in grids]
    names += ["losloop", "nyczones", *(f"skeleton_{name}" for name in skeletons)]
    assert shipped_configs() == names
    assert Path(config_path("losloop")).is_file()
    arguments = ["fit", "--config", "demo", "-c", "losloop", "--config=demo", "--name", "demo"]
    demo, losloop = config_path("demo"), config_path("losloop")
    assert with_config_paths(arguments) == [
        "fit", "--config", demo, "-c", losloop, f"--config={demo}", "--name", "demo"
    ]  # fmt: skip


def test_data_root_outvotes_the_saved_root(run, tmp_path, capsys):
    assert run("fit") == 0
    saved = "runs/tiny/version_0/config.yaml"
    assert yaml.safe_load(Path(saved).read_text())["root"] is None
    assert cli.main(["fit", "--config", saved, "--data.root", str(tmp_path / "nowhere")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_resuming_a_finished_fit_keeps_its_log(run):
    assert run("fit") == 0
    log = Path("runs/tiny/version_0/metrics.csv")
    before = log.read_text()
    assert run("fit", "--ckpt_path", "last") == 0
    assert log.read_text() == before
    assert not log.with_name("metrics_part_1.csv").exists()


def test_a_checkpoint_by_its_bare_name(run, monkeypatch):
    assert run("fit") == 0
    folder = Path("runs/tiny/version_0").absolute()
    monkeypatch.chdir(folder / "checkpoints")
    assert run("test", "--ckpt_path", "best.ckpt", config="../../../../tiny.yaml") == 0
    assert (folder / "scores.json").is_file()
    assert not (folder / "checkpoints" / "scores.json").exists()


def test_nyc_zones_are_trained_by_the_recipe_of_los_loop():
    losloop, nyczones = (
        yaml.safe_load(Path(config_path(name)).read_text()) for name in ("losloop", "nyczones")
    )
    sizes = {"in_channels", "out_channels", "horizon", "num_nodes"}
    for config in (losloop, nyczones):
        config["model"]["model"]["init_args"] = {
            name: value
            for name, value in config["model"]["model"]["init_args"].items()
            if name not in sizes
        }
        for name in ("dataset", "dataset_args", "horizon"):
            config["data"].pop(name, None)
    assert nyczones == losloop


def test_a_file_goes_before_a_shipped_config_of_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("demo").write_text("trainer: {}")
    assert config_path("demo") == "demo"


def test_the_losloop_config_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = write_los_loop(tmp_path / "losloop", num_steps=400)
    arguments = ["fit", "--config", "losloop", "--root", str(root), "--trainer.max_epochs", "1"]
    arguments += ["--trainer.limit_train_batches", "2"]
    with pytest.raises(ValueError, match=NODES):
        ForecastCLI(arguments)
    command_line = ForecastCLI([*arguments, "--model.model.init_args.num_nodes", "4"])
    assert command_line.run_folder == Path("runs/losloop/version_1")
    assert command_line.datamodule.horizon == 12
    assert Path("runs/losloop/version_1/checkpoints/best.ckpt").is_file()


def test_keep_metrics_keeps_every_part(tmp_path):
    keep_metrics(tmp_path)  # nothing to keep
    for text in ("one", "two"):
        (tmp_path / "metrics.csv").write_text(text)
        keep_metrics(tmp_path)
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {"metrics_part_1.csv": "one", "metrics_part_2.csv": "two"}


def process(*arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        check=False,
    )


def test_demo_help_as_a_process():
    done = process("-m", "tgst.train.cli", "demo", "--help")
    assert done.returncode == 0, done.stderr
    assert "usage: tgst demo" in done.stdout
    assert all(option in done.stdout for option in ("--dataset", "--root", "--out", "--epochs"))


def test_help_and_the_package_load_without_lightning():
    script = (
        "import sys, tgst.train, tgst.train.cli; "
        "print([m for m in ('lightning', 'torchmetrics', 'matplotlib') if m in sys.modules])"
    )
    done = process("-c", script)
    assert done.stdout.strip() == "[]", done.stderr
