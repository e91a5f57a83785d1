r"""What tasks of classification share: loss, metrics, optimizer, classes in checkpoints."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.distributions import Beta

from tgst.train.classification_agreement import check_fit_resumable
from tgst.train.moving_average import averaged_model
from tgst.train.recognition_metrics import RecognitionMetrics
from tgst.train.recognition_optimizer import optimizer_and_schedule
from tgst.train.trained_task import TrainedTask

__all__ = ["ClassificationTask"]


class ClassificationTask(TrainedTask):
    r"""The part of a classifier's training that does not depend on what is classified.

    A batch has its classes in ``y``. The loss is the cross entropy. Checkpoints are selected by
    ``val/accuracy``. Classes come from the data module and are part of the checkpoint.

    Attributes:
        items: What is classified, in the plural, for tables and messages.
    """

    selected_by = "accuracy"
    items: ClassVar[str]
    class_weight: Tensor | None

    def use_model(self, model: torch.nn.Module) -> None:
        r"""Takes the model, with the saved hyper-parameters as settings.

        Args:
            model: The model.
        """
        self.model = model
        self.label_smoothing: float = self.hparams["label_smoothing"]
        self.mixup: float = self.hparams["mixup"]
        self.top_k: int = self.hparams["top_k"]
        average = self.hparams["average"]
        self.averaged = None if average is None else averaged_model(model, average)
        self.class_names: list[str] = []
        self.trained_on = None
        self.metrics = torch.nn.ModuleDict()
        self.register_buffer("class_weight", None, persistent=False)

    def use_classes(self, data: Any) -> None:
        r"""Takes the classes, and makes the metrics for them.

        Args:
            data: The data module.
        """
        self.class_names = list(data.class_names)
        self.trained_on = data.trained_on
        for part in ("val", "test"):
            self.metrics[part] = RecognitionMetrics(len(self.class_names), self.top_k)

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        r"""The loss of one batch."""
        if self.mixup:
            loss = self._mixed_loss(batch)
        else:
            logits = self._logits(batch)
            loss = self._loss(logits, batch.y)
            votes = torch.stack([each.softmax(-1) for each in logits]).sum(0)
            hits = (votes.argmax(-1) == batch.y).float().mean()
            self._log("train/accuracy", hits, batch, on_step=False, on_epoch=True)
        loss = self.with_penalties(loss, batch)
        self._log("train/loss", loss, batch, prog_bar=True, on_epoch=True)
        return loss

    def _mixed_loss(self, batch: Any) -> Tensor:
        share = float(Beta(self.mixup, self.mixup).sample())
        order = torch.randperm(batch.y.size(0)).to(batch.y.device)
        logits = self._logits(self.mixed(batch, share, order))
        other = self._loss(logits, batch.y[order])
        return share * self._loss(logits, batch.y) + (1 - share) * other

    @abstractmethod
    def mixed(self, batch: Any, share: float, order: Tensor) -> Any:
        r"""A batch mixed with itself in another order.

        Args:
            batch: The batch.
            share: Share of the batch as it is.
            order: The other order.
        """

    def with_penalties(self, loss: Tensor, batch: Any) -> Tensor:
        r"""The loss with what is added to it.

        Args:
            loss: The cross entropy of the batch whose logits were computed last.
            batch: That batch.
        """
        return loss

    def _logits(self, batch: Any) -> list[Tensor]:
        """What the loss is computed of: the logits of the model, or of each of its networks."""
        return [self(batch)]

    def _loss(self, logits: list[Tensor], y: Tensor) -> Tensor:
        options: dict[str, Any] = {"weight": self.class_weight}
        options["label_smoothing"] = self.label_smoothing
        return torch.stack([F.cross_entropy(each, y, **options) for each in logits]).sum()

    def _log(self, name: str, value: Tensor, batch: Any, **kwargs: Any) -> None:
        # dimension 0 may hold nodes, so Lightning cannot guess the batch size
        self.log(name, value, batch_size=batch.y.size(0), **kwargs)

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        r"""The probability of each class, :math:`(B, \text{classes})`."""
        return self(batch).float().softmax(-1)

    def _update(self, part: str, batch: Any) -> None:
        if bool((batch.y < 0).any()):
            raise ValueError(f"y: expected {self.items} with labels in the {part} part, got none")
        self.metrics[part].update(self(batch).float(), batch.y)  # type: ignore[operator]

    def _overall(self, part: str) -> dict[str, Tensor]:
        return self.metrics[part].scores()  # type: ignore[operator]

    def configure_optimizers(self) -> OptimizerLRScheduler:
        r"""Optimizer and, if one is set, schedule of the trained weights."""
        options = dict(self.hparams)
        if getattr(self.trainer, "fast_dev_run", False):
            options["warmup_epochs"] = 0  # it would not leave any of the one epoch
        return optimizer_and_schedule(self.model, options, self.trainer.max_epochs)

    @property
    def knows_data(self) -> bool:
        r"""Whether the classes are known."""
        return bool(self.class_names)

    def saved(self) -> dict[str, Any]:
        r"""What a checkpoint holds of the data, in plain containers."""
        return {"class_names": self.class_names}

    def use_saved(self, checkpoint: Mapping[str, Any]) -> None:
        r"""Takes from a checkpoint what the data module would have said.

        Args:
            checkpoint: What was saved.
        """
        self.class_names = list(checkpoint.get("class_names", []))
        self.trained_on = checkpoint.get("trained_on")

    def _check_resumed(self, checkpoint: Mapping[str, Any], name: str, epochs: int | None) -> None:
        check_fit_resumable(self, checkpoint, name, epochs)
