r"""Random loss of frames."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_probability
from tgst.transforms.clips.clip import checked_clip


@functional_transform("tgst_frame_dropout")
class FrameDropout(BaseTransform):
    r"""Hides frames at random: all joints of all persons in them become unobserved zeros, each
    frame with probability :math:`p`. The number of frames stays.

    Against gaps in tracking, which `"Richly Activated Graph Convolutional Network for Action
    Recognition with Incomplete Skeletons" <https://arxiv.org/abs/1905.06774>`_ simulates so in
    tests; the default is ours.

    A clip in which nothing observed would be left stays as it is.

    Args:
        p (float, optional): The probability :math:`p`. (default: :obj:`0.1`)

    Shapes:
        - **x**: :math:`(N, *, T, C)`
        - **mask**: :math:`(N, *, T)`, written

    Raises:
        ValueError: If :obj:`p` is no probability.
    """

    def __init__(self, p: float = 0.1) -> None:
        self.p = checked_probability("p", p)

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x` and :obj:`mask`."""
        x, mask, *_ = checked_clip(data)
        left = mask & (torch.rand(mask.size(-1)) >= self.p).to(mask.device)
        if bool(left.any()):
            x, mask = torch.where(left.unsqueeze(-1), x, 0.0), left
        data.x, data.mask = x, mask
        return data

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(p={self.p})"
