from __future__ import annotations

import numpy as np
import pytest

from tgst.data.person_tracks import track_persons

BOX = np.array([[0.0, 0.0], [1.0, 2.0]])  # extent 2


def follow(*frames: list[tuple[float, float]], reach: float = 1.0) -> list[list[int]]:
    """Persons as boxes of height 2 at the places given."""
    joints = [np.array([BOX + place for place in frame]).reshape(-1, 2, 2) for frame in frames]
    seen = [np.ones(frame.shape[:2], bool) for frame in joints]
    return [numbers.tolist() for numbers in track_persons(joints, seen, reach)]


def test_order_of_the_list_does_not_matter() -> None:
    assert follow([(0, 0), (5, 0)], [(5.2, 0), (0.1, 0)], [(0.2, 0), (5, 0)]) == [
        *([0, 1], [1, 0], [0, 1])
    ]


def test_nearest_pair_first() -> None:
    # Both persons are nearest to track 0; the nearer one takes it, the other takes track 1.
    assert follow([(0, 0), (1.5, 0)], [(0.7, 0), (0.2, 0)]) == [[0, 1], [1, 0]]


def test_who_comes_and_goes() -> None:
    assert follow([(0, 0)], [], [(9, 0), (0.5, 0)], [(9.5, 0)], [(0.5, 1)]) == [
        *([0], [], [1, 0], [1], [0])
    ]


@pytest.mark.parametrize(("reach", "numbers"), [(1.0, [[0], [0], [1]]), (1.1, [[0], [0], [0]])])
def test_reach(reach: float, numbers: list[list[int]]) -> None:
    assert follow([(0, 0)], [(2, 0)], [(4.1, 0)], reach=reach) == numbers


def test_joints_that_were_not_seen() -> None:
    joints = np.stack([BOX, BOX + 8, BOX * 0])
    seen = np.ones((3, 2), bool)
    seen[2] = False
    last = np.stack([np.stack([[99, 99], BOX[1] + 8]), BOX])  # its extent is that of the track
    shown = np.array([[False, True], [True, True]])
    numbers = track_persons([joints, last], [seen, shown])
    assert [frame.tolist() for frame in numbers] == [[0, 1, -1], [1, 0]]


def test_the_larger_of_both_extents_counts() -> None:
    # A single joint was seen first, an extent of nothing; then a box of height 2, 1.4 away.
    joints, later = BOX[None], BOX[None] + np.array([0.5, 0.0])
    for frames, shown in (
        ([joints, later], [[True, False], [True, True]]),
        ([later, joints], [[True, True], [True, False]]),
    ):
        seen = [np.array([each]) for each in shown]
        assert [numbers.tolist() for numbers in track_persons(frames, seen)] == [[0], [0]]
