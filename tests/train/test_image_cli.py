from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.datasets.real_folder import real_folder
from tests.train.test_cli import error_of, same_weights
from tests.train.tiny_images import CONFIG, bands, write_images
from tgst.train import AtomicCheckpointIO, cli
from tgst.train.config_files import config_path
from tgst.train.image_cli import ImageCLI

FOLDER = Path("runs/tiny/version_0")


@pytest.fixture
def run(tmp_path, monkeypatch):
    r"""Runs a command in a new folder on small images."""
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "images")
    Path("tiny.yaml").write_text(yaml.safe_dump(CONFIG))

    def call(command, *arguments, config="tiny.yaml", root="images"):
        return cli.main([command, "--config", config, "--root", root, *arguments])

    return call


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_fit_validate_test_and_predict_work_on_the_newest_run(run, capsys):
    assert run("fit") == 0
    assert {path.name for path in (FOLDER / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert "best checkpoint: " in capsys.readouterr().out
    logged = (FOLDER / "metrics.csv").read_text().splitlines()[0].split(",")
    wanted = {"val/accuracy", "val/top_2", "val/loss", "train/accuracy", "train/identity_penalty"}
    assert wanted <= set(logged)

    assert run("validate") == 0
    assert run("test", "--ckpt_path", "last") == 0
    out = capsys.readouterr().out
    assert (FOLDER / "scores.md").read_text().strip() in out
    assert out.count("| images | error_percent | accuracy | top_2 | class_accuracy | loss |") == 1
    scores = json.loads((FOLDER / "scores.json").read_text())
    matrix = np.array(scores["confusion"])
    assert matrix.sum() == scores["images"] == 20
    accuracy = np.trace(matrix) / 20
    assert scores["scores"]["accuracy"] == pytest.approx(accuracy)
    assert scores["scores"]["error_percent"] == pytest.approx(100 * (1 - accuracy))
    assert scores["images_of_class"] == [2] * 10
    for name in ("confusion.png", "transforms.png"):
        assert (FOLDER / name).read_bytes().startswith(b"\x89PNG")

    assert run("predict", "--ckpt_path", "last", "--top", "2") == 0
    assert "labels: runs/tiny/version_0/labels.csv" in capsys.readouterr().out
    rows = read(FOLDER / "labels.csv")
    assert [int(row["image"]) for row in rows] == list(range(20))
    assert [int(row["truth"]) for row in rows] == [k % 10 for k in range(20)]
    right = np.mean([row["label"] == row["truth"] for row in rows])
    assert right == pytest.approx(accuracy)
    for row in rows:
        assert 1 >= float(row["confidence"]) >= float(row["confidence_2"]) > 0
        assert row["label"] != row["label_2"]
    assert [path.name for path in Path("runs/tiny").iterdir()] == ["version_0"]


def test_a_resumed_fit_equals_an_uninterrupted_one(run):
    assert run("fit", "--name", "straight", "--trainer.max_epochs", "2") == 0
    assert run("fit") == 0
    assert run("fit", "--ckpt_path", "last", "--trainer.max_epochs", "2") == 0
    assert same_weights(
        FOLDER / "checkpoints/last.ckpt", "runs/straight/version_0/checkpoints/last.ckpt"
    )


def test_without_validation_there_is_only_the_last_checkpoint(run, capsys):
    everything = ("--data.validation_share", "0")
    assert run("fit", *everything) == 0
    assert [path.name for path in (FOLDER / "checkpoints").iterdir()] == ["last.ckpt"]
    assert "val/" not in (FOLDER / "metrics.csv").read_text()
    assert run("test", *everything) == 0
    scores = json.loads((FOLDER / "scores.json").read_text())
    assert scores["checkpoint"] == str(FOLDER / "checkpoints/last.ckpt")
    checkpoint = AtomicCheckpointIO().load_checkpoint(FOLDER / "checkpoints/last.ckpt")
    assert checkpoint["trained_on"] == "40 images"
    capsys.readouterr()
    message = error_of(run("validate", *everything), capsys)
    assert message == "data.validation_share must say what to validate on, got none"


def test_images_of_ones_own(run, capsys, tmp_path):
    assert run("fit") == 0
    x, _ = bands(3, seed=5)
    np.save("own.npy", np.round(255 * x.reshape(3, 40, 40)).astype("u1"))
    # the data set is not needed any more
    arguments = ("--input", "own.npy", "--output", "own.csv")
    assert run("predict", *arguments, root="gone") == 0
    rows = read("own.csv")
    assert list(rows[0]) == ["image", "label", "confidence"]
    with torch.no_grad():
        line = ImageCLI(["test", "--config", "tiny.yaml", "--root", "images"])
        images = torch.from_numpy(np.round(255 * x) / 255).float().view(3, 1, 40, 40)
        probability = line.model.eval().used_model(images).softmax(-1)
    assert [int(row["label"]) for row in rows] == probability.argmax(1).tolist()
    confidence = [float(row["confidence"]) for row in rows]
    assert confidence == pytest.approx(probability.amax(1).tolist(), rel=1e-4)
    np.save("other.npy", x[:, :9])
    capsys.readouterr()
    message = error_of(run("predict", "--input", "other.npy", root="gone"), capsys)
    assert message.startswith("input: expected images of shape (N, 1, 40, 40) or (N, 1600) in ")


def test_errors_of_the_user_are_one_line(run, capsys):
    message = error_of(run("fit", root="gone"), capsys)
    assert message.startswith("`root` must hold cluttered_mnist_40x40.npz, got no ")
    message = error_of(cli.main(["fit", "--config", "tiny.yaml"]), capsys)
    assert message == (
        "data set 'cluttered_mnist' is read from a folder: root (--root DIR) is missing"
    )
    message = error_of(run("fit", "--model.model.init_args.num_classes", "5"), capsys)
    assert message == (
        "num_classes: the data give 10 classes, the model has 5; set "
        "model.model.init_args.num_classes to 10"
    )
    message = error_of(run("fit", "--data.dataset", "mnist"), capsys)
    assert message == "dataset must be one of cluttered_mnist, got 'mnist'"


def test_errors_of_a_transformer_come_without_those_of_the_parser(run, capsys):
    transformer = "--model.model.init_args.transformer.init_args"
    message = error_of(run("fit", f"{transformer}.warp", "tgst.nn.warp.Projective"), capsys)
    assert message.startswith("localization: expected a last torch.nn.Linear with 8 outputs")
    assert "subtypes" not in message
    message = error_of(run("fit", f"{transformer}.output_size", "[0, 4]"), capsys)
    assert message.startswith("output_size: expected 2 sizes")
    assert message.endswith("got (0, 4)")


def test_a_checkpoint_of_other_classes_is_refused(run, capsys, monkeypatch):
    assert run("fit") == 0
    monkeypatch.setattr("tgst.datasets.ClutteredMNIST.class_names", tuple("abcdefghij"))
    message = error_of(run("test"), capsys)
    assert message == (
        "checkpoint runs/tiny/version_0/checkpoints/best.ckpt was trained on other classes: "
        "10 (0, 1, 2, ...) there, 10 (a, b, c, ...) here"
    )


def test_a_checkpoint_of_another_number_of_classes_is_refused(run, capsys, monkeypatch):
    assert run("fit") == 0
    monkeypatch.setattr("tgst.datasets.ClutteredMNIST.class_names", tuple("0123456789AB"))
    message = error_of(run("test", "--model.model.init_args.num_classes", "12"), capsys)
    assert (
        "was trained on other classes: 10 (0, 1, 2, ...) there, 12 (0, 1, 2, ...) here" in message
    )


def test_a_refused_resumption_leaves_the_folder_as_it_was(run, capsys):
    assert run("fit") == 0
    before = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
    for changed, text in (
        (("--model.localization_scale", "0.5"), "another optimizer: model.localization_scale is"),
        (("--data.validation_share", "0.3"), "is of a fit to 32 images (validation_share 0.2, ra"),
        (("--model.model.init_args.channels", "[6]"), "does not fit the model"),
    ):
        message = error_of(run("fit", "--ckpt_path", "last", *changed), capsys)
        assert text in message
        after = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
        assert after == before


def test_a_checkpoint_of_another_task_is_refused(run, capsys):
    torch.save({"state_dict": {}, "pytorch-lightning_version": "2.5.0"}, "other.ckpt")
    np.save("own.npy", np.zeros((1, 1600)))
    message = error_of(run("predict", "--input", "own.npy", "--ckpt_path", "other.ckpt"), capsys)
    assert message == "checkpoint other.ckpt names no classes: it is not of an image task"


def test_help_lists_the_settings_of_the_task(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["fit", "--task", "image", "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert "--data.validation_share" in out
    assert "--model.localization_scale" in out


FAST = ("--trainer.enable_progress_bar", "false", "--trainer.enable_model_summary", "false")


def test_shipped_configs_train_on_the_real_data(tmp_path, monkeypatch):
    root = real_folder("cluttered_mnist")
    monkeypatch.chdir(tmp_path)
    count = {}
    for name in ("cluttered_mnist_cnn", "cluttered_mnist_stn"):
        command = ["fit", "--config", name, "--root", str(root), *FAST]
        line = ImageCLI([*command, "--trainer.fast_dev_run", "true"])
        assert not line.datamodule.validates
        assert len(line.datamodule.train_dataloader().images) == 10_000
        assert line.trainer.callback_metrics["train/loss"] > 0
        count[name] = sum(value.numel() for value in line.model.model.parameters())
        assert (line.model.model.transformer is not None) == name.endswith("stn")
    assert count["cluttered_mnist_stn"] <= count["cluttered_mnist_cnn"]


@pytest.mark.parametrize("name", ["cluttered_mnist_cnn", "cluttered_mnist_stn"])
def test_shipped_configs_run_on_small_images(run, name):
    assert run("fit", "--trainer.fast_dev_run", "true", *FAST, config=name) == 0
    assert Path(config_path(name)).read_text().startswith("# Cluttered MNIST")
