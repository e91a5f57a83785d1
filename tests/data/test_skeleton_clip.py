from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from tgst.data import SkeletonClip

POSITIONS = np.arange(1, 25, dtype=np.float64).reshape(1, 3, 4, 2)


def mask(*missing: tuple[int, int, int]) -> np.ndarray:
    observed = np.ones((1, 3, 4), bool)
    for entry in missing:
        observed[entry] = False
    return observed


def test_clip() -> None:
    clip = SkeletonClip(POSITIONS, mask((0, 1, 2)), np.int64(3), "wave", {"subject": 7})
    assert (clip.num_persons, clip.num_frames, clip.num_joints, clip.num_channels) == (1, 3, 4, 2)
    assert clip.positions.dtype == np.float32
    assert clip.positions[0, 1].tolist() == [[9, 10], [11, 12], [0, 0], [15, 16]]  # not observed
    assert clip.positions[0, 0].tolist() == [[1, 2], [3, 4], [5, 6], [7, 8]]
    assert type(clip.label) is int
    assert (clip.label, clip.name, clip.info) == (3, "wave", {"subject": 7})
    assert repr(clip) == (
        "SkeletonClip('wave', persons=1, frames=3, joints=4, channels=2, label=3)"
    )
    with pytest.raises(FrozenInstanceError):
        clip.label = 4


def test_arrays_are_not_changed_nor_copied_without_need() -> None:
    positions = POSITIONS.astype(np.float32)
    assert SkeletonClip(positions, mask()).positions is positions
    changed = SkeletonClip(positions, mask((0, 0, 0)))
    assert changed.positions[0, 0, 0].tolist() == [0, 0]
    assert positions[0, 0, 0].tolist() == [1, 2]


def test_pickle() -> None:
    clip = pickle.loads(pickle.dumps(SkeletonClip(POSITIONS, mask((0, 2, 3)), 1, "a", {"s": 1})))
    assert clip.positions[0, 2, 2:].tolist() == [[21, 22], [0, 0]]
    assert (clip.observed.sum(), clip.label, clip.name, clip.info) == (11, 1, "a", {"s": 1})


def test_numbers_of_what_was_not_observed() -> None:
    positions = POSITIONS.copy()
    positions[0, 2, 1] = np.nan, 5
    positions[0, 0, 3] = np.inf, -np.inf
    clip = SkeletonClip(positions, mask((0, 2, 1), (0, 0, 3)))
    assert np.isfinite(clip.positions).all()
    assert clip.positions[0, 2, 1].tolist() == clip.positions[0, 0, 3].tolist() == [0, 0]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_observed_joints_have_numbers(value: float) -> None:
    positions = np.stack([POSITIONS[0], POSITIONS[0]])
    positions[1, 2, 3, 0] = value
    observed = np.ones((2, 3, 4), bool)
    with pytest.raises(
        ValueError,
        match=r"clip 'x': expected finite positions, got \[(nan|inf), 24.0\] at person 1, frame 2, "
        "joint 3; joints that were not seen have to be marked",
    ):
        SkeletonClip(positions, observed, name="x")


@pytest.mark.parametrize(
    ("positions", "message"),
    [
        (POSITIONS[0], r"expected positions of the shape \(persons, .*got float64 of \(3, 4, 2\)"),
        (POSITIONS.astype(str), "expected positions .* numbers, got <U"),
        (POSITIONS[:, :0], "expected at least one frame, got none"),
        (POSITIONS[:0], r"expected at least one person, .*= \(0, 3, 4, 2\)"),
        (POSITIONS[:, :, :0], r"expected at least one person, one joint .*= \(1, 3, 0, 2\)"),
        (POSITIONS[..., :1], r"expected .* two channels, got .*= \(1, 3, 4, 1\)"),
    ],
)
def test_shapes(positions: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=f"clip 'x': {message}"):
        SkeletonClip(positions, np.ones(positions.shape[:-1], bool), name="x")


@pytest.mark.parametrize("observed", [mask()[0], mask()[:, :2], mask().astype(int)])
def test_mask(observed: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected observed as booleans of the shape \(1, 3, 4\)"):
        SkeletonClip(POSITIONS, observed)


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (-1, "clip 'x': expected a label >= 0, got -1"),
        (1.0, "expected an integer as label, got 1.0"),
        (True, "expected an integer as label, got True"),
        ("walk", "expected an integer as label, got 'walk'"),
    ],
)
def test_label(label: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SkeletonClip(POSITIONS, mask(), label, "x")


def test_from_positions() -> None:
    positions = POSITIONS[0].copy()
    positions[0, 1] = 0  # not seen
    positions[1, 1] = 0, 5  # on an axis
    positions[2, 2] = np.nan, 1
    clip = SkeletonClip.from_positions(positions, label=2, name="x", info={"camera": 1})
    assert clip.observed.tolist() == mask((0, 0, 1), (0, 2, 2)).tolist()
    assert clip.positions[0, 2, 2].tolist() == [0, 0]
    assert (clip.label, clip.name, clip.info) == (2, "x", {"camera": 1})
    kept = SkeletonClip.from_positions(positions[None], zero_is_missing=False)
    assert kept.observed.tolist() == mask((0, 2, 2)).tolist()
    given = SkeletonClip.from_positions(positions, mask((0, 2, 2), (0, 0, 0))[0])
    assert given.observed.tolist() == mask((0, 2, 2), (0, 0, 0)).tolist()
    assert given.positions[0, 0, 0].tolist() == [0, 0]
