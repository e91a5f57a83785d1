r"""The recognition task: model, loss, metrics and optimizer."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.distributions import Beta
from torch_geometric.data import Data

from tgst.loader import ClipBatch
from tgst.train.moving_average import averaged_model
from tgst.train.recognition_agreement import (
    check_checkpoint_fits,
    check_recognises,
    described_skeleton,
    saved_of,
)
from tgst.train.recognition_metrics import RecognitionMetrics
from tgst.train.recognition_optimizer import check_recognition_options, optimizer_and_schedule
from tgst.train.static_graph import StaticGraph
from tgst.utils.repeat_graph import repeat_graph

__all__ = ["RecognitionTask"]


class RecognitionTask(LightningModule):
    r"""Trains and tests a model that tells what the persons of a clip do.

    The loss is the cross entropy. Checkpoints are selected by ``val/accuracy``, the share of clips
    whose class comes first. One-person graph, layout and classes come from the
    :class:`tgst.train.SkeletonData` and are part of the checkpoint: a checkpoint of another model,
    of another graph or of other classes is refused.

    Args:
        model: Called as ``model(x, edge_index, edge_type=..., edge_weight=..., e_id=...,
            mask=..., person=...)`` with those of them that its ``forward`` takes; gives logits.
            Its attributes ``in_channels``, ``num_classes``, ``num_partitions``, ``num_edges`` and
            ``num_joints``, as far as it has them, must agree with the data.
        optimizer: ``"sgd"``, ``"adam"`` or ``"adamw"``.
        learning_rate: Step size.
        momentum: Of ``"sgd"``.
        nesterov: Nesterov's form of it.
        weight_decay: L2 penalty (``sgd``, ``adam``) or decoupled decay (``adamw``).
        weight_decay_on: ``"all"`` parameters, as the published recipes have it, or ``"weights"``
            only: no biases, no normalisation, no edge importance.
        scheduler: ``"step"``, ``"multistep"``, ``"exponential"``, ``"cosine"`` or None; one step
            per epoch.
        scheduler_args: Arguments of the scheduler of :mod:`torch.optim.lr_scheduler`; ``T_max`` of
            ``"cosine"`` is by default the number of epochs that the warm-up leaves.
        warmup_epochs: In the first so many epochs :math:`W` the step size of epoch :math:`e` (from
            0) is multiplied by :math:`(e + 1) / (W + 1)`; the schedule begins after them.
        label_smoothing: Share of the target that is spread over all classes.
        class_balanced: Weight each clip in the loss by the inverse frequency of its class among
            the training clips, :math:`N / (K n_k)`. The order of the clips stays as it is.
        average: Decay, such as 0.99, of an exponential moving average of the weights and of the
            statistics of batch normalisation, which validation, test and prediction then use; None
            for none. In the first steps :math:`n` it is at most :math:`(1 + n) / (10 + n)`.
        mixup: Parameter :math:`\alpha` of `"mixup: Beyond Empirical Risk Minimization"
            <https://arxiv.org/abs/1710.09412>`_: each training batch is mixed with itself in
            another order by a share from :math:`\mathrm{Beta}(\alpha, \alpha)`; 0 for none.
        stream_losses: For a model of several networks, whose ``scores`` gives the logits of each by
            name (:class:`tgst.nn.models.LateFusion`): train each by a loss of its own, their sum,
            instead of the loss of what they say together.
        top_k: Log the share of clips whose class is among the first ``top_k`` (at most the number
            of classes) beside that of the first.

    Shapes:
        - **batch**: a :class:`tgst.loader.ClipBatch`
        - **output**: :math:`(B, \text{classes})`

    Raises:
        ValueError: If a name is unknown or a number out of range; names the argument.
    """

    class_weight: Tensor | None

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: Literal["sgd", "adam", "adamw"] = "sgd",
        learning_rate: float = 0.1,
        momentum: float = 0.9,
        nesterov: bool = True,
        weight_decay: float = 0.0,
        weight_decay_on: Literal["all", "weights"] = "all",
        scheduler: Literal["step", "multistep", "exponential", "cosine"] | None = None,
        scheduler_args: dict[str, Any] | None = None,
        warmup_epochs: int = 0,
        label_smoothing: float = 0.0,
        class_balanced: bool = False,
        average: float | None = None,
        mixup: float = 0.0,
        stream_losses: bool = False,
        top_k: int = 5,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["model"])
        check_recognition_options(self.hparams)
        if stream_losses and not hasattr(model, "scores"):
            raise ValueError(f"stream_losses needs a model with scores, got {type(model).__name__}")
        self.model = model
        self.label_smoothing = label_smoothing
        self.class_balanced = class_balanced
        self.mixup = mixup
        self.stream_losses = stream_losses
        self.top_k = top_k
        self.averaged = None if average is None else averaged_model(model, average)
        accepted = inspect.signature(model.forward).parameters
        names = ("edge_type", "edge_weight", "e_id", "mask", "person")
        self._accepted = [name for name in names if name in accepted]
        self.graph: StaticGraph | None = None
        self.class_names: list[str] = []
        self.skeleton: dict[str, Any] = {}
        self.trained_on: str | None = None
        self.extent: float | None = None
        self.metrics = torch.nn.ModuleDict()
        self.register_buffer("class_weight", None, persistent=False)
        self._graphs: dict[tuple[int, torch.device], tuple[StaticGraph, Tensor]] = {}

    def setup(self, stage: str | None = None) -> None:
        r"""Takes graph and classes from the data module.

        Args:
            stage: Lightning's stage.

        Raises:
            ValueError: If there is no data module, or as :meth:`use_data`.
        """
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        if data is None:
            raise ValueError("datamodule: expected a SkeletonData, got None")
        self.use_data(data)

    def use_data(self, data: Any) -> None:
        r"""Takes graph and classes from a data module that was set up.

        Args:
            data: A :class:`tgst.train.SkeletonData`.

        Raises:
            ValueError: If the model does not agree with the data in channels, classes, joints,
                edges or partitions.
        """
        check_recognises(self.model, data)
        self.graph = StaticGraph.from_data(data.graph).to(self.device)
        self._graphs = {}
        self.class_names = list(data.class_names)
        self.skeleton = described_skeleton(data.skeleton)
        self.trained_on, self.extent = data.trained_on, data.extent
        if self.class_balanced and data.class_weights is not None:
            self.class_weight = data.class_weights.to(self.device)
        for part in ("val", "test"):
            self.metrics[part] = RecognitionMetrics(len(self.class_names), self.top_k)

    def forward(self, batch: ClipBatch) -> Tensor:
        r"""The logits of each clip; of several views of a clip the logarithm of their mean
        probability.

        In evaluation mode these are the averaged weights' if ``average`` is set.

        Args:
            batch: Clips as the loader gives them.
        """
        model: Any = self.model
        if self.averaged is not None and not self.training:
            model = self.averaged.module
        edge_index, kwargs = self._arguments_of(batch)
        logits = model(batch.x, edge_index, **kwargs)
        views = batch.x.size(1) // batch.y.size(0)
        if views == 1:
            return logits
        each = logits.view(-1, views, logits.size(-1)).log_softmax(-1)
        # not the logarithm of a mean of probabilities, which may be zero
        return each.logsumexp(1) - math.log(views)

    def _arguments_of(self, batch: ClipBatch) -> tuple[Tensor, dict[str, Tensor]]:
        graph, person = self._graph_of(batch.x)
        known = graph.attributes() | {"mask": batch.mask}
        if person is not None:
            known["person"] = person
        return graph.edge_index, {name: known[name] for name in self._accepted if name in known}

    def _graph_of(self, x: Tensor) -> tuple[StaticGraph, Tensor | None]:
        """The graph of as many persons as there are in x, and the person of each node if there are
        several; kept, so that it is sorted once.
        """
        if self.graph is None:
            raise RuntimeError("the graph is set by setup() or by loading a checkpoint")
        joints = int(self.graph.num_nodes)
        persons = x.size(0) // joints
        if persons * joints != x.size(0) or persons == 0:
            raise ValueError(f"x: expected a multiple of {joints} nodes, got {x.size(0)}")
        if persons == 1:
            return self.graph, None
        key = persons, x.device
        if key not in self._graphs:
            one = Data(edge_index=self.graph.edge_index, num_nodes=joints)
            one.update(self.graph.attributes())
            several = repeat_graph(one, persons).to(x.device)
            self._graphs[key] = StaticGraph.from_data(several), several["person"]
        return self._graphs[key]

    def training_step(self, batch: ClipBatch, batch_idx: int) -> Tensor:
        r"""The loss of one batch."""
        if self.mixup:
            loss = self._mixed_loss(batch)
        else:
            logits = self._logits(batch)
            loss = self._loss(logits, batch.y)
            votes = torch.stack([each.softmax(-1) for each in logits]).sum(0)
            hits = (votes.argmax(-1) == batch.y).float().mean()
            self._log("train/accuracy", hits, batch, on_step=False, on_epoch=True)
        self._log("train/loss", loss, batch, prog_bar=True, on_epoch=True)
        return loss

    def _mixed_loss(self, batch: ClipBatch) -> Tensor:
        clips = batch.y.size(0)
        share = float(Beta(self.mixup, self.mixup).sample())
        order = torch.randperm(clips).to(batch.y.device)
        x = share * batch.x + (1 - share) * batch.x[:, order]
        mixed = batch._replace(x=x, mask=batch.mask | batch.mask[:, order])
        logits = self._logits(mixed)
        other = self._loss(logits, batch.y[order])
        return share * self._loss(logits, batch.y) + (1 - share) * other

    def _logits(self, batch: ClipBatch) -> list[Tensor]:
        """What the loss is computed of: the logits of the model, or of each of its networks."""
        if not self.stream_losses:
            return [self(batch)]
        model: Any = self.model
        edge_index, kwargs = self._arguments_of(batch)
        return list(model.scores(batch.x, edge_index, **kwargs).values())

    def _loss(self, logits: list[Tensor], y: Tensor) -> Tensor:
        options: dict[str, Any] = {"weight": self.class_weight}
        options["label_smoothing"] = self.label_smoothing
        return torch.stack([F.cross_entropy(each, y, **options) for each in logits]).sum()

    def _log(self, name: str, value: Tensor, batch: ClipBatch, **kwargs: Any) -> None:
        # dimension 0 holds the nodes, so Lightning cannot guess the batch size
        self.log(name, value, batch_size=batch.y.size(0), **kwargs)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        r"""One step of the optimizer, then of the averaged weights."""
        super().optimizer_step(*args, **kwargs)
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)

    def validation_step(self, batch: ClipBatch, batch_idx: int) -> None:
        r"""Adds one batch to the validation metrics."""
        self._update("val", batch)

    def test_step(self, batch: ClipBatch, batch_idx: int) -> None:
        r"""Adds one batch to the test metrics."""
        self._update("test", batch)

    def predict_step(self, batch: ClipBatch, batch_idx: int) -> Tensor:
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

    def _update(self, part: str, batch: ClipBatch) -> None:
        if bool((batch.y < 0).any()):
            raise ValueError(f"y: expected clips with labels in the {part} part, got none")
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
        checkpoint.update(saved_of(self))

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        r"""Refuses a checkpoint of another model, graph or classes before any weight is changed.

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
        if self.graph is None:  # loaded without a data module
            state = checkpoint["state_dict"]
            own = {n.removeprefix("graph."): v for n, v in state.items() if n.startswith("graph.")}
            self.graph = StaticGraph.from_state(own)
            self.class_names = list(checkpoint.get("class_names", []))
            self.skeleton = dict(checkpoint.get("skeleton", {}))
            self.trained_on, self.extent = checkpoint.get("trained_on"), checkpoint.get("extent")

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
            ValueError: If model, weight averaging, classes, layout or graph differ, or, of a fit to
                resume, the optimizer, its schedule or the training clips; names how.
        """
        check_checkpoint_fits(self, checkpoint, name, resumed, max_epochs)
