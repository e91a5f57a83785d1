r"""Clips around a root joint."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_choice, checked_coordinates
from tgst.transforms.clips.clip import (
    Joints,
    checked_clip,
    coordinates,
    joint_numbers,
    middle_of,
    with_coordinates,
)
from tgst.utils.skeleton import Skeleton, as_skeleton

Per = Literal["frame", "first_frame", "clip"]
Person = Literal["first", "each"]


@functional_transform("tgst_center_root")
class CenterRoot(BaseTransform):
    r"""Moves the origin to a root joint.

    .. math::
        x_{m,i,t} \leftarrow x_{m,i,t} - r_t, \qquad r_t = \begin{cases}
            x_{0, \mathrm{root}, t} & \text{per = "frame"} \\
            x_{0, \mathrm{root}, t_0} & \text{per = "first_frame"} \\
            \text{mean of } x_{0, \mathrm{root}, t} \text{ over time} & \text{per = "clip"}
        \end{cases}

    :obj:`"frame"`, around the first person, is what `"Two-Stream Adaptive Graph Convolutional
    Networks for Skeleton-Based Action Recognition" <https://arxiv.org/abs/1805.07694>`_ does (with
    the spine of NTU RGB+D, :obj:`joint="spine"`), and keeps where the persons are to each other;
    :obj:`"first_frame"`, which keeps where a person goes, is what `"Channel-wise Topology
    Refinement Graph Convolution for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/2107.12213>`_ and PYSKL do.

    Only frames count in which the root is observed: :math:`t_0` is the first of them, and
    :obj:`"frame"` holds the last place seen before (at the beginning, the first one seen
    later). Joints that are not observed stay as they are, and so does everything if the root is
    never seen.

    Args:
        skeleton (str or Skeleton): The layout.
        joint (int or str or sequence, optional): The root by number or name, or several joints
            whose middle is the root. (default: the centre of the skeleton)
        per (str, optional): :obj:`"frame"`, :obj:`"first_frame"` or :obj:`"clip"`.
            (default: :obj:`"frame"`)
        person (str, optional): :obj:`"first"`: the root of the first person, for all;
            :obj:`"each"`: everyone's own. (default: :obj:`"first"`)
        num_coordinates (int, optional): How many channels are coordinates: 2 if they are x, y and a
            confidence. (default: all of two or three, the first three of four)

    Shapes:
        - **x**: :math:`(M V, *, T, C)`, any unit of length
        - **mask**: :math:`(M V, *, T)`, optional

    Raises:
        TypeError: If :obj:`skeleton` is neither a name nor a skeleton.
        ValueError: If the skeleton has no such joint, or no centre and none is given, an argument
            is none of its values, or the joints are not those of the skeleton.
    """

    def __init__(
        self,
        skeleton: str | Skeleton,
        joint: Joints | None = None,
        per: Per = "frame",
        person: Person = "first",
        num_coordinates: int | None = None,
    ) -> None:
        self.skeleton = as_skeleton(skeleton)
        if joint is None:
            joint = self.skeleton.center
        if joint is None:
            raise ValueError(
                f"joint: expected the root of skeleton {self.skeleton.name!r}, which has no "
                f"centre, got None"
            )
        self.joints = joint_numbers("joint", joint, self.skeleton)
        self.per = checked_choice("per", per, get_args(Per))
        self.person = checked_choice("person", person, get_args(Person))
        self.num_coordinates = checked_coordinates(num_coordinates)

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x`."""
        clip = checked_clip(data, self.skeleton)
        x, mask = clip.persons()
        places = x[..., : coordinates(x, self.num_coordinates)]
        root, known = middle_of(places, mask, self.joints)
        if self.person == "first":
            root, known = root[:1], known[:1]
        if self.per == "clip":
            count = known.sum(-1, keepdim=True).clamp(min=1)
            root = root.sum(-2, keepdim=True) / count.unsqueeze(-1)
        else:
            root = _held(root, known) if self.per == "frame" else _first(root, known)
        moved = torch.where(mask.unsqueeze(-1), places - root.unsqueeze(1), places)
        data.x = with_coordinates(x, moved).flatten(0, 1)
        return data

    def __repr__(self) -> str:
        names = [self.skeleton.joints[joint] for joint in self.joints]
        return (
            f"{self.__class__.__name__}({self.skeleton.name!r}, joint={names}, per={self.per!r}, "
            f"person={self.person!r})"
        )


def _first(root: Tensor, known: Tensor) -> Tensor:
    """The root in the first frame in which it is known, [*, 1, C]."""
    return _taken(root, known.byte().argmax(-1, keepdim=True))


def _held(root: Tensor, known: Tensor) -> Tensor:
    """The root in each frame, or in the nearest one before, or else in the first, [*, T, C]."""
    if bool(known.all()):
        return root
    frame = torch.arange(known.size(-1), device=known.device)
    last = torch.where(known, frame, -1).cummax(-1).values
    return _taken(root, torch.where(last < 0, known.byte().argmax(-1, keepdim=True), last))


def _taken(root: Tensor, frame: Tensor) -> Tensor:
    return root.gather(-2, frame.unsqueeze(-1).expand(*frame.shape, root.size(-1)))
