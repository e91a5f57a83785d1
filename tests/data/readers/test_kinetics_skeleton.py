from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tgst.data import KineticsLabel, read_kinetics_labels, read_kinetics_skeleton

RNG = np.random.default_rng(0)


def person(scale: float = 1.0) -> dict[str, list[float]]:
    score = (RNG.random(18) * scale).round(3)
    score[RNG.integers(18)] = 0  # not found
    pose = RNG.random((18, 2)).round(3)
    return {"pose": pose.ravel().tolist(), "score": score.tolist()}


# The third one of frame 4 is the best there, but is rarely seen.
CLIP = {
    "data": [
        {"frame_index": 1, "skeleton": [person(0.2), person(0.9)]},
        {"frame_index": 2, "skeleton": []},
        {"frame_index": 4, "skeleton": [person(0.5), person(0.4), person(1.0)]},
        {"frame_index": 5, "skeleton": [person(0.5), person(0.6)]},
    ],
    "label": "abseiling",
    "label_index": 3,
}
NOBODY = {"data": [{"frame_index": 1, "skeleton": []}, {"frame_index": 3, "skeleton": []}]}


def write(folder: Path, content: Any, name: str = "-3B32lodo2M") -> Path:
    path = folder / f"{name}.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def joints(entry: dict[str, list[float]]) -> np.ndarray:
    values = np.concatenate([np.reshape(entry["pose"], (18, 2)), np.c_[entry["score"]]], axis=1)
    return np.where(values[:, 2:] > 0, values, 0).astype("f4")


def test_places_of_the_file(tmp_path: Path) -> None:
    clip = read_kinetics_skeleton(write(tmp_path, CLIP), persons="file_order", num_persons=9)
    assert (clip.name, clip.label, clip.info) == ("-3B32lodo2M", 3, {"label_name": "abseiling"})
    assert clip.positions.shape == (3, 5, 18, 3)
    for frame in range(4):
        entry = CLIP["data"][frame]
        for place, skeleton in enumerate(entry["skeleton"]):
            np.testing.assert_array_equal(
                clip.positions[place, entry["frame_index"] - 1], joints(skeleton)
            )
    np.testing.assert_array_equal(clip.observed, clip.positions[..., 2] > 0)
    assert clip.observed.any(axis=-1).tolist() == [
        [True, False, False, True, True],
        [True, False, False, True, True],
        [False, False, False, True, False],
    ]
    assert clip.observed.sum() == 7 * 17


def published(content: dict, persons: int = 2, length: int = 300) -> np.ndarray:
    """The recipe of the published preprocessing, [C, T, V, M]."""
    data = np.zeros((3, length, 18, 5))
    for entry in content["data"]:
        for place, skeleton in enumerate(entry["skeleton"][:5]):
            data[0, entry["frame_index"], :, place] = skeleton["pose"][0::2]
            data[1, entry["frame_index"], :, place] = skeleton["pose"][1::2]
            data[2, entry["frame_index"], :, place] = skeleton["score"]
    data[:2] -= 0.5
    data[:2] *= data[2:] != 0
    order = np.argsort(-data[2].sum(axis=1), axis=1, kind="stable")
    for frame in range(length):
        data[:, frame] = data[:, frame][:, :, order[frame]]
    return data[..., :persons]


def test_equals_the_published_preprocessing(tmp_path: Path) -> None:
    crowd = CLIP | {"data": [*CLIP["data"], {"frame_index": 7, "skeleton": [person()] * 7}]}
    crowd["data"][-1]["skeleton"][5:] = [
        {"pose": [0.5] * 36, "score": [1] * 18},  # the sixth is not read
        person(),
    ]
    clip = read_kinetics_skeleton(write(tmp_path, crowd), first_frame=0, centered=True)
    padded = np.zeros((2, 300, 18, 3), np.float32)
    padded[:, : clip.num_frames] = clip.positions
    np.testing.assert_allclose(padded.transpose(3, 1, 2, 0), published(crowd), rtol=0, atol=1e-7)


def test_persons_of_each_frame_and_of_the_clip(tmp_path: Path) -> None:
    path = write(tmp_path, CLIP)
    last = [joints(entry) for entry in CLIP["data"][2]["skeleton"]]
    by_frame = read_kinetics_skeleton(path)
    np.testing.assert_array_equal(by_frame.positions[0, 3], last[2])
    by_clip = read_kinetics_skeleton(path, persons="clip")
    np.testing.assert_array_equal(by_clip.positions[0, 3], last[1])
    np.testing.assert_array_equal(by_clip.positions[1, 3], last[0])


