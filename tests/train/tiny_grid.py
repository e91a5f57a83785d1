r"""Flows on a grid of 4 x 3 cells in the files of TaxiNYC, and what trains on them in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.data.flow_files import slot_stamps, write_flow
from tests.train.tiny import tiny_trainer
from tgst.nn.models import STResNet
from tgst.train import GridData, GridTask

HEIGHT, WIDTH = 4, 3
SPANS = {2010: ("2010-01-01", "2010-02-09"), 2011: ("2011-01-03", "2011-02-20")}
MODEL: dict[str, Any] = {
    "height": HEIGHT,
    "width": WIDTH,
    "closeness": 3,
    "period": 1,
    "trend": 1,
    "num_units": 1,
    "hidden_channels": 4,
    "external_channels": 9,
    "output_activation": None,
}
DATA: dict[str, Any] = {
    "dataset": "taxinyc",
    "dataset_args": {"years": [2010, 2011]},
    "scaling": {"method": "standard"},
    "test_days": 7,
    "val_days": 5,
    "batch_size": 32,
}
CONFIG: dict[str, Any] = {
    "task": "grid",
    "trainer": {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "log_every_n_steps": 1,
    },
    "model": {
        "model": {"class_path": "tgst.nn.models.STResNet", "init_args": MODEL},
        "learning_rate": 3e-3,
    },
    "data": DATA,
}


def flows(
    stamps: list[bytes],
    size: tuple[int, int, int] = (2, HEIGHT, WIDTH),
    level: float = 40.0,
    tail: float = 1.0,
    seed: int = 0,
) -> np.ndarray:
    r"""Counts with a daily and a weekly rhythm, and a level of each cell; once in a hundred hours
    one of the cells has ``tail`` times as many.
    """
    rng = np.random.default_rng(seed)
    hours = np.array([float(stamp[8:10]) for stamp in stamps])
    days = np.array([f"{s[:4].decode()}-{s[4:6].decode()}-{s[6:8].decode()}" for s in stamps])
    weekend = (days.astype("datetime64[D]").astype(int) + 3) % 7 >= 5
    rhythm = (1.2 + np.sin(2 * np.pi * (hours - 8) / 24)) * np.where(weekend, 0.6, 1.0)
    cells = level * rng.uniform(0.5, 1.5, size)
    counts = rng.poisson(rhythm[:, None, None, None] * cells).astype(np.float32)
    counts[50::100, :, -1, -1] *= tail
    return counts


def write_taxi_nyc(folder: Path, spans: Any = None, **kwargs: Any) -> Path:
    r"""The files of some years, each with the days of its span."""
    folder.mkdir(parents=True, exist_ok=True)
    for year, (first, last) in (spans or SPANS).items():
        stamps = slot_stamps(first, last, 24, 0)
        path = folder / f"NYC{year % 100}_Taxi_M16x8_T60_InOut.h5"
        write_flow(path, stamps, flows(stamps, **kwargs))
    (folder / "NY_Holiday.txt").write_text("20100101\n20110117\n")
    return folder


def tiny_data(root: Path, **kwargs: Any) -> GridData:
    data = GridData(**(DATA | {"root": str(root)} | kwargs))
    data.setup()
    return data


def tiny_model(seed: int = 0, **kwargs: Any) -> STResNet:
    torch.manual_seed(seed)
    return STResNet(**(MODEL | kwargs))


def trained(
    folder: Path, root: Path, model: dict[str, Any] | None = None, **kwargs: Any
) -> tuple[GridTask, GridData, Path]:
    r"""A task after one epoch, its data and its checkpoint."""
    torch.manual_seed(0)
    task, data = GridTask(tiny_model(**(model or {})), **kwargs), tiny_data(root)
    trainer = tiny_trainer(folder)
    trainer.fit(task, datamodule=data)
    path = folder / "trained.ckpt"
    trainer.save_checkpoint(path)
    return task, data, path
