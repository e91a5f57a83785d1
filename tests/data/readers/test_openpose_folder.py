from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tgst.data import read_openpose_folder

RNG = np.random.default_rng(0)
BODY_25 = [
    "nose",
    "neck",
    "r_shoulder",
    "r_elbow",
    "r_wrist",
    "l_shoulder",
    "l_elbow",
    "l_wrist",
    "mid_hip",
    "r_hip",
    "r_knee",
    "r_ankle",
    "l_hip",
    "l_knee",
    "l_ankle",
    "r_eye",
    "l_eye",
    "r_ear",
    "l_ear",
    "l_big_toe",
    "l_small_toe",
    "l_heel",
    "r_big_toe",
    "r_small_toe",
    "r_heel",
]
COCO_18 = [
    "nose",
    "neck",
    "r_shoulder",
    "r_elbow",
    "r_wrist",
    "l_shoulder",
    "l_elbow",
    "l_wrist",
    "r_hip",
    "r_knee",
    "r_ankle",
    "l_hip",
    "l_knee",
    "l_ankle",
    "r_eye",
    "l_eye",
    "r_ear",
    "l_ear",
]


def person(x: float, confidence: float = 0.5, joints: int = 18) -> np.ndarray:
    """Someone 100 pixels tall around a place."""
    values = np.empty((joints, 3))
    values[:, 0] = x + RNG.uniform(-10, 10, joints).round(2)
    values[:, 1] = np.linspace(50, 150, joints).round(2)
    values[:, 2] = confidence
    return values


def write(folder: Path, frames: dict[int, list[np.ndarray]], video: str = "walk") -> Path:
    for number, persons in frames.items():
        people = [{"person_id": [-1], "pose_keypoints_2d": p.ravel().tolist()} for p in persons]
        path = folder / f"{video}_{number:012d}_keypoints.json"
        path.write_text(json.dumps({"version": 1.3, "people": people}))
    return folder


def test_one_person(tmp_path: Path) -> None:
    frames = {number: [person(100 + number)] for number in (12, 13, 15)}
    frames[13][0][4] = 0  # not found
    frames[15][0][5, 2] = 0
    clip = read_openpose_folder(write(tmp_path, frames), label=4)
    (tmp_path / "walk.mp4").touch()
    assert (clip.name, clip.label, clip.info) == ("walk", 4, {"first_frame": 12})
    assert clip.positions.shape == (1, 4, 18, 3)
    np.testing.assert_array_equal(clip.positions[0, 0], frames[12][0].astype("f4"))
    assert clip.observed[0].sum(axis=1).tolist() == [18, 17, 0, 17]
    assert not clip.positions[0, 3, 5].any()


def test_parts_of_the_image(tmp_path: Path) -> None:
    values = person(100)
    clip = read_openpose_folder(write(tmp_path, {0: [values]}), frame_size=(640, 480))
    np.testing.assert_allclose(clip.positions[0, 0], values / [640, 480, 1], rtol=1e-6)


def test_joints_of_body_25(tmp_path: Path) -> None:
    values = person(100, joints=25)
    folder = write(tmp_path, {0: [values], 1: []})
    clip = read_openpose_folder(folder)
    wanted = [BODY_25.index(name) for name in COCO_18]
    np.testing.assert_array_equal(clip.positions[0, 0], values[wanted].astype("f4"))
    whole = read_openpose_folder(folder, layout="body-25")
    np.testing.assert_array_equal(whole.positions[0, 0], values.astype("f4"))
    assert whole.positions.shape == (1, 2, 25, 3)
    write(tmp_path, {1: [person(100)]})
    with pytest.raises(
        ValueError, match=r"people\[0\].pose_keypoints_2d: expected 75 numbers, got"
    ):
        read_openpose_folder(folder, layout="body-25")


def crowd() -> dict[int, list[np.ndarray]]:
    """Two persons who are listed in another order, and one who is surest but seen once."""
    return {
        0: [person(100, 0.6), person(400, 0.5)],
        1: [person(410, 0.9), person(110, 0.6)],
        2: [person(900, 1.0), person(120, 0.6), person(420, 0.5)],
    }


def test_tracks(tmp_path: Path) -> None:
    frames = crowd()
    clip = read_openpose_folder(write(tmp_path, frames))
    assert clip.num_persons == 2
    first = np.stack([frames[0][1], frames[1][0], frames[2][2]])  # 0.5 + 0.9 + 0.5
    second = np.stack([frames[0][0], frames[1][1], frames[2][1]])
    np.testing.assert_array_equal(clip.positions, np.stack([first, second]).astype("f4"))
    third = read_openpose_folder(tmp_path, num_persons=5).positions[2]
    np.testing.assert_array_equal(third[2], frames[2][0].astype("f4"))
    assert not third[:2].any()


