"""The published layouts, against figures written down independently of their records."""

from __future__ import annotations

import zipfile

import networkx as nx
import numpy as np
import pytest
import scipy.io
import torch

from tests.transforms.graphs import golden, real_data
from tgst.transforms import SpatialPartition
from tgst.utils import Skeleton

every_layout = pytest.mark.parametrize("name", Skeleton.names())

# Joints, bones, published centre, components, pairs.
FIGURES = {
    "openpose-18": (18, 17, 1, 1, 8),
    "ntu-25": (25, 24, 20, 1, 10),
    "ntu-25-pyskl": (25, 24, 20, 1, 10),
    "ntu-edge-24": (24, 23, 2, 1, 10),
    "coco-17": (17, 19, 0, 1, 8),
    "coco-17-pyskl": (17, 16, 0, 1, 8),
    "h36m-17": (17, 16, 0, 1, 6),
    "kinect-20": (20, 19, 1, 1, 8),
    "msr-20": (20, 19, 3, 1, 8),
    "mediapipe-pose-33": (33, 35, None, 3, 16),
    "mediapipe-hand-21": (21, 21, 0, 1, 0),
    "hand-21-pyskl": (21, 20, 0, 1, 0),
}


def graph_of(skeleton):
    G = nx.Graph(list(skeleton.edges))
    G.add_nodes_from(range(skeleton.num_joints))
    return G


def bones(text):
    """Bones from 1-based pairs in brackets."""
    pairs = (pair.split(",") for pair in text.strip("()").split(")("))
    return {frozenset((int(a) - 1, int(b) - 1)) for a, b in pairs}


def bones_of(name):
    return {frozenset(bone) for bone in Skeleton.named(name).edges}


def test_all_layouts_are_here():
    assert set(Skeleton.names()) == set(FIGURES)
    assert all(Skeleton.named(name).name == name for name in FIGURES)


@every_layout
def test_figures(name):
    skeleton = Skeleton.named(name)
    components = nx.number_connected_components(graph_of(skeleton))
    figures = (skeleton.num_joints, len(skeleton.edges), skeleton.center, components)
    assert (*figures, len(skeleton.pairs)) == FIGURES[name]


@every_layout
def test_left_and_right_are_alike(name):
    skeleton = Skeleton.named(name)
    for left, right in skeleton.pairs:
        assert skeleton.joints[left].replace("left", "right") == skeleton.joints[right]
    sided = [joint for joint in skeleton.joints if "left" in joint or "right" in joint]
    assert len(sided) == 2 * len(skeleton.pairs)
    swap = skeleton.swap.tolist()
    mirrored = {frozenset((swap[a], swap[b])) for a, b in skeleton.edges}
    assert mirrored == {frozenset(bone) for bone in skeleton.edges}
    if name != "mediapipe-pose-33":  # mouth and body have no joint in the middle to start from
        parent = skeleton.parent
        assert torch.equal(skeleton.swap[parent], parent[skeleton.swap])


@every_layout
def test_pose_stands_upright_and_shows_the_left_on_the_right(name):
    skeleton = Skeleton.named(name)
    assert len(set(skeleton.pose)) == skeleton.num_joints  # no two joints in one place
    pose = torch.tensor(skeleton.pose)
    for left, right in skeleton.pairs:
        assert pose[left, 0] > 0
        assert pose[right].tolist() == [-pose[left, 0].item(), pose[left, 1].item()]
    height = dict(zip(skeleton.joints, pose[:, 1].tolist(), strict=True))
    if "left_shoulder" in height:
        top = height.get("head", height.get("nose"))
        order = ("left_shoulder", "left_elbow", "left_wrist", "left_hip", "left_knee", "left_ankle")
        shoulder, elbow, wrist, hip, knee, ankle = (height[joint] for joint in order)
        assert top > shoulder > elbow > wrist
        assert shoulder > hip > knee > ankle


@every_layout
def test_parents_follow_the_bones_but_where_published_streams_do_not(name):
    skeleton = Skeleton.named(name)
    own = {frozenset(bone) for bone in enumerate(skeleton.parents) if bone[1] >= 0}
    beside = {tuple(sorted(bone)) for bone in own - bones_of(name)}
    expected = {"ntu-25-pyskl": {(21, 22), (23, 24)}, "coco-17-pyskl": {(0, 11), (0, 12)}}
    assert beside == expected.get(name, set())
    assert skeleton.parents.count(-1) == FIGURES[name][3]  # a root per component


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "msr-20",
            "(20,3)(1,3)(2,3)(1,8)(8,10)(10,12)(2,9)(9,11)(11,13)(3,4)(4,7)(7,5)(7,6)(5,14)(6,15)"
            "(14,16)(15,17)(16,18)(17,19)",
        ),
        (
            "kinect-20",
            "(1,2)(2,3)(3,4)(3,5)(5,6)(6,7)(7,8)(3,9)(9,10)(10,11)(11,12)(1,13)(13,14)(14,15)"
            "(15,16)(1,17)(17,18)(18,19)(19,20)",
        ),
        (
            "mediapipe-hand-21",
            "(1,2)(2,3)(3,4)(4,5)(1,6)(6,7)(7,8)(8,9)(6,10)(10,11)(11,12)(12,13)(10,14)(14,15)"
            "(15,16)(16,17)(14,18)(18,19)(19,20)(20,21)(1,18)",
        ),
    ],
)
def test_bones_of_the_data_sets(name, text):
    assert bones_of(name) == bones(text)


