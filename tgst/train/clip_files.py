r"""Clips to predict, from the files that pose estimators and depth cameras write."""

from __future__ import annotations

from pathlib import Path

from tgst.data.readers.ntu_skeleton import read_ntu_skeleton
from tgst.data.readers.openpose_folder import read_openpose_folder
from tgst.data.skeleton_clip import SkeletonClip
from tgst.utils.skeleton import Skeleton

__all__ = ["read_clip_files"]


def read_clip_files(path: str | Path, skeleton: Skeleton) -> list[SkeletonClip]:
    r"""Reads all clips in a folder, by name.

    A ``.skeleton`` file of NTU RGB+D is a clip, and so is a folder with one OpenPose JSON file per
    frame. They may lie in folders of any depth.

    Args:
        path: A folder, or one ``.skeleton`` file.
        skeleton: The layout that they must have.

    Raises:
        FileNotFoundError: If there is no such place, or no clip in it.
        ValueError: If a file is damaged, or has another number of joints than the layout.
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
    clips = [read_ntu_skeleton(file) for file in files]
    clips += [read_openpose_folder(folder) for folder in folders]
    for clip in clips:
        if clip.num_joints != skeleton.num_joints:
            raise ValueError(
                f"input: clip {clip.name!r} has {clip.num_joints} joints, but the model knows the "
                f"{skeleton.num_joints} of {skeleton.name}"
            )
    return clips
