import json

import pytest
import torch
from torch.utils.data import DataLoader

from tests.datasets.openpose_files import write_kinetics_clip
from tgst.datasets import KineticsSkeleton, kinetics_skeleton
from tgst.loader import PadTime
from tgst.transforms import UniformPartition

LABELS = {"b": 7, "a": 399, "c": 0}


def write(root, split="train"):
    entries = {}
    for number, (name, label) in enumerate(LABELS.items()):
        write_kinetics_clip(
            root / f"kinetics_{split}" / f"{name}.json", label, 2 + number, 1 + number
        )
        entries[name] = {"has_skeleton": True, "label": f"action {label}", "label_index": label}
    write_kinetics_clip(root / f"kinetics_{split}" / "gone.json", 3)
    entries["gone"] = {"has_skeleton": False, "label": "action 3", "label_index": 3}
    (root / f"kinetics_{split}_label.json").write_text(json.dumps(entries))
    return root


def test_values(tmp_path):
    dataset = KineticsSkeleton(write(tmp_path), partition=UniformPartition(), progress=False)
    assert dataset.names == ["a", "b", "c"]
    assert dataset.y.tolist() == [399, 7, 0]
    assert dataset.num_classes == 400
    assert (dataset.class_names[7], dataset.class_names[8]) == ("action 7", "class 8")
    assert dataset.skeleton.name == "openpose-18"
    data = dataset[0]
    assert data.x.shape == (36, 3, 3)
    # The person of the larger score first: the second in the file.
    expected = [0.25 + 2 / 64 + 4 / 8 / 32, 0.25 + 4 / 8 / 16, 0.5]
    assert data.x[4, 2].tolist() == pytest.approx(expected)
    assert data.x[18 + 4, 2].tolist() == pytest.approx(
        [expected[0] - 0.25, expected[1] - 0.25, 0.25]
    )
    assert "label_name" not in data
    assert dataset.clip(0).info == {"label_name": "action 399"}
    assert dataset[2].num_nodes == 36  # two of three
    (batch,) = DataLoader(dataset, batch_size=3, collate_fn=PadTime())
    assert batch.x.shape == (36 + 18 + 36, 4, 3)


def test_splits_and_persons(tmp_path):
    root = write(write(tmp_path), "val")
    first = KineticsSkeleton(root, "val", num_bodies=1, persons="file_order", progress=False)
    assert first[0].x.shape == (18, 3, 3)
    assert first[0].x[0, 0].tolist() == [0, 0, 0.25]
    KineticsSkeleton(root, half=True, progress=False)
    stores = sorted(path.name for path in (root / "processed").iterdir())
    assert stores == ["kinetics-train-frame-2-half", "kinetics-val-file_order-1"]


def test_files_are_read_once(tmp_path, monkeypatch):
    root = write(tmp_path)
    fresh = KineticsSkeleton(root, progress=False)
    for path in (root / "kinetics_train").iterdir():
        path.unlink()
    monkeypatch.setattr(kinetics_skeleton, "read_kinetics_skeleton", int)
    again = KineticsSkeleton(root, progress=False)
    assert again.names == fresh.names
    assert torch.equal(again[1].x, fresh[1].x)


def test_damaged_files(tmp_path):
    root = write(tmp_path)
    path = root / "kinetics_train" / "b.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(ValueError, match=r"b.json line 1"):
        KineticsSkeleton(root, progress=False)
    dataset = KineticsSkeleton(root, on_error="skip", progress=False)
    assert dataset.names == ["a", "c"]
    assert list(dataset.failed) == ["b"]


def test_labels_that_differ(tmp_path):
    root = write(tmp_path)
    write_kinetics_clip(root / "kinetics_train" / "b.json", 8)
    with pytest.raises(ValueError, match=r"clip 'b': expected the label 7 of .*, got 8"):
        KineticsSkeleton(root, progress=False)


def test_nobody_was_found(tmp_path):
    root = write(tmp_path)
    content = {"data": [{"frame_index": 3, "skeleton": []}], "label": "action 7", "label_index": 7}
    (root / "kinetics_train" / "b.json").write_text(json.dumps(content))
    dataset = KineticsSkeleton(root, progress=False)
    assert dataset.dropped == ["b"]
    assert dataset.names == ["a", "c"]


def test_errors(tmp_path):
    with pytest.raises(ValueError, match="split: expected 'train' or 'val', got 'test'"):
        KineticsSkeleton(tmp_path, "test")
    message = "`root` must hold kinetics_train_label.json, got none in"
    with pytest.raises(FileNotFoundError, match=message):
        KineticsSkeleton(tmp_path)
    labels = tmp_path / "kinetics_train_label.json"
    labels.write_text('{"a": {"has_skeleton": true, "label": "x", "label_index": 400}}')
    with pytest.raises(ValueError, match=r"a.label_index: expected 0..399, got 400"):
        KineticsSkeleton(tmp_path)
    labels.write_text('{"a": {"has_skeleton": true, "label": "x", "label_index": 4}}')
    with pytest.raises(FileNotFoundError, match="`root` must hold the clips of kinetics_train_lab"):
        KineticsSkeleton(tmp_path)
