"""Annotation files of PYSKL and MMAction2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from tgst.data.readers.restricted_pickle import read_pickle
from tgst.data.skeleton_clip import SkeletonClip


class PysklClips(Sequence[SkeletonClip]):
    r"""The clips of an annotation file, each made when it is asked for: what is held in memory are
    the half precision arrays of the file.

    Args:
        path (Path): The file, for messages.
        annotations (list of dict): What it holds.
        scores (bool): Whether scores are the last channel.
    """

    def __init__(self, path: Path, annotations: list[dict[str, Any]], scores: bool) -> None:
        self._path, self._annotations, self._scores = path, annotations, scores

    def __len__(self) -> int:
        return len(self._annotations)

    @overload
    def __getitem__(self, index: int) -> SkeletonClip: ...

    @overload
    def __getitem__(self, index: slice) -> PysklClips: ...

    def __getitem__(self, index: int | slice) -> SkeletonClip | PysklClips:
        if isinstance(index, slice):
            return PysklClips(self._path, self._annotations[index], self._scores)
        annotation = self._annotations[index]
        place = f"{self._path} {annotation['frame_dir']!r}"
        return _clip(place, annotation, self._scores)

    @property
    def names(self) -> list[str]:
        r"""The :obj:`frame_dir` of each clip, without making them."""
        return [annotation["frame_dir"] for annotation in self._annotations]

    @property
    def labels(self) -> list[int | None]:
        r"""The class of each clip, without making them; :obj:`None` for one that has none."""
        return [
            _label(f"{self._path} {annotation['frame_dir']!r}", annotation)
            for annotation in self._annotations
        ]


def read_pyskl(path: str | Path, *, scores: bool = True) -> tuple[PysklClips, dict[str, list[str]]]:
    r"""Reads a pickle of annotations as `PYSKL <https://arxiv.org/abs/2205.09443>`_ and MMAction2
    publish them, without running it (:func:`tgst.data.read_pickle`).

    The file holds ``{"split": {name: [frame_dir, ...]}, "annotations": [{"frame_dir",
    "total_frames", "label", "keypoint", "keypoint_score", "img_shape", "original_shape"}]}`` or
    the list of annotations alone. With scores, a joint of score 0 counts as not observed; without,
    one at zero in all coordinates. 2-D positions are pixels, 3-D ones metres.

    Args:
        path (str or Path): The file.
        scores (bool, optional): Whether :obj:`keypoint_score`, which 2-D files have, is the last
            channel. (default: :obj:`True`)

    Returns:
        The clips, a sequence that makes them when they are asked for, with the
        :obj:`frame_dir` as names and in :obj:`info`, where the file has them, :obj:`"height"` and
        :obj:`"width"` of :obj:`img_shape` and :obj:`"original_height"` and
        :obj:`"original_width"`; and the names of the clips in each split.

    Shapes:
        - **positions:** :math:`(M, T, V, C)`, :math:`C` = 2 or 3, one more with scores

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no pickle of plain data, holds something else, or a split names a
            clip that is not there. The clips raise it if an annotation does not fit itself; the
            message names the clip.
    """
    path = Path(path)
    content = read_pickle(path)
    content = {"annotations": content} if isinstance(content, list) else content
    if not isinstance(content, dict) or not isinstance(content.get("annotations"), list):
        raise ValueError(
            f"{path}: expected annotations as a list or a dict with 'annotations', got "
            f"{type(content).__name__}"
        )
    annotations = content["annotations"]
    for number, annotation in enumerate(annotations):
        if not isinstance(annotation, dict) or not isinstance(annotation.get("frame_dir"), str):
            raise ValueError(
                f"{path} annotations[{number}]: expected a dict with the text 'frame_dir', got "
                f"{_shortened(annotation)}"
            )
    clips = PysklClips(path, annotations, scores)
    return clips, _splits(path, content.get("split", {}), set(clips.names))


def _splits(path: Path, splits: Any, known: set[str]) -> dict[str, list[str]]:
    if not isinstance(splits, dict):
        raise ValueError(f"{path} split: expected a dict of lists, got {type(splits).__name__}")
    result = {}
    for name, members in splits.items():
        if not isinstance(members, (list, tuple, np.ndarray)):
            raise ValueError(f"{path} split {name!r}: expected a list, got {_shortened(members)}")
        result[str(name)] = [str(member) for member in members]
        strangers = [member for member in result[str(name)] if member not in known]
        if strangers:
            raise ValueError(
                f"{path} split {name!r}: expected names of annotations, got {strangers[0]!r} (and "
                f"{len(strangers) - 1} more that are none)"
            )
    return result


def _clip(place: str, annotation: dict[str, Any], scores: bool) -> SkeletonClip:
    keypoint = annotation.get("keypoint")
    if (
        not isinstance(keypoint, np.ndarray)
        or keypoint.ndim != 4
        or keypoint.dtype.kind not in "iuf"
    ):
        raise ValueError(
            f"{place}: expected 'keypoint' as numbers (persons, frames, joints, coordinates), got "
            f"{_shortened(keypoint)}"
        )
    frames = annotation.get("total_frames", keypoint.shape[1])
    if not isinstance(frames, (int, np.integer)):
        raise ValueError(
            f"{place}: expected an integer as 'total_frames', got {_shortened(frames)}"
        )
    if frames != keypoint.shape[1]:
        raise ValueError(
            f"{place}: expected {frames} frames (total_frames), got {keypoint.shape[1]}"
        )
    positions, observed = keypoint.astype(np.float32), None
    score = annotation.get("keypoint_score")
    if score is not None:
        if not isinstance(score, np.ndarray) or score.shape != keypoint.shape[:3]:
            raise ValueError(
                f"{place}: expected 'keypoint_score' of the shape {keypoint.shape[:3]}, got "
                f"{_shortened(score)}"
            )
        observed = score > 0
        if scores:
            positions = np.concatenate([positions, score[..., None].astype(np.float32)], axis=-1)
    return SkeletonClip.from_positions(
        positions,
        observed,
        _label(place, annotation),
        annotation["frame_dir"],
        _info(place, annotation),
    )


def _label(place: str, annotation: dict[str, Any]) -> int | None:
    label = annotation.get("label")
    if isinstance(label, np.integer):
        label = int(label)
    if label is not None and not isinstance(label, int):
        raise ValueError(f"{place}: expected an integer as 'label', got {_shortened(label)}")
    return label


def _info(place: str, annotation: dict[str, Any]) -> dict[str, int | float | str]:
    info: dict[str, int | float | str] = {}
    for key, prefix in (("img_shape", ""), ("original_shape", "original_")):
        if annotation.get(key) is None:
            continue
        try:
            height, width = (int(size) for size in annotation[key])
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{place}: expected {key!r} as height and width, got {_shortened(annotation[key])}"
            ) from error
        info |= {f"{prefix}height": height, f"{prefix}width": width}
    return info


def _shortened(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of {value.shape}"
    return f"{type(value).__name__} {str(value)[:40]!r}"
