import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tgst.data.readers.pyskl_annotations import PysklClips
from tgst.datasets import PYSKL
from tgst.loader import PadTime
from tgst.transforms import UniformPartition

LABELS = [3, 0, 1, 2]


def annotation(number, joints=25, channels=3, persons=1):
    frames = 2 + number
    values = (
        np.arange(persons * frames * joints * channels).reshape(persons, frames, joints, -1) % 64
    )
    made = {
        "frame_dir": f"clip_{number}",
        "total_frames": frames,
        "label": LABELS[number],
        "keypoint": (values + number + 1).astype(np.float16),
    }
    if channels == 2:
        made["keypoint_score"] = np.full((persons, frames, joints), 0.5, np.float16)
        made["img_shape"] = (1080, 1920)
    return made


def write(folder, annotations=None, split=None):
    content = {
        "split": split or {"xsub_train": ["clip_2", "clip_1"], "xsub_val": ["clip_3", "clip_0"]},
        "annotations": annotations or [annotation(number) for number in range(4)],
    }
    path = folder / "ntu.pkl"
    path.write_bytes(pickle.dumps(content))
    return path


def test_values(tmp_path):
    dataset = PYSKL(write(tmp_path), "xsub_train", partition=UniformPartition())
    assert dataset.splits == ["xsub_train", "xsub_val"]
    assert dataset.names == ["clip_1", "clip_2"]
    assert dataset.y.tolist() == [0, 1]
    assert dataset.num_classes == 4  # of the file, whatever the split
    assert dataset.skeleton.name == "ntu-25-pyskl"
    data = dataset[1]
    assert data.x.shape == (25, 4, 3)
    assert data.x[7, 2].tolist() == [(2 * 75 + 21 + axis) % 64 + 3 for axis in range(3)]
    (batch,) = DataLoader(dataset, batch_size=2, collate_fn=PadTime(), num_workers=1)
    assert torch.equal(batch.x[25:], data.x)
    assert batch.mask[:25].sum(1).tolist() == [3] * 25
    assert PYSKL(tmp_path / "ntu.pkl").names == ["clip_0", "clip_1", "clip_2", "clip_3"]


def test_clips_of_other_splits_are_not_made(tmp_path, monkeypatch):
    made = []
    take = PysklClips.__getitem__
    monkeypatch.setattr(
        PysklClips, "__getitem__", lambda self, index: made.append(index) or take(self, index)
    )
    dataset = PYSKL(write(tmp_path), "xsub_train")
    assert set(made) == {0, 1, 2}  # the first one for its number of joints
    assert dataset.num_classes == 4


def test_no_clips(tmp_path):
    path = tmp_path / "empty.pkl"
    path.write_bytes(pickle.dumps([]))
    with pytest.raises(ValueError, match="clips: expected at least one, got none"):
        PYSKL(path)


def test_poses_in_pictures(tmp_path):
    annotations = [annotation(number, 17, 2, 2) for number in range(4)]
    dataset = PYSKL(write(tmp_path, annotations), class_names=["a", "b", "c", "d"], num_persons=1)
    assert dataset.skeleton.name == "coco-17-pyskl"
    data = dataset[0]
    assert data.x.shape == (17, 2, 3)
    assert data.x[1, 0].tolist() == [3, 4, 0.5]
    assert (data.height, data.width) == (1080, 1920)


def test_a_layout_of_ones_own(tmp_path):
    path = write(tmp_path)
    assert PYSKL(path, skeleton="ntu-25").skeleton.name == "ntu-25"
    with pytest.raises(ValueError, match=r"clip 'clip_0': expected the 20 joints .* got 25"):
        PYSKL(path, skeleton="msr-20")
    path = write(tmp_path, [annotation(0, joints=19)], {"all": ["clip_0"]})
    with pytest.raises(ValueError, match=r"skeleton: expected a layout for the 19 joints in"):
        PYSKL(path)


def test_errors(tmp_path):
    path = write(tmp_path)
    message = r"split: expected one of \['xsub_train', 'xsub_val'\] in .*, got 'xview_train'"
    with pytest.raises(ValueError, match=message):
        PYSKL(path, "xview_train")
    with pytest.raises(ValueError, match=r"clip 'clip_0': expected a label in 0..2, got 3"):
        PYSKL(path, num_classes=3)
    with pytest.raises(FileNotFoundError):
        PYSKL(tmp_path / "nowhere.pkl")


class Hostile:
    def __reduce__(self):
        return print, ("run",)


def test_a_pickle_is_not_run(tmp_path, capsys):
    path = tmp_path / "hostile.pkl"
    path.write_bytes(pickle.dumps({"annotations": [Hostile()]}))
    with pytest.raises(ValueError, match=r"hostile.pkl"):
        PYSKL(path)
    assert capsys.readouterr().out == ""
