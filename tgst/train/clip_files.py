r"""Clips to predict, from the files that pose estimators and depth cameras write."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tgst.data.readers.ntu_skeleton import read_ntu_skeleton
from tgst.data.readers.openpose_folder import read_openpose_folder
from tgst.data.skeleton_clip import SkeletonClip
from tgst.utils.skeleton import Skeleton

__all__ = ["largest_coordinate", "read_clip_files"]

OTHER_UNIT = 10  # times the coordinates of the training clips: no place a person could stand at
PIXELS = "OpenPose writes pixels: give the size of the video, data.input_args {frame_size: [W, H]}"


def read_clip_files(
    path: str | Path,
    skeleton: Skeleton,
    arguments: Mapping[str, Any] | None = None,
    ntu_arguments: Mapping[str, Any] | None = None,
    extent: float | None = None,
) -> list[SkeletonClip]:
    r"""Reads all clips in a folder, by name.

    A ``.skeleton`` file of NTU RGB+D is a clip, and so is a folder with one OpenPose JSON file per
    frame. They may lie in folders of any depth; other files beside them do not matter. Clips of one
    name are called by their place in the folder instead.

    Args:
        path: A folder, or one ``.skeleton`` file.
        skeleton: The layout that they must have.
        arguments: Further arguments of :func:`tgst.data.read_ntu_skeleton` or
            :func:`tgst.data.read_openpose_folder`.
        ntu_arguments: Those of the first that hold unless ``arguments`` has others.
        extent: The :func:`largest_coordinate` of the training clips; None if it is not known.

    Raises:
        FileNotFoundError: If there is no such place, or no clip in it.
        ValueError: If a file is damaged, or has another number of joints than the layout, or
            coordinates more than ten times as large as those of the training clips, or the files
            are read without such an argument.
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise FileNotFoundError(f"input: there is no file or folder {place}")
    if not place.is_dir() and place.suffix != ".skeleton":
        raise ValueError(f"input: expected a folder or a .skeleton file, got {place}")
    files = sorted(place.rglob("*.skeleton")) if place.is_dir() else [place]
    # by name: pathlib's own order would tell apart what the user does not
    folders = sorted({file.parent for file in place.rglob("*_keypoints.json")})
    if not files and not folders:
        raise FileNotFoundError(
            f"input: {place} holds neither .skeleton files nor OpenPose's *_keypoints.json files"
        )
    given = arguments or {}
    recorded = _read(read_ntu_skeleton, files, given, ntu_arguments or {})
    estimated = _read(read_openpose_folder, folders, given, {})
    _check_joints([*recorded, *estimated], skeleton)
    if extent:
        _check_unit(recorded, extent, "those are metres in .skeleton files")
        _check_unit(estimated, extent, PIXELS)
    return _told_apart([*recorded, *estimated], [*files, *folders], place)


def largest_coordinate(clip: SkeletonClip) -> float:
    r"""The largest absolute value of x or y of the joints that were observed; 0 if none was.

    Args:
        clip: The clip.
    """
    seen = clip.positions[..., :2][clip.observed]
    return float(np.abs(seen).max(initial=0.0))


def _check_joints(clips: Sequence[SkeletonClip], skeleton: Skeleton) -> None:
    for clip in clips:
        if clip.num_joints != skeleton.num_joints:
            raise ValueError(
                f"input: clip {clip.name!r} has {clip.num_joints} joints, but the model knows the "
                f"{skeleton.num_joints} of {skeleton.name}"
            )


def _check_unit(clips: Sequence[SkeletonClip], extent: float, advice: str) -> None:
    for clip in clips:
        found = largest_coordinate(clip)
        if found > OTHER_UNIT * extent:
            raise ValueError(
                f"input: clip {clip.name!r} has coordinates of up to {found:.4g}, but the model "
                f"was trained on clips of up to {extent:.4g}, in another unit; {advice}"
            )


def _told_apart(
    clips: Sequence[SkeletonClip], sources: Sequence[Path], place: Path
) -> list[SkeletonClip]:
    counts = Counter(clip.name for clip in clips)
    return [
        clip if counts[clip.name] == 1 else replace(clip, name=source.relative_to(place).as_posix())
        for clip, source in zip(clips, sources, strict=True)
    ]


def _read(
    reader: Callable[..., SkeletonClip],
    paths: Sequence[Path],
    arguments: Mapping[str, Any],
    defaults: Mapping[str, Any],
) -> list[SkeletonClip]:
    known = list(inspect.signature(reader).parameters)[1:]
    unknown = [name for name in arguments if name not in known]
    if paths and unknown:
        raise ValueError(
            f"data.input_args: {reader.__name__} takes {', '.join(known)}, got {', '.join(unknown)}"
        )
    return [reader(path, **{**defaults, **arguments}) for path in paths]
