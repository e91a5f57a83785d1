"""What OpenPose writes for a video: a folder with a JSON file for every frame."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from tgst.data.body_selection import Bodies, sort_frames_by_score
from tgst.data.person_tracks import track_persons
from tgst.data.readers.json_text import MOST_FRAMES, entry_of, numbers_of, read_json
from tgst.data.skeleton_clip import SkeletonClip

# Joints of BODY_25 in the order of the 18 of COCO: without the middle of the hips and the feet.
BODY_25_TO_18 = (*range(8), *range(9, 19))
NUM_JOINTS = {"openpose-18": 18, "body-25": 25}

Layout = Literal["openpose-18", "body-25"]
Persons = Literal["track", "frame", "file_order"]

_FILE = re.compile(r"(?:(.*)_)?(\d+)_keypoints\.json")


def read_openpose_folder(
    folder: str | Path,
    frame_size: tuple[int, int] | None = None,
    num_persons: int = 2,
    *,
    persons: Persons = "track",
    layout: Layout = "openpose-18",
    video: str | None = None,
    label: int | None = None,
) -> SkeletonClip:
    r"""Reads the frames of a video that `OpenPose <https://arxiv.org/abs/1812.08008>`_ wrote with
    :obj:`--write_json`, as one clip.

    The files are ``<video>_<frame>_keypoints.json``: ``{"people": [{"pose_keypoints_2d": [x0, y0,
    c0, x1, ...]}]}`` with 18 joints (COCO) or 25 (BODY_25). The clip begins with the first frame
    there is; frames that are missing after it are not observed. A joint of confidence 0 was not
    found and counts as not observed. If nobody was ever found, the clip is one person who was
    never observed.

    Args:
        folder (str or Path): The folder.
        frame_size (tuple of int, optional): Width and height of the video, which x and y are
            divided by, as in Kinetics-skeleton; without, they stay in pixels (or what
            :obj:`--keypoint_scale` says). (default: :obj:`None`)
        num_persons (int, optional): Most persons of the clip; there may be fewer.
            (default: :obj:`2`)
        persons (str, optional): Who they are, since OpenPose names nobody: :obj:`"track"` follows
            persons by the nearest mean position, at most the larger side of a person away, and
            takes those of the largest mean confidence in the clip; :obj:`"frame"` takes those
            of the largest sum of confidences in every frame by itself, as ST-GCN does (person 0 may
            be another one in the next frame); :obj:`"file_order"` the first ones of each frame.
            (default: :obj:`"track"`)
        layout (str, optional): :obj:`"openpose-18"`, which the joints of BODY_25 are mapped to
            (the middle of the hips and the feet are left out), or :obj:`"body-25"`, as they are.
            (default: :obj:`"openpose-18"`)
        video (str, optional): Which video, if the folder holds several: the names of its files up
            to the number. (default: :obj:`None`)
        label (int, optional): Class of the clip. (default: :obj:`None`)

    Returns:
        The clip; its name is that of the video, or of the folder if files have none; :obj:`info`
        holds :obj:`"first_frame"`, the number of frame 0.

    Shapes:
        - **positions:** :math:`(M, T, 18, 3)` (or 25 joints): x, y (y down) and confidence

    Raises:
        FileNotFoundError: If there is no such folder, or no such files in it.
        ValueError: If a file is no JSON (the message names it and the line) or has other contents,
            persons have another number of joints, or the folder holds several videos.
    """
    for argument, value, allowed in (
        ("persons", persons, get_args(Persons)),
        ("layout", layout, get_args(Layout)),
    ):
        if value not in allowed:
            raise ValueError(f"{argument}: expected one of {allowed}, got {value!r}")
    if num_persons < 1:
        raise ValueError(f"num_persons: expected at least 1, got {num_persons}")
    if frame_size is not None and not (len(frame_size) == 2 and min(frame_size) > 0):
        raise ValueError(f"frame_size: expected width and height in pixels, got {frame_size}")
    name, files = _files(Path(folder), video)
    first, last = min(files), max(files)
    if last - first >= MOST_FRAMES:
        raise ValueError(
            f"{files[last]}: expected at most {MOST_FRAMES} frames from {first} on, got {last}"
        )
    frames = {number: _persons(path, layout) for number, path in files.items()}
    nobody = np.zeros((0, NUM_JOINTS[layout], 3))
    listed = [frames.get(number, nobody) for number in range(first, last + 1)]
    found = _chosen(listed, persons, num_persons)
    if frame_size is not None:
        found.positions[..., :2] /= np.array(frame_size, np.float32)
    return SkeletonClip(found.positions, found.observed, label, name, {"first_frame": first})


def _files(folder: Path, video: str | None) -> tuple[str, dict[int, Path]]:
    """The name of the video, and the file of each of its frames."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: expected a folder, found none")
    videos: dict[str, dict[int, Path]] = {}
    for path in sorted(folder.iterdir()):
        found = _FILE.fullmatch(path.name)
        if found is None:
            continue
        frames = videos.setdefault(found[1] or "", {})
        if int(found[2]) in frames:
            raise ValueError(f"{path}: expected every frame once, got {int(found[2])} again")
        frames[int(found[2])] = path
    if not videos or (video is not None and video not in videos):
        named = "<video>" if video is None else video
        raise FileNotFoundError(
            f"{folder}: expected files {named}_<frame>_keypoints.json, found none"
        )
    if video is None and len(videos) > 1:
        raise ValueError(f"video: expected one of {sorted(videos)} in {folder}, got None")
    name = next(iter(videos)) if video is None else video
    return name or folder.name, videos[name]


