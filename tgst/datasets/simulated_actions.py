r"""Simulated actions of a skeleton, for examples without a download."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from tgst.data.skeleton_clip import SkeletonClip
from tgst.data.subject_split import split_subjects
from tgst.datasets.skeleton_clips import SkeletonClips
from tgst.datasets.skeleton_graphs import PartitionLike
from tgst.utils.skeleton import Skeleton

SUBJECTS = range(1, 11)
TRAIN_SUBJECTS = (1, 3, 5, 7, 9)
FRAMES = (30, 61)  # of a clip, at 15 per second
X, Y, Z = np.eye(3)  # left of the person, up, the way that it looks


class Turn(NamedTuple):
    r"""A rotation at a joint, which turns all that hangs on it: by :obj:`hold` plus
    :obj:`swing` times a wave of :obj:`beats` per action, in radians around :obj:`axis`.

    All of it comes and goes with the action. :obj:`shift` delays the wave by a part of its period.
    """

    joint: str
    axis: np.ndarray
    hold: float = 0.0
    swing: float = 0.0
    beats: float = 3.0
    shift: float = 0.0


def _clap(side: str, sign: float) -> tuple[Turn, ...]:
    shoulder = f"{side}_shoulder"
    return Turn(shoulder, X, hold=-1.4), Turn(shoulder, Y, hold=-0.3 * sign, swing=0.35 * sign)


# The right arm goes up and out by negative angles around Z, the left one by positive ones; limbs
# go forward by negative angles around X.
ACTIONS: dict[str, tuple[Turn, ...]] = {
    "wave right hand": (Turn("right_shoulder", Z, -1.7), Turn("right_elbow", Z, -0.8, 0.6)),
    "wave left hand": (Turn("left_shoulder", Z, 1.7), Turn("left_elbow", Z, 0.8, 0.6)),
    "raise both arms": (Turn("right_shoulder", Z, -2.4), Turn("left_shoulder", Z, 2.4)),
    "clap hands": (*_clap("right", -1.0), *_clap("left", 1.0)),
    "kick right": (Turn("right_hip", X, -1.2), Turn("right_knee", X, 0.3, 0.3, 1.0)),
    "kick left": (Turn("left_hip", X, -1.2), Turn("left_knee", X, 0.3, 0.3, 1.0)),
    "squat": tuple(
        turn
        for side in ("right", "left")
        for turn in (Turn(f"{side}_hip", X, -1.4), Turn(f"{side}_knee", X, 1.5))
    ),
    "march": (
        Turn("right_hip", X, -0.4, 0.5, 3.0),
        Turn("left_hip", X, -0.4, 0.5, 3.0, 0.5),
        Turn("right_shoulder", X, 0.0, 0.5, 3.0, 0.5),
        Turn("left_shoulder", X, 0.0, 0.5, 3.0),
    ),
}


class SimulatedActions(SkeletonClips):
    r"""Clips of eight simple actions by ten simulated subjects on the skeleton ``"kinect-20"``:
    waving either hand, raising both arms, clapping, kicking with either leg, squatting, marching.

    A drawn person turns its joints as the action says. Each subject has a size, a tempo and a
    reach of its own; each clip a length, a heading, a place, and noise on every joint. To try out
    a configuration, not to compare methods: it is easy.

    As in the data sets that it stands for, subjects 1, 3, 5, 7 and 9 train and the others test.
    Nothing is written. See :class:`tgst.datasets.SkeletonClips` for what the dataset gives.

    Args:
        split (str, optional): :obj:`"train"`, :obj:`"test"` or :obj:`None` for everyone.
            (default: :obj:`"train"`)
        repetitions (int, optional): Clips of each action by each subject. (default: :obj:`2`)
        seed (int, optional): Seed of everything that is random. (default: :obj:`0`)
        noise (float, optional): Standard deviation of the noise on each coordinate in metres.
            (default: :obj:`0.02`)
        dropout (float, optional): Share of joints that are not observed, drawn for each frame
            apart. (default: :obj:`0.0`)
        partition, num_persons, transform: See :class:`tgst.datasets.SkeletonClips`.

    Shapes:
        - **x:** :math:`(20, T, 3)` with :math:`T` of 30 to 60 frames; metres, x to the side,
          y up, z towards the camera

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        split: Literal["train", "test"] | None = "train",
        repetitions: int = 2,
        seed: int = 0,
        noise: float = 0.02,
        dropout: float = 0.0,
        partition: PartitionLike | None = None,
        num_persons: int | None = None,
        transform: Callable | None = None,
    ) -> None:
        if split not in ("train", "test", None):
            raise ValueError(f"split: expected 'train', 'test' or None, got {split!r}")
        if repetitions < 1:
            raise ValueError(f"repetitions: expected at least 1, got {repetitions}")
        if noise < 0 or not 0 <= dropout < 1:
            raise ValueError(
                f"noise, dropout: expected numbers >= 0, the second below 1, got {noise}, {dropout}"
            )
        skeleton = Skeleton.named("kinect-20")
        clips = [
            simulated_clip(skeleton, subject, label, repetition, seed, noise, dropout)
            for subject in sorted(split_subjects(split, TRAIN_SUBJECTS, SUBJECTS))
            for label in range(len(ACTIONS))
            for repetition in range(repetitions)
        ]
        super().__init__(
            clips,
            skeleton,
            class_names=list(ACTIONS),
            partition=partition,
            num_persons=num_persons,
            info=("subject",),
            transform=transform,
        )


