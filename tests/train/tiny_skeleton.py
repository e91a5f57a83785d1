r"""Simulated clips, and what trains on them in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.train.tiny import tiny_trainer
from tgst.datasets import SimulatedActions
from tgst.nn.models import SkeletonSTGCN
from tgst.train import RecognitionTask, SkeletonData
from tgst.transforms import SpatialPartition

CLASSES = 8
MODEL: dict[str, Any] = {
    "in_channels": 3,
    "num_classes": CLASSES,
    "num_partitions": 3,
    "num_edges": 58,
    "num_joints": 20,
    "channels": [4, 4],
    "strides": [1, 4],
    "kernel_size": 3,
    "dropout": 0.3,
}
CONFIG: dict[str, Any] = {
    "task": "recognition",
    "trainer": {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "log_every_n_steps": 1,
    },
    "model": {
        "model": {"class_path": "tgst.nn.models.SkeletonSTGCN", "init_args": MODEL},
        "learning_rate": 0.02,
    },
    "data": {
        "dataset": "simulated",
        "dataset_args": {"repetitions": 1},
        "partition": {"class_path": "tgst.transforms.SpatialPartition", "init_args": {"center": 1}},
        "batch_size": 8,
        "validation_subjects": [9],
    },
}


class Noise(torch.nn.Module):
    r"""A random transform."""

    def forward(self, data):
        return data.update({"x": data.x + 0.1 * torch.randn(data.x.shape)})


def clips(split: str = "train", **kwargs: Any) -> SimulatedActions:
    return SimulatedActions(split=split, repetitions=1, **kwargs)


def skeleton_data(**kwargs: Any) -> SkeletonData:
    defaults = {
        "dataset_args": {"repetitions": 1},
        "partition": SpatialPartition(center=1),
        "batch_size": 8,
        "validation_subjects": [9],
        "seed": 0,
    }
    return SkeletonData(**(defaults | kwargs))


def skeleton_model(seed: int = 0, **kwargs: Any) -> SkeletonSTGCN:
    torch.manual_seed(seed)
    return SkeletonSTGCN(**(MODEL | kwargs))


def recognised(folder: Path, **kwargs: Any) -> tuple[RecognitionTask, SkeletonData, Path]:
    r"""A task after one epoch, its data and its checkpoint."""
    task = RecognitionTask(skeleton_model(), learning_rate=0.02, **kwargs)
    data = skeleton_data()
    trainer = tiny_trainer(folder)
    trainer.fit(task, datamodule=data)
    path = folder / "trained.ckpt"
    trainer.save_checkpoint(path)
    return task, data, path
