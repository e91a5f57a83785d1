from __future__ import annotations

import json
import subprocess

import pytest
import torch

from benchmarks.machine import commit, machine
from benchmarks.records import Log, geometric_mean, measured_on, number, parse, parser, table

ABOUT = {"command": "python -m benchmarks.some", "seed": 0, "commit": "abc", "date": "2020-01-01"}


def test_a_run_goes_on_where_one_was_broken_off(tmp_path):
    log, measured = Log(tmp_path, "some", ABOUT), []

    def measure(point):
        measured.append(point)
        if point == 3 and len(measured) == 3:
            raise KeyboardInterrupt
        return [{"point": point, "ms": 0.5}]

    def run(log):
        return [log.rows(point, lambda point=point: measure(point)) for point in (1, 2, 3)]

    with pytest.raises(KeyboardInterrupt):
        run(log)
    again = Log(tmp_path, "some", {**ABOUT, "date": "2020-01-02"})
    rows = run(again)
    assert measured == [1, 2, 3, 3]
    assert rows == [[{"point": point, "ms": 0.5}] for point in (1, 2, 3)]
    again.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("change", [{"commit": "abd"}, {"seed": 1}, {"command": "other"}])
def test_another_run_begins_afresh(tmp_path, change):
    Log(tmp_path, "some", ABOUT).rows(1, lambda: [{"ms": 1.0}])
    other = Log(tmp_path, "some", {**ABOUT, **change})
    assert other.rows(1, lambda: [{"ms": 2.0}]) == [{"ms": 2.0}]


def test_changed_files_are_measured_afresh(tmp_path):
    about = {**ABOUT, "commit": "abc+changes"}
    for ms in (1.0, 2.0):  # the files may have been changed again
        assert Log(tmp_path, "some", about).rows(1, lambda ms=ms: [{"ms": ms}]) == [{"ms": ms}]


def test_afresh(tmp_path):
    Log(tmp_path, "some", ABOUT).rows(1, lambda: [{"ms": 1.0}])
    about = {**ABOUT, "command": f"{ABOUT['command']} --afresh"}
    assert Log(tmp_path, "some", about, afresh=True).rows(1, lambda: [{"ms": 2.0}]) == [{"ms": 2.0}]
    # What a run afresh has measured serves the one after it.
    assert Log(tmp_path, "some", ABOUT).rows(1, list) == [{"ms": 2.0}]


def test_a_point_that_ended_two_runs_is_left_out(tmp_path, capsys):
    def end():
        raise MemoryError

    about = {**ABOUT, "hardware": "a machine", "threads": 2, "versions": {"torch": "2"}}
    for _ in range(2):
        with pytest.raises(MemoryError):
            Log(tmp_path, "some", about).rows(1, end)
    assert Log(tmp_path, "some", about).rows(1, end) == []
    assert "two runs ended there" in capsys.readouterr().out
    assert measured_on(about).endswith("(seed 0). Left out, as two runs ended there: 1.")


def test_a_line_cut_off_is_passed_over(tmp_path):
    log = Log(tmp_path, "some", ABOUT)
    log.rows(1, lambda: [{"ms": 1.0}])
    with log.path.open("a") as file:
        file.write('{"point": "2", "ro')
    assert Log(tmp_path, "some", ABOUT).done == {"1": [{"ms": 1.0}]}


def test_quick_runs_have_few_repetitions(tmp_path):
    given = parser("some", "Text.", repetitions=11)
    arguments, about = parse(given, ["--quick", "--seed", "4", "--out", str(tmp_path)])
    assert arguments.repetitions == about["repetitions"] == 3
    assert about["command"] == f"python -m benchmarks.some --quick --seed 4 --out {tmp_path}"
    assert about["seed"] == 4
    assert about["device"] == "cpu"
    text = measured_on(about)
    assert f"torch {torch.__version__}" in text
    assert "(seed 4)." in text


def test_commit(tmp_path):
    assert commit(tmp_path) is None
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]

    def run(*arguments):
        done = subprocess.run(
            [*git, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    run("init", "-q")
    (tmp_path / "results").mkdir()
    (tmp_path / "code.py").write_text("1")
    (tmp_path / "results" / "some.json").write_text("1")
    run("add", ".")
    run("commit", "-q", "-m", "first")
    head = run("rev-parse", "HEAD")
    assert head.startswith(commit(tmp_path))
    assert len(commit(tmp_path)) == 12
    (tmp_path / "results" / "some.json").write_text("2")  # what a suite before has written
    (tmp_path / "new.py").write_text("1")
    assert commit(tmp_path) == head[:12]
    (tmp_path / "code.py").write_text("2")
    assert commit(tmp_path) == f"{head[:12]}+changes"
    assert "commit" in machine()


def test_tables_and_numbers():
    assert table(["a", "b"], [["1", "2"]]) == ["| a | b |", "|---|---|", "| 1 | 2 |", ""]
    assert [number(v) for v in (None, 0.01234, 1.234, 12.34, 123.4, 12345.6)] == [
        "-",
        "0.0123",
        "1.23",
        "12.3",
        "123",
        "12,346",
    ]
    assert geometric_mean([2.0, 8.0]) == pytest.approx(4.0)
    assert json.dumps(geometric_mean([])) == "NaN"
