r"""The recognition task: model, loss, metrics and optimizer."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor
from torch_geometric.data import Data

from tgst.loader import ClipBatch
from tgst.train.agreement import state_part
from tgst.train.classification_task import ClassificationTask
from tgst.train.recognition_agreement import (
    check_checkpoint_fits,
    check_recognises,
    described_skeleton,
)
from tgst.train.recognition_optimizer import check_recognition_options
from tgst.train.static_graph import StaticGraph
from tgst.utils.repeat_graph import repeat_graph

__all__ = ["RecognitionTask"]


class RecognitionTask(ClassificationTask):
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

    data_name = "a SkeletonData"
    items = "clips"

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
        self.use_model(model)
        self.class_balanced = class_balanced
        self.stream_losses = stream_losses
        accepted = inspect.signature(model.forward).parameters
        names = ("edge_type", "edge_weight", "e_id", "mask", "person")
        self._accepted = [name for name in names if name in accepted]
        self.graph: StaticGraph | None = None
        self.skeleton: dict[str, Any] = {}
        self.extent: float | None = None
        self._graphs: dict[tuple[int, torch.device], tuple[StaticGraph, Tensor]] = {}

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
        self.skeleton = described_skeleton(data.skeleton)
        self.extent = data.extent
        if self.class_balanced and data.class_weights is not None:
            self.class_weight = data.class_weights.to(self.device)
        self.use_classes(data)

    def forward(self, batch: ClipBatch) -> Tensor:
        r"""The logits of each clip; of several views of a clip the logarithm of their mean
        probability.

        In evaluation mode these are the averaged weights' if ``average`` is set.

        Args:
            batch: Clips as the loader gives them.
        """
        edge_index, kwargs = self._arguments_of(batch)
        logits = self.used_model(batch.x, edge_index, **kwargs)
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

    def mixed(self, batch: ClipBatch, share: float, order: Tensor) -> ClipBatch:
        r"""A batch mixed with itself in another order.

        Args:
            batch: The batch.
            share: Share of the batch as it is.
            order: The other order.
        """
        x = share * batch.x + (1 - share) * batch.x[:, order]
        return batch._replace(x=x, mask=batch.mask | batch.mask[:, order])

    def _logits(self, batch: ClipBatch) -> list[Tensor]:
        """What the loss is computed of: the logits of the model, or of each of its networks."""
        if not self.stream_losses:
            return super()._logits(batch)
        model: Any = self.model
        edge_index, kwargs = self._arguments_of(batch)
        return list(model.scores(batch.x, edge_index, **kwargs).values())

    def saved(self) -> dict[str, Any]:
        r"""What a checkpoint holds of the data, in plain containers."""
        return super().saved() | {"skeleton": self.skeleton, "extent": self.extent}

    def use_saved(self, checkpoint: Mapping[str, Any]) -> None:
        r"""Takes from a checkpoint what the data module would have said.

        Args:
            checkpoint: What was saved.
        """
        super().use_saved(checkpoint)
        self.graph = StaticGraph.from_state(state_part(checkpoint["state_dict"], "graph."))
        self.skeleton = dict(checkpoint.get("skeleton", {}))
        self.extent = checkpoint.get("extent")

    def _check_fits(self, checkpoint: Mapping[str, Any], name: str) -> None:
        check_checkpoint_fits(self, checkpoint, name)
