import zipfile

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Subset

from tests.datasets.real_folder import real_folder
from tgst.datasets import MSRAction3D, SimulatedActions
from tgst.loader import PadTime
from tgst.transforms import UniformPartition

ARCHIVE = "msr_action3d_real3d.zip"


def text(frames, start):
    r"""Coordinates that count up, and a confidence that is to be left out."""
    values = np.arange(frames * 20 * 3).reshape(-1, 3) / 8 + start
    return "".join(f"{x} {y} {z} 0.5\n" for x, y, z in values)


def write(folder, names=("a01_s01_e01", "a02_s02_e01", "a02_s03_e02", "a20_s07_e01"), zip_=True):
    texts = {f"{name}_skeleton3D.txt": text(2 + i, 1 + i) for i, name in enumerate(names)}
    if zip_:
        with zipfile.ZipFile(folder / ARCHIVE, "w") as archive:
            for name, content in texts.items():
                archive.writestr(f"real/{name}", content)
    else:
        for name, content in texts.items():
            (folder / name).write_text(content)
    return folder


@pytest.mark.parametrize("zip_", [True, False])
def test_values(tmp_path, zip_):
    dataset = MSRAction3D(write(tmp_path, zip_=zip_), partition=UniformPartition())
    assert dataset.names == ["a01_s01_e01", "a02_s03_e02", "a20_s07_e01"]
    assert dataset.y.tolist() == [0, 1, 19]
    assert dataset.subjects == [1, 3, 7]
    assert dataset.num_classes == 20
    assert dataset.class_names[1] == "horizontal arm wave"
    assert dataset.skeleton.name == "msr-20"
    assert dataset.num_edges == 2 * 19 + 20
    data = dataset[1]
    assert data.x.shape == (20, 4, 3)
    assert data.x[5, 2].tolist() == [(45 * 3 + axis) / 8 + 3 for axis in range(3)]
    assert data.mask.all()
    assert (data.y.tolist(), data.subject, data.name) == ([1], 3, "a02_s03_e02")


def test_beside_another_data_set(tmp_path):
    own, other = MSRAction3D(write(tmp_path)), SimulatedActions(repetitions=1)
    (batch,) = DataLoader(
        Subset(ConcatDataset([other, own]), [0, len(other) + 1]), batch_size=2, collate_fn=PadTime()
    )
    assert batch.name == ["s01_wave_right_hand_0", "a02_s03_e02"]
    assert batch.subject.tolist() == [1, 3]
    assert batch.y.tolist() == [0, 1]
    assert torch.equal(batch.x[20:, :4], own[1].x)
    assert batch.mask[20:].sum(1).tolist() == [4] * 20
    assert torch.equal(batch.edge_index[:, -38:], own[1].edge_index + 20)
    assert own.column("example") == [1, 2, 1]


def test_the_archive_itself(tmp_path):
    assert len(MSRAction3D(write(tmp_path) / ARCHIVE, split=None)) == 4


def test_splits(tmp_path):
    root = write(tmp_path)
    assert MSRAction3D(root, split="test").subjects == [2]
    assert MSRAction3D(root, split=None).subjects == [1, 2, 3, 7]
    held = {"validation_subjects": (3, 7)}
    assert MSRAction3D(root, split="train", **held).subjects == [1]
    assert MSRAction3D(root, split="val", **held).subjects == [3, 7]
    assert MSRAction3D(root, split="test", **held).subjects == [2]
    assert MSRAction3D(root, subjects=[2, 7]).subjects == [2, 7]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "all"}, r"split: expected one of .*got 'all'"),
        ({"split": "val"}, r"validation_subjects: .*\[1, 3, 5, 7, 9\] for split='val', got none"),
        ({"validation_subjects": [2, 3]}, r"validation_subjects: .*\[1, 3, 5, 7, 9\], got \[2\]"),
        ({"validation_subjects": [1, 3, 5, 7, 9]}, "to leave some to train on, got all"),
        ({"subjects": [11]}, r"subjects: expected some of .*10\], got \[11\]"),
        ({"subjects": [9]}, "clips: expected at least one, got none"),
    ],
)
def test_errors(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        MSRAction3D(write(tmp_path), **arguments)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"`root` must hold {ARCHIVE} or its text files"):
        MSRAction3D(tmp_path)


def test_a_file_that_is_cut_off(tmp_path):
    path = write(tmp_path, zip_=False) / "a02_s03_e02_skeleton3D.txt"
    path.write_text("\n".join(path.read_text().splitlines()[:47]) + "\n")
    with pytest.raises(ValueError, match=r"a02_s03_e02_skeleton3D.txt line 47: expected 20 lines"):
        MSRAction3D(tmp_path)


@pytest.fixture(scope="module")
def everything():
    return MSRAction3D(real_folder("msr_action3d"), split=None, empty="keep")


def test_real_clips(everything):
    assert len(everything) == 567
    counts = [27, 27, 27, 26, 26, 26, 28, *[30] * 7, 20, *[30] * 5]
    assert everything.class_counts().tolist() == counts
    assert sorted(set(everything.subjects)) == list(range(1, 11))
    frames = [clip.num_frames for clip in everything._clips]
    assert (min(frames), max(frames)) == (13, 936)
    assert everything.names[frames.index(936)] == "a13_s09_e03"
    # A person of a height, in metres.
    y = everything[0].x[..., 1]
    assert 1 < (y.max() - y.min()).item() < 2.2


def test_real_splits():
    root = real_folder("msr_action3d")
    train = MSRAction3D(root)
    test = MSRAction3D(root, split="test")
    assert (len(train), len(test)) == (291, 275)
    assert train.dropped == ["a13_s09_e02"]
    assert test.dropped == []
    assert set(train.subjects) == {1, 3, 5, 7, 9}
    assert set(test.subjects) == {2, 4, 6, 8, 10}


def test_a_real_batch(everything):
    dataset = everything[[3, 350]]
    (batch,) = DataLoader(dataset, batch_size=2, collate_fn=PadTime())
    first, second = (dataset.clip(index) for index in range(2))
    assert batch.x.shape == (40, max(first.num_frames, second.num_frames), 3)
    for number, clip in enumerate((first, second)):
        mine = batch.x[batch.batch == number]
        expected = torch.from_numpy(clip.positions[0]).transpose(0, 1)
        assert torch.equal(mine[:, : clip.num_frames], expected)
        assert not mine[:, clip.num_frames :].any()
        assert not batch.mask[batch.batch == number, clip.num_frames :].any()
    assert batch.y.tolist() == [first.label, second.label]


def test_the_clip_of_zeros(everything):
    number = everything.names.index("a13_s09_e02")
    data = everything[number]
    assert not data.mask.any()
    assert not data.x.any()
