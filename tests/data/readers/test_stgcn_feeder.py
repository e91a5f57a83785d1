from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from tgst.data import read_stgcn_feeder

RNG = np.random.default_rng(0)
# Clips, channels, frames, joints, persons: as the preprocessing pads them.
DATA = RNG.normal(size=(3, 3, 10, 18, 2)).astype(np.float32)
DATA[0, :, 7:] = 0
DATA[0, :, 2] = 0  # nobody, between frames
DATA[0, :, 4, 5, 1] = 0  # one joint
DATA[1, ..., 0] = 0  # the first person is absent
DATA[2] = 0


def write(folder: Path, data: np.ndarray = DATA) -> Path:
    np.save(folder / "val_data.npy", data)
    return folder / "val_data.npy"


def write_labels(folder: Path, content: object) -> Path:
    path = folder / "val_label.pkl"
    path.write_bytes(pickle.dumps(content))
    return path


def test_clips(tmp_path: Path) -> None:
    labels = write_labels(tmp_path, (["a.skeleton", "b", "c"], [5, 0, 2]))
    clips = read_stgcn_feeder(write(tmp_path), labels)
    assert len(clips) == 3
    first, second, third = clips
    assert (first.name, first.label) == ("a.skeleton", 5)
    assert first.positions.shape == (2, 7, 18, 3)
    np.testing.assert_array_equal(first.positions, DATA[0, :, :7].transpose(3, 1, 2, 0))
    assert not first.observed[:, 2].any()
    assert not first.observed[1, 4, 5]
    assert first.observed.sum() == 2 * 6 * 18 - 1
    assert (second.name, second.label) == ("b", 0)
    np.testing.assert_array_equal(second.positions, DATA[1, ..., 1:].transpose(3, 1, 2, 0))
    assert third.positions.shape == (1, 1, 18, 3)
    assert not third.observed.any()


def test_as_it_is(tmp_path: Path) -> None:
    clips = read_stgcn_feeder(write(tmp_path), trim=False)
    for clip, values in zip(clips, DATA, strict=True):
        np.testing.assert_array_equal(clip.positions, values.transpose(3, 1, 2, 0))
        assert clip.label is None
    assert [clip.name for clip in clips] == ["0", "1", "2"]
    assert clips[0].observed[:, 7:].any() == np.False_


def test_sequence(tmp_path: Path) -> None:
    clips = read_stgcn_feeder(write(tmp_path), [4, 5, 6])
    assert clips[-1].label == 6
    part = clips[1:]
    assert [clip.label for clip in part] == [5, 6]
    assert part[0].name == "1"
    assert (part.names, part.labels) == (["1", "2"], [5, 6])
    assert (clips[::-2].names, clips[::-2].labels) == (["2", "0"], [6, 4])
    assert read_stgcn_feeder(write(tmp_path)).labels is None
    with pytest.raises(IndexError):
        part[2]
    again = pickle.dumps(clips)  # for workers: without the numbers of the file
    assert len(again) < DATA.nbytes / 10
    np.testing.assert_array_equal(pickle.loads(again)[1].positions, clips[1].positions)
    clips[0].positions[:] = 0  # is of nobody else
    np.testing.assert_array_equal(clips[0].positions[0, 0], DATA[0, :, 0, :, 0].T)


def test_labels_in_an_array(tmp_path: Path) -> None:
    np.save(tmp_path / "label.npy", np.array([3, 1, 2]))
    clips = read_stgcn_feeder(write(tmp_path), tmp_path / "label.npy")
    assert [clip.label for clip in clips] == [3, 1, 2]
    pairs = write_labels(tmp_path, [["x", "y", "z"], np.array([1, 2, 0])])
    assert [clip.label for clip in read_stgcn_feeder(write(tmp_path), pairs)] == [1, 2, 0]


class Harm:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.proof}",)


def test_pickles_are_not_run(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    harm = write_labels(tmp_path, (["a", "b", "c"], [0, 1, Harm(proof)]))
    with pytest.raises(ValueError, match=r"val_label\.pkl: .*system, which is not plain data"):
        read_stgcn_feeder(write(tmp_path), harm)
    np.save(tmp_path / "harm.npy", np.array([Harm(proof)] * 3, object))
    with pytest.raises(ValueError, match=r"harm\.npy: Object arrays cannot be loaded"):
        read_stgcn_feeder(write(tmp_path), tmp_path / "harm.npy")
    with pytest.raises(ValueError, match=r"harm\.npy: "):
        read_stgcn_feeder(tmp_path / "harm.npy")
    assert not proof.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([0, 1, 2], r"val_label\.pkl: expected a pair of names and labels, got list of 3 entries"),
        ({"a": 1}, "expected a pair of names and labels, got dict of 1 entries"),
        (
            (["a", "b"], [0, 1, 2]),
            r"labels: expected names of the 3 clips in .*val_data.npy, got 2",
        ),
        ((["a", "b", "c"], [0, 1]), "labels: expected labels of the 3 clips in .*, got 2"),
        ((["a", "b", "c"], [0, 1, 0.5]), r"val_label\.pkl: expected integers, got float64 of \(3,"),
        ((["a", "b", "c"], [0, 1, "x"]), r"val_label\.pkl: expected integers, got <U"),
        ((["a", "b", "c"], [0, [1], 2]), r"val_label\.pkl: expected integers, got a list of lists"),
        ((3, [0, 1, 2]), r"val_label\.pkl: expected a list of names, got int"),
    ],
)
def test_other_labels(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_stgcn_feeder(write(tmp_path), write_labels(tmp_path, content))


def test_other_arrays(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"val_data.npy: expected numbers \(clips, .*got float32 of"
    ):
        read_stgcn_feeder(write(tmp_path, DATA[0]))
    with pytest.raises(ValueError, match=r"val_data.npy: expected numbers .*, got <U3"):
        read_stgcn_feeder(write(tmp_path, DATA.astype("U3")))
    path = write(tmp_path)
    for length in (0, 5, 100, 1000):
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(ValueError, match=r"val_data\.npy: .*is the file cut off"):
            read_stgcn_feeder(path)
        write(tmp_path)
    np.savez(tmp_path / "x.npz", DATA)
    with pytest.raises(ValueError, match=r"x\.npz: expected numbers .*, got an archive"):
        read_stgcn_feeder(tmp_path / "x.npz")
    for arguments in (
        (tmp_path / "y.npy",),
        (path, tmp_path / "y.npy"),
        (path, tmp_path / "y.pkl"),
    ):
        with pytest.raises(FileNotFoundError, match=r"y\.(npy|pkl): expected a file, found none"):
            read_stgcn_feeder(*arguments)


def test_joints_without_a_number(tmp_path: Path) -> None:
    data = DATA.copy()
    data[1, 0, 3, 4, 1] = np.nan
    clip = read_stgcn_feeder(write(tmp_path, data))[1]
    assert np.argwhere(~clip.observed).tolist() == [[0, 3, 4]]
    assert not clip.positions[0, 3, 4].any()
