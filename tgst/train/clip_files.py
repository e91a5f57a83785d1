r"""Clips to predict, from the files that pose estimators and depth cameras write."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tgst.data.readers.ntu_skeleton import read_ntu_skeleton
from tgst.data.readers.openpose_folder import read_openpose_folder
from tgst.data.skeleton_clip import SkeletonClip
from tgst.utils.skeleton import Skeleton

__all__ = ["read_clip_files"]


def read_clip_files(
    path: str | Path, skeleton: Skeleton, arguments: Mapping[str, Any] | None = None
) -> list[SkeletonClip]:
    r"""Reads all clips in a folder, by name.

    A ``.skeleton`` file of NTU RGB+D is a clip, and so is a folder with one OpenPose JSON file per
    frame. They may lie in folders of any depth.

    Args:
        path: A folder, or one ``.skeleton`` file.
        skeleton: The layout that they must have.
        arguments: Further arguments of :func:`tgst.data.read_ntu_skeleton` or
            :func:`tgst.data.read_openpose_folder`.

    Raises:
        FileNotFoundError: If there is no such place, or no clip in it.
        ValueError: If a file is damaged, or has another number of joints than the layout, or the
            files are read without such an argument.
    """
    place = Path(path).expanduser()
    if not place.exists():
        raise FileNotFoundError(f"input: there is no file or folder {place}")
    files = sorted(place.rglob("*.skeleton")) if place.is_dir() else [place]
    # by name: pathlib's own order would tell apart what the user does not
    folders = sorted({file.parent for file in place.rglob("*.json")}) if place.is_dir() else []
    if not files and not folders:
        raise FileNotFoundError(
            f"input: {place} holds neither .skeleton files nor folders of OpenPose's .json files"
        )
    clips = _read(read_ntu_skeleton, files, arguments or {})
    clips += _read(read_openpose_folder, folders, arguments or {})
    for clip in clips:
        if clip.num_joints != skeleton.num_joints:
            raise ValueError(
                f"input: clip {clip.name!r} has {clip.num_joints} joints, but the model knows the "
                f"{skeleton.num_joints} of {skeleton.name}"
            )
    return clips


def _read(
    reader: Callable[..., SkeletonClip], paths: Sequence[Path], arguments: Mapping[str, Any]
) -> list[SkeletonClip]:
    known = list(inspect.signature(reader).parameters)[1:]
    unknown = [name for name in arguments if name not in known]
    if paths and unknown:
        raise ValueError(
            f"data.input_args: {reader.__name__} takes {', '.join(known)}, got {', '.join(unknown)}"
        )
    return [reader(path, **arguments) for path in paths]
