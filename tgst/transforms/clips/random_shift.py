r"""Random positions of the observed part of a clip."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.clip import checked_clip
from tgst.transforms.clips.frames import observed_span, padded


@functional_transform("tgst_random_shift")
class RandomShift(BaseTransform):
    r"""Moves the frames from the first to the last one in which anything is observed to a random
    place in a padded clip, whose number of frames stays; what is around them becomes unobserved
    zeros.

    From the released code of `"Spatial Temporal Graph Convolutional Networks for Skeleton-Based
    Action Recognition" <https://arxiv.org/abs/1801.07455>`_ (`random_shift`, which its feeder
    documents but does not use).

    Shapes:
        - **x**: :math:`(N, *, T, C)`
        - **mask**: :math:`(N, *, T)`, optional; without it, all frames are observed and nothing
          moves
    """

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x` and :obj:`mask`."""
        x, mask, *_ = checked_clip(data)
        first, end = observed_span(mask)
        empty = x.size(-2) - (end - first)
        if empty > 0:
            before = int(torch.randint(empty + 1, ()))
            x, mask = padded(x[..., first:end, :], mask[..., first:end], before, empty - before)
        data.x, data.mask = x, mask
        return data

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}()"
