from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tgst.data import read_pyskl

RNG = np.random.default_rng(0)


def flat(name: str = "S001C001P001R001A013", frames: int = 5, **entries: Any) -> dict[str, Any]:
    """A clip of HRNet, in pixels."""
    score = RNG.random((2, frames, 17)).astype(np.float16)
    score[1, 2] = 0
    return {
        "frame_dir": name,
        "total_frames": frames,
        "label": 12,
        "keypoint": (RNG.random((2, frames, 17, 2)) * 1000).astype(np.float16),
        "keypoint_score": score,
        "img_shape": (1080, 1920),
        "original_shape": (540, 960),
    } | entries


def solid(**entries: Any) -> dict[str, Any]:
    """A clip of the Kinect, in metres."""
    keypoint = RNG.normal(size=(1, 4, 25, 3)).astype(np.float16)
    keypoint[0, 1] = 0
    keypoint[0, 0, 3, 0] = 0
    return {
        "frame_dir": "b",
        "total_frames": 4,
        "label": np.int64(2),
        "keypoint": keypoint,
    } | entries


def write(folder: Path, content: Any, protocol: int = 4) -> Path:
    path = folder / "ntu60.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    return path


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_annotations(tmp_path: Path, protocol: int) -> None:
    first = flat()
    content = {
        "split": {"xsub_train": ["b"], "xsub_val": ["S001C001P001R001A013"], "none": []},
        "annotations": [first, solid()],
    }
    clips, splits = read_pyskl(write(tmp_path, content, protocol))
    assert splits == content["split"]
    assert clips.names == ["S001C001P001R001A013", "b"]
    assert len(clips) == 2
    clip = clips[0]
    assert (clip.name, clip.label) == ("S001C001P001R001A013", 12)
    assert clip.info == {
        "height": 1080,
        "width": 1920,
        "original_height": 540,
        "original_width": 960,
    }
    seen = first["keypoint_score"] > 0
    np.testing.assert_array_equal(clip.observed, seen)
    assert not clip.observed[1, 2].any()
    wanted = np.concatenate([first["keypoint"], first["keypoint_score"][..., None]], axis=-1)
    np.testing.assert_array_equal(clip.positions, np.where(seen[..., None], wanted, 0).astype("f4"))


def test_solid_positions(tmp_path: Path) -> None:
    annotation = solid()
    clip = read_pyskl(write(tmp_path, [annotation]))[0][0]
    assert (clip.name, clip.label, clip.info) == ("b", 2, {})
    np.testing.assert_array_equal(clip.positions, annotation["keypoint"].astype("f4"))
    assert clip.observed.all(axis=-1).tolist() == [[True, False, True, True]]
    assert not clip.observed[0, 1].any()


def test_without_scores(tmp_path: Path) -> None:
    annotation = flat()
    clip = read_pyskl(write(tmp_path, [annotation]), scores=False)[0][0]
    assert clip.positions.shape == (2, 5, 17, 2)
    np.testing.assert_array_equal(clip.observed, annotation["keypoint_score"] > 0)


def test_sequence(tmp_path: Path) -> None:
    clips, splits = read_pyskl(write(tmp_path, [flat(name) for name in "abcd"]))
    assert splits == {}
    assert [clip.name for clip in clips] == list("abcd")
    assert clips[-1].name == "d"
    assert [clip.name for clip in clips[1:3]] == ["b", "c"]
    assert clips[1:3].names == ["b", "c"]
    with pytest.raises(IndexError):
        clips[4]
    again = pickle.loads(pickle.dumps(clips))  # for workers
    np.testing.assert_array_equal(again[2].positions, clips[2].positions)


def test_labels_may_be_missing(tmp_path: Path) -> None:
    annotation = solid()
    annotation.pop("label")
    annotation.pop("total_frames")
    clips, _ = read_pyskl(write(tmp_path, [annotation, solid() | {"label": np.int64(7)}]))
    assert clips[0].label is None
    assert clips.labels == [None, 7]
    assert type(clips.labels[1]) is int


class Harm:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.proof}",)


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    path = write(tmp_path, [flat(), solid(label=Harm(proof))])
    with pytest.raises(ValueError, match=r"ntu60\.pkl: .*system, which is not plain data"):
        read_pyskl(path)
    assert not proof.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"split": {}}, r"ntu60\.pkl: expected annotations as a list or a dict .*, got dict"),
        ("text", r"ntu60\.pkl: expected annotations .*, got str"),
        ([flat(), {"label": 1}], r"annotations\[1\]: expected a dict with the text 'frame_dir'"),
        ([3], r"annotations\[0\]: expected a dict .*, got int '3'"),
        ({"annotations": [flat("a")], "split": ["a"]}, "split: expected a dict of lists, got list"),
        ({"annotations": [flat("a")], "split": {"val": "a"}}, "split 'val': expected a list, got"),
        (
            {"annotations": [flat("a")], "split": {"val": ["a", "x", "y"]}},
            r"split 'val': expected names of annotations, got 'x' \(and 1 more that are none\)",
        ),
    ],
)
def test_other_contents(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_pyskl(write(tmp_path, content))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"keypoint": None}, r"ntu60\.pkl 'a': expected 'keypoint' as numbers .*, got NoneType"),
        ({"keypoint": np.zeros((5, 17, 2))}, r"'a': expected 'keypoint' .*got float64 of \(5, 17,"),
        ({"total_frames": 6}, r"'a': expected 6 frames \(total_frames\), got 5"),
        (
            {"total_frames": np.array([5, 6])},
            r"'a': expected an integer as 'total_frames', got int",
        ),
        ({"label": "wave"}, "'a': expected an integer as 'label', got str 'wave'"),
        ({"label": -1}, "clip 'a': expected a label >= 0, got -1"),
        (
            {"keypoint_score": np.zeros((2, 5))},
            r"'a': expected 'keypoint_score' of the shape \(2, 5",
        ),
        ({"keypoint_score": 1.0}, "'a': expected 'keypoint_score' .*, got float '1.0'"),
        ({"img_shape": 7}, "'a': expected 'img_shape' as height and width, got int '7'"),
        ({"keypoint": np.full((2, 5, 17, 2), np.nan)}, r"clip 'a': .*at person 0, frame 0, joint"),
    ],
)
def test_broken_annotations(tmp_path: Path, entries: dict, message: str) -> None:
    clips, _ = read_pyskl(write(tmp_path, [flat("a", **entries)]))
    with pytest.raises(ValueError, match=message):
        clips[0]
