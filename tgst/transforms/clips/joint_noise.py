r"""Random noise on the joints."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_amount, checked_choice, checked_coordinates
from tgst.transforms.clips.clip import checked_clip, coordinates, with_coordinates


@functional_transform("tgst_joint_noise")
class JointNoise(BaseTransform):
    r"""Moves every observed joint by a random vector.

    .. math::
        x_{i,t} \leftarrow x_{i,t} + \sigma \, s \, g_{i,t} \, e_{i,t}, \qquad
        g \sim \mathcal{N}(0, 1), \quad e \text{ a random direction}

    As in PYSKL (`RandomGaussianNoise`, :math:`\sigma = 0.01`), where :math:`s` is the diagonal of
    the box around a person in a frame, or around all persons in all frames, so that noise grows
    with the body. (Directions are uniform on the sphere here, there projected from a cube.)
    :obj:`person` tells the persons apart; without it, all joints are those of one.

    Args:
        sigma (float, optional): The standard deviation of the length of the vectors.
            (default: :obj:`0.01`)
        size (str, optional): What it is relative to: :obj:`"frame"` or :obj:`"clip"`, the boxes
            above, or :obj:`None` for noise in the unit of the data. (default: :obj:`"frame"`)
        shared (bool, optional): Whether a joint has the same vector in all frames and persons, up
            to its length :math:`s`. (default: :obj:`False`)
        num_coordinates (int, optional): How many channels are coordinates: 2 if they are x, y and a
            confidence. (default: all of two or three, the first three of four)

    Shapes:
        - **x**: :math:`(M V, *, T, C)`, any unit of length
        - **mask**: :math:`(M V, *, T)`, optional
        - **person**: :math:`(M V)`, optional

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        sigma: float = 0.01,
        size: Literal["frame", "clip"] | None = "frame",
        shared: bool = False,
        num_coordinates: int | None = None,
    ) -> None:
        self.sigma = checked_amount("sigma", sigma)
        self.size = checked_choice("size", size, ("frame", "clip", None))
        self.shared = shared
        self.num_coordinates = checked_coordinates(num_coordinates)

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x`."""
        clip = checked_clip(data)
        x, mask = clip.persons()
        if x.numel() == 0:
            return data
        places = x[..., : coordinates(x, self.num_coordinates)]
        shape = list(places.shape)
        if self.shared:
            shape = [1, shape[1], *(1 for _ in shape[2:-1]), shape[-1]]
        direction = torch.nn.functional.normalize(torch.randn(shape), dim=-1)
        noise = (self.sigma * torch.randn([*shape[:-1], 1]) * direction).to(x)
        if self.size is not None:
            noise = noise * _diagonal(places, mask, whole_clip=self.size == "clip")
        moved = torch.where(mask.unsqueeze(-1), places + noise, places)
        data.x = with_coordinates(x, moved).flatten(0, 1)
        return data

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(sigma={self.sigma}, size={self.size!r}, "
            f"shared={self.shared})"
        )


def _diagonal(places: Tensor, mask: Tensor, whole_clip: bool) -> Tensor:
    """The diagonal of the box around what is observed, one that broadcasts with the places."""
    seen = mask.unsqueeze(-1)
    dims = [0, 1, places.dim() - 2] if whole_clip else [1]
    low = torch.where(seen, places, torch.inf).amin(dims, keepdim=True)
    high = torch.where(seen, places, -torch.inf).amax(dims, keepdim=True)
    return (high - low).clamp(min=0).norm(dim=-1, keepdim=True)  # of nothing: -inf, hence 0
