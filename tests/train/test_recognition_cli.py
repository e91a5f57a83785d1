from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.datasets.ntu_files import write_sample
from tests.datasets.openpose_files import write_kinetics_clip, write_video
from tests.datasets.real_folder import real_folder
from tests.train.test_cli import error_of, same_weights
from tests.train.tiny_skeleton import CONFIG, MODEL
from tgst.train import cli
from tgst.train.config_files import TASKS, config_path, shipped_configs, task_of
from tgst.train.recognition_cli import RecognitionCLI

FOLDER = Path("runs/tiny/version_0")


def configured(**data):
    return CONFIG | {"data": CONFIG["data"] | data}


@pytest.fixture
def run(tmp_path, monkeypatch):
    r"""Runs a command in a new folder on simulated clips."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(yaml.safe_dump(CONFIG))

    def call(command, *arguments, config="tiny.yaml"):
        return cli.main([command, "--config", config, *arguments])

    return call


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_fit_validate_test_and_predict_work_on_the_newest_run(run, capsys):
    assert run("fit") == 0
    assert {path.name for path in (FOLDER / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert "best checkpoint: " in capsys.readouterr().out
    logged = (FOLDER / "metrics.csv").read_text().splitlines()[0].split(",")
    wanted = {"accuracy", "top_5", "class_accuracy", "loss"}
    assert {f"val/{name}" for name in wanted} <= set(logged)

    assert run("validate") == 0
    assert run("test", "--ckpt_path", "last") == 0
    out = capsys.readouterr().out
    assert (FOLDER / "scores.md").read_text().strip() in out
    assert "runs/tiny/version_0/checkpoints/last.ckpt" in out
    scores = json.loads((FOLDER / "scores.json").read_text())
    matrix = np.array(scores["confusion"])
    assert matrix.sum() == scores["clips"] == 40
    assert scores["scores"]["accuracy"] == pytest.approx(np.trace(matrix) / 40)
    assert scores["clips_of_class"] == [5] * 8
    assert (FOLDER / "confusion.png").read_bytes().startswith(b"\x89PNG")

    assert run("predict") == 0
    rows = read(FOLDER / "labels.csv")
    assert len(rows) == 2 * 40  # all persons, the one person
    assert {row["label"] for row in rows} <= set(scores["class_names"])
    assert [path.name for path in Path("runs/tiny").iterdir()] == ["version_0"]


def test_a_resumed_fit_equals_an_uninterrupted_one(run):
    assert run("fit", "--name", "straight", "--trainer.max_epochs", "2") == 0
    assert run("fit") == 0
    assert run("fit", "--ckpt_path", "last", "--trainer.max_epochs", "2") == 0
    assert same_weights(
        FOLDER / "checkpoints/last.ckpt", "runs/straight/version_0/checkpoints/last.ckpt"
    )


def test_the_saved_config_repeats_the_run(run):
    assert run("fit", "--model.learning_rate", "0.03") == 0
    content = yaml.safe_load((FOLDER / "config.yaml").read_text())
    assert (content["task"], content["model"]["learning_rate"]) == ("recognition", 0.03)
    assert cli.main(["fit", "--config", str(FOLDER / "config.yaml")]) == 0
    paths = [f"runs/tiny/version_{version}/checkpoints/last.ckpt" for version in (0, 1)]
    assert same_weights(*paths)


def test_without_validation_there_is_only_the_last_checkpoint(run, capsys):
    nobody = ("--data.validation_subjects", "null")
    older = FOLDER / "checkpoints" / "best.ckpt"
    older.parent.mkdir(parents=True)
    older.touch()
    assert run("fit", *nobody) == 0
    newest = Path("runs/tiny/version_1")
    assert [path.name for path in (newest / "checkpoints").iterdir()] == ["last.ckpt"]
    assert "val/" not in (newest / "metrics.csv").read_text()
    assert run("test") == 0  # of the newest run, although the older one has a best checkpoint
    scores = json.loads((newest / "scores.json").read_text())
    assert scores["checkpoint"] == str(newest / "checkpoints/last.ckpt")
    capsys.readouterr()
    message = error_of(run("validate", *nobody), capsys)
    assert message.startswith("data.validation_subjects or data.validation_share must say")


def test_errors_of_the_user_are_one_line(run, capsys):
    message = error_of(run("test"), capsys)
    assert message.startswith("ckpt_path: no run in runs/tiny has a checkpoint 'best'")
    message = error_of(run("fit", "--model.model.init_args.num_classes", "5"), capsys)
    assert message == (
        "num_classes: the data give 8 classes, the model has 5; set "
        "model.model.init_args.num_classes to 8"
    )
    message = error_of(run("fit", "--data.dataset", "ucf"), capsys)
    assert message.startswith("dataset must be one of kinetics, msr_action3d, ")


def test_a_checkpoint_of_other_classes_is_refused(run, capsys, monkeypatch):
    assert run("fit") == 0
    names = ("x", *(str(number) for number in range(7)))
    monkeypatch.setattr(
        "tgst.datasets.simulated_actions.SimulatedActions.class_names",
        property(lambda self: names, lambda self, value: None),
        raising=False,
    )
    message = error_of(run("test"), capsys)
    assert message == (
        "checkpoint runs/tiny/version_0/checkpoints/best.ckpt was trained on other classes: "
        "8 (wave right hand, wave left hand, raise both arms, ...) there, 8 (x, 0, 1, ...) here"
    )


def test_a_checkpoint_of_another_graph_is_refused(run, capsys):
    assert run("fit") == 0
    # the same number of edges and labels, but other labels
    message = error_of(run("test", "--data.partition.init_args.center", "4"), capsys)
    assert message == (
        "checkpoint runs/tiny/version_0/checkpoints/best.ckpt was trained on another graph: "
        "edge_type of the checkpoint's graph is not that of the data's graph"
    )


def test_a_refused_resumption_leaves_the_folder_as_it_was(run, capsys):
    assert run("fit") == 0
    before = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
    for changed, text in (
        (("--model.momentum", "0.5"), "cannot be resumed with another optimizer: model.momentum"),
        (("--data.validation_subjects", "[7]"), "is of a fit to 32 clips of the subjects 1, 3, 5,"),
        (("--model.model.init_args.channels", "[4,6]"), "does not fit the model"),
    ):
        message = error_of(run("fit", "--ckpt_path", "last", *changed), capsys)
        assert text in message
        after = {path: path.read_bytes() for path in Path("runs").rglob("*") if path.is_file()}
        assert after == before


def test_the_config_decides_the_task(tmp_path, capsys):
    recognition, plain, odd = (tmp_path / name for name in ("r.yaml", "p.yaml", "o.yaml"))
    recognition.write_text("task: recognition")
    plain.write_text("trainer: {}")
    odd.write_text("task: detection")
    assert task_of(["fit", "--config", str(recognition)]) == "recognition"
    assert task_of(["fit", "--config", str(recognition), f"--config={plain}"]) == "recognition"
    assert task_of(["fit", "-c", str(plain)]) == "forecast"
    assert task_of(["fit", "--task", "recognition"]) == "recognition"
    assert task_of(["fit", "--config", str(recognition), "--task=forecast"]) == "forecast"
    message = error_of(cli.main(["fit", "--config", str(odd)]), capsys)
    tasks = ", ".join(TASKS)
    assert message == f"task: in {odd} must be one of {tasks}, got 'detection'"


def test_help_lists_the_settings_of_the_task(capsys):
    for task, wanted in (
        ("recognition", "--data.validation_subjects"),
        ("forecast", "--data.history"),
    ):
        with pytest.raises(SystemExit) as stop:
            cli.main(["fit", "--task", task, "--help"])
        assert stop.value.code == 0
        assert wanted in capsys.readouterr().out


def ntu_config(folder):
    r"""A configuration on .skeleton files, with a checkpoint of one epoch."""
    for action in (1, 2):
        for subject in (1, 2, 3):  # 1 and 2 train
            for persons in (1, 2):
                name = f"S001C00{persons}P00{subject}R001A00{action}"
                write_sample(folder / "raw", name, frames=8, persons=persons)
    model = MODEL | {"num_joints": 25, "num_edges": 73, "num_classes": 60}
    config = configured(
        dataset="ntu_rgbd",
        dataset_args={"progress": False},
        root=str(folder / "raw"),
        num_persons=2,
        validation_subjects=None,
    )
    config["model"] = {"model": CONFIG["model"]["model"] | {"init_args": model}}
    path = folder / "ntu.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_labels_of_skeleton_files(run, tmp_path):
    config = ntu_config(tmp_path)
    assert run("fit", config=str(config)) == 0
    write_sample(tmp_path / "new", "two_people", frames=10, persons=2)
    write_sample(tmp_path / "new", "alone", frames=4)
    (tmp_path / "new" / "nobody.skeleton").write_text("2\n0\n0\n")
    arguments = ["--input", str(tmp_path / "new"), "--output", "labels.csv", "--top", "2"]
    # the data set is not needed any more
    arguments += ["--root", "gone", "--data.window", "4", "--data.window_stride", "4"]
    assert run("predict", *arguments, config=str(config)) == 0
    rows = read("labels.csv")
    found = [
        (row["clip"], row["person"], row["window"], row["first_frame"], row["last_frame"])
        for row in rows
    ]
    windows = [("0", "0", "3"), ("1", "4", "7"), ("2", "6", "9"), ("all", "0", "9")]
    assert found == [
        ("alone", "all", "all", "0", "3"),
        ("alone", "0", "all", "0", "3"),
        *(("two_people", person, *window) for person in ("all", "0", "1") for window in windows),
        ("nobody", "all", "all", "0", "1"),
    ]
    assert rows[-1]["label"] == rows[-1]["confidence"] == ""
    assert "truth" not in rows[0]
    confidences = [[float(row[f"confidence{end}"]) for end in ("", "_2")] for row in rows[:-1]]
    assert all(1 >= first >= second > 0 for first, second in confidences)


def test_labels_of_openpose_folders(run, tmp_path, capsys):
    layout = {"skeleton": "openpose-18", "num_classes": 2}
    rng = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", rng.normal(size=(4, 3, 6, 18, 2)).astype("f4"))
    np.save(tmp_path / "y.npy", np.array([0, 1, 0, 1]))
    config = configured(
        dataset="stgcn_feeder",
        dataset_args={"data_path": "x.npy", "label_path": "y.npy"} | layout,
        root=str(tmp_path),
        num_persons=2,
        validation_subjects=None,
    )
    model = MODEL | {"num_joints": 18, "num_edges": 52, "num_classes": 2}
    config["model"] = {"model": CONFIG["model"]["model"] | {"init_args": model}}
    Path("feeder.yaml").write_text(yaml.safe_dump(config))
    assert run("fit", config="feeder.yaml") == 0
    for frame in range(5):
        people = [{"pose_keypoints_2d": rng.uniform(0.1, 1, 54).tolist()} for _ in range(2)]
        folder = tmp_path / "videos" / "street"
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"version": 1.1, "people": people})
        (folder / f"street_{frame:012d}_keypoints.json").write_text(text)
    assert run("predict", "--input", "videos", "--output", "a.csv", config="feeder.yaml") == 0
    rows = read("a.csv")
    assert [(row["clip"], row["person"], row["last_frame"]) for row in rows] == [
        ("street", "all", "4"),
        ("street", "0", "4"),
        ("street", "1", "4"),
    ]
    assert {row["label"] for row in rows} <= {"0", "1"}
    arguments = ["--input", "videos", "--output", "a.csv", "--data.input_args"]
    assert run("predict", *arguments, '{"num_persons": 1}', config="feeder.yaml") == 0
    assert [row["person"] for row in read("a.csv")] == ["all", "0"]
    write_video(tmp_path / "pixels" / "yard")
    arguments = ["--input", "pixels", "--output", "b.csv"]
    message = error_of(run("predict", *arguments, config="feeder.yaml"), capsys)
    assert message.startswith("input: clip 'yard' has coordinates of up to 102.5, but the model ")
    assert message.endswith("data.input_args {frame_size: [W, H]}")
    assert not Path("b.csv").exists()
    write_sample(tmp_path / "ntu", "alone", frames=4)
    message = error_of(run("predict", "--input", "ntu", config="feeder.yaml"), capsys)
    assert message == "input: clip 'alone' has 25 joints, but the model knows the 18 of openpose-18"
    message = error_of(run("predict", "--output", "a.txt", config="feeder.yaml"), capsys)
    assert message == "output must end in .csv or .parquet, got 'a.txt'"


def test_the_seed_of_the_run_is_that_of_the_loaders(run):
    def seed(*arguments):
        command = ["fit", "--config", "tiny.yaml", "--trainer.fast_dev_run", "true", *arguments]
        return RecognitionCLI(command).datamodule.seed

    assert seed("--seed_everything", "5") == 5
    assert seed("--seed_everything", "5", "--data.seed", "3") == 3


SHIPPED = [name for name in shipped_configs() if name.startswith("skeleton")]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_configs_are_of_recognition_and_name_what_there_is(name, capsys):
    assert task_of(["fit", "--config", config_path(name)]) == "recognition"
    with pytest.raises(SystemExit) as stop:
        cli.main(["fit", "--config", name, "--print_config"])
    assert stop.value.code == 0
    assert "class_path: tgst.nn.models." in capsys.readouterr().out


FOLDERS = {
    "skeleton_msr": "msr_action3d",
    "skeleton_utkinect": "utkinect",
}


@pytest.mark.parametrize("name", FOLDERS)
def test_shipped_configs_train_on_the_real_data(name, tmp_path, monkeypatch):
    root = real_folder(FOLDERS[name])
    monkeypatch.chdir(tmp_path)
    command = ["fit", "--config", name, "--root", str(root), "--trainer.fast_dev_run", "true"]
    data = RecognitionCLI(command).datamodule
    assert data.num_channels == 6
    batch = next(iter(data.train_dataloader()))
    assert batch.x.shape == (20, 16, 32, data.num_channels)
    assert {clip.subject for clip in data._parts["train"]} == {1, 3, 5, 7, 9}


PAPER = ("--model.learning_rate", "0.01", "--model.scheduler", "step")
PAPER += ("--model.scheduler_args", "{step_size: 10}", "--model.model.init_args.dropout", "0.5")


@pytest.mark.parametrize("name", ["skeleton_kinetics", "skeleton_ntu60_xsub"])
def test_the_recipe_of_the_paper_is_four_settings(name, capsys):
    comments = [
        line[1:] for line in Path(config_path(name)).read_text().split("\n") if line[:1] == "#"
    ]
    said = shlex.split(" ".join(comments).partition("The paper's recipe: ")[2])
    assert tuple(said) == PAPER
    with pytest.raises(SystemExit):
        cli.main(["fit", "--config", name, *said, "--print_config"])
    model = yaml.safe_load(capsys.readouterr().out)["model"]
    assert (model["optimizer"], model["learning_rate"]) == ("sgd", 0.01)
    assert (model["scheduler"], model["scheduler_args"]) == ("step", {"step_size": 10})
    assert model["model"]["init_args"]["dropout"] == 0.5
    assert model["model"]["init_args"]["init"] == "published"


def published_move(x, angle, scale, shift):
    r"""What the released code makes of [C, T, V], from one key frame to the other."""
    turn, factor, first, second = (
        np.linspace(*pair, x.shape[1]) for pair in (np.deg2rad(angle), scale, *shift)
    )
    out = x.copy()
    for frame in range(x.shape[1]):
        cos, sin = np.cos(turn[frame]), np.sin(turn[frame])
        matrix = factor[frame] * np.array([[cos, -sin], [sin, cos]])
        out[:2, frame] = matrix @ x[:2, frame] + [[first[frame]], [second[frame]]]
    return out


def test_the_config_of_kinetics_turns_about_the_middle_of_the_image(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        write_kinetics_clip(tmp_path / f"kinetics_train/{number}.json", number, frames=150)
    labels = {str(n): {"has_skeleton": True, "label": str(n), "label_index": n} for n in (1, 2)}
    (tmp_path / "kinetics_train_label.json").write_text(json.dumps(labels))
    path = tmp_path / "kinetics_train/1.json"
    content = json.loads(path.read_text())
    content["data"][20]["skeleton"][0]["score"][4] = 0  # not found
    path.write_text(json.dumps(content))
    command = ["fit", "--config", "skeleton_kinetics", "--root", str(tmp_path)]
    command += ["--trainer.fast_dev_run", "true", "--model.model.init_args.channels", "[4]"]
    command += ["--model.model.init_args.strides", "[4]", "--data.num_workers", "0"]
    data = RecognitionCLI(command).datamodule
    first, move = data.transform.transforms
    assert (first.length, move.move_time) == (150, (1,))
    drawn = iter([0, 1, 0, 0, 2, 0, 4, 1])  # parts of time; angle, scale, shifts: first, last
    order = [torch.tensor([next(drawn)]) for _ in range(8)]
    keys = iter([torch.tensor(0), *(torch.cat(order[i : i + 2]) for i in (0, 2, 4, 6))])
    clip = data._parts["train"][0]
    monkeypatch.setattr("torch.randint", lambda *_: next(keys))
    moved = move(clip).x[:18].permute(2, 1, 0).numpy()

    raw = np.array([entry["skeleton"][0]["pose"] for entry in content["data"]])
    score = np.array([entry["skeleton"][0]["score"] for entry in content["data"]])
    expected = np.stack([raw[:, ::2] - 0.5, raw[:, 1::2] - 0.5, score])
    expected[:2] *= expected[2:] != 0
    np.testing.assert_allclose(clip.x[:18].permute(2, 1, 0), expected, atol=2e-6)
    expected = published_move(expected, (-10, -5), (0.9, 0.9), ((0.0, -0.2), (0.2, -0.1)))
    np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_the_config_of_ntu_trains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ntu_config(tmp_path)
    command = ["fit", "--config", "skeleton_ntu60_xsub", "--root", str(tmp_path / "raw")]
    command += ["--trainer.fast_dev_run", "true", "--model.model.init_args.channels", "[4,4]"]
    command += ["--model.model.init_args.strides", "[1,4]", "--data.num_workers", "0"]
    data = RecognitionCLI(command).datamodule
    assert next(iter(data.train_dataloader())).x.shape == (50, 8, 300, 3)


def test_a_forecast_checkpoint_is_refused(run, capsys, tmp_path):
    path = tmp_path / "other.ckpt"
    torch.save({"state_dict": {}, "pytorch-lightning_version": "2.5.0"}, path)
    write_sample(tmp_path / "ntu", "alone", frames=4)
    message = error_of(run("predict", "--input", "ntu", "--ckpt_path", "other.ckpt"), capsys)
    assert message == "checkpoint other.ckpt names no classes: it is not of a recognition task"
