"""The published skeletons. Data only: see :class:`~tgst.utils.Skeleton` for the fields.

All graphs are symmetric. Trees are given by their parents, entry i that of joint i; graphs with
cycles by the paths that make them up.
"""

from __future__ import annotations

from itertools import pairwise

from tgst.utils.skeleton import Skeleton

# A standing person of ours, in metres, seen from the front. Right joints mirror the left ones; what
# is small or close together in the face and the hands is drawn larger than life.
_PLACES = {
    "head": (0.0, 1.74),
    "nose": (0.0, 1.62),
    "left_eye_inner": (0.03, 1.71),
    "left_eye": (0.06, 1.72),
    "left_eye_outer": (0.09, 1.71),
    "left_ear": (0.13, 1.66),
    "mouth_left": (0.05, 1.55),
    "neck": (0.0, 1.48),
    "thorax": (0.0, 1.42),
    "spine_shoulder": (0.0, 1.40),
    "shoulder_center": (0.0, 1.46),
    "left_shoulder": (0.20, 1.40),
    "left_elbow": (0.31, 1.13),
    "left_wrist": (0.39, 0.88),
    "left_hand": (0.43, 0.77),
    "left_hand_tip": (0.48, 0.65),
    "left_thumb": (0.34, 0.73),
    "left_index": (0.42, 0.74),
    "left_pinky": (0.49, 0.77),
    "spine": (0.0, 1.20),
    "hip_center": (0.0, 1.00),
    "left_hip": (0.11, 0.94),
    "left_knee": (0.14, 0.53),
    "left_ankle": (0.16, 0.12),
    "left_heel": (0.12, 0.03),
    "left_foot": (0.25, 0.03),
}
_FINGERS = {"thumb": (0.62, 0.5), "index": (0.25, 1.0), "middle": (0.02, 1.06)}
_FINGERS |= {"ring": (-0.2, 1.0), "pinky": (-0.42, 0.86)}
_HAND = ("wrist", *(f"{finger}_{joint}" for finger in _FINGERS for joint in range(1, 5)))
_HAND_POSE = (
    (0.0, 0.0),
    *(
        (x * (0.3 + 0.175 * j), y * (0.28 + 0.18 * j))
        for x, y in _FINGERS.values()
        for j in range(1, 5)
    ),
)


def _pose(joints: tuple[str, ...]) -> tuple[tuple[float, float], ...]:
    places = []
    for joint in joints:
        x, y = _PLACES[joint.replace("right", "left")]
        places.append((-x if "right" in joint else x, y))
    return tuple(places)


