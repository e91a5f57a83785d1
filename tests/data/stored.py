"""Files of clips that a test can read, count and damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tgst.data.skeleton_clip import SkeletonClip
from tgst.utils import Skeleton

CHAIN = Skeleton.from_edges([(0, 1), (1, 2)], center=1, name="chain-3")


def write_sources(folder: Path, number: int = 7) -> dict[str, Path]:
    r"""Files of one number each, which says what the clip is."""
    folder.mkdir(exist_ok=True)
    sources = {f"clip_{index}": folder / f"clip_{index}.txt" for index in range(number)}
    for index, path in enumerate(sources.values()):
        path.write_text(str(index))
    return sources


def expected(index: int) -> SkeletonClip:
    persons, frames = 1 + index % 2, 2 + index
    values = np.arange(persons * frames * 3 * 2, dtype=np.float32).reshape(persons, frames, 3, 2)
    observed = np.ones((persons, frames, 3), dtype=bool)
    observed[0, 0, index % 3] = False
    return SkeletonClip(
        values + 8 * index + 1, observed, index % 4, f"clip_{index}", {"subject": index}
    )


def read(path: Path) -> SkeletonClip:
    try:
        return expected(int(path.read_text()))
    except ValueError as error:
        raise ValueError(f"{path} line 1: {error}") from error


class Counted:
    r"""A reader that remembers what it read and may be stopped."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.names: list[str] = []
        self.stop_at = stop_at

    def __call__(self, path: Path) -> SkeletonClip:
        if len(self.names) == self.stop_at:
            raise KeyboardInterrupt
        self.names.append(path.stem)
        return read(path)
