"""The order of the joints, their sides, bones and parents, as the sources write them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tgst.utils import Skeleton

# "L:a,b" is the left a, then the left b.
_NTU = "hip_center spine neck head L:shoulder,elbow,wrist,hand R:shoulder,elbow,wrist,hand "
_NTU += "L:hip,knee,ankle,foot R:hip,knee,ankle,foot"
_NTU_HANDS = " L:hand_tip,thumb R:hand_tip,thumb"
_COCO = "nose L:eye R:eye L:ear R:ear L:shoulder R:shoulder L:elbow R:elbow L:wrist R:wrist "
_COCO += "L:hip R:hip L:knee R:knee L:ankle R:ankle"
_HAND = "wrist " + " ".join(
    f"{finger}_{joint}"
    for finger in ("thumb", "index", "middle", "ring", "pinky")
    for joint in (1, 2, 3, 4)
)
ORDERS = {
    "openpose-18": "nose neck R:shoulder,elbow,wrist L:shoulder,elbow,wrist R:hip,knee,ankle "
    "L:hip,knee,ankle R:eye L:eye R:ear L:ear",
    "ntu-25": f"{_NTU} spine_shoulder{_NTU_HANDS}",
    "ntu-25-pyskl": f"{_NTU} spine_shoulder{_NTU_HANDS}",
    "ntu-edge-24": f"{_NTU}{_NTU_HANDS}",
    "coco-17": _COCO,
    "coco-17-pyskl": _COCO,
    "h36m-17": "hip_center R:hip,knee,ankle L:hip,knee,ankle spine thorax nose head "
    "L:shoulder,elbow,wrist R:shoulder,elbow,wrist",
    "kinect-20": _NTU.replace("neck", "shoulder_center"),
    "msr-20": "L:shoulder R:shoulder neck spine L:hip R:hip hip_center L:elbow R:elbow L:wrist "
    "R:wrist L:hand R:hand L:knee R:knee L:ankle R:ankle L:foot R:foot head",
    "mediapipe-pose-33": "nose L:eye_inner,eye,eye_outer R:eye_inner,eye,eye_outer L:ear R:ear "
    "mouth_left mouth_right L:shoulder R:shoulder L:elbow R:elbow L:wrist R:wrist L:pinky R:pinky "
    "L:index R:index L:thumb R:thumb L:hip R:hip L:knee R:knee L:ankle R:ankle L:heel R:heel "
    "L:foot R:foot",
    "mediapipe-hand-21": _HAND,
    "hand-21-pyskl": _HAND,
}
_NTU_TREE = "1,20,20,2,20,4,5,6,20,8,9,10,0,12,13,14,0,16,17,18,-1,22,7,24,11"
# The bone streams: published ones, and breadth-first trees of the graphs for which there is none.
PARENTS = {
    "openpose-18": "1,-1,1,2,3,1,5,6,2,8,9,5,11,12,0,0,14,15",
    "ntu-25": _NTU_TREE,
    "ntu-25-pyskl": _NTU_TREE,
    "ntu-edge-24": "1,-1,1,2,1,4,5,6,1,8,9,10,0,12,13,14,0,16,17,18,21,7,23,11",
    "coco-17": "-1,0,0,1,2,3,4,5,6,7,8,5,6,11,12,13,14",
    "coco-17-pyskl": "-1,0,0,1,2,0,0,5,6,7,8,0,0,11,12,13,14",
    "h36m-17": "-1,0,1,2,0,4,5,0,7,8,9,8,11,12,8,14,15",
    "kinect-20": "1,2,-1,2,2,4,5,6,2,8,9,10,0,12,13,14,0,16,17,18",
    "msr-20": "2,2,3,-1,6,6,3,0,1,7,8,9,10,4,5,13,14,15,16,2",
    "mediapipe-pose-33": "-1,0,1,2,0,4,5,3,6,-1,9,-1,11,11,12,13,14,15,16,15,16,15,16,11,12,23,24,"
    "25,26,27,28,27,28",
    "mediapipe-hand-21": "-1,0,1,2,3,0,5,6,7,5,9,10,11,17,13,14,15,0,17,18,19",
    "hand-21-pyskl": "-1,0,1,2,3,0,5,6,7,0,9,10,11,0,13,14,15,0,17,18,19",
}
# Bones as paths; a graph that is not here is the tree of its parents.
PATHS = {
    "ntu-25-pyskl": "0-1-20-2-3 20-4-5-6-7-21 7-22 20-8-9-10-11-23 11-24 0-12-13-14-15 "
    "0-16-17-18-19",
    "coco-17": "15-13-11-12-14-16 11-5-6-12 9-7-5 6-8-10 5-3-1-2-4-6 1-0-2",
    "coco-17-pyskl": "15-13-11-5-0-6-12-14-16 9-7-5 10-8-6 3-1-0-2-4",
    "mediapipe-pose-33": "0-1-2-3-7 0-4-5-6-8 9-10 11-12 23-24 11-13-15-17-19-15-21 "
    "12-14-16-18-20-16-22 11-23-25-27-29-31-27 12-24-26-28-30-32-28",
    "mediapipe-hand-21": "0-1-2-3-4 0-5-6-7-8 9-10-11-12 13-14-15-16 0-17-18-19-20 5-9-13-17",
}
every_layout = pytest.mark.parametrize("name", Skeleton.names())


def numbers(text, separator):
    return tuple(int(number) for number in text.split(separator))


@every_layout
def test_order_of_the_joints(name):
    expected = []
    for part in ORDERS[name].split():
        side, _, joints = part.rpartition(":")
        prefix = {"": "", "L": "left_", "R": "right_"}[side]
        expected += [prefix + joint for joint in joints.split(",")]
    assert list(Skeleton.named(name).joints) == expected


@every_layout
def test_parents(name):
    assert Skeleton.named(name).parents == numbers(PARENTS[name], ",")


@every_layout
def test_bones(name):
    if name in PATHS:
        paths = (numbers(path, "-") for path in PATHS[name].split())
        expected = {frozenset(bone) for path in paths for bone in pairwise(path)}
    else:
        parents = enumerate(numbers(PARENTS[name], ","))
        expected = {frozenset(bone) for bone in parents if bone[1] >= 0}
    bones = Skeleton.named(name).edges
    assert {frozenset(bone) for bone in bones} == expected
    assert len(bones) == len(expected)
