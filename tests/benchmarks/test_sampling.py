from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks.sampled_training import at_junctions, steps_on_torus
from benchmarks.sampling import markdown, measured
from tests.data.test_series import stamps
from tgst.data import Series

RUN = {
    "nodes": 33113,
    "edges": 183871,
    "batch_size": 1024,
    "num_neighbors": [8, 8],
    "steps": 400,
    "minutes": 3.5,
    "step_ms": 500.4,
    "load_ms": 9.21,
    "nodes_per_step": 6500.0,
    "edges_per_step": 22000.0,
    "first_loss": 0.6,
    "last_loss": 0.15,
    "peak_gib": 1.5,
    "readings_gib": 0.25,
}
RECORD = {
    "hardware": "two cores",
    "threads": 1,
    "versions": {"torch": "2.0"},
    "date": "2024-01-01",
    "command": "python -m benchmarks.sampling",
    "readings": {"days": 2, "steps": 576, "seconds": 80.0, "peak_gib": 4.8},
    "sydney": {
        **RUN,
        "roads": 75379,
        "num_windows": 1,
        "epochs": 12,
        "val_nodes": 2048,
        "mae": {"model": {"speed": 1.5, "flow": 250.0}, "last value": {"speed": 2, "flow": 300}},
    },
    "torus": [RUN],
}


def test_markdown_has_the_numbers():
    text = markdown(RECORD)
    assert "two cores, 1 thread(s); torch 2.0; 2024-01-01" in text
    assert "**Peak memory of the training process: 1.50 GiB.**" in text
    assert "| model | 250.00 | 1.500 |" in text.splitlines()
    assert "| 33,113 | 183,871 | 6,500 | 500 | 9.2 | 77 | 1.50 | 0.25 |" in text.splitlines()
    assert text.endswith("|\n")


def test_readings_of_junctions():
    speed = torch.tensor([[30.0, 30.0, 30.0], [60.0, 60.0, 60.0], [50.0, 50.0, 50.0]])
    flow = torch.tensor([[200.0, 0.0, 200.0], [100.0, 0.0, 100.0], [10.0, 20.0, 30.0]])
    mask = torch.tensor([[True, True, True], [True, True, False], [True, True, True]])
    series = Series(torch.stack([speed, flow], dim=-1), stamps(3), mask)
    values, observed = at_junctions(series, torch.tensor([1, 1, 0]), 3)
    assert observed.tolist() == [[True] * 3, [True, True, False], [False] * 3]
    expected = [[[50.0, 10], [50, 20], [50, 30]], [[40, 300], [45, 0], [0, 0]], [[0, 0]] * 3]
    torch.testing.assert_close(values, torch.tensor(expected), rtol=0, atol=1e-3)


@pytest.mark.slow
def test_steps_in_a_process_of_their_own():
    run = measured(steps_on_torus, 10, 2)
    assert (run["nodes"], run["edges"], run["steps"]) == (100, 900, 2)
    assert run["nodes_per_step"] <= 100
    assert np.isfinite(run["last_loss"])
    assert 0.05 < run["peak_gib"] < 4
