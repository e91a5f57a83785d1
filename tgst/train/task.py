r"""The forecasting task: model, loss, metrics and optimizer."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Literal

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tgst.data import StandardScaler
from tgst.loader import WindowBatch
from tgst.metrics import MaskedMAE, MaskedMAPE, MaskedRMSE
from tgst.train.agreement import (
    check_fits_data,
    check_resumable,
    model_differences,
    setting_differences,
    state_part,
)
from tgst.train.fill import fill_forward
from tgst.train.options import LOSSES, check_options, make_optimizer
from tgst.train.report import quarter_half_all
from tgst.train.static_graph import StaticGraph
from tgst.train.trained_task import TrainedTask

__all__ = ["ForecastTask"]

METRICS: dict[str, Any] = {"mae": MaskedMAE, "rmse": MaskedRMSE, "mape": MaskedMAPE}


class ForecastTask(TrainedTask):
    r"""Trains and tests a model that forecasts the readings of the nodes of one static graph.

    The inputs are standardised, unobserved readings are filled, covariates such as the time of
    day are appended as channels. The output is brought back to the unit of the readings,
    in which the loss and all metrics are computed over observed targets only. Validation logs
    ``val/mae``, by which checkpoints are selected, ``val/rmse`` and ``val/mape``, each over all
    steps of the horizon.

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

    data_name = "a ForecastData"
    selected_by = "mae"

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
        self.averaged = None
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
        self.trained_on = None
        self.metrics = torch.nn.ModuleDict()
        self.scores: dict[str, Tensor] = {}
        self.tested_batches: int | None = None

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
            out = self.used_model(x, graph.edge_index, **kwargs)
        else:
            kwargs["covariates"] = future.to(x.dtype) if future.size(-1) else None
            steps = self.rollout_steps
            out = self.used_model.rollout(x, graph.edge_index, **kwargs, steps=steps)
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

    def on_test_epoch_end(self) -> None:
        r"""Logs the test metrics and keeps them per horizon step in ``scores``."""
        super().on_test_epoch_end()
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

    def _overall(self, part: str) -> dict[str, Tensor]:
        return {name: metric.overall() for name, metric in self._metrics(part)}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        r"""Optimizer and, if one is set, scheduler of the trained weights."""
        return make_optimizer(self.model, vars(self), self.trainer.max_epochs)

    @property
    def knows_data(self) -> bool:
        r"""Whether graph and scaler are known."""
        return self.graph is not None

    def saved(self) -> dict[str, Any]:
        r"""What a checkpoint holds of the data, in plain containers."""
        return {"target_index": self.target_index, "channels": self.channels}

    def use_saved(self, checkpoint: Mapping[str, Any]) -> None:
        r"""Takes from a checkpoint what the data module would have said.

        Args:
            checkpoint: What was saved.
        """
        state = checkpoint["state_dict"]
        self.graph = StaticGraph.from_state(state_part(state, "graph."))
        self.scaler = StandardScaler(state["scaler.mean"].numel())
        self.target_index = checkpoint.get("target_index")
        self.channels = checkpoint.get("channels", {})

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        r"""Refuses a checkpoint of another model or graph before any weight is changed.

        Args:
            checkpoint: What was saved; with ``other_graph`` it gets graph and scaler of the data.

        Raises:
            ValueError: If :meth:`check_checkpoint` finds a difference.
        """
        super().on_load_checkpoint(checkpoint)
        state = checkpoint["state_dict"]
        graph, _ = self._require_data()
        if graph.difference(state_part(state, "graph.")) is not None:
            own = self.state_dict()
            for name in [n for n in (*state, *own) if n.startswith(("graph.", "scaler."))]:
                state.pop(name, None)
            state.update({n: v for n, v in own.items() if n.startswith(("graph.", "scaler."))})

    def _check_fits(self, checkpoint: Mapping[str, Any], name: str) -> None:
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

    def _check_resumed(self, checkpoint: Mapping[str, Any], name: str, epochs: int | None) -> None:
        check_resumable(name, checkpoint, self.hparams, epochs, self.trained_on)

    def _input_differences(self, checkpoint: Mapping[str, Any]) -> list[str]:
        names = ("fill", "rollout_steps", "future_covariates")
        options = {name: self.hparams[name] for name in names}
        return [
            *setting_differences(checkpoint.get("hyper_parameters", {}), options),
            *setting_differences(checkpoint.get("channels", {}), self.channels),
        ]
