"""The files that the preprocessing of ST-GCN writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from tgst.data.readers.restricted_pickle import read_pickle
from tgst.data.skeleton_clip import SkeletonClip


class FeederClips(Sequence[SkeletonClip]):
    r"""The clips of a feeder file, each read from disk when it is asked for.

    Args:
        path (Path): The ``.npy`` file.
        names (list of str): Name of each clip.
        labels (list of int, optional): Class of each clip.
        trim (bool): Whether to cut off what is padded.
        rows (range): Which clips of the file these are.
    """

    def __init__(
        self, path: Path, names: list[str], labels: list[int] | None, trim: bool, rows: range
    ) -> None:
        self._path, self._names, self._labels = path, names, labels
        self._trim, self._rows = trim, rows
        self._data: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> SkeletonClip: ...

    @overload
    def __getitem__(self, index: slice) -> FeederClips: ...

    def __getitem__(self, index: int | slice) -> SkeletonClip | FeederClips:
        if isinstance(index, slice):
            rows = self._rows[index]
            return FeederClips(self._path, self._names, self._labels, self._trim, rows)
        if self._data is None:
            self._data = _mapped(self._path)
        row = self._rows[index]
        values = np.array(self._data[row], np.float32)  # [C, T, V, M], read from disk here
        return _clip(
            np.ascontiguousarray(values.transpose(3, 1, 2, 0)),
            None if self._labels is None else self._labels[row],
            self._names[row],
            self._trim,
        )

    @property
    def names(self) -> list[str]:
        r"""The name of each clip, without reading them."""
        return [self._names[row] for row in self._rows]

    @property
    def labels(self) -> list[int] | None:
        r"""The class of each clip, without reading them; :obj:`None` if they have none."""
        return None if self._labels is None else [self._labels[row] for row in self._rows]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_data": None}  # a memory map would be pickled with its contents


def read_stgcn_feeder(
    data: str | Path,
    labels: str | Path | Sequence[int] | np.ndarray | None = None,
    *,
    trim: bool = True,
) -> FeederClips:
    r"""Reads what the preprocessing of `ST-GCN <https://arxiv.org/abs/1801.07455>`_ writes: an
    array :math:`(N, C, T, V, M)` in a ``.npy`` file, and the names and labels of its clips in a
    ``.pkl`` file. The array stays on disk; the pickle is not run
    (:func:`tgst.data.read_pickle`).

    Joints at zero in all channels count as not observed: it is zeros that clips are padded with,
    to 300 frames and 2 persons.

    Args:
        data (str or Path): The ``.npy`` file.
        labels (str or Path or sequence of int, optional): The ``.pkl`` file of a pair (names,
            labels), a ``.npy`` file of labels, or the labels. (default: :obj:`None`)
        trim (bool, optional): Whether frames after the last one in which something was observed,
            and persons who were never observed, are left out; at least one of each stays.
            (default: :obj:`True`)

    Returns:
        The clips, a sequence that reads them when they are asked for; without names of their own
        they are called by their numbers.

    Shapes:
        - **positions:** :math:`(M, T, V, C)`, in the units of the file

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the array has other dimensions or is no numbers, the pickle is no pair of
            names and labels, or there are not as many as clips.
    """
    path = Path(data)
    count = len(_mapped(path))
    names, numbers = _names_and_labels(labels)
    names = [str(index) for index in range(count)] if names is None else names
    for kind, entries in (("names", names), ("labels", numbers)):
        if entries is not None and len(entries) != count:
            raise ValueError(
                f"labels: expected {kind} of the {count} clips in {path}, got {len(entries)}"
            )
    return FeederClips(path, names, numbers, trim, range(count))


def _mapped(path: Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a file, found none")
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (EOFError, OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}; is the file cut off or another one?") from error
    if not isinstance(array, np.ndarray) or array.ndim != 5 or array.dtype.kind not in "iuf":
        came = f"{array.dtype} of {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        raise ValueError(
            f"{path}: expected numbers (clips, channels, frames, joints, persons), got {came}"
        )
    return array


def _names_and_labels(labels: Any) -> tuple[list[str] | None, list[int] | None]:
    if labels is None:
        return None, None
    if not isinstance(labels, (str, Path)):
        return None, _integers("labels", labels)
    path = Path(labels)
    if path.suffix.lower() == ".npy":
        if not path.is_file():
            raise FileNotFoundError(f"{path}: expected a file, found none")
        try:
            return None, _integers(str(path), np.load(path, allow_pickle=False))
        except (EOFError, OSError, ValueError) as error:
            raise ValueError(f"{path}: {error}") from error
    content = read_pickle(path)
    if not isinstance(content, (list, tuple)) or len(content) != 2:
        raise ValueError(
            f"{path}: expected a pair of names and labels, got {type(content).__name__} of "
            f"{len(content) if isinstance(content, (list, tuple, dict)) else 'no'} entries"
        )
    if not isinstance(content[0], (list, tuple, np.ndarray)):
        raise ValueError(f"{path}: expected a list of names, got {type(content[0]).__name__}")
    return [str(name) for name in content[0]], _integers(str(path), content[1])


def _integers(place: str, labels: Any) -> list[int]:
    try:
        array = np.asarray(labels)
    except ValueError as error:
        raise ValueError(f"{place}: expected integers, got a list of lists: {error}") from error
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ValueError(f"{place}: expected integers, got {array.dtype} of {array.shape}")
    return array.tolist()


def _clip(positions: np.ndarray, label: int | None, name: str, trim: bool) -> SkeletonClip:
    clip = SkeletonClip.from_positions(positions, None, label, name)
    if not trim:
        return clip
    frames = np.flatnonzero(clip.observed.any(axis=(0, 2)))
    persons = np.flatnonzero(clip.observed.any(axis=(1, 2)))
    length = int(frames[-1]) + 1 if len(frames) else 1
    chosen = persons if len(persons) else np.zeros(1, np.int64)
    return SkeletonClip(
        clip.positions[chosen, :length], clip.observed[chosen, :length], label, name, clip.info
    )
