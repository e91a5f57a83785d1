r"""What tasks of classification share: loss, metrics, averaged weights, optimizer, checkpoints."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.distributions import Beta

from tgst.train.moving_average import averaged_model
from tgst.train.recognition_metrics import RecognitionMetrics
from tgst.train.recognition_optimizer import optimizer_and_schedule

__all__ = ["ClassificationTask"]


class ClassificationTask(LightningModule):
    r"""The part of a classifier's training that does not depend on what is classified.

    A batch has its classes in ``y``. The loss is the cross entropy. Checkpoints are selected by
    ``val/accuracy``. Classes come from the data module and are part of the checkpoint.

    Attributes:
        data_name: The data module's class, for messages.
        items: What is classified, in the plural, for tables and messages.
    """

    data_name: ClassVar[str]
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
        self.trained_on: str | None = None
        self.metrics = torch.nn.ModuleDict()
        self.register_buffer("class_weight", None, persistent=False)

    def setup(self, stage: str | None = None) -> None:
        r"""Takes from the data module what the model needs to know.

        Args:
            stage: Lightning's stage.

        Raises:
            ValueError: If there is no data module, or as :meth:`use_data`.
        """
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        if data is None:
            raise ValueError(f"datamodule: expected {self.data_name}, got None")
        self.use_data(data)

    @abstractmethod
    def use_data(self, data: Any) -> None:
        r"""Takes what the task needs to know from a data module that was set up.

        Args:
            data: The data module.
        """

    def use_classes(self, data: Any) -> None:
        r"""Takes the classes, and makes the metrics for them.

        Args:
            data: The data module.
        """
        self.class_names = list(data.class_names)
        self.trained_on = data.trained_on
        for part in ("val", "test"):
            self.metrics[part] = RecognitionMetrics(len(self.class_names), self.top_k)

    @property
    def used_model(self) -> Any:
        r"""The model, or in evaluation mode the one with the averaged weights, if there are any."""
        if self.averaged is not None and not self.training:
            return self.averaged.module
        return self.model

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

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        r"""One step of the optimizer, then of the averaged weights."""
        super().optimizer_step(*args, **kwargs)
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        r"""Adds one batch to the validation metrics."""
        self._update("val", batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        r"""Adds one batch to the test metrics."""
        self._update("test", batch)

    def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
        r"""The probability of each class, :math:`(B, \text{classes})`."""
        return self(batch).float().softmax(-1)

    def on_validation_epoch_start(self) -> None:
        r"""Empties the validation metrics."""
        self.metrics["val"].reset()  # type: ignore[operator]

    def on_test_epoch_start(self) -> None:
        r"""Empties the test metrics."""
        self.metrics["test"].reset()  # type: ignore[operator]

    def on_validation_epoch_end(self) -> None:
        r"""Logs ``val/accuracy``, ``val/top_5``, ``val/class_accuracy`` and ``val/loss``."""
        self._log_scores("val")

    def on_test_epoch_end(self) -> None:
        r"""Logs the test metrics; ``metrics["test"]`` keeps them, with the confusion matrix."""
        self._log_scores("test")

    def _update(self, part: str, batch: Any) -> None:
        if bool((batch.y < 0).any()):
            raise ValueError(f"y: expected {self.items} with labels in the {part} part, got none")
        self.metrics[part].update(self(batch).float(), batch.y)  # type: ignore[operator]

    def _log_scores(self, part: str) -> None:
        scores = self.metrics[part].scores()  # type: ignore[operator]
        for name, value in scores.items():
            # the metric has gathered all processes already
            self.log(f"{part}/{name}", value.float(), prog_bar=name == "accuracy", sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        r"""Optimizer and, if one is set, schedule of the trained weights."""
        options = dict(self.hparams)
        if getattr(self.trainer, "fast_dev_run", False):
            options["warmup_epochs"] = 0  # it would not leave any of the one epoch
        return optimizer_and_schedule(self.model, options, self.trainer.max_epochs)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        r"""Adds what a task without a data module needs to know."""
        checkpoint.update(self.saved())

    @abstractmethod
    def saved(self) -> dict[str, Any]:
        r"""What a checkpoint holds beside the weights, in plain containers."""

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        r"""Refuses a checkpoint of another model or other classes before any weight is changed.

        Args:
            checkpoint: What was saved.

        Raises:
            ValueError: If :meth:`check_checkpoint` finds a difference.
        """
        trainer = self._trainer
        name = f"checkpoint {trainer.ckpt_path}" if trainer is not None else "the checkpoint"
        resumed = trainer is not None and trainer.state.fn == TrainerFn.FITTING
        epochs = trainer.max_epochs if trainer is not None else None
        self.check_checkpoint(checkpoint, name, resumed, epochs)
        if not self.class_names:  # loaded without a data module
            self.use_saved(checkpoint)

    def use_saved(self, checkpoint: Mapping[str, Any]) -> None:
        r"""Takes from a checkpoint what the data module would have said.

        Args:
            checkpoint: What was saved.
        """
        self.class_names = list(checkpoint.get("class_names", []))
        self.trained_on = checkpoint.get("trained_on")

    @abstractmethod
    def check_checkpoint(
        self,
        checkpoint: Mapping[str, Any],
        name: str = "the checkpoint",
        resumed: bool = False,
        max_epochs: int | None = None,
    ) -> None:
        r"""Refuses a checkpoint that does not belong to the model, the data or the settings.

        Args:
            checkpoint: What was saved.
            name: How messages call it.
            resumed: Whether a fit shall continue from it, with its optimizer.
            max_epochs: Epochs of the resumed fit.

        Raises:
            ValueError: If something differs; names how.
        """
