r"""Random loss of joints."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_choice, checked_probability
from tgst.transforms.clips.clip import checked_clip

Per = Literal["clip", "frame"]


@functional_transform("tgst_joint_dropout")
class JointDropout(BaseTransform):
    r"""Hides joints at random: they become unobserved zeros, each with probability :math:`p`, and
    for each person on its own.

    Against occlusion, which `"Richly Activated Graph Convolutional Network for Action Recognition
    with Incomplete Skeletons" <https://arxiv.org/abs/1905.06774>`_ simulates so in tests; the
    default is ours.

    A clip in which nothing observed would be left stays as it is.

    Args:
        p (float, optional): The probability :math:`p`. (default: :obj:`0.1`)
        per (str, optional): :obj:`"clip"`: a joint is hidden in all frames; :obj:`"frame"`: in
            each frame on its own. (default: :obj:`"clip"`)

    Shapes:
        - **x**: :math:`(N, *, T, C)`
        - **mask**: :math:`(N, *, T)`, written

    Raises:
        ValueError: If :obj:`p` is no probability, or :obj:`per` neither of the two.
    """

    def __init__(self, p: float = 0.1, per: Per = "clip") -> None:
        self.p = checked_probability("p", p)
        self.per = checked_choice("per", per, get_args(Per))

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x` and :obj:`mask`."""
        x, mask, *_ = checked_clip(data)
        shape = mask.shape if self.per == "frame" else (*mask.shape[:-1], 1)
        left = mask & (torch.rand(shape) >= self.p).to(mask.device)
        if bool(left.any()):
            x, mask = torch.where(left.unsqueeze(-1), x, 0.0), left
        data.x, data.mask = x, mask
        return data

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(p={self.p}, per={self.per!r})"
