r"""Clips in the frame of reference of the body."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_coordinates
from tgst.transforms.clips.clip import (
    Joints,
    checked_clip,
    coordinates,
    joint_numbers,
    middle_of,
    with_coordinates,
)
from tgst.utils.skeleton import Skeleton, as_skeleton

# Where the spine begins and ends, the first that a skeleton has.
_BOTTOM = ("hip_center", ("left_hip", "right_hip"))
_TOP = ("spine", "neck", "thorax", ("left_shoulder", "right_shoulder"))


@functional_transform("tgst_body_frame")
class BodyFrame(BaseTransform):
    r"""Rotates a clip about the origin, so that a person stands upright along z with the shoulders
    along x.

    With :math:`R(a \to b)` the rotation by the smallest angle that turns the direction :math:`a`
    into :math:`b`,

    .. math::
        x \leftarrow R_2 R_1 x, \qquad
        R_1 = R(\text{spine} \to z), \qquad
        R_2 = R(R_1 \, \text{shoulders} \to x)

    where the spine points upwards and the shoulders from left to right. This is the alignment of
    `"Two-Stream Adaptive Graph Convolutional Networks for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/1805.07694>`_ and PYSKL (`PreNormalize3D`): the shoulders lie along x
    exactly, the spine along z up to what the second rotation tilts it, which is nothing if the two
    are at a right angle. Both codes centre the clip before, on the spine of the first frame:
    :obj:`Compose([CenterRoot("ntu-25", joint="spine", per="first_frame"), BodyFrame("ntu-25")])`.

    The directions are those of the first person in the first frame in which all four places are
    observed (of the next person if there is none), where the published codes take the first frame
    in any case; PYSKL also takes the person who is seen in more frames as the first. Without such a
    frame the clip stays as it is. Zeros stay zeros. The whole clip has one rotation, further
    dimensions included.

    Args:
        skeleton (str or Skeleton): The layout.
        spine (sequence, optional): The lower and the upper end of the spine: two joints by number
            or name, or several instead of one, whose middle counts. (default: by their names, the
            centre of the hips and the spine, or else the nearest there is)
        shoulders (sequence, optional): The **left** and the right end of the shoulders.
            (default: by their names)
        num_coordinates (int, optional): How many channels are coordinates; three are needed.
            (default: three of three or four)

    Shapes:
        - **x**: :math:`(M V, *, T, C)`, any unit of length
        - **mask**: :math:`(M V, *, T)`, optional

    Raises:
        TypeError: If :obj:`skeleton` is neither a name nor a skeleton.
        ValueError: If the skeleton has no such joints, the clip has not three coordinates, or its
            joints are not those of the skeleton.
    """

    def __init__(
        self,
        skeleton: str | Skeleton,
        spine: Sequence[Joints] | None = None,
        shoulders: Sequence[Joints] | None = None,
        num_coordinates: int | None = None,
    ) -> None:
        self.skeleton = as_skeleton(skeleton)
        if spine is None:
            spine = [_named("spine", each, self.skeleton) for each in (_BOTTOM, _TOP)]
        if shoulders is None:
            sides = ("left_shoulder",), ("right_shoulder",)
            shoulders = [_named("shoulders", each, self.skeleton) for each in sides]
        self.spine = _ends("spine", spine, self.skeleton)
        self.shoulders = _ends("shoulders", shoulders, self.skeleton)
        self.num_coordinates = checked_coordinates(num_coordinates)

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x`."""
        clip = checked_clip(data, self.skeleton)
        num_coordinates = coordinates(clip.x, self.num_coordinates)
        if num_coordinates != 3:
            raise ValueError(f"data.x: expected three coordinates, got {num_coordinates}")
        places = clip.x[..., :3]
        directions = self._directions(*clip._replace(x=places).persons())
        if directions is None:
            return data
        spine, shoulders = directions.double()
        upright = _turn(spine, spine.new_tensor([0.0, 0.0, 1.0]))
        facing = _turn(upright @ shoulders, spine.new_tensor([1.0, 0.0, 0.0]))
        data.x = with_coordinates(clip.x, places @ (facing @ upright).T.to(places.dtype))
        return data

    def _directions(self, x: Tensor, mask: Tensor) -> Tensor | None:
        """Spine and shoulders where all of them are observed, the first time."""
        ends = [middle_of(x, mask, joints) for joints in (*self.spine, *self.shoulders)]
        known = torch.stack([seen for _, seen in ends]).all(0)
        found = known.flatten().nonzero()  # person after person
        if found.numel() == 0:
            return None
        bottom, top, left, right = (place.reshape(-1, 3)[found[0, 0]] for place, _ in ends)
        return torch.stack([top - bottom, right - left])

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.skeleton.name!r}, spine={self.spine}, "
            f"shoulders={self.shoulders})"
        )


def _named(argument: str, candidates: Sequence[Joints], skeleton: Skeleton) -> Joints:
    for joints in candidates:
        names = (joints,) if isinstance(joints, str) else joints
        if set(names) <= set(skeleton.joints):  # type: ignore[arg-type]
            return joints
    raise ValueError(
        f"{argument}: expected joints, since skeleton {skeleton.name!r} has none of the names "
        f"{candidates}, got None"
    )


def _ends(argument: str, ends: Sequence[Joints], skeleton: Skeleton) -> tuple[list[int], ...]:
    if isinstance(ends, str) or len(ends) != 2:
        raise ValueError(f"{argument}: expected its two ends, got {ends!r}")
    return tuple(joint_numbers(argument, joints, skeleton) for joints in ends)


def _turn(start: Tensor, end: Tensor) -> Tensor:
    """The rotation by the smallest angle from one direction to another, a unit vector."""
    start = torch.nn.functional.normalize(start, dim=0)  # of length 0: stays 0, and no rotation
    axis, cosine = torch.linalg.cross(start, end), torch.dot(start, end)
    squared_sine = torch.dot(axis, axis)
    identity = torch.eye(3, dtype=start.dtype, device=start.device)
    if float(squared_sine) < 1e-16:
        # Along the same line. As published, also where they are opposite: the axis is not defined.
        return identity
    x, y, z = axis.tolist()
    cross = start.new_tensor([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    # Rodrigues' formula; the factor is 1 / (1 + cosine), which has no digits near -1.
    return identity + cross + cross @ cross * ((1 - cosine) / squared_sine)
