import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tgst.data.readers.stgcn_feeder import FeederClips
from tgst.datasets import STGCNFeeder
from tgst.loader import PadTime
from tgst.transforms import UniformPartition

FRAMES = (4, 2, 6, 0)


def write(folder):
    r"""Clips, channels, frames, joints, persons, padded with zeros to six frames."""
    values = np.zeros((4, 3, 6, 18, 2), np.float32)
    for clip, frames in enumerate(FRAMES):
        channel, frame, joint, person = np.ogrid[:3, :frames, :18, : 1 + clip % 2]
        values[clip, :, :frames, :, : 1 + clip % 2] = (
            1 + 1000 * clip + 400 * person + 64 * channel + 20 * frame + joint
        )
    np.save(folder / "data.npy", values)
    labels = (["a", "b", "c", "d"], [2, 0, 1, 1])
    (folder / "label.pkl").write_bytes(pickle.dumps(labels))
    return folder / "data.npy", folder / "label.pkl"


def test_values(tmp_path):
    dataset = STGCNFeeder(*write(tmp_path), skeleton="openpose-18", partition=UniformPartition())
    assert dataset.names == ["a", "b", "c"]
    assert dataset.dropped == ["d"]
    assert dataset.y.tolist() == [2, 0, 1]
    assert [data.x.size(1) for data in dataset] == [4, 2, 6]
    assert [data.num_nodes for data in dataset] == [18, 36, 18]
    expected = [1 + 1000 + 400 + 64 * channel + 20 + 5 for channel in range(3)]
    assert dataset[1].x[18 + 5, 1].tolist() == expected
    (batch,) = DataLoader(dataset, batch_size=3, collate_fn=PadTime(), num_workers=1)
    assert batch.x.shape == (72, 6, 3)
    assert torch.equal(batch.x[54:], dataset[2].x)


def test_without_labels(tmp_path):
    dataset = STGCNFeeder(write(tmp_path)[0], skeleton="openpose-18", class_names=["x", "y"])
    assert dataset.names == ["0", "1", "2"]
    assert "y" not in dataset[0]
    assert dataset.num_classes == 2


def test_the_array_is_not_read_to_keep_all_clips(tmp_path, monkeypatch):
    data, labels = write(tmp_path)
    read = []
    take = FeederClips.__getitem__
    monkeypatch.setattr(
        FeederClips, "__getitem__", lambda self, index: read.append(index) or take(self, index)
    )
    dataset = STGCNFeeder(data, labels, skeleton="openpose-18", empty="keep")
    assert read == [0]  # to compare it with the layout
    assert dataset.names == ["a", "b", "c", "d"]
    assert dataset.y.tolist() == [2, 0, 1, 1]
    assert dataset.num_classes == 3
    assert not dataset[3].mask.any()
    assert dataset[3].x.shape == (18, 1, 3)
    with pytest.raises(ValueError, match=r"clip 'a': expected the 25 joints of skeleton 'ntu-25'"):
        STGCNFeeder(data, labels, skeleton="ntu-25", empty="keep")
    with pytest.raises(ValueError, match=r"clip 'a': expected a label in 0..1, got 2"):
        STGCNFeeder(data, labels, skeleton="openpose-18", num_classes=2, empty="keep")
    labels.write_bytes(pickle.dumps((list("abcd"), [0, 1, -3, 2])))
    with pytest.raises(ValueError, match=r"clip 'c': expected a label >= 0, got -3"):
        STGCNFeeder(data, labels, skeleton="openpose-18", empty="keep")


def test_errors(tmp_path):
    data, labels = write(tmp_path)
    with pytest.raises(ValueError, match=r"clip 'a': expected the 25 joints of skeleton 'ntu-25'"):
        STGCNFeeder(data, labels, skeleton="ntu-25")
    with pytest.raises(ValueError, match=r"clip 'a': expected a label in 0..1, got 2"):
        STGCNFeeder(data, labels, skeleton="openpose-18", num_classes=2)
    with pytest.raises(FileNotFoundError):
        STGCNFeeder(tmp_path / "nowhere.npy", skeleton="openpose-18")
