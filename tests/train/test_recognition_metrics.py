from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tgst.train import RecognitionMetrics
from tgst.train.recognition_metrics import accuracy_of_classes

LOGITS = torch.tensor(
    [
        [3.0, 2.0, 1.0, 0.0],
        [3.0, 2.0, 1.0, 0.0],
        [0.0, 3.0, 2.0, 1.0],
        [1.0, 0.0, 3.0, 2.0],
        [0.0, 3.0, 2.0, 1.0],
    ]
)
Y = torch.tensor([0, 1, 1, 0, 0])


def scores(top_k):
    metrics = RecognitionMetrics(4, top_k)
    for part in (slice(0, 3), slice(3, 5)):
        metrics.update(LOGITS[part], Y[part])
    return metrics, {name: float(value) for name, value in metrics.scores().items()}


def test_scores_by_hand():
    metrics, values = scores(top_k=2)
    # 0 -> 0, 1 -> 0, 1 -> 1, 0 -> 2, 0 -> 1; classes 2 and 3 do not occur
    assert metrics.confusion().tolist() == [[1, 1, 1, 0], [1, 1, 0, 0], [0] * 4, [0] * 4]
    assert values["accuracy"] == pytest.approx(2 / 5)
    assert values["class_accuracy"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert values["top_2"] == pytest.approx(3 / 5)
    assert values["loss"] == pytest.approx(F.cross_entropy(LOGITS, Y).item())
    rates = accuracy_of_classes(metrics.confusion())
    assert rates.isnan().tolist() == [False, False, True, True]


def test_no_more_guesses_than_classes():
    assert scores(top_k=9)[1]["top_4"] == 1


def test_reset_forgets():
    metrics, _ = scores(top_k=2)
    metrics.reset()
    metrics.update(LOGITS[:1], Y[:1])
    assert metrics.confusion().sum() == 1
    assert float(metrics.scores()["top_2"]) == 1
    assert float(metrics.scores()["loss"]) == pytest.approx(
        F.cross_entropy(LOGITS[:1], Y[:1]).item()
    )
