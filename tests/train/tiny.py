r"""A small road network with readings, and what trains on it in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer, seed_everything

from tgst.nn.models import TrafficSTGCN
from tgst.train import AtomicCheckpointIO, ForecastData, ForecastTask
from tgst.transforms import ScaledLaplacian

HISTORY, HORIZON, STEPS = 12, 4, 150


def write_los_loop(folder: Path, num_nodes: int = 4, num_steps: int = STEPS, seed: int = 0) -> Path:
    r"""Files as those of Los-loop: a ring of sensors with noisy daily waves."""
    rng = np.random.default_rng(seed)
    time = np.arange(num_steps)[:, None]
    waves = 50 + 10 * np.sin(2 * np.pi * time / 48 + np.arange(num_nodes))
    speed = waves + rng.normal(0, 1, waves.shape)
    ring = np.roll(np.eye(num_nodes), 1, axis=1) * 0.5
    folder.mkdir(parents=True, exist_ok=True)
    header = ",".join(str(700 + node) for node in range(num_nodes))
    np.savetxt(folder / "los_speed.csv", speed, "%.4f", ",", header=header, comments="")
    np.savetxt(folder / "los_adj.csv", np.eye(num_nodes) + ring + ring.T, "%.3f", ",")
    return folder


def tiny_data(root: Path, **kwargs: Any) -> ForecastData:
    defaults = {
        "dataset": "losloop",
        "root": str(root),
        "transform": [ScaledLaplacian()],
        "history": HISTORY,
        "horizon": HORIZON,
        "batch_size": 16,
        "time_of_day": True,
    }
    return ForecastData(**(defaults | kwargs))


def tiny_model(seed: int = 0, **kwargs: Any) -> TrafficSTGCN:
    defaults = {
        "in_channels": 3,
        "out_channels": 1,
        "history": HISTORY,
        "horizon": HORIZON,
        "channels": [[4, 2, 4]],
    }
    torch.manual_seed(seed)
    return TrafficSTGCN(**(defaults | kwargs))


def tiny_trainer(folder: Path, **kwargs: Any) -> Trainer:
    defaults = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "logger": False,
        "plugins": [AtomicCheckpointIO()],
        "default_root_dir": str(folder),
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    if "callbacks" in kwargs:
        defaults["enable_checkpointing"] = True
    return Trainer(**(defaults | kwargs))


def trained(folder: Path, root: Path, **kwargs: Any) -> tuple[ForecastTask, ForecastData, Path]:
    r"""A task after one epoch, its data and its checkpoint."""
    seed_everything(0)
    task, data = ForecastTask(tiny_model(), **kwargs), tiny_data(root)
    trainer = tiny_trainer(folder)
    trainer.fit(task, datamodule=data)
    path = folder / "trained.ckpt"
    trainer.save_checkpoint(path)
    return task, data, path
