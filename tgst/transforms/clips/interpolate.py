r"""Gaps in time filled by interpolation."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_count
from tgst.transforms.clips.clip import checked_clip


@functional_transform("tgst_interpolate")
class Interpolate(BaseTransform):
    r"""Fills joints that are not observed for some frames, linearly in time between the frames
    before and after, and marks them as observed.

    .. math::
        x_t = \frac{(b - t) \, x_a + (t - a) \, x_b}{b - a}, \qquad a < t < b

    where :math:`a` and :math:`b` are the nearest frames before and after in which the joint is
    observed, for all channels. Ours: the published codes leave zeros. Before the first and after
    the last observation of a joint nothing is filled.

    Args:
        max_gap (int, optional): The longest gap that is filled, in frames; :obj:`None` fills all.
            (default: :obj:`None`)

    Shapes:
        - **x**: :math:`(N, *, T, C)`
        - **mask**: :math:`(N, *, T)`, written; without it, there is nothing to fill

    Raises:
        TypeError: If :obj:`max_gap` is no integer.
        ValueError: If :obj:`max_gap` is less than 1.
    """

    def __init__(self, max_gap: int | None = None) -> None:
        self.max_gap = None if max_gap is None else checked_count("max_gap", max_gap)

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x` and :obj:`mask`."""
        x, mask, *_ = checked_clip(data)
        data.mask = mask
        if bool(mask.all()):
            return data
        num_frames = mask.size(-1)
        frame = torch.arange(num_frames, device=x.device)
        before = torch.where(mask, frame, -1).cummax(-1).values
        after = torch.where(mask, frame, num_frames).flip(-1).cummin(-1).values.flip(-1)
        fill = ~mask & (before >= 0) & (after < num_frames)
        if self.max_gap is not None:
            fill &= after - before - 1 <= self.max_gap
        # Only the gaps are computed: there are few of them.
        *entry, at = fill.nonzero(as_tuple=True)
        start, stop = before[fill], after[fill]
        share = ((at - start).to(x.dtype) / (stop - start)).unsqueeze(-1)
        filled = torch.lerp(x[(*entry, start)], x[(*entry, stop)], share)
        data.x = x.index_put((*entry, at), filled)
        data.mask = mask | fill
        return data

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(max_gap={self.max_gap})"
