"""Bones and motion: the further streams of skeleton networks."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

Motion = Literal["forward", "backward", "central"]


def bones(x: Tensor, parent: Tensor) -> Tensor:
    r"""Returns the vector from the parent to each joint, the bone stream of `"Two-Stream Adaptive
    Graph Convolutional Networks for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/1805.07694>`_.

    .. math::
        b_i = x_i - x_{\mathrm{parent}(i)}

    and 0 at the roots, which are their own parents.

    Args:
        x (torch.Tensor): Joints, or several persons of them, one after the other.
        parent (torch.Tensor): The parent of each joint of one person, a root its own and not -1
            (:obj:`~tgst.utils.Skeleton.parent`, not :obj:`parents`).

    Shapes:
        - **x**: :math:`(M V, *, T, C)`, metres or pixels
        - **parent**: :math:`(V)`, long
        - **output**: that of :obj:`x`

    Raises:
        ValueError: If :obj:`x` does not hold a whole number of persons.
    """
    persons = _persons(x, parent, "x")
    return (persons - persons[:, parent]).flatten(0, 1)


def bone_mask(mask: Tensor, parent: Tensor) -> Tensor:
    r"""Returns which bones are observed: those whose two joints are.

    Args:
        mask (torch.Tensor): Which joints are observed.
        parent (torch.Tensor): The parent of each joint of one person.

    Shapes:
        - **mask**: :math:`(M V, *, T)`, bool
        - **parent**: :math:`(V)`, long
        - **output**: that of :obj:`mask`

    Raises:
        ValueError: If :obj:`mask` does not hold a whole number of persons.
    """
    persons = _persons(mask, parent, "mask")
    return (persons & persons[:, parent]).flatten(0, 1)


def motion(x: Tensor, kind: Motion = "forward") -> Tensor:
    r"""Returns the change of a series over time.

    .. math::
        \text{forward:} \quad & x_{t+1} - x_t, \quad \text{0 in the last frame}

        \text{backward:} \quad & x_t - x_{t-1}, \quad \text{0 in the first frame}

        \text{central:} \quad & x_t - (x_{t-1} + x_{t+1}) / 2, \quad \text{0 in both}

    The first is that of most published networks (2s-AGCN, PYSKL), the last one, a deviation from
    the mean of the neighbours rather than a velocity, that of the two-stream ST-GCN. The second
    needs no future frame.

    Args:
        x (torch.Tensor): The series, time last but one.
        kind (str, optional): :obj:`"forward"`, :obj:`"backward"` or :obj:`"central"`.
            (default: :obj:`"forward"`)

    Shapes:
        - **x**: :math:`(*, T, C)`
        - **output**: that of :obj:`x`, units per frame

    Raises:
        ValueError: If :obj:`kind` is none of the three.
    """
    _check_kind(kind)
    change = torch.zeros_like(x)
    if kind == "central":
        neighbors = (x[..., :-2, :] + x[..., 2:, :]) / 2
        change[..., 1:-1, :] = x[..., 1:-1, :] - neighbors
    else:
        step = x[..., 1:, :] - x[..., :-1, :]
        frames = slice(None, -1) if kind == "forward" else slice(1, None)
        change[..., frames, :] = step
    return change


def motion_mask(mask: Tensor, kind: Motion = "forward") -> Tensor:
    r"""Returns where the motion is observed: where all its frames are.

    At the ends of a clip, where it is 0 by definition, it is not: a frame is missing there, exactly
    as beside a frame that is not observed. So padding a clip pads this mask, and what it lets
    through of the motion is that of the clip alone.

    Args:
        mask (torch.Tensor): Which joints are observed.
        kind (str, optional): That of :func:`motion`. (default: :obj:`"forward"`)

    Shapes:
        - **mask**: :math:`(*, T)`, bool
        - **output**: that of :obj:`mask`

    Raises:
        ValueError: If :obj:`kind` is none of the three.
    """
    _check_kind(kind)
    seen = torch.zeros_like(mask)
    if kind == "central":
        seen[..., 1:-1] = mask[..., :-2] & mask[..., 1:-1] & mask[..., 2:]
    else:
        frames = slice(None, -1) if kind == "forward" else slice(1, None)
        seen[..., frames] = mask[..., :-1] & mask[..., 1:]
    return seen


def _persons(x: Tensor, parent: Tensor, name: str) -> Tensor:
    num_joints = parent.numel()
    if num_joints == 0 or x.size(0) % num_joints != 0:
        raise ValueError(
            f"{name}: expected {num_joints} joints per person, as in parent, got shape "
            f"{list(x.shape)}"
        )
    return x.unflatten(0, (x.size(0) // num_joints, num_joints))


def _check_kind(kind: str) -> None:
    if kind not in get_args(Motion):
        raise ValueError(f"kind: expected one of {get_args(Motion)}, got {kind!r}")
