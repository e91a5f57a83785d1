r"""The task of classifying images: model, loss, metrics and optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from tgst.loader import ImageBatch
from tgst.train.agreement import model_differences
from tgst.train.classification_agreement import check_classes
from tgst.train.classification_task import ClassificationTask
from tgst.train.recognition_optimizer import check_recognition_options
from tgst.train.transform_penalty import TransformPenalty

__all__ = ["ImageTask"]


class ImageTask(ClassificationTask):
    r"""Trains and tests a model that classifies images.

    The loss is the cross entropy. Checkpoints are selected by ``val/accuracy``. The classes come
    from the :class:`tgst.train.ImageData` and are part of the checkpoint: a checkpoint of another
    model or of other classes is refused.

    Args:
        model: Called as ``model(x)`` with images; gives logits, such as
            :class:`tgst.nn.models.ImageClassifier`. Its attributes ``in_channels``,
            ``num_classes`` and ``image_size``, as far as it has them, must agree with the data.
        optimizer: ``"sgd"``, ``"adam"`` or ``"adamw"``.
        learning_rate: Step size.
        localization_scale: What the step size is multiplied by for the localisation networks of
            all spatial transformers in the model (:func:`tgst.nn.warp.param_groups`).
        identity_penalty: Weight in the loss of the distance of all spatial transformers in the
            model from their start, the identity as a rule
            (:meth:`tgst.nn.SpatialTransformer.identity_penalty`).
        momentum: Of ``"sgd"``.
        nesterov: Nesterov's form of it.
        weight_decay: L2 penalty (``sgd``, ``adam``) or decoupled decay (``adamw``).
        weight_decay_on: ``"all"`` parameters or ``"weights"`` only: no biases, no normalisation.
        scheduler: ``"step"``, ``"multistep"``, ``"exponential"``, ``"cosine"`` or None; one step
            per epoch.
        scheduler_args: Arguments of the scheduler of :mod:`torch.optim.lr_scheduler`; ``T_max`` of
            ``"cosine"`` is by default the number of epochs that the warm-up leaves.
        warmup_epochs: In the first so many epochs :math:`W` the step size of epoch :math:`e` (from
            0) is multiplied by :math:`(e + 1) / (W + 1)`; the schedule begins after them.
        label_smoothing: Share of the target that is spread over all classes.
        average: Decay, such as 0.99, of an exponential moving average of the weights and of the
            statistics of batch normalisation, which validation, test and prediction then use; None
            for none. In the first steps :math:`n` it is at most :math:`(1 + n) / (10 + n)`.
        mixup: Parameter :math:`\alpha` of `"mixup: Beyond Empirical Risk Minimization"
            <https://arxiv.org/abs/1710.09412>`_: each training batch is mixed with itself in
            another order by a share from :math:`\mathrm{Beta}(\alpha, \alpha)`; 0 for none.
        top_k: Log the share of images whose class is among the first ``top_k`` (at most the number
            of classes) beside that of the first.

    Shapes:
        - **batch**: a :class:`tgst.loader.ImageBatch`
        - **output**: :math:`(B, \text{classes})`

    Raises:
        ValueError: If a name is unknown, a number out of range, or there is an identity penalty
            and nothing to transform; names the argument.
    """

    data_name = "an ImageData"
    items = "images"

    def __init__(
        self,
        model: torch.nn.Module,
        optimizer: Literal["sgd", "adam", "adamw"] = "adamw",
        learning_rate: float = 2e-3,
        localization_scale: float = 1.0,
        identity_penalty: float = 0.0,
        momentum: float = 0.9,
        nesterov: bool = True,
        weight_decay: float = 0.0,
        weight_decay_on: Literal["all", "weights"] = "all",
        scheduler: Literal["step", "multistep", "exponential", "cosine"] | None = None,
        scheduler_args: dict[str, Any] | None = None,
        warmup_epochs: int = 0,
        label_smoothing: float = 0.0,
        average: float | None = None,
        mixup: float = 0.0,
        top_k: int = 2,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=["model"])
        check_recognition_options(self.hparams)
        for name in ("localization_scale", "identity_penalty"):
            if not self.hparams[name] >= 0:
                raise ValueError(f"{name} must be at least 0, got {self.hparams[name]}")
        self.use_model(model)
        self.identity_penalty = identity_penalty
        self._penalty = TransformPenalty(model) if identity_penalty else None
        self.image_size: list[int] = []
        self.num_channels: int | None = None

    def use_data(self, data: Any) -> None:
        r"""Takes the classes from a data module that was set up.

        Args:
            data: A :class:`tgst.train.ImageData`.

        Raises:
            ValueError: If the model does not agree with the data in channels, classes or size.
        """
        expected = {
            "in_channels": (data.num_channels, f"{data.num_channels} channels"),
            "num_classes": (len(data.class_names), f"{len(data.class_names)} classes"),
            "image_size": (data.image_size, f"images of {list(data.image_size)} pixels"),
        }
        for name, (given, words) in expected.items():
            found = getattr(self.model, name, None)
            if isinstance(found, (int, tuple)) and found != given:
                own, wanted = _plain(found), _plain(given)
                raise ValueError(
                    f"{name}: the data give {words}, the model has {own}; set "
                    f"model.model.init_args.{name} to {wanted}"
                )
        self.image_size, self.num_channels = list(data.image_size), data.num_channels
        self.use_classes(data)

    def forward(self, batch: ImageBatch) -> Tensor:
        r"""The logits of each image.

        In evaluation mode these are the averaged weights' if ``average`` is set.

        Args:
            batch: Images as the loader gives them.
        """
        return self.used_model(batch.x)

    def mixed(self, batch: ImageBatch, share: float, order: Tensor) -> ImageBatch:
        r"""A batch mixed with itself in another order.

        Args:
            batch: The batch.
            share: Share of the batch as it is.
            order: The other order.
        """
        return batch._replace(x=share * batch.x + (1 - share) * batch.x[order])

    def _logits(self, batch: ImageBatch) -> list[Tensor]:
        if self._penalty is None:
            return super()._logits(batch)
        with self._penalty.recorded():
            return super()._logits(batch)

    def with_penalties(self, loss: Tensor, batch: ImageBatch) -> Tensor:
        r"""The loss with the identity penalty.

        Args:
            loss: The cross entropy of the batch whose logits were computed last.
            batch: That batch.
        """
        if self._penalty is None:
            return loss
        penalty = self._penalty()
        self._log("train/identity_penalty", penalty, batch, on_step=False, on_epoch=True)
        return loss + self.identity_penalty * penalty

    def saved(self) -> dict[str, Any]:
        r"""What a checkpoint holds of the data, in plain containers."""
        own = {"image_size": self.image_size, "num_channels": self.num_channels}
        return super().saved() | own

    def use_saved(self, checkpoint: Mapping[str, Any]) -> None:
        r"""Takes from a checkpoint what the data module would have said.

        Args:
            checkpoint: What was saved.
        """
        super().use_saved(checkpoint)
        self.image_size = list(checkpoint.get("image_size", []))
        self.num_channels = checkpoint.get("num_channels")

    def _check_fits(self, checkpoint: Mapping[str, Any], name: str) -> None:
        if self.class_names:
            check_classes(checkpoint, self.class_names, name, "an image task")
        sentences = model_differences(self, checkpoint)
        if sentences:
            raise ValueError(f"{name} does not fit the model: {'; '.join(sentences)}")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
