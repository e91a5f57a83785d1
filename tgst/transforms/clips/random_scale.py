r"""Random scaling of clips."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_amounts, checked_coordinates, per_axis
from tgst.transforms.clips.clip import checked_clip, coordinates, with_coordinates


@functional_transform("tgst_random_scale")
class RandomScale(BaseTransform):
    r"""Scales the coordinates of a clip by random factors, the same in all frames and for all
    persons.

    .. math::
        x_d \leftarrow (1 + u_d \, s_d) \, x_d, \qquad u_d \sim \mathcal{U}(-1, 1)

    As in PYSKL (`RandomScale`), with :math:`s = 0.2` and a factor of its own for every axis
    :math:`d`; with :obj:`isotropic`, all axes have the same :math:`u`, so that no angle changes.

    Args:
        scale (float or sequence of float, optional): The largest relative change :math:`s`, or one
            per axis. (default: :obj:`0.2`)
        isotropic (bool, optional): Whether all axes share their random number.
            (default: :obj:`False`)
        num_coordinates (int, optional): How many channels are coordinates: 2 if they are x, y and a
            confidence. (default: all of two or three, the first three of four)

    Shapes:
        - **x**: :math:`(M V, *, T, C)`, any unit of length

    Raises:
        ValueError: If :obj:`scale` is negative or has not one number per axis.
    """

    def __init__(
        self,
        scale: float | Sequence[float] = 0.2,
        isotropic: bool = False,
        num_coordinates: int | None = None,
    ) -> None:
        self.scale = checked_amounts("scale", scale)
        self.isotropic = isotropic
        self.num_coordinates = checked_coordinates(num_coordinates)

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x`."""
        x = checked_clip(data).x
        num_coordinates = coordinates(x, self.num_coordinates)
        scale = x.new_tensor(per_axis("scale", self.scale, num_coordinates))
        draw = torch.rand(1 if self.isotropic else num_coordinates).to(x) * 2 - 1
        data.x = with_coordinates(x, x[..., :num_coordinates] * (1 + draw * scale))
        return data

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(scale={self.scale}, isotropic={self.isotropic})"