@pytest.mark.parametrize(("name", "file"), [("openpose-18", "openpose"), ("ntu-25", "ntu-rgb+d")])
def test_bones_and_centre_of_the_released_code(name, file):
    arrays = golden(f"skeleton/partitions_{file}.npz")
    assert bones_of(name) == {frozenset(bone) for bone in arrays["edges"].tolist()}
    assert Skeleton.named(name).center == arrays["center"]


def test_the_two_graphs_of_ntu_differ_by_two_bones():
    assert bones_of("ntu-25") - bones_of("ntu-25-pyskl") == {
        frozenset((21, 22)),
        frozenset((23, 24)),
    }
    assert bones_of("ntu-25-pyskl") - bones_of("ntu-25") == {
        frozenset((7, 21)),
        frozenset((11, 23)),
    }


# Edges of the labels 0, 1, 2, as the released code gives them and with true distances.
COUNTS = [
    ("openpose-18", 1, [18, 25, 9], [18, 17, 17]),
    ("ntu-25", 20, [25, 40, 8], [25, 24, 24]),
    ("ntu-25-pyskl", 20, [25, 40, 8], [25, 24, 24]),
    ("ntu-edge-24", 2, [24, 41, 5], [24, 23, 23]),
    ("coco-17", 0, [17, 34, 4], [17, 22, 16]),
    ("coco-17-pyskl", 0, [17, 22, 10], [17, 16, 16]),
    ("hand-21-pyskl", 0, [21, 30, 10], [21, 20, 20]),
    ("kinect-20", 2, [20, 31, 7], [20, 19, 19]),
    ("h36m-17", 0, [17, 26, 6], [17, 16, 16]),
    ("mediapipe-pose-33", 0, [33, 66, 4], [33, 62, 8]),
]


@pytest.mark.parametrize(("name", "center", "truncated", "exact"), COUNTS)
def test_edges_per_label(name, center, truncated, exact):
    data = Skeleton.named(name).data()
    for hop_distance, expected in (("truncated", truncated), ("exact", exact)):
        out = SpatialPartition(center, hop_distance=hop_distance)(data)
        assert out.edge_type.bincount(minlength=3).tolist() == expected


@pytest.mark.parametrize(
    ("max_hop", "dilation", "expected"),
    [
        (2, 1, [18, 19, 15, 26, 14]),
        (3, 1, [18, 17, 17, 26, 14, 26, 26]),
        (2, 2, [18, 26, 14]),
    ],
)
def test_edges_per_label_of_more_hops(max_hop, dilation, expected):
    partition = SpatialPartition(1, max_hop, dilation, hop_distance="truncated")
    out = partition(Skeleton.named("openpose-18").data())
    assert out.edge_type.bincount().tolist() == expected
    assert partition.num_partitions == len(expected)


# -- the sides, on real clips ---------------------------------------------------------------------


def test_right_arm_of_msr_action3d_does_the_hammering():
    """Its one-sided actions were done with the right arm."""
    right, left = (Skeleton.named("msr-20").joints.index(f"{s}_hand") for s in ("right", "left"))
    with zipfile.ZipFile(real_data("msr_action3d") / "msr_action3d_real3d.zip") as archive:
        names = [name for name in archive.namelist() if "a03_" in name and name.endswith(".txt")]
        clips = [np.loadtxt(archive.open(name)).reshape(-1, 20, 4)[..., :3] for name in names]
    assert len(clips) > 20
    moved = np.array([clip.std(axis=0).sum(axis=-1) for clip in clips])
    assert (moved[:, right] > moved[:, left]).mean() > 0.9


def test_right_hand_of_utkinect_is_where_the_kinect_sees_it():
    """The camera's x axis points to its left, the right of a person who faces it."""
    cells = scipy.io.loadmat(real_data("utkinect") / "UTKinect_Skeletons.mat")["data"]
    middle = np.stack([np.asarray(cell).mean(axis=-1) for cell in cells[:, :, 0].flat])
    for left, right in Skeleton.named("kinect-20").pairs:
        assert (middle[:, 0, right] > middle[:, 0, left]).mean() > 0.9
