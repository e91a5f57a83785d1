r"""Clips cropped or padded to a length, at random."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_count
from tgst.transforms.clips.clip import checked_clip
from tgst.transforms.clips.frames import padded


@functional_transform("tgst_random_choose")
class RandomChoose(BaseTransform):
    r"""Crops longer clips to :obj:`length` frames from a random one on, and pads shorter ones with
    unobserved zeros before and after, as `"Spatial Temporal Graph Convolutional Networks for
    Skeleton-Based Action Recognition" <https://arxiv.org/abs/1801.07455>`_ does on Kinetics in
    training (to 150 frames).

    Args:
        length (int): The number of frames.
        auto_pad (bool, optional): Whether shorter clips are padded; otherwise they keep their
            length. (default: :obj:`True`)

    Shapes:
        - **input**: :obj:`x` :math:`(N, *, T, C)`; :obj:`mask` :math:`(N, *, T)`, optional
        - **output**: :obj:`x` :math:`(N, *, \text{length}, C)`, :obj:`mask`
          :math:`(N, *, \text{length})`; shorter clips without padding as they came

    Raises:
        TypeError: If :obj:`length` is no integer.
        ValueError: If :obj:`length` is less than 1.
    """

    def __init__(self, length: int, auto_pad: bool = True) -> None:
        self.length = checked_count("length", length)
        self.auto_pad = auto_pad

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x` and :obj:`mask`."""
        x, mask, *_ = checked_clip(data)
        missing = self.length - x.size(-2)
        if missing < 0:
            first = int(torch.randint(1 - missing, ()))
            x = x[..., first : first + self.length, :]
            mask = mask[..., first : first + self.length]
        elif missing > 0 and self.auto_pad:
            before = int(torch.randint(missing + 1, ()))
            x, mask = padded(x, mask, before, missing - before)
        data.x, data.mask = x, mask
        return data

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.length}, auto_pad={self.auto_pad})"
