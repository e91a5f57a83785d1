from __future__ import annotations

import json

from benchmarks import actions
from tests.benchmarks.test_losloop import ABOUT


def run(seed, accuracy):
    scores = {"accuracy": accuracy, "top5": 1.0}
    return {"seed": seed, "fit_minutes": 2.0, "clips": 9, "scores": scores}


def test_seeds_table_and_summary():
    runs = [run(0, 0.875), run(1, 0.9375)]
    lines = actions.seeds_table("skeleton_msr", ABOUT, runs).splitlines()
    assert "| seed | accuracy | top5 |" in lines
    assert "| 1 | 0.9375 | 1.0000 |" in lines
    assert "| mean | 0.9062 ± 0.0442 | 1.0000 ± 0.0000 |" in lines
    assert any(line.startswith("9 clips of the test subjects, mean ±") for line in lines)


def test_last_validation_is_not_the_best(tmp_path):
    log = tmp_path / "metrics.csv"
    log.write_text("epoch,train/loss,val/accuracy\n0,1.0,\n0,,0.5\n1,0.9,\n1,,0.75\n2,,0.25\n")
    assert actions.last_validation(log) == 0.25


def test_main_writes_what_each_protocol_measures(tmp_path, monkeypatch):
    calls = []

    def fitted(config, seed, root, folder, *more):
        calls.append((config, seed, folder.relative_to(tmp_path).as_posix(), more))
        version = folder / config / "version_0"
        version.mkdir(parents=True)
        (version / "metrics.csv").write_text(f"epoch,val/accuracy\n0,0.9\n1,0.{seed + 5}\n")
        scores = {"checkpoint": "last.ckpt", "clips": 4, "scores": {"accuracy": 0.5 + seed / 4}}
        (version / "scores.json").write_text(json.dumps(scores))
        return 3.0

    tested = []
    monkeypatch.setattr(actions, "fit", fitted)
    monkeypatch.setattr(actions, "tgst", lambda *arguments: tested.append(arguments))
    shared = ["--config", "skeleton_utkinect", "--root", "files", "--out", str(tmp_path / "out")]
    shared += ["--seeds", "0", "1", "--runs"]
    actions.main([*shared, str(tmp_path / "a")])
    record = json.loads((tmp_path / "out" / "skeleton_utkinect.json").read_text())
    assert record["summary"]["accuracy"]["mean"] == 0.625
    assert [arguments[-2:] for arguments in tested] == [("--ckpt_path", "last")] * 2
    assert "checkpoint" not in record["runs"][0]  # a path of the machine

    actions.main([*shared, str(tmp_path / "b"), "--held_out", "1 3", "9"])
    record = json.loads((tmp_path / "out" / "skeleton_utkinect_validation.json").read_text())
    assert [each["accuracy"] for each in record["runs"]] == [0.5, 0.6, 0.5, 0.6]
    assert calls[2][2:] == ("b/without_1_3/seed_0", ("--data.validation_subjects=[1, 3]",))
    assert len(tested) == 2  # no test subject is read
    assert (
        "| mean | | 0.5500 |"
        in (tmp_path / "out" / "skeleton_utkinect_validation.md").read_text().splitlines()
    )