def test_each_frame_by_itself(tmp_path: Path) -> None:
    frames = crowd()
    clip = read_openpose_folder(write(tmp_path, frames), persons="frame")
    first = np.stack([frames[0][0], frames[1][0], frames[2][0]])
    second = np.stack([frames[0][1], frames[1][1], frames[2][1]])
    np.testing.assert_array_equal(clip.positions, np.stack([first, second]).astype("f4"))
    frames[0].reverse()
    plain = read_openpose_folder(write(tmp_path, frames), persons="file_order", num_persons=1)
    np.testing.assert_array_equal(plain.positions[0, 0], frames[0][0].astype("f4"))


def test_nobody(tmp_path: Path) -> None:
    for persons in ("track", "frame", "file_order"):
        clip = read_openpose_folder(
            write(tmp_path, {3: [], 4: [np.zeros((18, 3))]}), persons=persons
        )
        assert clip.positions.shape == (1, 2, 18, 3)
        assert not clip.observed.any()


def test_files_of_older_versions_and_without_a_video(tmp_path: Path) -> None:
    values = person(100)
    people = [{"pose_keypoints": values.ravel().tolist()}]
    (tmp_path / "0007_keypoints.json").write_text(json.dumps({"version": 1.0, "people": people}))
    clip = read_openpose_folder(tmp_path)
    assert (clip.name, clip.info) == (tmp_path.name, {"first_frame": 7})
    np.testing.assert_array_equal(clip.positions[0, 0], values.astype("f4"))


def test_several_videos(tmp_path: Path) -> None:
    write(tmp_path, {0: [person(1)]}, "a_b")
    write(tmp_path, {0: [person(2)], 1: []}, "c")
    with pytest.raises(ValueError, match=r"video: expected one of \['a_b', 'c'\] in .*, got None"):
        read_openpose_folder(tmp_path)
    assert read_openpose_folder(tmp_path, video="c").num_frames == 2
    with pytest.raises(FileNotFoundError, match=r"expected files d_<frame>_keypoints\.json, found"):
        read_openpose_folder(tmp_path, video="d")


def test_broken_frame(tmp_path: Path) -> None:
    write(tmp_path, {0: [person(1)], 1: [person(1)], 2: [person(1)]})
    path = tmp_path / "walk_000000000001_keypoints.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(
        ValueError, match=r"walk_000000000001_keypoints\.json line 1: expected JSON"
    ):
        read_openpose_folder(tmp_path)
    path.write_text('{"people": [{"pose_keypoints_2d": [1, 2]}]}')
    with pytest.raises(
        ValueError, match=r"0001_.* people\[0\]\..*: expected 54 or 75 numbers, got"
    ):
        read_openpose_folder(tmp_path)
    path.write_text('{"version": 1.3}')
    with pytest.raises(ValueError, match=r"0001_keypoints\.json people: expected a list, got noth"):
        read_openpose_folder(tmp_path)
    path.rename(tmp_path / "walk_1_keypoints.json")
    write(tmp_path, {1: []})
    with pytest.raises(ValueError, match=r"walk_1_.*: expected every frame once, got 1 again"):
        read_openpose_folder(tmp_path)
    path.rename(tmp_path / "walk_1000000_keypoints.json")
    (tmp_path / "walk_1_keypoints.json").unlink()
    with pytest.raises(
        ValueError, match=r"walk_1000000_.*: expected at most 1000000 frames from 0"
    ):
        read_openpose_folder(tmp_path)


def test_arguments(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected files <video>_<frame>_keypoints\.json"):
        read_openpose_folder(tmp_path)
    with pytest.raises(FileNotFoundError, match="none: expected a folder, found none"):
        read_openpose_folder(tmp_path / "none")
    write(tmp_path, {0: []})
    for argument, value in (("persons", "best"), ("layout", "coco-17")):
        with pytest.raises(ValueError, match=f"{argument}: expected one of .*, got '{value}'"):
            read_openpose_folder(tmp_path, **{argument: value})
    with pytest.raises(ValueError, match="num_persons: expected at least 1, got 0"):
        read_openpose_folder(tmp_path, num_persons=0)
    with pytest.raises(ValueError, match=r"frame_size: expected width and height .*got \(0, 480\)"):
        read_openpose_folder(tmp_path, frame_size=(0, 480))
