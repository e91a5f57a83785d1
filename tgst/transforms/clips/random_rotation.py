r"""Random rotations of clips."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import (
    checked_amounts,
    checked_choice,
    checked_coordinates,
    per_axis,
)
from tgst.transforms.clips.clip import checked_clip, coordinates, with_coordinates

Axis = Literal["x", "y", "z"]


@functional_transform("tgst_random_rotation")
class RandomRotation(BaseTransform):
    r"""Rotates a clip about the origin by random angles, the same in all frames and for all
    persons.

    .. math::
        x \leftarrow R_z(\gamma) R_y(\beta) R_x(\alpha) \, x, \qquad
        \alpha, \beta, \gamma \sim \mathcal{U}(-\theta, \theta)

    As in `"Channel-wise Topology Refinement Graph Convolution for Skeleton-Based Action
    Recognition" <https://arxiv.org/abs/2107.12213>`_ and PYSKL (`RandomRot`), both with
    :math:`\theta = 0.3`. With :obj:`axis`, about that one only: the vertical one of cameras is
    :obj:`"y"`, that of clips after :class:`BodyFrame` :obj:`"z"`. Flat clips are rotated in their
    plane, by one angle.

    Convention: angles in radians, right-handed, counter-clockwise as seen from the tip of the axis.
    The origin is that of the data: centre the clip first (:class:`CenterRoot`).

    Args:
        theta (float or sequence of float, optional): The largest angle, or those about x, y and z.
            (default: :obj:`0.3`)
        axis (str, optional): :obj:`"x"`, :obj:`"y"`, :obj:`"z"`, or :obj:`None` for all three.
            (default: :obj:`None`)
        num_coordinates (int, optional): How many channels are coordinates: 2 if they are x, y and a
            confidence. (default: all of two or three, the first three of four)

    Shapes:
        - **x**: :math:`(M V, *, T, C)`, any unit of length

    Raises:
        ValueError: If an argument is out of range, or the clip has neither two nor three
            coordinates.
    """

    def __init__(
        self,
        theta: float | Sequence[float] = 0.3,
        axis: Axis | None = None,
        num_coordinates: int | None = None,
    ) -> None:
        self.theta = checked_amounts("theta", theta)
        self.axis = checked_choice("axis", axis, (None, "x", "y", "z"))
        self.num_coordinates = checked_coordinates(num_coordinates)
        if isinstance(self.theta, tuple):
            per_axis("theta", self.theta, 3 if axis is None else 1)

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x`."""
        x = checked_clip(data).x
        num_coordinates = coordinates(x, self.num_coordinates)
        if num_coordinates not in (2, 3):
            raise ValueError(
                f"num_coordinates: expected 2 or 3 coordinates to rotate, got {num_coordinates}"
            )
        if num_coordinates == 2 and self.axis in ("x", "y"):
            raise ValueError(f'axis: expected "z" or None for flat clips, got {self.axis!r}')
        rotation = x.new_tensor(self._rotation(flat=num_coordinates == 2))
        data.x = with_coordinates(x, x[..., :num_coordinates] @ rotation.T)
        return data

    def _rotation(self, flat: bool) -> list[list[float]]:
        axes = [self.axis] if self.axis is not None else ["x", "y", "z"]
        limits = dict(zip(axes, per_axis("theta", self.theta, len(axes)), strict=True))
        if flat:
            limits = {"z": limits["z"]}
        draws = (torch.rand(len(limits), dtype=torch.float64) * 2 - 1).tolist()
        angle = {axis: limit * u for (axis, limit), u in zip(limits.items(), draws, strict=True)}
        (sx, cx), (sy, cy), (sz, cz) = (
            (math.sin(angle.get(axis, 0.0)), math.cos(angle.get(axis, 0.0))) for axis in "xyz"
        )
        if flat:
            return [[cz, -sz], [sz, cz]]
        return [
            [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
            [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
            [-sy, cy * sx, cy * cx],
        ]

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(theta={self.theta}, axis={self.axis!r})"
