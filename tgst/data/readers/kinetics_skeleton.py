"""Skeletons of Kinetics, a JSON file for every clip."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from tgst.data.body_selection import Bodies, sort_by_score, sort_frames_by_score
from tgst.data.readers.json_text import MOST_FRAMES, entry_of, numbers_of, read_json
from tgst.data.skeleton_clip import SkeletonClip

NUM_JOINTS = 18

Persons = Literal["frame", "clip", "file_order"]


class KineticsLabel(NamedTuple):
    r"""What a label file of Kinetics-skeleton says of a clip.

    Args:
        has_skeleton (bool): Whether a person was found in it.
        label (str): Name of its class.
        label_index (int): Its class, counted from 0.
    """

    has_skeleton: bool
    label: str
    label_index: int


def read_kinetics_skeleton(
    path: str | Path,
    num_persons: int = 2,
    *,
    persons: Persons = "frame",
    max_persons: int = 5,
    first_frame: int = 1,
    centered: bool = False,
) -> SkeletonClip:
    r"""Reads a clip of Kinetics-skeleton, which came with `"Spatial Temporal Graph Convolutional
    Networks for Skeleton-Based Action Recognition" <https://arxiv.org/abs/1801.07455>`_ (Yan et
    al., 2018).

    The file is JSON: ``{"data": [{"frame_index", "skeleton": [{"pose", "score"}]}], "label",
    "label_index"}`` with 18 joints of OpenPose per person, whose x and y are parts of the image's
    width and height. Persons have no identity from frame to frame.

    A joint whose score is 0 was not found and counts as not observed. If nobody is in the file, the
    clip is one person who was never observed. Frames that are not in the file, between others, are
    not observed; how long the video goes on after the last one is not known, and nothing is padded.

    To get what the published preprocessing writes: :obj:`first_frame=0, centered=True`, then zeros
    to 300 frames.

    Args:
        path (str or Path): The file.
        num_persons (int, optional): Most persons of the clip; there may be fewer.
            (default: :obj:`2`)
        persons (str, optional): Who they are: :obj:`"frame"`, those with the largest sum of scores
            in every frame by itself, as in the published code (person 0 may be another one in the
            next frame); :obj:`"clip"`, the places in the list of the file with the largest mean
            score in the clip, as in the paper; :obj:`"file_order"`, the first ones of each frame.
            (default: :obj:`"frame"`)
        max_persons (int, optional): Persons of each frame that are read at all, in the order of
            the file. (default: :obj:`5`)
        first_frame (int, optional): The :obj:`frame_index` of frame 0. The published code takes 0
            and leaves frame 0 empty, since files count from 1. (default: :obj:`1`)
        centered (bool, optional): Whether 0.5 is subtracted from x and y (0 is the middle of the
            image then; joints that were not found stay 0). (default: :obj:`False`)

    Returns:
        The clip; its name is that of the file, :obj:`info` holds the name of the class as
        :obj:`"label_name"`.

    Shapes:
        - **positions:** :math:`(M, T, 18, 3)`: x, y (parts of the image, y down) and score

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no JSON (the message names the line) or has other contents (the
            message names the place), or a frame occurs twice or before :obj:`first_frame`.
    """
    if persons not in get_args(Persons):
        raise ValueError(f"persons: expected one of {get_args(Persons)}, got {persons!r}")
    for argument, value in (("num_persons", num_persons), ("max_persons", max_persons)):
        if value < 1:
            raise ValueError(f"{argument}: expected at least 1, got {value}")
    path = Path(path)
    content = read_json(path)
    found = _bodies(path, content, max_persons, first_frame)
    if persons != "file_order":
        found = sort_frames_by_score(found) if persons == "frame" else sort_by_score(found)
    found = found.take(range(min(num_persons, len(found.names))))
    if centered:
        found.positions[..., :2] -= np.float32(0.5)  # what was not observed becomes 0 again
    label = content.get("label_index")
    return SkeletonClip(
        found.positions,
        found.observed,
        None if label is None else entry_of(path, "label_index", label, int),
        path.stem,
        {"label_name": content["label"]} if isinstance(content.get("label"), str) else {},
    )


def read_kinetics_labels(path: str | Path) -> dict[str, KineticsLabel]:
    r"""Reads a label file of Kinetics-skeleton: ``{name: {"has_skeleton", "label",
    "label_index"}}``.

    Args:
        path (str or Path): The JSON file.

    Returns:
        What is said of each clip, by its name.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no JSON (the message names the line) or has other contents.
    """
    path = Path(path)
    labels = {}
    for name, entry in read_json(path).items():
        entry = entry_of(path, name, entry, dict)
        index = entry_of(path, f"{name}.label_index", entry.get("label_index"), int)
        labels[name] = KineticsLabel(
            bool(entry.get("has_skeleton", True)),
            entry_of(path, f"{name}.label", entry.get("label"), str),
            index,
        )
    return labels


def _bodies(path: Path, content: dict[str, Any], max_persons: int, first_frame: int) -> Bodies:
    """The first persons of each frame, in the order of the file."""
    frames: dict[int, list] = {}
    for number, entry in enumerate(entry_of(path, "data", content.get("data"), list)):
        place = f"data[{number}]"
        entry = entry_of(path, place, entry, dict)
        index = entry_of(path, f"{place}.frame_index", entry.get("frame_index"), int)
        if not 0 <= index - first_frame < MOST_FRAMES or index - first_frame in frames:
            raise ValueError(
                f"{path} {place}.frame_index: expected every frame once, from {first_frame} on and "
                f"at most {MOST_FRAMES}, got {index}"
            )
        listed = entry_of(path, f"{place}.skeleton", entry.get("skeleton"), list)
        frames[index - first_frame] = [
            _joints(path, f"{place}.skeleton[{person}]", joints)
            for person, joints in enumerate(listed[:max_persons])
        ]
    longest = max(map(len, frames.values()), default=0)
    shape = (max(longest, 1), max(frames, default=0) + 1, NUM_JOINTS)
    positions = np.zeros((*shape, 3), np.float32)
    for frame, joints in frames.items():
        for person, values in enumerate(joints):
            positions[person, frame] = values
    names = [str(place) for place in range(shape[0])]
    return Bodies(positions, positions[..., 2] > 0, names)


def _joints(path: Path, place: str, skeleton: Any) -> np.ndarray:
    entry = entry_of(path, place, skeleton, dict)
    pose = numbers_of(path, f"{place}.pose", entry.get("pose"), (2 * NUM_JOINTS,))
    score = numbers_of(path, f"{place}.score", entry.get("score"), (NUM_JOINTS,))
    return np.concatenate([pose.reshape(NUM_JOINTS, 2), score[:, None]], axis=1)
