r"""What all tasks share: averaged weights, the course of validation and test, checkpoints."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from tgst.train.agreement import class_name, constructor_arguments

__all__ = ["TrainedTask"]


class TrainedTask(LightningModule):
    r"""The part of training and testing that does not depend on what the model does.

    Attributes:
        data_name: The data module's class, for messages.
        selected_by: The metric of the validation part that selects checkpoints.
        metrics: Of the parts ``"val"`` and ``"test"``, as soon as the data are known.
    """

    data_name: ClassVar[str]
    selected_by: ClassVar[str]
    model: torch.nn.Module
    averaged: AveragedModel | None
    metrics: torch.nn.ModuleDict
    trained_on: str | None

    def setup(self, stage: str | None = None) -> None:
        r"""Takes from the data module what the task needs to know.

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
        r"""Takes what the task needs to know from a data module that was set up."""

    @property
    @abstractmethod
    def knows_data(self) -> bool:
        r"""Whether a data module or a checkpoint has said what the task needs to know."""

    @property
    def used_model(self) -> Any:
        r"""The model, or in evaluation mode the one with the averaged weights, if there are any."""
        if self.averaged is not None and not self.training:
            return self.averaged.module
        return self.model

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
        r"""The output for one batch."""
        return self(batch)

    def on_validation_epoch_start(self) -> None:
        r"""Empties the validation metrics."""
        self._reset("val")

    def on_test_epoch_start(self) -> None:
        r"""Empties the test metrics."""
        self._reset("test")

    def on_validation_epoch_end(self) -> None:
        r"""Logs the validation metrics."""
        self._log_scores("val")

    def on_test_epoch_end(self) -> None:
        r"""Logs the test metrics."""
        self._log_scores("test")

    @abstractmethod
    def _update(self, part: str, batch: Any) -> None:
        """Adds one batch to the metrics of a part."""

    def _reset(self, part: str) -> None:
        self.metrics[part].reset()  # type: ignore[operator]

    @abstractmethod
    def _overall(self, part: str) -> Mapping[str, Tensor]:
        """The scores of a part by the names that are logged."""

    def _log_scores(self, part: str) -> None:
        for name, value in self._overall(part).items():
            # the metric has gathered all processes already
            shown = name == self.selected_by
            self.log(f"{part}/{name}", value.float(), prog_bar=shown, sync_dist=True)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        r"""Adds what a task without a data module needs to know."""
        checkpoint["model_class"] = class_name(self.model)
        checkpoint["model_arguments"] = constructor_arguments(self.model)
        checkpoint["trained_on"] = self.trained_on
        checkpoint.update(self.saved())

    @abstractmethod
    def saved(self) -> dict[str, Any]:
        r"""What a checkpoint holds of the data, in plain containers."""

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        r"""Refuses by :meth:`check_checkpoint`, before any weight is changed."""
        trainer = self._trainer
        name = f"checkpoint {trainer.ckpt_path}" if trainer is not None else "the checkpoint"
        resumed = trainer is not None and trainer.state.fn == TrainerFn.FITTING
        epochs = trainer.max_epochs if trainer is not None else None
        self.check_checkpoint(checkpoint, name, resumed, epochs)
        if not self.knows_data:
            self.use_saved(checkpoint)

    @abstractmethod
    def use_saved(self, checkpoint: Mapping[str, Any]) -> None:
        r"""Takes from a checkpoint what the data module would have said."""

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
            ValueError: If model, weight averaging or what is said of the data differ, or, of a fit
                to resume, the optimizer, its schedule or what is trained on; names how.
        """
        self._check_fits(checkpoint, name)
        if resumed:
            self._check_resumed(checkpoint, name, max_epochs)

    @abstractmethod
    def _check_fits(self, checkpoint: Mapping[str, Any], name: str) -> None:
        """Refuses a checkpoint of another model or other data."""

    @abstractmethod
    def _check_resumed(self, checkpoint: Mapping[str, Any], name: str, epochs: int | None) -> None:
        """Refuses a checkpoint of a fit with other settings or other training data."""
