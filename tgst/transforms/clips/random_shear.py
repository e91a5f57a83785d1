r"""Random shearing of clips."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_amount, checked_coordinates
from tgst.transforms.clips.clip import checked_clip, coordinates, with_coordinates


@functional_transform("tgst_random_shear")
class RandomShear(BaseTransform):
    r"""Shears a clip by a random matrix, the same in all frames and for all persons.

    .. math::
        x \leftarrow \begin{pmatrix}
            1 & s_{12} & s_{13} \\ s_{21} & 1 & s_{23} \\ s_{31} & s_{32} & 1
        \end{pmatrix} x, \qquad s_{ij} \sim \mathcal{U}(-\beta, \beta)

    As in `"Contrastive Learning from Extremely Augmented Skeleton Sequences for Self-Supervised
    Action Recognition" <https://arxiv.org/abs/2112.03590>`_ (AimCLR), with :math:`\beta = 0.5`.

    Args:
        amplitude (float, optional): The largest entry :math:`\beta`. (default: :obj:`0.5`)
        num_coordinates (int, optional): How many channels are coordinates: 2 if they are x, y and a
            confidence. (default: all of two or three, the first three of four)

    Shapes:
        - **x**: :math:`(M V, *, T, C)`, any unit of length

    Raises:
        ValueError: If :obj:`amplitude` is negative.
    """

    def __init__(self, amplitude: float = 0.5, num_coordinates: int | None = None) -> None:
        self.amplitude = checked_amount("amplitude", amplitude)
        self.num_coordinates = checked_coordinates(num_coordinates)

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x`."""
        x = checked_clip(data).x
        num_coordinates = coordinates(x, self.num_coordinates)
        shear = (torch.rand(num_coordinates, num_coordinates) * 2 - 1) * self.amplitude
        shear = shear.fill_diagonal_(1.0).to(x)
        data.x = with_coordinates(x, x[..., :num_coordinates] @ shear.T)
        return data

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(amplitude={self.amplitude})"
