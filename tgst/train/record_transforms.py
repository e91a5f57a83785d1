r"""The callback that keeps what a spatial transformer does to a few images, epoch by epoch."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

__all__ = ["RecordTransforms"]


class RecordTransforms(Callback):
    r"""Writes the transforms of a few images to a file in the run's folder after every epoch, to
    be animated by :func:`tgst.visualize.animate_warp`.

    The model is asked by its method ``transform``
    (:meth:`tgst.nn.models.ImageClassifier.transform`), with the averaged weights if the task has
    them. The images are the first ones held out for validation, or of the training part where
    nothing is. The file, read with :func:`numpy.load`, holds

    * ``images``: them, :math:`(n, C, H, W)`,
    * ``theta``: their transforms, :math:`(\text{epochs} + 1, n, *)`, the first before training,
    * ``epoch``: the number of epochs before each.

    A resumed run continues what the stopped one recorded.

    Args:
        images: Number of images.
        name: The file in the run's folder; one that ends in ``.npz``.

    Raises:
        ValueError: If the number is less than 1, the name has another ending, or, at the start of
            a fit, the model has no transformer.
    """

    def __init__(self, images: int = 8, name: str = "transforms.npz") -> None:
        if images < 1:
            raise ValueError(f"images must be at least 1, got {images}")
        if not name.endswith(".npz"):
            raise ValueError(f"name must end in .npz, got {name!r}")
        self.images, self.name = images, name
        self._theta: list[Tensor] = []
        self._epoch: list[int] = []
        self._x: Tensor | None = None

    def state_dict(self) -> dict[str, Any]:
        r"""What was recorded so far."""
        return {"theta": list(self._theta), "epoch": list(self._epoch)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        r"""Takes up what was recorded.

        Args:
            state_dict: What :meth:`state_dict` gave.
        """
        self._theta, self._epoch = list(state_dict["theta"]), list(state_dict["epoch"])

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        r"""Refuses a model without transforms."""
        model: Any = pl_module.model
        if getattr(model, "transformer", None) is None or not hasattr(model, "transform"):
            raise ValueError(
                "RecordTransforms needs a model with a transformer and the method transform, got "
                f"{type(model).__name__}"
            )

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        r"""Takes the images, and their transforms before training."""
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self._x = data.shown_images(self.images)
        if not self._epoch:
            self._record(trainer, pl_module, 0)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        r"""Records the epoch and writes the file."""
        self._record(trainer, pl_module, trainer.current_epoch + 1)
        self._write(trainer)

    def _record(self, trainer: Trainer, pl_module: Any, epoch: int) -> None:
        assert self._x is not None
        modes = {module: module.training for module in pl_module.modules()}
        pl_module.eval()
        with torch.no_grad():
            theta = pl_module.used_model.transform(self._x.to(pl_module.device))
        for module, mode in modes.items():
            module.training = mode
        self._theta.append(theta.float().cpu())
        self._epoch.append(epoch)

    @rank_zero_only
    def _write(self, trainer: Trainer) -> None:
        folder = trainer.log_dir
        if folder is None or getattr(trainer, "fast_dev_run", False):
            return
        assert self._x is not None
        path = Path(folder) / self.name
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        with open(temporary, "wb") as file:
            np.savez(
                file,
                images=self._x.cpu().numpy(),
                theta=torch.stack(self._theta).numpy(),
                epoch=np.array(self._epoch),
            )
        os.replace(temporary, path)
