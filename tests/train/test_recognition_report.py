from __future__ import annotations

import json

import pytest
import torch

from tests.train.tiny_skeleton import skeleton_model
from tgst.train import RecognitionMetrics, RecognitionTask
from tgst.train.recognition_report import (
    recognition_scores,
    recognition_table,
    write_recognition_scores,
)


@pytest.fixture
def tested():
    task = RecognitionTask(skeleton_model(), top_k=2)
    task.class_names = ["walk", "run", "sit"]
    task.metrics["test"] = RecognitionMetrics(3, top_k=2)
    best = torch.tensor([0, 0, 1, 1, 1])
    logits = 5 * torch.nn.functional.one_hot(best, 3).float()
    task.metrics["test"].update(logits, torch.tensor([0, 1, 1, 0, 0]))
    return task


def test_scores_and_tables_by_hand(tested):
    scores = recognition_scores(tested, "last.ckpt")
    assert scores["confusion"] == [[1, 2, 0], [1, 1, 0], [0, 0, 0]]
    assert scores["clips_of_class"] == [3, 2, 0]
    assert scores["accuracy_of_class"] == [pytest.approx(1 / 3), 0.5, None]
    assert (scores["clips"], scores["checkpoint"]) == (5, "last.ckpt")
    assert scores["scores"]["class_accuracy"] == pytest.approx((1 / 3 + 1 / 2) / 2)
    loss = scores["scores"]["loss"]
    top = scores["scores"]["top_2"]
    assert recognition_table(scores).splitlines() == [
        "| clips | accuracy | top_2 | class_accuracy | loss |",
        "|---|---|---|---|---|",
        f"| 5 | 0.4000 | {top:.4f} | 0.4167 | {loss:.4f} |",
        "",
        "| class | clips | accuracy | taken most often for |",
        "|---|---|---|---|",
        "| walk | 3 | 0.3333 | run (2) |",
        "| run | 2 | 0.5000 | walk (1) |",
        "| sit | 0 | - |  |",
        "",
        "checkpoint: last.ckpt",
    ]


def test_files(tested, tmp_path):
    scores = recognition_scores(tested)
    files = write_recognition_scores(tested, tmp_path / "run", scores)
    assert [file.name for file in files] == ["scores.json", "scores.md", "confusion.png"]
    assert json.loads(files[0].read_text()) == scores
    assert files[1].read_text() == recognition_table(scores) + "\n"
    assert files[2].read_bytes().startswith(b"\x89PNG")


def test_an_untested_task_has_no_scores(tested):
    message = r"task: expected one that was tested \(Trainer.test\), got no scores"
    with pytest.raises(ValueError, match=message):
        recognition_scores(RecognitionTask(skeleton_model()))
    tested.metrics["test"].reset()
    with pytest.warns(UserWarning, match="compute"), pytest.raises(ValueError, match=message):
        recognition_scores(tested)
