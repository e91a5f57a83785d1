from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from tgst.loader import ImageBatch
from tgst.train import ImageWriter


def trainer(world_size=1, input=None):
    data = SimpleNamespace(class_names=["cat", "dog", "owl"], input=input)
    return SimpleNamespace(world_size=world_size, datamodule=data)


def batch(first, y):
    count = len(y)
    return ImageBatch(
        torch.zeros(count, 1, 2, 2), torch.tensor(y), torch.arange(first, first + count)
    )


PROBABILITY = torch.tensor([[0.25, 0.75, 0.0], [0.5, 0.125, 0.375]])


def write(path, top=1, **kwargs):
    writer, run = ImageWriter(path, top), trainer(**kwargs)
    writer.on_predict_start(run, None)
    writer.on_predict_batch_end(run, None, PROBABILITY, batch(0, [1, 2]), 0)
    writer.on_predict_batch_end(run, None, PROBABILITY[:1], batch(2, [0]), 1)
    assert not path.exists()
    writer.on_predict_end(run, None)
    return path.read_text().splitlines()


def test_rows_by_hand(tmp_path):
    assert write(tmp_path / "a.csv") == [
        "image,label,confidence,truth",
        "0,dog,0.75,dog",
        "1,cat,0.5,owl",
        "2,dog,0.75,cat",
    ]


def test_more_labels_than_classes_and_no_truth(tmp_path):
    assert write(tmp_path / "a.csv", top=5, input="x.npy")[:3] == [
        "image,label,confidence,label_2,confidence_2,label_3,confidence_3",
        "0,dog,0.75,cat,0.25,owl,0",
        "1,cat,0.5,owl,0.375,dog,0.125",
    ]


def test_a_run_that_fails_leaves_an_older_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("older")
    writer = ImageWriter(path)
    writer.on_predict_start(trainer(), None)
    writer.on_exception(trainer(), None, RuntimeError())
    assert [each.name for each in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "older"


def test_mistakes_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"output must end in .csv or .parquet, got 'a.txt'"):
        ImageWriter("a.txt")
    with pytest.raises(ValueError, match="top must be at least 1, got 0"):
        ImageWriter("a.csv", top=0)
    with pytest.raises(ValueError, match="labels are written by one process, got 2"):
        ImageWriter(tmp_path / "a.csv").on_predict_start(trainer(world_size=2), None)
