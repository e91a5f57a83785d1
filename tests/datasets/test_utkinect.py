import numpy as np
import pytest
import scipy.io
import torch
from torch.utils.data import DataLoader

from tests.datasets.real_folder import real_folder
from tgst.datasets import UTKinect
from tgst.loader import PadTime
from tgst.transforms import UniformPartition

FILE = "UTKinect_Skeletons.mat"


def write(folder):
    cells = np.empty((10, 10, 2), dtype=object)
    for action, subject, repetition in np.ndindex(cells.shape):
        steps = 3 + repetition
        values = np.arange(3 * 20 * steps).reshape(3, 20, steps) / 8.0 + 1
        cells[action, subject, repetition] = values + 1000 * action + 100 * subject
    cells[4, 8, 1] = np.zeros((0, 0))
    scipy.io.savemat(folder / FILE, {"data": cells})
    return folder


def test_values(tmp_path):
    dataset = UTKinect(write(tmp_path), partition=UniformPartition())
    assert len(dataset) == 99
    assert dataset.class_names[2] == "stand up"
    assert dataset.num_classes == 10
    assert dataset.skeleton.name == "kinect-20"
    number = dataset.names.index("a03_s05_e02")
    data = dataset[number]
    assert data.x.shape == (20, 4, 3)
    # Axis, joint, frame in the file.
    assert data.x[7, 2].tolist() == [(axis * 80 + 7 * 4 + 2) / 8 + 2401 for axis in range(3)]
    assert (data.y.tolist(), data.subject) == ([2], 5)
    assert dataset.column("repetition")[number] == 2
    assert dataset.y[number] == 2


def test_splits(tmp_path):
    root = write(tmp_path)
    assert set(UTKinect(root, split="test").subjects) == {2, 4, 6, 8, 10}
    assert len(UTKinect(root, split=None)) == 199
    held = {"validation_subjects": (5, 9)}
    assert set(UTKinect(root, **held).subjects) == {1, 3, 7}
    assert set(UTKinect(root / FILE, split="val", **held).subjects) == {5, 9}
    assert set(UTKinect(root, subjects=[4]).subjects) == {4}
    with pytest.raises(ValueError, match=r"validation_subjects: .* for split='val', got none"):
        UTKinect(root, split="val")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"`root` must hold {FILE}, got no such file"):
        UTKinect(tmp_path)


def test_real_splits():
    root = real_folder("utkinect")
    train, test = UTKinect(root), UTKinect(root, split="test")
    assert (len(train), len(test)) == (100, 99)
    assert train.class_counts().tolist() == [10] * 10
    assert test.class_counts().tolist() == [10, 10, 10, 10, 9, 10, 10, 10, 10, 10]
    frames = [dataset.clip(i).num_frames for dataset in (train, test) for i in range(len(dataset))]
    assert (min(frames), max(frames)) == (5, 110)
    val = UTKinect(root, split="val", validation_subjects=(7, 9))
    assert len(val) + len(UTKinect(root, validation_subjects=(7, 9))) == 100


def test_a_real_batch():
    root = real_folder("utkinect")
    dataset = UTKinect(root, split="test", partition=UniformPartition())
    cells = scipy.io.loadmat(root / FILE)["data"]
    batch = next(iter(DataLoader(dataset, batch_size=8, collate_fn=PadTime())))
    assert batch.y.tolist() == [0] * 8  # all by subjects 2, 4, 6 and 8
    assert batch.subject.tolist() == [2, 2, 4, 4, 6, 6, 8, 8]
    for number, subject in enumerate(batch.subject.tolist()):
        values = torch.from_numpy(cells[0, subject - 1, number % 2].astype(np.float32))
        mine = batch.batch == number
        steps = values.size(-1)
        assert torch.equal(batch.x[mine][:, :steps], values.permute(1, 2, 0))
        assert batch.mask[mine].sum(1).tolist() == [steps] * 20
    assert torch.equal(batch.e_id, torch.arange(58).repeat(8))