def simulated_clip(
    skeleton: Skeleton,
    subject: int,
    label: int,
    repetition: int = 0,
    seed: int = 0,
    noise: float = 0.02,
    dropout: float = 0.0,
) -> SkeletonClip:
    r"""One clip; the same arguments give the same one.

    Args:
        skeleton (Skeleton): A layout with a pose and with the joints that the action turns.
        subject (int): Who acts.
        label (int): The action.
        repetition (int, optional): Which of the subject's clips of it. (default: :obj:`0`)
        seed (int, optional): Seed of all clips. (default: :obj:`0`)
        noise (float, optional): Deviation of the noise in metres. (default: :obj:`0.02`)
        dropout (float, optional): Share of unobserved joints. (default: :obj:`0.0`)
    """
    person = np.random.default_rng([seed, subject])
    size, tempo, reach = person.uniform([0.85, 0.75, 0.8], [1.15, 1.3, 1.15])
    rng = np.random.default_rng([seed, subject, label, repetition])
    frames = int(rng.integers(*FRAMES))
    name = list(ACTIONS)[label]
    angles = _angles(skeleton, ACTIONS[name], frames, tempo, reach * rng.uniform(0.85, 1.15))
    positions = size * _posed(skeleton, angles)
    positions = positions @ _rotation(Y, rng.uniform(-0.5, 0.5)).T
    positions += rng.uniform([-0.5, -0.1, -3.0], [0.5, 0.1, -2.0])
    positions += rng.normal(0.0, noise, positions.shape) if noise else 0.0
    observed = rng.random(positions.shape[:2]) >= dropout
    info = {"subject": subject, "repetition": repetition}
    title = f"s{subject:02d}_{name.replace(' ', '_')}_{repetition}"
    return SkeletonClip(positions[None], observed[None], label, title, info)


def _angles(
    skeleton: Skeleton, turns: tuple[Turn, ...], frames: int, tempo: float, reach: float
) -> dict[int, list[tuple[np.ndarray, np.ndarray]]]:
    """Axis and angle per frame of the rotations at each joint, outermost first."""
    time = np.linspace(0.0, 1.0, frames)
    there = np.clip(3 * np.minimum(time, 1 - time), 0, 1)  # rises, holds and falls
    found: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for turn in turns:
        wave = np.sin(2 * np.pi * (turn.beats * tempo * time + turn.shift))
        angle = reach * there * (turn.hold + turn.swing * wave)
        found.setdefault(skeleton.joints.index(turn.joint), []).append((turn.axis, angle))
    return found


def _posed(
    skeleton: Skeleton, angles: dict[int, list[tuple[np.ndarray, np.ndarray]]]
) -> np.ndarray:
    """Forward kinematics: the pose of the layout with its joints turned, (T, V, 3)."""
    rest = np.pad(np.array(skeleton.pose), ((0, 0), (0, 1)))
    frames = len(next(iter(angles.values()))[0][1])
    position = np.zeros((frames, len(rest), 3))
    turned: dict[int, np.ndarray] = {}
    for joint in _from_the_root(skeleton):
        parent = skeleton.parents[joint]
        rotation = np.broadcast_to(np.eye(3), (frames, 3, 3))
        position[:, joint] = rest[joint]
        if parent >= 0:
            rotation = turned[parent]
            position[:, joint] = position[:, parent] + rotation @ (rest[joint] - rest[parent])
        for axis, angle in angles.get(joint, ()):
            rotation = rotation @ _rotation(axis, angle)
        turned[joint] = rotation
    lowest = position[..., 1].min(axis=1) - rest[:, 1].min()
    position[..., 1] -= lowest[:, None]  # one foot stands on the ground
    return position


def _from_the_root(skeleton: Skeleton) -> list[int]:
    order = [joint for joint, parent in enumerate(skeleton.parents) if parent < 0]
    for joint in order:  # grows while it is walked
        order += [child for child, parent in enumerate(skeleton.parents) if parent == joint]
    return order


def _rotation(axis: np.ndarray, angle: np.ndarray | float) -> np.ndarray:
    """Rodrigues' formula, one matrix per angle."""
    angle = np.asarray(angle)[..., None, None]
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * (cross @ cross)
