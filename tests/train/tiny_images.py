r"""Images with a bright band that says the class, and what trains on them in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.train.tiny import tiny_trainer
from tgst.nn import SpatialTransformer
from tgst.nn.models import ImageClassifier
from tgst.nn.warp import Attention, ConvLocalization
from tgst.train import ImageData, ImageTask

CLASSES = 10
MODEL: dict[str, Any] = {
    "in_channels": 1,
    "num_classes": CLASSES,
    "image_size": 40,
    "channels": [4],
    "hidden": 0,
    "downsample": 4,
    "dropout": 0.2,
}
TRANSFORMER: dict[str, Any] = {
    "class_path": "tgst.nn.SpatialTransformer",
    "init_args": {
        "warp": {"class_path": "tgst.nn.warp.Attention"},
        "output_size": [20, 20],
        "localization": {
            "class_path": "tgst.nn.warp.ConvLocalization",
            "init_args": {
                "in_channels": 1,
                "num_params": 3,
                "image_size": [40, 40],
                "channels": [2],
                "hidden": 4,
                "downsample": 4,
            },
        },
    },
}
CONFIG: dict[str, Any] = {
    "task": "image",
    "trainer": {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "log_every_n_steps": 1,
    },
    "model": {
        "model": {
            "class_path": "tgst.nn.models.ImageClassifier",
            "init_args": MODEL | {"transformer": TRANSFORMER},
        },
        "learning_rate": 0.02,
        "localization_scale": 0.1,
        "identity_penalty": 0.01,
        "average": 0.9,
    },
    "data": {
        "augment": [
            {
                "class_path": "tgst.transforms.images.RandomAffine",
                "init_args": {"shift": 1, "scale": 0.05},
            },
            {"class_path": "tgst.transforms.images.RandomNoise", "init_args": {"std": 0.02}},
        ],
        "batch_size": 8,
        "validation_share": 0.2,
    },
}


def bands(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    r"""Images as they are stored, and their classes."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % CLASSES
    x = 0.3 * rng.random((count, 40, 40))
    for image, label in zip(x, y, strict=True):
        image[4 * label : 4 * label + 4] += 0.7
    return x.reshape(count, 1600).astype("f4"), y.reshape(-1, 1).astype("i4")


def write_images(folder: Path, train: int = 40, test: int = 20) -> Path:
    r"""A file as that of cluttered MNIST."""
    folder.mkdir(parents=True, exist_ok=True)
    (x, y), (x_test, y_test) = bands(train), bands(test, seed=1)
    path = folder / "cluttered_mnist_40x40.npz"
    np.savez(path, X_train=x, y_train=y, X_valid=x_test, y_valid=y_test)
    return folder


def image_data(root: Path, **kwargs: Any) -> ImageData:
    defaults = {"root": str(root), "batch_size": 8, "validation_share": 0.2, "seed": 0}
    return ImageData(**(defaults | kwargs))


def image_model(seed: int = 0, **kwargs: Any) -> ImageClassifier:
    torch.manual_seed(seed)
    return ImageClassifier(**(MODEL | kwargs))


def with_transformer(seed: int = 0) -> ImageClassifier:
    torch.manual_seed(seed)
    localization = ConvLocalization(1, 3, 40, channels=(2,), hidden=4, downsample=4)
    return image_model(
        seed, transformer=SpatialTransformer(localization, Attention(), output_size=20)
    )


def ready(root: Path, model: torch.nn.Module | None = None, **kwargs: Any):
    r"""A task that knows its data, without a fit."""
    task, data = ImageTask(model or image_model(), **kwargs), image_data(root)
    data.setup("fit")
    task.use_data(data)
    return task, data


def classified(folder: Path, root: Path, **kwargs: Any) -> tuple[ImageTask, ImageData, Path]:
    r"""A task after one epoch, its data and its checkpoint."""
    task, data = ImageTask(image_model(), learning_rate=0.02, **kwargs), image_data(root)
    trainer = tiny_trainer(folder)
    trainer.fit(task, datamodule=data)
    path = folder / "trained.ckpt"
    trainer.save_checkpoint(path)
    return task, data, path
