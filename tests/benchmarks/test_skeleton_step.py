from __future__ import annotations

import json

import pytest
import torch

from benchmarks.skeleton_step import (
    DENSE,
    STATIC,
    UNION,
    Size,
    agreement,
    kept_bytes,
    main,
    rivals,
)

TINY = Size(2, 2, 8, (8, 8, 16), (1, 1, 2))


def test_both_formulations_agree_in_double_precision():
    given = rivals(TINY, torch.float64, seed=0)
    found = agreement(given)
    assert 0 < found["output"] < 1e-9
    assert 0 < found["gradient"] < 1e-9
    with torch.no_grad():
        given.sparse.blocks[1].conv.weight[0, 0, 0] += 0.1
    assert agreement(given)["output"] > 1e-6


def test_kept_bytes():
    x, weight = torch.ones(3, 4, requires_grad=True), torch.ones(4, 5, requires_grad=True)
    assert kept_bytes(lambda: x @ weight) == 4 * (12 + 20)
    assert kept_bytes(lambda: x.view(12).unsqueeze(1) @ x.view(1, 12)) == 4 * 12  # counted once


def test_writes_its_record(tmp_path, capsys):
    threads = torch.get_num_threads()
    try:
        main(["--quick", "--threads", "1", "--out", str(tmp_path)])
    finally:
        torch.set_num_threads(threads)
    record = json.loads((tmp_path / "skeleton_step.json").read_text())
    assert [row["formulation"] for row in record["rows"]] == [DENSE, STATIC, UNION]
    first = record["rows"][0]
    assert first["speed_up"] == pytest.approx(1.0)
    text = (tmp_path / "skeleton_step.md").read_text()
    assert "2 clips of 2 persons, 8 frames, openpose-18" in text
    assert f"| {DENSE} | 1 | {first['step_ms']:.0f} ± " in text
    assert f"| {first['kept_bytes'] / 2**20:.0f} |" in text
