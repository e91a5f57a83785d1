r"""Clips on disk, read where they are needed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tgst.data.skeleton_clip import SkeletonClip

HEADER = "store.json"
FORMAT = 1


class ClipRecord(NamedTuple):
    r"""Where a clip of a store is, and what is known of it without reading it.

    Args:
        name (str): Name of the clip.
        label (int, optional): Its class.
        info (dict): Subject, camera and the like.
        persons (int): Persons in it.
        frames (int): Frames of each.
        observed (int): How many joints were observed, over all persons and frames.
        row (int): Its first row in the shard.
        shard (str): The shard.
    """

    name: str
    label: int | None
    info: dict[str, Any]
    persons: int
    frames: int
    observed: int
    row: int
    shard: str


class ClipStore(Sequence):
    r"""Clips in a folder, as :func:`tgst.data.build_clip_store` wrote them: a sequence of
    :class:`tgst.data.SkeletonClip` whose positions are mapped from the disk and only read where
    they are used, so that all processes of a loader share them.

    The folder holds ``store.json`` (what made the store) and shards of three files each:
    ``00000.positions.npy`` of shape (rows, joints, channels), ``00000.observed.npy`` (rows,
    joints), where a row is one frame of one person, and ``00000.json`` with the clips in it. A
    shard counts from the moment on when its ``.json`` is there, which is written last. Nothing
    here is a pickle.

    Args:
        folder (str or Path): The folder.

    Raises:
        FileNotFoundError: If there is no store in the folder.
        ValueError: If a file of it is damaged or of another version; the message names it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        header = read_json(self.folder / HEADER)
        if header.get("format") != FORMAT:
            raise ValueError(
                f"{self.folder / HEADER}: expected a store of format {FORMAT}, got "
                f"{header.get('format')}; delete the folder to make the store again"
            )
        self.arguments: dict[str, Any] = header.get("arguments", {})
        self.records: list[ClipRecord] = []
        self.sources: set[str] = set()
        self.failed: dict[str, str] = {}
        for path in sorted(self.folder.glob("[0-9]*.json")):
            shard = read_json(path)
            try:
                self.sources.update(shard["sources"])
                self.records += [ClipRecord(**clip, shard=path.stem) for clip in shard["clips"]]
            except (KeyError, TypeError) as error:
                raise ValueError(
                    f"{path}: expected the clips of a shard, got a file with {error!r}; delete it "
                    "to make the shard again"
                ) from error
        self._maps: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def select(self, indices: Iterable[int]) -> ClipStore:
        r"""Returns a store of some of the clips; the files stay as they are.

        Args:
            indices (iterable of int): Numbers of the clips.
        """
        selected = copy.copy(self)
        selected.records = [self.records[index] for index in indices]
        return selected

    def labelled(self, labels: Mapping[str, int]) -> ClipStore:
        r"""Returns a store with other labels; the files stay as they are.

        Args:
            labels (mapping): Class of each clip by its name; all others have none.
        """
        store = copy.copy(self)
        store.records = [record._replace(label=labels.get(record.name)) for record in self.records]
        return store

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.select(range(len(self))[index])
        record = self.records[index]
        positions, observed = self._shard(record.shard)
        rows = slice(record.row, record.row + record.persons * record.frames)
        shape = record.persons, record.frames
        if rows.stop > len(positions) or len(positions) != len(observed):
            raise ValueError(
                f"{self.folder / record.shard}.positions.npy: expected {rows.stop} rows or more, "
                f"got {len(positions)}, and {len(observed)} observed; delete {record.shard}.json "
                "to make the shard again"
            )
        return SkeletonClip(
            np.asarray(positions[rows], np.float32).reshape(*shape, *positions.shape[1:]),
            np.asarray(observed[rows]).reshape(*shape, *observed.shape[1:]),
            record.label,
            record.name,
            record.info,
        )

    def _shard(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        if name not in self._maps:
            paths = [self.folder / f"{name}.{part}.npy" for part in ("positions", "observed")]
            try:
                maps = [np.load(path, mmap_mode="r", allow_pickle=False) for path in paths]
            except (EOFError, OSError, ValueError) as error:
                raise ValueError(
                    f"{paths[0]}: expected an array of this store: {error}; delete "
                    f"{name}.json to make the shard again"
                ) from error
            self._maps[name] = maps[0], maps[1]
        return self._maps[name]

    def __getstate__(self) -> dict[str, Any]:
        # A map would be pickled as the array that it shows.
        return {**self.__dict__, "_maps": {}}

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({len(self)}, folder={str(self.folder)!r})"


def read_json(path: Path) -> dict[str, Any]:
    r"""Reads a file of the store.

    Args:
        path (Path): The file.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it holds something else.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a file of a store of clips, got none")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: expected JSON of a store of clips: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected an object, got {type(content).__name__}")
    return content
