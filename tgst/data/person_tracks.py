r"""Who is who in frames that list persons without an identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


def track_persons(
    frames: Sequence[np.ndarray], observed: Sequence[np.ndarray], reach: float = 1.0
) -> list[np.ndarray]:
    r"""Returns which track each person of each frame belongs to, by the nearest mean position.

    Greedy, frame by frame: of all pairs of a track and a person, the nearest go together first,
    each once. The distance is that between the mean of the person's observed joints and the mean
    of the track's when it was last seen, however long ago. A person who is farther from all free
    tracks than :obj:`reach` extents starts a new one; the extent is the longer side of the box
    around the observed joints, of the person or of the track when it was last seen, whichever is
    larger. It looks neither ahead nor at appearance: persons who cross within a frame's motion may
    be exchanged.

    Args:
        frames (sequence of numpy.ndarray): Coordinates of the persons of each frame.
        observed (sequence of numpy.ndarray): :obj:`True` where a joint was seen.
        reach (float, optional): Farthest move between two frames, in extents.
            (default: :obj:`1.0`)

    Returns:
        The number of each person's track, counted from 0 in the order of appearance; -1 for a
        person without an observed joint.

    Shapes:
        - **frames:** :math:`(P_t, V, D)` each
        - **observed:** :math:`(P_t, V)` each
        - **returns:** :math:`(P_t)` each
    """
    tracks: list[_Place] = []
    numbers = []
    for joints, seen in zip(frames, observed, strict=True):
        number = np.full(len(joints), -1, dtype=np.int64)
        places = {
            int(person): _Place.of(joints[person][seen[person]])
            for person in np.flatnonzero(seen.any(axis=-1))
        }
        for person, track in _pairs(places, tracks, reach):
            if number[person] < 0 and track not in number:
                number[person] = track
        for person, place in places.items():
            if number[person] < 0:
                number[person] = len(tracks)
                tracks.append(place)
            tracks[number[person]] = place
        numbers.append(number)
    return numbers


class _Place(NamedTuple):
    """Where a person is, and how large."""

    mean: np.ndarray
    extent: float

    @classmethod
    def of(cls, joints: np.ndarray) -> _Place:
        return cls(joints.mean(axis=0), float(np.ptp(joints, axis=0).max()))


def _pairs(persons: dict[int, _Place], tracks: list[_Place], reach: float) -> list[tuple[int, int]]:
    """Persons and tracks in each other's reach, the nearest pair first."""
    if not persons or not tracks:
        return []
    means = np.stack([track.mean for track in tracks])
    extents = np.array([track.extent for track in tracks])
    pairs = []
    for person, place in persons.items():
        distance = np.linalg.norm(means - place.mean, axis=1)
        near = np.flatnonzero(distance <= reach * np.maximum(extents, place.extent))
        pairs += [(float(distance[track]), person, int(track)) for track in near]
    return [(person, track) for _, person, track in sorted(pairs)]
