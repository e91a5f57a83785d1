r"""What is predicted of clips: all persons together and each alone, in windows of time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch_geometric.data import Data

from tgst.data.skeleton_clip import SkeletonClip

__all__ = ["SlidingWindows", "WindowItem", "window_starts"]


class WindowItem(NamedTuple):
    r"""One window of one clip.

    Args:
        clip: Number of the clip.
        persons: The persons in it, by their place in the clip.
        named: What it stands for: ``"all"``, a person, or, of a clip with one person, both.
        window: Number of the window in the clip, whoever is seen in it.
        first: Its first frame, from 0.
        stop: The frame after its last one.
    """

    clip: int
    persons: tuple[int, ...]
    named: tuple[str, ...]
    window: int
    first: int
    stop: int


class SlidingWindows(Sequence[Data]):
    r"""Windows of clips as graphs, made when they are asked for.

    Of every clip come the windows of all its persons together (the first ``num_persons`` that were
    seen), then those of each person alone. Windows in which nobody was seen are left out, and so
    are clips in which nobody was ever seen (:attr:`empty`).

    Args:
        clips: The clips.
        graph: The graph of ``num_persons`` persons.
        num_persons: Persons that the model sees at once.
        window: Frames of a window; None for the whole clip. The last window ends with the clip.
        stride: Frames from one window to the next; half a window if None.
        transform: Applied to every window.

    Attributes:
        clips: The clips.
        items: What each graph shows.
        empty: Numbers of the clips in which nobody was seen.

    Raises:
        ValueError: If there is nothing to see in any clip, or a number is less than 1.
    """

    def __init__(
        self,
        clips: Sequence[SkeletonClip],
        graph: Data,
        num_persons: int = 1,
        window: int | None = None,
        stride: int | None = None,
        transform: Callable[[Data], Data] | None = None,
    ) -> None:
        for name, number in (("window", window), ("window_stride", stride)):
            if number is not None and number < 1:
                raise ValueError(f"{name} must be at least 1, got {number}")
        self.clips = clips
        self.graph = graph
        self.num_persons = num_persons
        self.transform = transform
        self.items: list[WindowItem] = []
        self.empty: list[int] = []
        for number, clip in enumerate(clips):
            found = _items(number, clip, num_persons, window, stride)
            self.items += found
            if not found:
                self.empty.append(number)
        if not self.items:
            raise ValueError(f"clips: expected persons in some, got {len(clips)} without any")

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index):  # a slice has no use here
        r"""The graph of one item."""
        item = self.items[index]
        clip = self.clips[item.clip]
        persons = list(item.persons)
        positions = clip.positions[persons, item.first : item.stop]
        observed = clip.observed[persons, item.first : item.stop]
        absent = self.num_persons - len(persons)
        if absent:
            positions = np.pad(positions, ((0, absent), (0, 0), (0, 0), (0, 0)))
            observed = np.pad(observed, ((0, absent), (0, 0), (0, 0)))
        data = self.graph.__copy__()
        data.x = torch.from_numpy(_nodes_first(positions))
        data.mask = torch.from_numpy(_nodes_first(observed))
        return data if self.transform is None else self.transform(data)


def window_starts(length: int, window: int | None, stride: int | None = None) -> list[int]:
    r"""The first frames of the windows of a clip, which together cover all of it.

    Args:
        length: Frames of the clip.
        window: Frames of a window; None for the whole clip.
        stride: Frames from one window to the next; half a window if None.
    """
    if window is None or length <= window:
        return [0]
    stride = stride or max(1, window // 2)
    starts = list(range(0, length - window + 1, stride))
    return starts if starts[-1] == length - window else [*starts, length - window]


def _items(
    number: int, clip: SkeletonClip, num_persons: int, window: int | None, stride: int | None
) -> list[WindowItem]:
    seen = [int(person) for person in np.flatnonzero(clip.observed.any(axis=(1, 2)))]
    together = tuple(seen[:num_persons])
    groups: list[tuple[tuple[int, ...], tuple[str, ...]]] = [(together, ("all",))]
    groups += [((person,), (str(person),)) for person in seen]
    if len(seen) == 1:  # it is all persons: one computation for both
        groups = [(together, ("all", str(seen[0])))]
    items = []
    for persons, named in groups if seen else ():
        starts = window_starts(clip.num_frames, window, stride)
        size = min(window or clip.num_frames, clip.num_frames)
        # numbered before some are left out: window 3 is the same frames for all persons
        items += [
            WindowItem(number, persons, named, place, first, first + size)
            for place, first in enumerate(starts)
            if clip.observed[list(persons), first : first + size].any()
        ]
    return items


def _nodes_first(values: np.ndarray) -> np.ndarray:
    """From persons, frames, joints, ... to nodes, frames, ..."""
    moved = np.ascontiguousarray(values.swapaxes(1, 2))
    return moved.reshape(-1, *moved.shape[2:])
