r"""What the transforms of clips share: the checks of a clip, its persons and its coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from tgst.utils.skeleton import Skeleton
from tgst.utils.skeleton_checks import joint_number

Joints = int | str | Sequence[int | str]


class Clip(NamedTuple):
    r"""The joints of a clip, which of them are observed, and how many persons and joints of each
    there are.
    """

    x: Tensor
    mask: Tensor
    num_persons: int
    num_joints: int

    def persons(self) -> tuple[Tensor, Tensor]:
        r"""Views with the persons apart, :math:`(M, V, *, T, C)` and :math:`(M, V, *, T)`."""
        shape = (self.num_persons, self.num_joints)
        return self.x.unflatten(0, shape), self.mask.unflatten(0, shape)


def checked_clip(data: Any, skeleton: Skeleton | None = None) -> Clip:
    r"""Returns the clip that is in a graph.

    Args:
        data (torch_geometric.data.Data): A clip: :obj:`x` :math:`(M V, *, T, C)` person after
            person, perhaps :obj:`mask` :math:`(M V, *, T)` and :obj:`person` :math:`(M V)`.
        skeleton (Skeleton, optional): Its layout; without :obj:`person`, the number of joints says
            how many persons there are. (default: :obj:`None`)

    Raises:
        TypeError: If it is no single graph.
        ValueError: If an attribute has not the shape above, there is no frame, or the joints are
            not those of the layout.
    """
    if not isinstance(data, Data) or isinstance(data, Batch):
        raise TypeError(
            f"data: expected one clip as torch_geometric.data.Data, got {type(data).__name__}"
        )
    x = data.get("x")
    if not isinstance(x, Tensor) or x.dim() < 3 or not x.is_floating_point():
        came = f"{list(x.shape)} {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(
            f"data.x: expected floating point [num_joints, *, frames, channels], got {came}"
        )
    if x.size(-2) == 0:
        raise ValueError(f"data.x: expected at least one frame, got shape {list(x.shape)}")
    num_persons = _num_persons(data, x, skeleton)
    if num_persons == 0:  # nobody, whose joints cannot be counted
        return Clip(x, _mask(data, x), 0, 0 if skeleton is None else skeleton.num_joints)
    return Clip(x, _mask(data, x), num_persons, x.size(0) // num_persons)


def coordinates(x: Tensor, given: int | None) -> int:
    r"""Returns how many of the channels are coordinates: all of 2 or 3, the first 3 of 4.

    Raises:
        ValueError: If there are other channels and the number is not given, or it is too large.
    """
    channels = x.size(-1)
    if given is None:
        if channels not in (2, 3, 4):
            raise ValueError(
                f"num_coordinates: expected a number where data.x has {channels} channels (augment "
                f"before streams are added), got None"
            )
        return min(channels, 3)
    if given > channels:
        raise ValueError(
            f"num_coordinates: expected at most the {channels} channels of data.x, got {given}"
        )
    return given


def with_coordinates(x: Tensor, places: Tensor) -> Tensor:
    r"""Returns :obj:`x` with other coordinates, and its further channels."""
    num_coordinates = places.size(-1)
    if num_coordinates == x.size(-1):
        return places
    return torch.cat([places, x[..., num_coordinates:]], dim=-1)


def joint_numbers(argument: str, joints: Joints, skeleton: Skeleton) -> list[int]:
    r"""Returns the numbers of a joint, or of several, given by number or name.

    Raises:
        TypeError: If one is neither.
        ValueError: If the skeleton has no such joint, or there is none.
    """
    several = [joints] if isinstance(joints, str) or not isinstance(joints, Sequence) else joints
    numbers = [joint_number(argument, joint, skeleton.joints) for joint in several]
    for number in numbers:
        if not 0 <= number < skeleton.num_joints:
            raise ValueError(
                f"{argument}: expected joints in 0..{skeleton.num_joints - 1} of skeleton "
                f"{skeleton.name!r}, got {number}"
            )
    if not numbers:
        raise ValueError(f"{argument}: expected a joint or several, got none")
    return numbers


def middle_of(x: Tensor, mask: Tensor, joints: list[int]) -> tuple[Tensor, Tensor]:
    r"""Returns the middle of some joints of each person, and where all of them are observed; where
    not, it is 0.

    Shapes:
        - **x**: :math:`(M, V, *, T, C)`
        - **mask**: :math:`(M, V, *, T)`
        - **output**: :math:`(M, *, T, C)`, :math:`(M, *, T)`
    """
    if len(joints) == 1:
        place, known = x[:, joints[0]], mask[:, joints[0]]
    else:
        place, known = x[:, joints].mean(1), mask[:, joints].all(1)
    return torch.where(known.unsqueeze(-1), place, 0.0), known


def _mask(data: Data, x: Tensor) -> Tensor:
    mask = data.get("mask")
    if mask is None:
        return torch.ones(x.shape[:-1], dtype=torch.bool, device=x.device)
    if not isinstance(mask, Tensor) or mask.shape != x.shape[:-1] or mask.dtype != torch.bool:
        came = f"{list(mask.shape)} {mask.dtype}" if isinstance(mask, Tensor) else repr(mask)
        raise ValueError(
            f"data.mask: expected shape {list(x.shape[:-1])} and torch.bool, got {came}"
        )
    return mask


def _num_persons(data: Data, x: Tensor, skeleton: Skeleton | None) -> int:
    num_nodes, person = x.size(0), data.get("person")
    if person is None:
        if skeleton is None:
            return 1
        if num_nodes % skeleton.num_joints != 0:
            skeleton.check(num_nodes, "data.x")
        return num_nodes // skeleton.num_joints
    if not isinstance(person, Tensor) or person.shape != (num_nodes,):
        came = list(person.shape) if isinstance(person, Tensor) else repr(person)
        raise ValueError(f"data.person: expected shape [{num_nodes}], got {came}")
    if num_nodes == 0:
        return 0
    num_persons = max(int(person[-1]) + 1, 1)  # the last node is of the last one
    if num_nodes % num_persons != 0:
        raise ValueError(
            f"data.person: expected the same number of joints for each of {num_persons} persons, "
            f"got {num_nodes} nodes"
        )
    num_joints = num_nodes // num_persons
    if bool((person != torch.arange(num_nodes, device=person.device) // num_joints).any()):
        raise ValueError(
            f"data.person: expected 0 for {num_joints} joints, then 1 and so on, person after "
            f"person, got {person.tolist()}"
        )
    if skeleton is not None:
        skeleton.check(num_joints, "data.x")
    return num_persons