def _persons(path: Path, layout: Layout) -> np.ndarray:
    """The persons of a frame, [P, V, 3]."""
    listed = entry_of(path, "people", read_json(path).get("people"), list)
    joints = [
        _joints(path, f"people[{number}]", entry, layout) for number, entry in enumerate(listed)
    ]
    return np.array(joints).reshape(len(listed), NUM_JOINTS[layout], 3)


def _joints(path: Path, place: str, person: Any, layout: Layout) -> np.ndarray:
    entry = entry_of(path, place, person, dict)
    counts = (75,) if layout == "body-25" else (54, 75)
    key = "pose_keypoints_2d" if "pose_keypoints_2d" in entry else "pose_keypoints"  # before 1.2
    joints = numbers_of(path, f"{place}.{key}", entry.get(key), counts).reshape(-1, 3)
    if layout == "openpose-18" and len(joints) == 25:
        return joints[list(BODY_25_TO_18)]
    return joints


def _chosen(listed: list[np.ndarray], persons: Persons, num_persons: int) -> Bodies:
    """The persons of the clip, the most important ones first."""
    if persons == "track":
        places = _best_tracks(listed, num_persons)
    else:
        places = [np.arange(len(frame)) for frame in listed]
    count = max([1, *(int(numbers.max()) + 1 for numbers in places if len(numbers))])
    positions = np.zeros((count, len(listed), *listed[0].shape[1:]), np.float32)
    for number, (frame, numbers) in enumerate(zip(listed, places, strict=True)):
        positions[numbers[numbers >= 0], number] = frame[numbers >= 0]
    bodies = Bodies(positions, positions[..., 2] > 0, [str(place) for place in range(count)])
    if persons == "frame":
        bodies = sort_frames_by_score(bodies)
    return bodies.take(range(min(num_persons, count)))


def _best_tracks(listed: list[np.ndarray], num_persons: int) -> list[np.ndarray]:
    """The rank of each person's track by confidence; -1 for those behind the last one wanted."""
    seen = [frame[..., 2] > 0 for frame in listed]
    tracks = track_persons([frame[..., :2] for frame in listed], seen)
    together = np.concatenate(tracks)
    scores = np.concatenate([frame[..., 2].clip(min=0).sum(axis=-1) for frame in listed])
    total = np.bincount(together[together >= 0], weights=scores[together >= 0])
    rank = np.full(len(total) + 1, -1, dtype=np.int64)  # the last one: persons without a track
    best = np.argsort(-total, kind="stable")[:num_persons]
    rank[best] = np.arange(len(best))
    return [rank[numbers] for numbers in tracks]
