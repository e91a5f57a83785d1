r"""What stands for an unobserved reading of a window."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["fill_forward"]


def fill_forward(x: Tensor, mask: Tensor, before: Tensor | float = 0.0) -> Tensor:
    r"""Replaces unobserved entries by the last observed one before them in the window.

    Args:
        x: Readings.
        mask: True where observed.
        before: What stands before the first observed entry; broadcasts against ``x``.

    Shapes:
        - **x**: :math:`(N, B, T, C)`
        - **mask**: :math:`(N, B, T)`
        - **output**: :math:`(N, B, T, C)`
    """
    step = torch.arange(x.size(2), device=x.device).expand_as(mask)
    last = torch.where(mask, step, -1).cummax(dim=2).values.unsqueeze(-1)
    filled = x.gather(2, last.clamp(min=0).expand_as(x))
    return torch.where(last < 0, torch.as_tensor(before).to(x), filled)
