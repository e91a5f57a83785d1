r"""The grid task: model, loss, metrics and optimizer."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from typing import Any, Literal

import torch
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor

from tgst.train.agreement import check_resumable
from tgst.train.grid_agreement import (
    check_fits_grid,
    check_grid_checkpoint,
    check_grid_options,
    check_output,
    load_weights,
    warn_if_seen,
)
from tgst.train.grid_collapse import CollapseWatch, remedies
from tgst.train.grid_metrics import GridMetrics
from tgst.train.grid_scaling import GridScaling
from tgst.train.grid_windows import GridBatch
from tgst.train.moving_average import averaged_model
from tgst.train.options import LOSSES, make_optimizer
from tgst.train.report import quarter_half_all
from tgst.train.trained_task import TrainedTask

__all__ = ["GridTask"]

Plane = Literal["position", "time_of_day"]
SCORED = {TrainerFn.VALIDATING: "val", TrainerFn.TESTING: "test"}


class GridTask(TrainedTask):
    r"""Trains and tests a model that forecasts the flows in the cells of a grid.

    Frames are scaled; the network says the scaled forecast, or its scaled change against a
    reference frame (:class:`tgst.train.grid_scaling.GridScaling`), as the
    :class:`tgst.train.GridData` has it.

    All metrics are in the unit of the flows, over all cells and channels. Checkpoints are selected
    by ``val/rmse``. Grid, windows and scalers are part of the checkpoint: one of another model or
    of another grid is refused.

    Training that has collapsed to forecasts that are as good as constant is stopped with a message
    (:class:`tgst.train.grid_collapse.CollapseWatch`), as the published min-max scaling and tanh
    collapse on heavy-tailed flows.

    Args:
        model: Called as ``model(closeness, period, trend, external)``, as
            :class:`tgst.nn.models.STResNet` is: frames :math:`(B, l C, H, W)` each, the most recent
            first, and external features :math:`(B, \text{horizon} \cdot E)`; None where there are
            none. A model whose ``forward`` has no ``closeness``, such as
            :class:`tgst.nn.models.ResidualGridNet`, is called with all frames one after another,
            and after them each external feature as a constant plane. Gives
            :math:`(B, \text{horizon} \cdot C, H, W)`. Its attributes ``height``, ``width``,
            ``channels``, ``in_channels``, ``out_channels``, ``horizon``, ``frames`` and
            ``external_channels``, as far as it has them, must agree with the data.
        loss: ``"mse"``, ``"mae"`` or ``"huber"`` (with ``huber_threshold``).
        loss_unit: Compute it of what the network says (``"scaled"``, as published: every cell
            counts as its scaling has it) or of flows in their unit (``"counts"``), divided by the
            standard deviation of the training flows.
        huber_threshold: Where the Huber loss turns from quadratic to linear.
        learning_rate: Step size.
        weight_decay: L2 penalty (``adam``) or decoupled decay (``adamw``).
        optimizer: ``"adam"`` or ``"adamw"``.
        scheduler: ``"step"``, ``"multistep"``, ``"exponential"``, ``"cosine"`` or None; one step
            per epoch.
        scheduler_args: Arguments of the scheduler of :mod:`torch.optim.lr_scheduler`; ``T_max``
            of ``"cosine"`` is by default the number of epochs.
        average: Decay, such as 0.99, of an exponential moving average of the weights, which
            validation, test and prediction then use; None for none.
        join: Give the frames of period and trend to the closeness branch too, after its own, so
            that one network sees them together.
        planes: Planes that join the channels of every frame: ``"position"`` (row and column from
            -1 to 1) and ``"time_of_day"`` (sine and cosine, of the first target).
        non_negative: Set negative forecasts to zero outside of training.
        rmse_factor: Report the RMSE times this as well; see
            :class:`tgst.train.grid_metrics.GridMetrics`.
        on_collapse: After a collapse raise an ``"error"``, ``"warn"`` or ``"ignore"`` it.
        start_from: A checkpoint whose weights and scalers a new fit starts from, such as that of
            the first stage for one with ``data.train_on_all``.
        report_steps: The horizon steps, from 1, that the test logs and the score table show; a
            quarter, half and all of the horizon if None.

    Shapes:
        - **batch**: a :class:`tgst.train.grid_windows.GridBatch`
        - **output**: :math:`(B, \text{horizon}, C, H, W)`

    Raises:
        ValueError: If a name is unknown or a number out of range; names the argument.
    """

    data_name = "a GridData"
    selected_by = "rmse"
    loss_scale: Tensor

    def __init__(
        self,
        model: torch.nn.Module,
        loss: Literal["mse", "mae", "huber"] = "mse",
        loss_unit: Literal["scaled", "counts"] = "scaled",
        huber_threshold: float = 1.0,
        learning_rate: float = 2e-4,
        weight_decay: float = 0.0,
        optimizer: Literal["adam", "adamw"] = "adam",
        scheduler: Literal["step", "multistep", "exponential", "cosine"] | None = None,
        scheduler_args: dict[str, Any] | None = None,
        average: float | None = None,
        join: bool = False,
        planes: list[Plane] | None = None,
        non_negative: bool = True,
        rmse_factor: float | None = None,
        on_collapse: Literal["error", "warn", "ignore"] = "error",
        start_from: str | None = None,
        report_steps: list[int] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["model"])
        check_grid_options(self.hparams)
        self.model = model
        self.planes = list(planes or [])
        self.report_steps = report_steps
        self.averaged = None if average is None else averaged_model(model, average)
        self.by_branch = "closeness" in inspect.signature(model.forward).parameters
        self.grid: dict[str, Any] = {}
        self.scaling: GridScaling | None = None
        self.register_buffer("loss_scale", torch.ones(()))
        self.trained_on = None
        self.metrics = torch.nn.ModuleDict()
        self.watch: CollapseWatch | None = None
        self.scores: dict[str, Tensor] = {}
        self.tested_windows: int | None = None

    def setup(self, stage: str | None = None) -> None:
        r"""Takes grid and scalers from the data module, and the weights of ``start_from``.

        Args:
            stage: Lightning's stage.

        Raises:
            ValueError: If there is no data module, or as :meth:`use_data`.
        """
        super().setup(stage)
        start = self.hparams["start_from"]
        if stage == "fit" and start is not None and self.trainer.ckpt_path is None:
            load_weights(self, start)

    def use_data(self, data: Any) -> None:
        r"""Takes grid and scalers from a data module that was set up.

        Args:
            data: A :class:`tgst.train.GridData`.

        Raises:
            ValueError: If the model does not agree with the data in grid, frames, channels,
                external features or steps, or a step of ``report_steps`` is beyond the horizon.
        """
        check_fits_grid(self, data)
        self.grid = data.description
        self.scaling = GridScaling(self.grid, self.planes).to(self.device)
        self.scaling.frames.load_state_dict(data.scaler.state_dict())
        if self.scaling.changes is not None:
            self.scaling.changes.load_state_dict(data.change_scaler.state_dict())
        flows = data.frames[: data.train_stop]
        self.loss_scale = flows.std().clamp(min=1e-6).to(self.device)
        self.trained_on = data.trained_on
        size = data.horizon, *flows.shape[1:]
        for part in ("val", "test"):
            names = self.grid["channels"]
            self.metrics[part] = GridMetrics(data.horizon, names, self.hparams["rmse_factor"])
        self.watch = CollapseWatch(size)

    def forward(self, batch: GridBatch) -> Tensor:
        r"""Forecasts a batch in the unit of the flows.

        In evaluation mode by the averaged weights, if ``average`` is set, and not below zero, if
        ``non_negative`` is.

        Args:
            batch: Windows as the loader gives them.
        """
        flows = self._scaling.flows(self._output(batch), batch)
        return flows.clamp(min=0) if self.hparams["non_negative"] and not self.training else flows

    def _output(self, batch: GridBatch) -> Tensor:
        """What the network says, [B, H, C, height, width]."""
        inputs = self._scaling.inputs(batch)
        external = batch.external.flatten(1)
        if self.hparams["join"]:
            everything = torch.cat(inputs, dim=1)
            inputs = [everything, everything[:, :0], everything[:, :0]]
        if self.by_branch:
            given = [x if x.size(1) else None for x in (*inputs, external)]
            out = self.used_model(*given)
        else:
            planes = external[..., None, None].expand(-1, -1, *batch.y.shape[-2:])
            out = self.used_model(torch.cat([*inputs, planes], dim=1))
        check_output(out, batch.y)
        # counts need more digits than bfloat16 has, which a network says under autocast
        return out.to(batch.y.dtype).unflatten(1, (-1, batch.y.size(2)))

    @property
    def _scaling(self) -> GridScaling:
        if self.scaling is None:
            raise RuntimeError("the scaling is set by setup() or by loading a checkpoint")
        return self.scaling

    def training_step(self, batch: GridBatch, batch_idx: int) -> Tensor:
        r"""The loss of one batch."""
        output = self._output(batch)
        flows = self._scaling.flows(output, batch)
        if self.hparams["loss_unit"] == "counts":
            loss = self._loss(flows / self.loss_scale, batch.y / self.loss_scale)
        else:
            loss = self._loss(output, self._scaling.target(batch))
        self.log("train/loss", loss, prog_bar=True, on_epoch=True, batch_size=batch.y.size(0))
        if self.trainer.current_epoch == 0 and self.watch is not None:
            step = self.trainer.global_step
            self._tell(self.watch.after_training_step(step, flows, batch.y))
        return loss

    def _loss(self, output: Tensor, target: Tensor) -> Tensor:
        kwargs = {}
        if self.hparams["loss"] == "huber":
            kwargs["delta"] = self.hparams["huber_threshold"]
        return LOSSES[self.hparams["loss"]](output, target, **kwargs)

    def _tell(self, problem: str | None) -> None:
        """Stops or warns after a collapse."""
        how = self.hparams["on_collapse"]
        if problem is None or how == "ignore":
            return
        change = remedies(self.grid, getattr(self.model, "output_activation", None))
        fitting = self.trainer.state.fn == TrainerFn.FITTING
        epoch = self.trainer.current_epoch
        what = f"training has collapsed in epoch {epoch}" if fitting else "the model has collapsed"
        message = f"{what}: {problem}. To change: {change}"
        if how == "error" and fitting:
            raise ValueError(message)
        warnings.warn(message, stacklevel=2)

    def on_validation_epoch_end(self) -> None:
        r"""Logs ``val/rmse``, ``val/mae`` and the RMSE of each channel, and looks for a
        collapse.
        """
        super().on_validation_epoch_end()
        assert self.watch is not None
        if self.trainer.state.fn != TrainerFn.FITTING:
            self._tell(self.watch.verdict())
        elif not self.trainer.sanity_checking:
            self._tell(self.watch.after_validation(self.trainer.global_step))

    def on_test_epoch_end(self) -> None:
        r"""Logs the test metrics and keeps them per horizon step in ``scores``."""
        super().on_test_epoch_end()
        scores = self.metrics["test"].scores()  # type: ignore[operator]
        self.scores = {name: values.cpu() for name, values in scores.items()}
        for name, errors in self.scores.items():
            for step in self.report_steps or quarter_half_all(len(errors)):
                self.log(_key(f"test/{name}_step_{step}"), errors[step - 1].float(), sync_dist=True)
        assert self.watch is not None
        self.tested_windows = self.watch.windows * self.trainer.world_size
        self._tell(self.watch.verdict())

    def _update(self, part: str, batch: GridBatch) -> None:
        prediction = self(batch)
        self.metrics[part].update(prediction, batch.y)  # type: ignore[operator]
        assert self.watch is not None
        self.watch.update(prediction, batch.y)

    def _reset(self, part: str) -> None:
        super()._reset(part)
        assert self.watch is not None
        self.watch.reset()

    def _overall(self, part: str) -> dict[str, Tensor]:
        scores = self.metrics[part].overall()  # type: ignore[operator]
        return {_key(name): value for name, value in scores.items()}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        r"""Optimizer and, if one is set, scheduler of the trained weights."""
        return make_optimizer(self.model, self.hparams, self.trainer.max_epochs)

    @property
    def knows_data(self) -> bool:
        r"""Whether grid and scalers are known."""
        return self.scaling is not None

    def saved(self) -> dict[str, Any]:
        r"""What a checkpoint holds of the data, in plain containers."""
        return {"grid": self.grid}

    def use_saved(self, checkpoint: Mapping[str, Any]) -> None:
        r"""Takes from a checkpoint what the data module would have said.

        Args:
            checkpoint: What was saved.
        """
        self.grid = checkpoint["grid"]
        self.scaling = GridScaling(self.grid, self.planes).to(self.device)

    def _check_fits(self, checkpoint: Mapping[str, Any], name: str) -> None:
        check_grid_checkpoint(self, checkpoint, name)
        trainer: Any = self._trainer
        if trainer is not None and trainer.state.fn in SCORED:
            warn_if_seen(checkpoint, name, trainer.datamodule, SCORED[trainer.state.fn])

    def _check_resumed(self, checkpoint: Mapping[str, Any], name: str, epochs: int | None) -> None:
        rows_from = "data.test_days, data.val_days, data.val_share"
        trained_on = self.trained_on
        check_resumable(name, checkpoint, self.hparams, epochs, trained_on, rows_from)


def _key(name: str) -> str:
    return name.replace(" ", "_")
