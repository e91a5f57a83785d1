r"""Clips padded to a length."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_count
from tgst.transforms.clips.clip import checked_clip
from tgst.transforms.clips.frames import padded


@functional_transform("tgst_auto_padding")
class AutoPadding(BaseTransform):
    r"""Pads shorter clips with unobserved zeros, as `"Spatial Temporal Graph Convolutional Networks
    for Skeleton-Based Action Recognition" <https://arxiv.org/abs/1801.07455>`_ does to 150 or 300
    frames. Longer clips are **not** cropped, as published (:class:`RandomChoose` crops).

    To pad the clips of a batch to the longest, use :class:`tgst.loader.PadTime`.

    Args:
        length (int): The number of frames.
        random_position (bool, optional): Whether the clip begins at a random frame rather than at
            the first. (default: :obj:`False`)

    Shapes:
        - **input**: :obj:`x` :math:`(N, *, T, C)`; :obj:`mask` :math:`(N, *, T)`, optional
        - **output**: :obj:`x` :math:`(N, *, \max(T, \text{length}), C)`, :obj:`mask` alike

    Raises:
        TypeError: If :obj:`length` is no integer.
        ValueError: If :obj:`length` is less than 1.
    """

    def __init__(self, length: int, random_position: bool = False) -> None:
        self.length = checked_count("length", length)
        self.random_position = random_position

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x` and :obj:`mask`."""
        x, mask, *_ = checked_clip(data)
        missing = self.length - x.size(-2)
        if missing > 0:
            before = int(torch.randint(missing + 1, ())) if self.random_position else 0
            x, mask = padded(x, mask, before, missing - before)
        data.x, data.mask = x, mask
        return data

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.length}, random_position={self.random_position})"