def test_nobody(tmp_path: Path) -> None:
    clip = read_kinetics_skeleton(write(tmp_path, NOBODY))
    assert clip.positions.shape == (1, 3, 18, 3)
    assert not clip.observed.any()
    assert (clip.label, clip.info) == (None, {})
    empty = read_kinetics_skeleton(write(tmp_path, {"data": [], "label_index": 1}))
    assert empty.positions.shape == (1, 1, 18, 3)
    assert (empty.observed.any(), empty.label) == (False, 1)


def changed(**entries: Any) -> dict:
    return {"data": [{"frame_index": 1, "skeleton": [person() | entries]}]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "2M.json: expected text, got an empty file"),
        (json.dumps(CLIP, indent=1)[:2000], r"2M\.json line \d+: expected JSON.*is it cut off"),
        ("[1]", r"2M\.json: expected an object, got \[1\]"),
        ("[" * 100_000, r"2M\.json: expected JSON, got one that is nested too deeply"),
        ({"label": "x"}, r"2M\.json data: expected a list, got nothing"),
        ({"data": [3]}, r"2M\.json data\[0\]: expected an object, got 3"),
        ({"data": [{"skeleton": []}]}, r"data\[0\]\.frame_index: expected an integer, got nothing"),
        ({"data": [{"frame_index": 1}]}, r"data\[0\]\.skeleton: expected a list, got nothing"),
        (
            {"data": [{"frame_index": 0, "skeleton": []}]},
            "expected every frame once, from 1 on and",
        ),
        (
            {"data": [{"frame_index": 10**7, "skeleton": []}]},
            "on and at most 1000000, got 10000000",
        ),
        (
            '{"data": ' + "9" * 5000 + "}",
            r"2M\.json: expected JSON, got one with: Exceeds the limit",
        ),
        ({"data": NOBODY["data"][:1] * 2}, r"data\[1\]\.frame_index: expected every frame once"),
        (changed(pose=[0.5] * 34), r"data\[0\]\.skeleton\[0\]\.pose: expected 36 numbers, got 34"),
        (changed(score=None), r"skeleton\[0\]\.score: expected a list, got nothing"),
        (changed(score=[1] * 17 + ["x"]), r"score\[17\]: expected a finite number, got 'x'"),
        (changed(score=[float("nan")] * 18), r"score\[0\]: expected a finite number, got nan"),
        (changed(score=[1] * 17 + [True]), r"score\[17\]: expected a finite number, got True"),
        (changed(pose=[0.5] * 35 + [10**400]), r"pose\[35\]: expected a finite number, got 1000"),
        (NOBODY | {"label_index": "3"}, "label_index: expected an integer, got '3'"),
        (NOBODY | {"label_index": -1}, "clip '-3B32lodo2M': expected a label >= 0, got -1"),
    ],
)
def test_broken_files(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_kinetics_skeleton(write(tmp_path, content))


def test_arguments(tmp_path: Path) -> None:
    path = write(tmp_path, CLIP)
    for argument in ("num_persons", "max_persons"):
        with pytest.raises(ValueError, match=f"{argument}: expected at least 1, got 0"):
            read_kinetics_skeleton(path, **{argument: 0})
    with pytest.raises(ValueError, match=r"persons: expected one of .*, got 'best'"):
        read_kinetics_skeleton(path, persons="best")
    with pytest.raises(FileNotFoundError, match=r"x\.json: expected a file"):
        read_kinetics_skeleton(tmp_path / "x.json")


def test_labels(tmp_path: Path) -> None:
    entries = {
        "a": {"has_skeleton": True, "label": "abseiling", "label_index": 0},
        "b": {"has_skeleton": False, "label": "zumba", "label_index": 399},
    }
    labels = read_kinetics_labels(write(tmp_path, entries))
    assert labels == {"a": (True, "abseiling", 0), "b": (False, "zumba", 399)}
    assert isinstance(labels["a"], KineticsLabel)
    entries["b"].pop("label_index")
    with pytest.raises(ValueError, match=r"2M\.json b\.label_index: expected an integer, got noth"):
        read_kinetics_labels(write(tmp_path, entries))
