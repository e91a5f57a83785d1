from __future__ import annotations

import json

import pytest
import torch

from benchmarks.grid_conv import (
    CHANNELS_LAST,
    CONTIGUOUS,
    OCCUPANCIES,
    agreement,
    crossover,
    main,
    occupied,
    rivals,
)


@pytest.mark.parametrize("occupancy", OCCUPANCIES)
def test_share_of_occupied_cells(occupancy):
    random, streets = (occupied(name, 40, occupancy, seed=0) for name in ("random", "streets"))
    assert int(random.sum()) == int(streets.sum()) == round(1600 * occupancy)
    assert torch.equal(streets, occupied("streets", 40, occupancy, seed=0))
    if occupancy < 0.5:
        # Along a street the next cell is occupied too.
        after = [
            float((m[1:] & m[:-1]).sum() + (m[:, 1:] & m[:, :-1]).sum()) for m in (random, streets)
        ]
        assert after[1] > 1.5 * after[0]


def test_both_forms_agree_in_double_precision():
    given = rivals(occupied("streets", 12, 0.4, 0), 3, 2, torch.float64, seed=0)
    found = agreement(given)
    assert 0 < found["output"] < 1e-12
    assert 0 < found["gradient"] < 1e-12
    for ours, other in zip(given.steps[CONTIGUOUS](), given.steps[CHANNELS_LAST](), strict=True):
        torch.testing.assert_close(ours, other)
    assert given.steps[CHANNELS_LAST]()[0].is_contiguous(memory_format=torch.channels_last)
    exact = given.steps[CONTIGUOUS]
    given.steps[CONTIGUOUS] = lambda: [x + 0.1 for x in exact()]
    assert agreement(given)["output"] > 1e-3


def test_crossover():
    speed_ups = {1.0: 0.25, 0.5: 0.5, 0.1: 2.0, 0.02: 8.0}
    rows = [
        {
            "channels": 4,
            "pattern": "full" if share == 1 else "random",
            "occupancy": share,
            "speed_up": s,
        }
        for share, s in speed_ups.items()
    ]
    assert crossover(rows, 4, "random") == pytest.approx((0.1 * 0.5) ** 0.5)
    assert crossover([{**row, "speed_up": 0.5} for row in rows], 4, "random") == 0
    assert crossover([{**row, "speed_up": 2.0} for row in rows], 4, "random") == 1
    assert (
        crossover([{**row, "channels": 8, "speed_up": 2.0} for row in rows] + rows, 8, "random")
        == 1
    )


def test_writes_its_record(tmp_path):
    main(["--quick", "--out", str(tmp_path)])
    record = json.loads((tmp_path / "grid_conv.json").read_text())
    shares = [(row["pattern"], row["occupancy"]) for row in record["rows"]]
    assert shares[0] == ("full", 1.0)
    assert len(shares) == len(set(shares)) == 11
    first = record["rows"][0]
    assert (first["nodes"], first["edges"]) == (576, 22 * 22 * 9 + 4 * 22 * 6 + 4 * 4)
    assert first["speed_up"] == pytest.approx(first["best_conv_ms"] / first["graph_ms"])
    assert first["best_conv_ms"] == min(first["conv_ms"], first["channels_last_ms"])
    of_grid, of_weights = 8 * 24 * 24 * 3 * 4, 4 * (3 * 3 * 9 + 3)
    assert first["best_conv_bytes"] >= 4 * of_grid + of_weights
    assert first["graph_bytes"] > first["best_conv_bytes"]  # all labels' sums are kept
    few = record["rows"][5]
    assert few["graph_bytes"] < first["best_conv_bytes"] / 4
    text = (tmp_path / "grid_conv.md").read_text()
    assert f"| 3 | full | 1.00 | 576 | 4,900 | {first['graph_ms']:.1f} ± " in text
    assert "* 3 channels, streets: PartitionConv is faster below " in text
    assert (tmp_path / "grid_conv.png").read_bytes()[1:4] == b"PNG"
