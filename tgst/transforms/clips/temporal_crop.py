r"""Crops of a random length, stretched to a fixed one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_count
from tgst.transforms.clips.clip import checked_clip
from tgst.transforms.clips.frames import at_points, observed_span, resampling_points


@functional_transform("tgst_temporal_crop")
class TemporalCrop(BaseTransform):
    r"""Cuts out a random part of a clip and resamples it to a fixed number of frames, as in
    `"Channel-wise Topology Refinement Graph Convolution for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/2107.12213>`_.

    Of the :math:`S` frames from the first to the last one in which anything is observed,

    .. math::
        n = \min(\max(\lfloor p S \rfloor, \text{min\_length}), S), \qquad
        p \sim \mathcal{U}(\text{ratio})

    consecutive frames stay, which begin at a random one, and become :obj:`length` frames by linear
    interpolation (:class:`ResampleTime`). With a single number as ratio, as published for tests
    (0.95), the middle stays: :math:`\lfloor (1 - p) S / 2 \rfloor` frames are cut off at both ends.

    The published shortest crop of 64 frames is made for NTU RGB+D; clips with fewer frames are not
    cropped at all, only stretched.

    Args:
        length (int, optional): The number of frames afterwards; :obj:`None` leaves the crop as it
            is. (default: :obj:`64`)
        ratio (tuple of float or float, optional): The bounds of the share :math:`p`, or the
            share of a centred crop. (default: :obj:`(0.5, 1.0)`)
        min_length (int, optional): The fewest frames of a random crop. (default: :obj:`64`)
        align_corners (bool, optional): As in :class:`ResampleTime`. (default: :obj:`False`)

    Shapes:
        - **input**: :obj:`x` :math:`(N, *, T, C)`; :obj:`mask` :math:`(N, *, T)`, optional
        - **output**: :obj:`x` :math:`(N, *, \text{length}, C)`, :obj:`mask`
          :math:`(N, *, \text{length})`

    Raises:
        TypeError: If a length is no integer.
        ValueError: If a length is less than 1, or the ratio not in 0..1 or out of order.
    """

    def __init__(
        self,
        length: int | None = 64,
        ratio: Sequence[float] | float = (0.5, 1.0),
        min_length: int = 64,
        align_corners: bool = False,
    ) -> None:
        self.length = None if length is None else checked_count("length", length)
        self.ratio = _checked_ratio(ratio)
        self.min_length = checked_count("min_length", min_length)
        self.align_corners = align_corners

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x` and :obj:`mask`."""
        x, mask, *_ = checked_clip(data)
        first, end = self._crop(*observed_span(mask))
        x, mask = x[..., first:end, :], mask[..., first:end]
        if self.length is not None and self.length != end - first:
            points = resampling_points(end - first, self.length, self.align_corners, x)
            x, mask = at_points(x, mask, points)
        data.x, data.mask = x, mask
        return data

    def _crop(self, first: int, end: int) -> tuple[int, int]:
        size = end - first
        if not isinstance(self.ratio, tuple):
            cut = min(int((1 - self.ratio) * size / 2), (size - 1) // 2)  # one frame stays
            return first + cut, end - cut
        low, high = self.ratio
        share = low + (high - low) * float(torch.rand((), dtype=torch.float64))
        kept = min(max(math.floor(share * size), self.min_length), size)
        first += int(torch.randint(size - kept + 1, ()))
        return first, first + kept

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(length={self.length}, ratio={self.ratio}, "
            f"min_length={self.min_length}, align_corners={self.align_corners})"
        )


def _checked_ratio(ratio: Sequence[float] | float) -> tuple[float, float] | float:
    bounds = (ratio, ratio) if isinstance(ratio, int | float) else ratio
    if (
        not isinstance(bounds, Sequence)
        or len(bounds) != 2
        or not all(isinstance(bound, int | float) for bound in bounds)
        or not 0 < bounds[0] <= bounds[1] <= 1
    ):
        raise ValueError(
            f"ratio: expected a share in 0..1, or (smallest, largest) of them, got {ratio!r}"
        )
    if isinstance(ratio, int | float):
        return float(ratio)
    return float(bounds[0]), float(bounds[1])
