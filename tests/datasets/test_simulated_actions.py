from __future__ import annotations

import numpy as np
import pytest
import torch

from tgst.datasets import SimulatedActions
from tgst.datasets.simulated_actions import ACTIONS, simulated_clip
from tgst.transforms import SpatialPartition
from tgst.utils.skeleton import Skeleton

KINECT = Skeleton.named("kinect-20")


def lengths(positions):
    parents = np.array(KINECT.parents)
    child = np.flatnonzero(parents >= 0)
    return np.linalg.norm(positions[:, child] - positions[:, parents[child]], axis=-1)


def test_protocol_and_shapes():
    train, test = SimulatedActions(partition=SpatialPartition(center=1)), SimulatedActions("test")
    assert (len(train), len(test), len(SimulatedActions(None, repetitions=1))) == (80, 80, 80)
    assert set(train.subjects) == {1, 3, 5, 7, 9}
    assert set(test.subjects) == {2, 4, 6, 8, 10}
    assert train.y.bincount().tolist() == [10] * 8
    assert train.class_names == list(ACTIONS)
    data = train[3]
    assert data.x.shape == (20, data.mask.size(1), 3)
    assert data.mask.all()
    assert (data.y.item(), data.name, train.num_partitions) == (1, "s01_wave_left_hand_1", 3)
    assert {clip.x.size(1) for clip in train} <= set(range(30, 61))


def test_the_same_arguments_give_the_same_clips():
    one, two = SimulatedActions(repetitions=1), SimulatedActions(repetitions=1)
    assert torch.equal(one[7].x, two[7].x)
    assert not torch.equal(one[7].x[:, :30], SimulatedActions(repetitions=1, seed=1)[7].x[:, :30])


@pytest.mark.parametrize("label", range(len(ACTIONS)))
def test_bones_keep_their_lengths_and_a_foot_stays_on_the_ground(label):
    positions = simulated_clip(KINECT, 2, label, noise=0.0).positions[0]
    expected = lengths(np.pad(np.array(KINECT.pose), ((0, 0), (0, 1)))[None])
    ratio = lengths(positions) / expected
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-4)  # the size of the subject
    lowest = positions[..., 1].min(axis=1)
    np.testing.assert_allclose(lowest, lowest[0], atol=1e-5)


@pytest.mark.parametrize(
    ("name", "joint", "rises"),
    [
        ("wave right hand", "right_hand", True),
        ("wave right hand", "left_hand", False),
        ("wave left hand", "left_hand", True),
        ("raise both arms", "left_hand", True),
        ("kick right", "right_foot", True),
        ("kick right", "left_foot", False),
        ("squat", "head", False),
    ],
)
def test_who_moves_is_who_the_action_names(name, joint, rises):
    clip = simulated_clip(KINECT, 4, list(ACTIONS).index(name), noise=0.0)
    height = clip.positions[0, :, KINECT.joints.index(joint), 1]
    moved = height[len(height) // 2] - height[0]
    assert moved > 0.2 if rises else moved < 0.01


def test_a_squat_lowers_the_head():
    head = simulated_clip(KINECT, 4, list(ACTIONS).index("squat"), noise=0.0).positions[0, :, 3, 1]
    assert head[len(head) // 2] < head[0] - 0.2


def test_kicks_and_claps_go_forward():
    for name, joint in (("kick left", "left_foot"), ("clap hands", "right_hand")):
        places = simulated_clip(KINECT, 1, list(ACTIONS).index(name), noise=0.0).positions[0]
        across = places[0, KINECT.joints.index("left_shoulder")]
        across = across - places[0, KINECT.joints.index("right_shoulder")]
        forward = np.cross(across, [0, 1, 0])  # x to the person's left, y up: z ahead
        moved = places[len(places) // 2] - places[0]
        moved = moved[KINECT.joints.index(joint)] - moved[KINECT.joints.index("hip_center")]
        assert moved @ forward / np.linalg.norm(forward) > 0.2


def test_unobserved_joints():
    clip = simulated_clip(KINECT, 1, 0, dropout=0.3)
    assert 0.2 < 1 - clip.observed.mean() < 0.4
    assert (clip.positions[~clip.observed] == 0).all()


def test_arguments_out_of_range_are_refused():
    with pytest.raises(ValueError, match="repetitions: expected at least 1, got 0"):
        SimulatedActions(repetitions=0)
    with pytest.raises(ValueError, match=r"noise, dropout: expected numbers >= 0, .* got 0.0, 1.0"):
        SimulatedActions(noise=0.0, dropout=1.0)
    for split in ("all", "val"):
        with pytest.raises(ValueError, match="split: expected 'train', 'test' or None, got '"):
            SimulatedActions(split)
