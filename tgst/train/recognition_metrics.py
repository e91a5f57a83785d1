r"""How often a classifier is right: overall, among its first guesses, and per class."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

__all__ = ["RecognitionMetrics"]


class RecognitionMetrics(torch.nn.Module):
    r"""Accuracy, top-k accuracy, mean accuracy of the classes, cross entropy and confusion matrix.

    The mean accuracy of the classes is over those that occur, each counted the same.

    Args:
        num_classes: Number of classes.
        top_k: A clip counts if its class is among the first so many; at most all of them.
    """

    def __init__(self, num_classes: int, top_k: int = 5) -> None:
        super().__init__()
        self.top_k = min(top_k, num_classes)
        # binary problems have a matrix of two classes as well
        self.matrix = MulticlassConfusionMatrix(num_classes)
        self.top = MulticlassAccuracy(num_classes, top_k=self.top_k, average="micro")
        self.loss = MeanMetric()

    def reset(self) -> None:
        r"""Forgets all clips."""
        for metric in (self.matrix, self.top, self.loss):
            metric.reset()

    def update(self, logits: Tensor, y: Tensor) -> None:
        r"""Adds clips.

        Args:
            logits: Or logarithms of probabilities, :math:`(B, \text{classes})`.
            y: The classes, :math:`(B)`.
        """
        self.matrix.update(logits.argmax(-1), y)
        self.top.update(logits, y)
        self.loss.update(F.cross_entropy(logits, y), weight=len(y))

    def confusion(self) -> Tensor:
        r"""Number of clips of each class (row) that were taken for each class (column)."""
        matrix: Tensor = self.matrix.compute()
        return matrix

    def scores(self) -> dict[str, Tensor]:
        r"""``accuracy``, ``top_<k>``, ``class_accuracy`` and ``loss`` of all clips so far."""
        matrix = self.confusion()
        return {
            "accuracy": matrix.trace() / matrix.sum(),
            f"top_{self.top_k}": self.top.compute(),
            "class_accuracy": accuracy_of_classes(matrix).nanmean(),
            "loss": self.loss.compute(),
        }


def accuracy_of_classes(matrix: Tensor) -> Tensor:
    r"""The share of the clips of each class that was recognised; NaN for a class without clips.

    Args:
        matrix: The confusion matrix, rows the true classes.
    """
    return matrix.diagonal() / matrix.sum(1)
