r"""Confidences of pose estimators as masks."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_amount
from tgst.transforms.clips.clip import checked_clip
from tgst.transforms.edges import checked_int


@functional_transform("tgst_confidence_mask")
class ConfidenceMask(BaseTransform):
    r"""Takes joints with a low confidence as not observed: :obj:`mask` is :obj:`False` there, and
    all channels are zero.

    .. math::
        m_{i,t} \leftarrow m_{i,t} \wedge (c_{i,t} > \text{threshold})

    OpenPose writes the confidence 0 for joints that it did not find. `"Spatial Temporal Graph
    Convolutional Networks for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/1801.07455>`_ sets the coordinates of those to zero (threshold 0) and
    keeps the confidence as third channel; PYSKL zeroes up to 0.01.

    Args:
        threshold (float, optional): The largest confidence that does not count as observed.
            (default: :obj:`0.0`)
        channel (int, optional): The channel of the confidence. (default: :obj:`-1`)
        drop (bool, optional): Whether that channel is removed. (default: :obj:`False`)

    Shapes:
        - **input**: :obj:`x` :math:`(N, *, T, C)`; :obj:`mask` :math:`(N, *, T)`, optional
        - **output**: :obj:`x` :math:`(N, *, T, C)` or :math:`(N, *, T, C - 1)`, :obj:`mask`
          :math:`(N, *, T)`

    Raises:
        TypeError: If :obj:`channel` is no integer.
        ValueError: If :obj:`threshold` is negative, or the clip has no such channel.
    """

    def __init__(self, threshold: float = 0.0, channel: int = -1, drop: bool = False) -> None:
        self.threshold = checked_amount("threshold", threshold)
        self.channel = checked_int("channel", channel)
        self.drop = drop

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x` and :obj:`mask`."""
        x, mask, *_ = checked_clip(data)
        channels = x.size(-1)
        if not -channels <= self.channel < channels:
            raise ValueError(
                f"channel: expected one of the {channels} channels of data.x, got {self.channel}"
            )
        mask = mask & (x[..., self.channel] > self.threshold)  # NaN is no confidence
        if self.drop:
            place = self.channel % channels
            x = torch.cat([x[..., :place], x[..., place + 1 :]], dim=-1)
        data.x, data.mask = torch.where(mask.unsqueeze(-1), x, 0.0), mask
        return data

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(threshold={self.threshold}, channel={self.channel}, "
            f"drop={self.drop})"
        )
