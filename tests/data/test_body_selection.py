from __future__ import annotations

import numpy as np
import pytest

from tgst.data.body_selection import (
    Bodies,
    is_noise,
    join_bodies,
    motion_energy,
    sort_by_energy,
    sort_by_score,
    sort_frames_by_score,
)


def bodies(positions: np.ndarray, observed: np.ndarray | None = None) -> Bodies:
    if observed is None:
        observed = np.ones(positions.shape[:-1], bool)
    return Bodies(positions, observed, [f"b{index}" for index in range(len(positions))])


def test_motion_energy_by_hand() -> None:
    positions = np.zeros((2, 2, 2, 3))
    positions[0, :, :, 0] = [[1, 3], [1, 3]]  # standard deviation 1
    positions[0, :, :, 1] = [[0, 0], [4, 4]]  # 2
    positions[1] = 7
    assert motion_energy(positions, np.ones((2, 2, 2), bool)).tolist() == [3, 0]


def test_motion_energy_is_of_what_was_seen() -> None:
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(3, 6, 5, 3))
    observed = rng.random((3, 6, 5)) < 0.6
    observed[2] = False
    positions[2] = 0
    energy = motion_energy(np.where(observed[..., None], positions, 99), observed)
    for body in range(2):
        seen = positions[body][observed[body]]
        assert energy[body] == pytest.approx(sum(seen[:, axis].std() for axis in range(3)))
    assert energy[2] == 0


def test_sort_by_energy() -> None:
    rng = np.random.default_rng(0)
    positions = rng.normal(size=(4, 6, 5, 3)) * np.array([1, 3, 1, 2])[:, None, None, None]
    positions[2] = positions[0]
    found = sort_by_energy(bodies(positions))
    assert found.names == ["b1", "b3", "b0", "b2"]  # equal ones keep their order
    np.testing.assert_array_equal(found.positions, positions[[1, 3, 0, 2]])


def standing(frames: int, width: float = 0.5, height: float = 1.0) -> np.ndarray:
    person = np.zeros((frames, 3, 3))
    person[:, 1] = width, height, 0
    person[:, 2] = width / 2, height / 2, 5
    return person


def test_noise() -> None:
    positions = np.stack(
        [
            standing(100),
            standing(100, width=0.81),  # too wide in all frames
            standing(100, width=0.8),
            standing(100),  # too wide in 69 of 100
            standing(100),  # in 70 of 100
            standing(100),  # seen in 11
            standing(100),  # seen in 12
        ]
    )
    positions[3, :69, 1, 0] = 2
    positions[4, :70, 1, 0] = 2
    observed = np.ones(positions.shape[:-1], bool)
    observed[5, 11:] = False
    observed[6, 12:] = False
    noise = is_noise(positions, observed)
    assert noise.tolist() == [False, True, False, False, True, True, False]
    assert is_noise(positions, observed, min_frames=11, spread=0.9, share=0.7).tolist() == [
        *(False, False, False, False, True, False, False)
    ]


def test_noise_is_judged_by_what_was_seen() -> None:
    positions = standing(20, width=2)[None]
    positions = np.concatenate([positions, standing(20)[None]])
    observed = np.ones((2, 20, 3), bool)
    observed[0, :, 1] = False  # the wide joint
    positions[0, :, 1] = 9
    assert is_noise(positions, observed).tolist() == [True, False]  # 1 wide, 0.5 high
    positions[0, :, 2, 0] = 0.3
    assert is_noise(positions, observed).tolist() == [False, False]


def test_noise_leaves_one() -> None:
    observed = np.zeros((3, 9, 3), bool)
    observed[0, :4] = observed[1, :5] = True
    assert is_noise(np.stack([standing(9)] * 3), observed).tolist() == [True, False, True]


def test_join() -> None:
    positions = np.ones((3, 6, 2, 2), np.float32)
    positions *= np.arange(1, 4)[:, None, None, None]
    observed = np.zeros((3, 6, 2), bool)
    observed[0, :3] = observed[1, 2:4] = observed[2, 4:] = True
    observed[2, 5, 1] = False
    joined = join_bodies(bodies(positions, observed))
    assert joined.names == ["b0+b2", "b1"]
    assert joined.observed.any(axis=-1).tolist() == [
        [True, True, True, False, True, True],
        [False, False, True, True, False, False],
    ]
    assert joined.positions[0, :, 0, 0].tolist() == [1, 1, 1, 0, 3, 3]
    assert joined.positions[0, 5].tolist() == [[3, 3], [0, 0]]
    assert joined.positions[1, :, 0, 0].tolist() == [0, 0, 2, 2, 0, 0]
    assert joined.positions.dtype == np.float32


def test_score_of_clip_and_frames() -> None:
    positions = np.zeros((3, 2, 2, 3))
    positions[..., 0] = np.arange(3)[:, None, None] + 1
    positions[0, 0, :, 2] = 0.9, 0.9  # the best, in one frame only
    positions[1, :, :, 2] = 0.5
    positions[2, :, :, 2] = [[0.5, 0.5], [0.2, 0.9]]
    found = bodies(positions, positions[..., 2] > 0)
    assert sort_by_score(found).names == ["b2", "b1", "b0"]
    frames = sort_frames_by_score(found)
    assert frames.positions[:, :, 0, 0].tolist() == [[1, 3], [2, 2], [3, 1]]
    assert frames.observed.any(axis=-1).tolist() == [[True, True], [True, True], [True, False]]
    # The published feeder: the sum of scores over joints, per frame.
    data = np.where(found.observed[..., None], positions, 0).transpose(3, 1, 2, 0)
    order = (-data[2].sum(axis=1)).argsort(axis=1)
    for frame, persons in enumerate(order):
        data[:, frame] = data[:, frame][:, :, persons]
    np.testing.assert_array_equal(
        np.where(frames.observed[..., None], frames.positions, 0), data.transpose(3, 1, 2, 0)
    )
