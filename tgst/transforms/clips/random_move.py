r"""Random smooth motions of a clip in the plane of the image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_count
from tgst.transforms.clips.clip import checked_clip, with_coordinates


@functional_transform("tgst_random_move")
class RandomMove(BaseTransform):
    r"""Simulates a moving camera: turns, scales and shifts the first two coordinates, by amounts
    that change linearly between random key frames, as in `"Spatial Temporal Graph Convolutional
    Networks for Skeleton-Based Action Recognition" <https://arxiv.org/abs/1801.07455>`_ (used there
    for Kinetics, on coordinates normalised to :math:`-0.5..0.5`).

    .. math::
        \begin{pmatrix} x \\ y \end{pmatrix} \leftarrow s_t
        \begin{pmatrix} \cos a_t & -\sin a_t \\ \sin a_t & \cos a_t \end{pmatrix}
        \begin{pmatrix} x \\ y \end{pmatrix} + \begin{pmatrix} u_t \\ v_t \end{pmatrix}

    Angle :math:`a`, scale :math:`s` and shifts :math:`u, v` of every key frame are drawn from the
    lists below, whose defaults are the published ones. There are :math:`n + 1` key frames at equal
    distances, the first frame and the last included, where :math:`n` is drawn from
    :obj:`move_time`.

    The published code moves joints that were not observed too, so that they leave zero. Here they
    stay as they are, unless told otherwise.

    Args:
        angle (sequence of float, optional): Angles in degrees.
            (default: :obj:`(-10, -5, 0, 5, 10)`)
        scale (sequence of float, optional): Factors. (default: :obj:`(0.9, 1.0, 1.1)`)
        shift (sequence of float, optional): Shifts along each axis, in the unit of the data.
            (default: :obj:`(-0.2, -0.1, 0.0, 0.1, 0.2)`)
        move_time (sequence of int, optional): Numbers of parts between key frames.
            (default: :obj:`(1,)`)
        move_unobserved (bool, optional): Whether joints that were not observed move as well.
            (default: :obj:`False`)

    Shapes:
        - **x**: :math:`(N, *, T, C)`, :math:`C \geq 2`
        - **mask**: :math:`(N, *, T)`, optional

    Raises:
        TypeError: If :obj:`move_time` holds a number that is no integer.
        ValueError: If a list is empty or holds no finite numbers, :obj:`move_time` one less than 1,
            or the clip has one channel.
    """

    def __init__(
        self,
        angle: Sequence[float] = (-10.0, -5.0, 0.0, 5.0, 10.0),
        scale: Sequence[float] = (0.9, 1.0, 1.1),
        shift: Sequence[float] = (-0.2, -0.1, 0.0, 0.1, 0.2),
        move_time: Sequence[int] = (1,),
        move_unobserved: bool = False,
    ) -> None:
        self.angle = _candidates("angle", angle)
        self.scale = _candidates("scale", scale)
        self.shift = _candidates("shift", shift)
        _candidates("move_time", move_time)
        self.move_time = tuple(checked_count("move_time", each) for each in move_time)
        self.move_unobserved = move_unobserved

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x`."""
        x, mask, *_ = checked_clip(data)
        if x.size(-1) < 2:
            raise ValueError(f"data.x: expected two coordinates or more, got {x.size(-1)} channel")
        parts = self.move_time[int(torch.randint(len(self.move_time), ()))]
        frame = _key_frames(x.size(-2), parts)
        angle, scale, first, second = (
            _between_keys(values, frame).to(x)
            for values in (self.angle, self.scale, self.shift, self.shift)
        )
        cos, sin = scale * torch.cos(torch.deg2rad(angle)), scale * torch.sin(torch.deg2rad(angle))
        a, b = x[..., 0], x[..., 1]
        moved = torch.stack([cos * a - sin * b + first, sin * a + cos * b + second], dim=-1)
        if not self.move_unobserved:
            moved = torch.where(mask.unsqueeze(-1), moved, x[..., :2])
        data.x = with_coordinates(x, moved)
        return data

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(angle={self.angle}, scale={self.scale}, "
            f"shift={self.shift}, move_time={self.move_time}, "
            f"move_unobserved={self.move_unobserved})"
        )


def _candidates(name: str, values: Any) -> tuple[float, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise ValueError(f"{name}: expected a list of numbers to draw from, got {values!r}")
    for value in values:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value):
            raise ValueError(f"{name}: expected numbers to draw from, got {value!r}")
    return tuple(values)


def _key_frames(num_frames: int, parts: int) -> list[int]:
    # As published: the last key belongs to the last frame, which is the end of the last part.
    return [*(round(part * num_frames / parts) for part in range(parts)), num_frames]


def _between_keys(candidates: tuple[float, ...], frame: list[int]) -> Tensor:
    """A random candidate at each key frame, and linear values between them, one per frame."""
    drawn = torch.randint(len(candidates), (len(frame),)).tolist()
    keys = [candidates[number] for number in drawn]
    parts = [
        torch.linspace(keys[i], keys[i + 1], frame[i + 1] - frame[i], dtype=torch.float64)
        for i in range(len(frame) - 1)
    ]
    return torch.cat(parts)
