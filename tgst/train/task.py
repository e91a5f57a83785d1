r"""The forecasting task: model, loss, metrics and optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Literal

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tgst.data import StandardScaler
from tgst.loader import WindowBatch
from tgst.metrics import MaskedMAE, MaskedMAPE, MaskedRMSE
from tgst.train.agreement import (
    check_fits_data,
    check_resumable,
    class_name,
    constructor_arguments,
    model_differences,
    setting_differences,
    state_part,
)
from tgst.train.fill import fill_forward
from tgst.train.options import LOSSES, OPTIMIZERS, check_options, make_scheduler
from tgst.train.report import quarter_half_all
from tgst.train.static_graph import StaticGraph

__all__ = ["ForecastTask"]

METRICS: dict[str, Any] = {"mae": MaskedMAE, "rmse": MaskedRMSE, "mape": MaskedMAPE}


class ForecastTask(LightningModule):
    r"""Trains and tests a model that forecasts the readings of the nodes of one static graph.

    The inputs are standardised, unobserved readings are filled, covariates such as the time of
    day are appended as channels. The output is brought back to the unit of the readings,
    in which the loss and all metrics are computed over observed targets only. Checkpoints are
    selected by ``val/mae``, the mean over all steps of the horizon.

    Graph and scaler come from the :class:`tgst.train.ForecastData` and are part of the checkpoint:
    a checkpoint of another model or another graph is refused.

    Args:
        model: Called as ``model(x, edge_index, edge_type=..., edge_weight=..., e_id=...)`` with
            those edge attributes that the graph has and its ``forward`` takes. Its attributes
            ``history``, ``horizon``, ``in_channels``, ``out_channels`` and ``num_nodes``, as far as
            it has them, must agree with the data.
        loss: ``"mae"``, ``"mse"`` or ``"huber"`` (with threshold 1), in the unit of the readings.
        learning_rate: Step size.
        weight_decay: L2 penalty (``adam``) or decoupled decay (``adamw``).
        optimizer: ``"adam"`` or ``"adamw"``.
        scheduler: ``"step"``, ``"multistep"``, ``"exponential"``, ``"cosine"`` or None; one step
            per epoch.
        scheduler_args: Arguments of the scheduler of :mod:`torch.optim.lr_scheduler`; ``T_max``
            of ``"cosine"`` is by default the number of epochs.
        average: Decay, such as 0.999, of an exponential moving average of the weights which
            validation, test and prediction then use; None for none.
        fill: What stands for an unobserved reading in the input: the ``"mean"`` (zero after
            standardising), or the ``"last"`` observed reading of the node in the window, and the
            mean before the first one.
        rollout_steps: For a model that predicts one step: the number of steps that its ``rollout``
            predicts in validation, test and prediction; training takes the first target step.
        future_covariates: Give the model the covariates of the horizon too (the time of day, own
            ones of the loader), known when the forecast is made: those of each horizon step are
            :math:`D` more channels, the same in every input step.
        report_steps: The horizon steps, from 1, that the test logs and the score table show; a
            quarter, half and all of the horizon if None.
        other_graph: Accept a checkpoint that was trained on another graph: the weights come from
            the checkpoint, graph and scaler from the data.

    Shapes:
        - **batch**: a :class:`tgst.loader.WindowBatch`
        - **output**: :math:`(N, B, \text{horizon}, C)`

    Raises:
        ValueError: If a name is unknown, ``average`` is not between 0 and 1, the model has no
            ``rollout`` for ``rollout_steps``, or ``future_covariates`` is set beside it.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        loss: Literal["mae", "mse", "huber"] = "mae",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        optimizer: Literal["adam", "adamw"] = "adam",
        scheduler: Literal["step", "multistep", "exponential", "cosine"] | None = None,
        scheduler_args: dict[str, Any] | None = None,
        average: float | None = None,
        fill: Literal["mean", "last"] = "mean",
        rollout_steps: int | None = None,
        future_covariates: bool = False,
        report_steps: list[int] | None = None,
        other_graph: bool = False,
    ) -> None:
        super().__init__()
        if future_covariates and rollout_steps is not None:
            raise ValueError(
                "future_covariates: expected False with rollout_steps, whose recursion feeds them "
                "in as they come, got True"
            )
        self.save_hyperparameters(ignore=["model"])
        check_options(model, self.hparams)
        self.model = model
        self.loss = loss
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.optimizer = optimizer
        self.scheduler = scheduler
        self.scheduler_args = dict(scheduler_args or {})
        self.fill = fill
        self.rollout_steps = rollout_steps
        self.future_covariates = future_covariates
        self.report_steps = report_steps
        self.other_graph = other_graph
        self.averaged: AveragedModel | None = None
        if average is not None:
            # without use_buffers integers stay integers; normalisation statistics are copied
            self.averaged = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(average))
            self.averaged.requires_grad_(False)
        accepted = inspect.signature(model.forward).parameters
        self._edge_attributes = [n for n in ("edge_type", "edge_weight", "e_id") if n in accepted]
        self.graph: StaticGraph | None = None
        self.scaler: StandardScaler | None = None
        self.target_index: list[int] | None = None
        self.channels: dict[str, list[str]] = {}
        self.trained_on: str | None = None
        self.metrics = torch.nn.ModuleDict()
        self.scores: dict[str, Tensor] = {}
        self.tested_batches: int | None = None

    def setup(self, stage: str | None = None) -> None:
        r"""Takes graph, scaler and horizon from the data module.

        Args:
            stage: Lightning's stage.

        Raises:
            ValueError: If there is no data module, or as :meth:`use_data`.
        """
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        if data is None:
            raise ValueError("datamodule: expected a ForecastData, got None")
        self.use_data(data)

    def use_data(self, data: Any) -> None:
        r"""Takes graph, scaler and horizon from a data module that was set up.

        Args:
            data: A :class:`tgst.train.ForecastData`.

        Raises:
            ValueError: If the model does not agree with the data in steps, nodes or channels, if
                the targets are not the channels that ``residual`` or ``rollout_steps`` need, or
                if a step of ``report_steps`` is beyond the horizon.
        """
        check_fits_data(self.model, data, self.rollout_steps, self.future_covariates)
        if not all(1 <= step <= data.horizon for step in self.report_steps or ()):
            raise ValueError(
                f"report_steps must be of 1 to {data.horizon}, got {self.report_steps}"
            )
        self.graph = StaticGraph.from_data(data.graph).to(self.device)
        self.scaler = StandardScaler(data.scaler.mean.numel()).to(self.device)
        self.scaler.load_state_dict(data.scaler.state_dict())
        self.target_index = data.target_index
        self.channels = {
            "channels": list(data.series.channels),
            "targets": data.target_names,
            "covariates": data.covariate_names,
        }
        moments = data.series.timestamps[data.train_rows.start : data.train_rows.stop]
        self.trained_on = f"{moments[0]} to {moments[-1]}"
        for part in ("val", "test"):
            self.metrics[part] = torch.nn.ModuleDict(
                {name: metric(data.horizon) for name, metric in METRICS.items()}
            )

    def forward(self, batch: WindowBatch) -> Tensor:
        r"""Forecasts a batch in the unit of the readings.

        In evaluation mode this is the recursive forecast if ``rollout_steps`` is set and the
        averaged weights' if ``average`` is set.

        Args:
            batch: Windows as the loader gives them, with raw readings.
        """
        graph, scaler = self._require_data()
        model: Any = self.model
        if self.averaged is not None and not self.training:
            model = self.averaged.module
        x = scaler.transform(batch.x)
        x = x * batch.mask.unsqueeze(-1) if self.fill == "mean" else fill_forward(x, batch.mask)
        past, future = batch.covariates.split([x.size(2), batch.covariates.size(2) - x.size(2)], 2)
        if self.future_covariates:
            known = future.flatten(2).unsqueeze(2).expand(-1, -1, past.size(2), -1)
            past = torch.cat([past, known], dim=-1)
        if past.size(-1):
            x = torch.cat([x, past.to(x.dtype).expand(x.size(0), -1, -1, -1)], dim=-1)
        edges = graph.attributes()
        kwargs: dict[str, Any] = {n: edges[n] for n in self._edge_attributes if n in edges}
        if self.rollout_steps is None or self.training:
            out = model(x, graph.edge_index, **kwargs)
        else:
            kwargs["covariates"] = future.to(x.dtype) if future.size(-1) else None
            out = model.rollout(x, graph.edge_index, **kwargs, steps=self.rollout_steps)
        return scaler.inverse_transform(out, self.target_index)

    def _require_data(self) -> tuple[StaticGraph, StandardScaler]:
        if self.graph is None or self.scaler is None:
            raise RuntimeError("graph and scaler are set by setup() or by loading a checkpoint")
        return self.graph, self.scaler

    def training_step(self, batch: WindowBatch, batch_idx: int) -> Tensor:
        r"""The loss of one batch."""
        prediction = self(batch)
        steps = prediction.size(2)  # one if trained for recursive forecasts
        loss = LOSSES[self.loss](prediction, batch.y[:, :, :steps], batch.y_mask[:, :, :steps])
        # dimension 0 holds the nodes, so Lightning cannot guess the batch size
        self.log("train/loss", loss, prog_bar=True, on_epoch=True, batch_size=batch.x.size(1))
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        r"""One step of the optimizer, then of the averaged weights."""
        super().optimizer_step(*args, **kwargs)
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)

    def validation_step(self, batch: WindowBatch, batch_idx: int) -> None:
        r"""Adds one batch to the validation metrics."""
        self._update("val", batch)

    def test_step(self, batch: WindowBatch, batch_idx: int) -> None:
        r"""Adds one batch to the test metrics."""
        self._update("test", batch)

    def predict_step(self, batch: WindowBatch, batch_idx: int) -> Tensor:
        r"""The forecast of one batch, :math:`(N, B, \text{horizon}, C)`."""
        return self(batch)

    def on_validation_epoch_start(self) -> None:
        r"""Empties the validation metrics."""
        self._reset("val")

    def on_test_epoch_start(self) -> None:
        r"""Empties the test metrics."""
        self._reset("test")

    def on_validation_epoch_end(self) -> None:
        r"""Logs ``val/mae``, ``val/rmse`` and ``val/mape``."""
        self._log_scores("val")

    def on_test_epoch_end(self) -> None:
        r"""Logs the test metrics and keeps them per horizon step in ``scores``."""
        self._log_scores("test")
        self.scores = {name: metric.compute().cpu() for name, metric in self._metrics("test")}
        self.tested_batches = self._limited_batches()
        for name, errors in self.scores.items():
            for step in self.report_steps or quarter_half_all(len(errors)):
                self.log(f"test/{name}_step_{step}", errors[step - 1].float(), sync_dist=True)

    def _limited_batches(self) -> int | None:
        """The first so many batches of the loader were tested; None if all were."""
        limit: Any = self.trainer.limit_test_batches
        if isinstance(limit, float) and limit == 1.0:  # the integer 1 means one batch
            return None
        return int(self.trainer.num_test_batches[0]) * self.trainer.world_size

    def _metrics(self, part: str) -> list[tuple[str, Any]]:
        return list(self.metrics[part].items())  # type: ignore[operator]

    def _update(self, part: str, batch: WindowBatch) -> None:
        prediction = self(batch)
        for _, metric in self._metrics(part):
            metric.update(prediction, batch.y, batch.y_mask)

    def _reset(self, part: str) -> None:
        for _, metric in self._metrics(part):
            metric.reset()

    def _log_scores(self, part: str) -> None:
        for name, metric in self._metrics(part):
            # the metric has gathered all processes already
            value = metric.overall().float()
            self.log(f"{part}/{name}", value, prog_bar=name == "mae", sync_dist=True)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        r"""Optimizer and, if one is set, scheduler of the trained weights."""
        optimizer = OPTIMIZERS[self.optimizer](
            self.model.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay
        )
        if self.scheduler is None:
            return optimizer
        scheduler = make_scheduler(
            self.scheduler, optimizer, self.scheduler_args, self.trainer.max_epochs
        )
        return [optimizer], [scheduler]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        r"""Adds what a task without a data module needs to know."""
        checkpoint["model_class"] = class_name(self.model)
        checkpoint["model_arguments"] = constructor_arguments(self.model)
        checkpoint["target_index"] = self.target_index
        checkpoint["channels"] = self.channels
        checkpoint["trained_on"] = self.trained_on

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        r"""Refuses a checkpoint of another model or graph before any weight is changed.

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
        state = checkpoint["state_dict"]
        if self.graph is None:  # loaded without a data module
            self.graph = StaticGraph.from_state(state_part(state, "graph."))
            self.scaler = StandardScaler(state["scaler.mean"].numel())
            self.target_index = checkpoint.get("target_index")
            self.channels = checkpoint.get("channels", {})
        if self.graph.difference(state_part(state, "graph.")) is not None:
            own = self.state_dict()
            for name in [n for n in (*state, *own) if n.startswith(("graph.", "scaler."))]:
                state.pop(name, None)
            state.update({n: v for n, v in own.items() if n.startswith(("graph.", "scaler."))})

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
            ValueError: If model, weight averaging, input, channels or graph differ, or, of a fit
                to resume, the optimizer, its schedule or the training rows; names how.
        """
        sentences = model_differences(self, checkpoint) or self._input_differences(checkpoint)
        if sentences:
            raise ValueError(f"{name} does not fit the model: {'; '.join(sentences)}")
        if self.graph is not None and not self.other_graph:
            difference = self.graph.difference(state_part(checkpoint["state_dict"], "graph."))
            if difference is not None:
                raise ValueError(
                    f"{name} was trained on another graph: {difference}; "
                    "set model.other_graph to true to use its weights here"
                )
        if resumed:
            check_resumable(name, checkpoint, self.hparams, max_epochs, self.trained_on)

    def _input_differences(self, checkpoint: Mapping[str, Any]) -> list[str]:
        names = ("fill", "rollout_steps", "future_covariates")
        options = {name: self.hparams[name] for name in names}
        return [
            *setting_differences(checkpoint.get("hyper_parameters", {}), options),
            *setting_differences(checkpoint.get("channels", {}), self.channels),
        ]
