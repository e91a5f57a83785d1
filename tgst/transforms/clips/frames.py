r"""Clips at other points in time: frames that are picked, interpolated or padded."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Points(NamedTuple):
    r"""Points in time between two frames: their numbers and the share of the second."""

    low: Tensor
    high: Tensor
    share: Tensor


def resampling_points(num_frames: int, length: int, align_corners: bool, like: Tensor) -> Points:
    r"""Returns :obj:`length` points at equal distances over :obj:`num_frames` frames, in the two
    conventions of :func:`torch.nn.functional.interpolate`.
    """
    steps = torch.arange(length, device=like.device, dtype=torch.float64)
    if align_corners:
        at = steps * ((num_frames - 1) / max(length - 1, 1))
    else:
        at = (steps + 0.5) * (num_frames / length) - 0.5
    at = at.clamp(0, num_frames - 1)
    low = at.long()
    return Points(low, (low + 1).clamp(max=num_frames - 1), (at - low).to(like.dtype))


def at_points(
    x: Tensor, mask: Tensor, points: Points, linear: bool = True
) -> tuple[Tensor, Tensor]:
    r"""Returns a clip at points in time.

    A joint is observed at a point if it is in the frame that is nearest (the earlier one of two
    that are equally near), and interpolated only if it is in both frames, so that what was not
    observed never leaks into what was.

    Shapes:
        - **x**: :math:`(*, T, C)`
        - **mask**: :math:`(*, T)`
        - **output**: :math:`(*, L, C)`, :math:`(*, L)`
    """
    nearest = torch.where(points.share > 0.5, points.high, points.low)
    if not linear:
        return x.index_select(-2, nearest), mask.index_select(-1, nearest)
    first, second = x.index_select(-2, points.low), x.index_select(-2, points.high)
    between = torch.lerp(first, second, points.share.unsqueeze(-1))
    if bool(mask.all()):
        return between, mask.new_ones(between.shape[:-1])
    both = mask.index_select(-1, points.low) & mask.index_select(-1, points.high)
    between = torch.where(both.unsqueeze(-1), between, x.index_select(-2, nearest))
    return between, mask.index_select(-1, nearest)


def observed_span(mask: Tensor) -> tuple[int, int]:
    r"""Returns the first frame in which anything is observed and the one after the last; all
    frames if nothing ever is.
    """
    frames = mask.reshape(-1, mask.size(-1)).any(0).nonzero()
    if frames.numel() == 0:
        return 0, mask.size(-1)
    return int(frames[0]), int(frames[-1]) + 1


def padded(x: Tensor, mask: Tensor, before: int, after: int) -> tuple[Tensor, Tensor]:
    r"""Returns a clip with unobserved zeros before and after it."""
    x = torch.nn.functional.pad(x, (0, 0, before, after))
    return x, torch.nn.functional.pad(mask, (before, after), value=False)
