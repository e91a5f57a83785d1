from __future__ import annotations

import json

import pytest

import benchmarks.__main__ as command
from benchmarks.records import SUITES
from benchmarks.report import NO_CUDA, not_importable, report


@pytest.fixture
def told(monkeypatch):
    """Replaces the suites by what they are told."""
    found = []

    def run(suite, arguments):
        found.append((suite, arguments))
        return "ok, 0.0 minutes" if suite != "scale" else "ended with -9, 0.0 minutes"

    monkeypatch.setattr(command, "run", run)
    return found


def test_all_suites_are_run_and_told_the_same(told, tmp_path):
    with pytest.raises(SystemExit, match="failed: scale"):
        command.main(["--suite", "all", "--out", str(tmp_path), "--quick", "--seed", "4"])
    assert [suite for suite, _ in told] == list(SUITES)
    assert all(
        arguments == ["--out", str(tmp_path), "--seed", "4", "--quick"] for _, arguments in told
    )
    text = (tmp_path / "report.md").read_text()
    assert "| scale | - | - | - | - | ended with -9, 0.0 minutes |" in text
    assert NO_CUDA in text


def test_some_suites_on_a_device(told, tmp_path):
    given = ["--suite", "spmm", "layers", "--device", "cuda", "--repetitions", "5"]
    command.main([*given, "--out", str(tmp_path)])
    expected = ["--out", str(tmp_path), "--seed", "0", "--repetitions", "5"]
    assert told == [("spmm", [*expected, "--device", "cuda"]), ("layers", expected)]


def test_unknown_suites_are_refused(told, tmp_path):
    with pytest.raises(SystemExit):
        command.main(["--suite", "nothing", "--out", str(tmp_path)])


def write(folder, suite, text="# Title\n\n## Part\n", **record):
    (folder / f"{suite}.json").write_text(json.dumps(record))
    (folder / f"{suite}.md").write_text(text)


def test_report_collects_what_is_there(tmp_path):
    write(tmp_path, "spmm", commit="abc", date="2020-01-01", not_importable={"DGL": "no module"})
    write(tmp_path, "scale", commit="abd")
    (tmp_path / "scale.png").write_bytes(b"")
    text = report(tmp_path)
    assert f"All of this was measured on CPU; {NO_CUDA}." in text
    assert "* DGL: no module" in text
    assert "| spmm | 2020-01-01 | - | - | abc | as it was |" in text
    assert "| models | - | - | - | - | not run |" in text
    assert text.index("## Title") < text.index("### Part")
    assert text.count("## Title") == 2
    assert "![scale](scale.png)" in text


def test_report_says_what_was_measured_on_cuda(tmp_path):
    write(tmp_path, "spmm", device="cuda: a GPU")
    assert "Measured on CUDA: spmm on cuda: a GPU.\n" in report(tmp_path)
    write(tmp_path, "scale", device="cpu")
    assert f"Measured on CUDA: spmm on cuda: a GPU. scale: {NO_CUDA}." in report(tmp_path)


def test_what_could_not_be_imported_is_found_anywhere():
    record = {
        "cases": [
            {
                "absent": {"one": "ImportError: x"},
                "rows": [{"model": "two", "reason": "No module x"}],
            },
            {"rows": [{"rival": "three", "reason": "memory: too much"}]},
        ],
        "not_importable": {"four": "y"},
    }
    assert dict(not_importable(record)) == {
        "four": "y",
        "one": "ImportError: x",
        "two": "No module x",
    }


@pytest.mark.slow
def test_a_suite_runs_in_a_process_of_its_own(tmp_path):
    command.main(["--suite", "dense_vs_sparse", "--quick", "--out", str(tmp_path)])
    text = (tmp_path / "report.md").read_text()
    assert "| ok, " in text
    assert "## Dense or sparse" in text
    assert command.run("no_such_suite", []).startswith("ended with 1")