def _pairs(joints: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    left = [joint for joint in joints if "left" in joint]
    return tuple((joints.index(j), joints.index(j.replace("left", "right"))) for j in left)


def _body(
    name: str,
    joints: str,
    *,
    parents: tuple[int, ...] | None = None,
    edges: tuple[tuple[int, int], ...] | None = None,
    center: int | None = None,
) -> Skeleton:
    names = tuple(joints.split())
    if edges is None and parents is not None:
        edges = _tree(parents)
    return Skeleton.from_edges(
        edges or (),
        joints=names,
        parents=parents,
        center=center,
        pairs=_pairs(names),
        name=name,
        pose=_pose(names),
    )


def _tree(parents: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    return tuple((joint, parent) for joint, parent in enumerate(parents) if parent >= 0)


def _paths(*paths: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    return tuple(bone for path in paths for bone in pairwise(path))


_OPENPOSE = """
    nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip
    right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear
"""
_NTU = """
    hip_center spine neck head left_shoulder left_elbow left_wrist left_hand right_shoulder
    right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot right_hip right_knee
    right_ankle right_foot spine_shoulder left_hand_tip left_thumb right_hand_tip right_thumb
"""
_KINECT = """
    hip_center spine shoulder_center head left_shoulder left_elbow left_wrist left_hand
    right_shoulder right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot
    right_hip right_knee right_ankle right_foot
"""
_MSR = """
    left_shoulder right_shoulder neck spine left_hip right_hip hip_center left_elbow right_elbow
    left_wrist right_wrist left_hand right_hand left_knee right_knee left_ankle right_ankle
    left_foot right_foot head
"""
_COCO = """
    nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow
    left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle
"""
_H36M = """
    hip_center right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax nose head
    left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist
"""
_MEDIAPIPE = """
    nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear
    right_ear mouth_left mouth_right left_shoulder right_shoulder left_elbow right_elbow left_wrist
    right_wrist left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip
    right_hip left_knee right_knee left_ankle right_ankle left_heel right_heel left_foot right_foot
"""

_LEGS = (12, 13, 14, 0, 16, 17, 18)  # the parents of joints 13 to 19
# The NTU graph of ST-GCN and 2s-AGCN: hand, thumb and tip are a chain.
_NTU_PARENTS = (1, 20, 20, 2, 20, 4, 5, 6, 20, 8, 9, 10, 0, *_LEGS, -1, 22, 7, 24, 11)
# The one of PYSKL and MMAction2: thumb and tip hang on the hand. Their bone stream does not follow.
_NTU_PYSKL = (*_NTU_PARENTS[:21], 7, 7, 11, 11)
_NTU_EDGE_PARENTS = (1, -1, 1, 2, 1, 4, 5, 6, 1, 8, 9, 10, 0, *_LEGS, 21, 7, 23, 11)


def _hand(name: str, *paths: tuple[int, ...]) -> Skeleton:
    return Skeleton.from_edges(_paths(*paths), joints=_HAND, center=0, name=name, pose=_HAND_POSE)


SKELETONS = {
    skeleton.name: skeleton
    for skeleton in (
        _body(
            "openpose-18",
            _OPENPOSE,
            parents=(1, -1, 1, 2, 3, 1, 5, 6, 2, 8, 9, 5, 11, 12, 0, 0, 14, 15),
            center=1,
        ),
        _body("ntu-25", _NTU, parents=_NTU_PARENTS, center=20),
        _body("ntu-25-pyskl", _NTU, edges=_tree(_NTU_PYSKL), parents=_NTU_PARENTS, center=20),
        # No joint names are published: those of NTU without the spine at the shoulders fit the
        # bones. The centre is as published, one joint beside the hub.
        _body(
            "ntu-edge-24",
            _NTU.replace("spine_shoulder ", ""),
            parents=_NTU_EDGE_PARENTS,
            center=2,
        ),
        # The graph of mmskeleton, with cycles.
        _body(
            "coco-17",
            _COCO,
            edges=_paths(
                (15, 13, 11, 12, 14, 16),
                (11, 5, 6, 12),
                (9, 7, 5),
                (6, 8, 10),
                (5, 3, 1, 2, 4, 6),
                (1, 0, 2),
            ),
            center=0,
        ),
        # The tree of PYSKL and MMAction2. Their bone stream measures the hips from the nose.
        _body(
            "coco-17-pyskl",
            _COCO,
            edges=_tree((-1, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 5, 6, 11, 12, 13, 14)),
            parents=(-1, 0, 0, 1, 2, 0, 0, 5, 6, 7, 8, 0, 0, 11, 12, 13, 14),
            center=0,
        ),
        # Human3.6M as VideoPose3D reduces it.
        _body(
            "h36m-17",
            _H36M,
            parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15),
            center=0,
        ),
        # The order of the Kinect SDK, version 1: UTKinect, NW-UCLA (whose parents these are).
        _body(
            "kinect-20",
            _KINECT,
            parents=(1, 2, -1, 2, 2, 4, 5, 6, 2, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18),
            center=1,
        ),
        # MSR-Action3D. The arm and leg that its one-sided actions move are called the right ones.
        _body(
            "msr-20",
            _MSR,
            parents=(2, 2, 3, -1, 6, 6, 3, 0, 1, 7, 8, 9, 10, 4, 5, 13, 14, 15, 16, 2),
            center=3,
        ),
        # Three components: face, mouth, body.
        _body(
            "mediapipe-pose-33",
            _MEDIAPIPE,
            edges=_paths(
                (0, 1, 2, 3, 7),
                (0, 4, 5, 6, 8),
                (9, 10),
                (11, 12),
                (23, 24),
                (11, 13, 15, 17, 19, 15, 21),
                (12, 14, 16, 18, 20, 16, 22),
                (11, 23, 25, 27, 29, 31, 27),
                (12, 24, 26, 28, 30, 32, 28),
            ),
        ),
        # The palm of MediaPipe's hand is a cycle; in PYSKL every finger hangs on the wrist.
        _hand(
            "mediapipe-hand-21",
            (0, 1, 2, 3, 4),
            (0, 5, 6, 7, 8),
            (5, 9, 10, 11, 12),
            (9, 13, 14, 15, 16),
            (13, 17, 18, 19, 20),
            (0, 17),
        ),
        _hand("hand-21-pyskl", *((0, f, f + 1, f + 2, f + 3) for f in range(1, 21, 4))),
    )
}
