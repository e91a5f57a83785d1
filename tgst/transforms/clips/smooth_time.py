r"""Smoothing over time."""

from __future__ import annotations

import torch
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_count, checked_positive
from tgst.transforms.clips.clip import checked_clip


@functional_transform("tgst_smooth_time")
class SmoothTime(BaseTransform):
    r"""Replaces every observed joint by the mean over the frames around it in which it is observed,
    against the jitter of depth sensors.

    .. math::
        x'_t = \frac{\sum_{d} k_d \, m_{t+d} \, x_{t+d}}{\sum_{d} k_d \, m_{t+d}}, \qquad
        d = -\lfloor w / 2 \rfloor \ldots \lfloor w / 2 \rfloor, \qquad
        k_d = 1 \; \text{or} \; \exp(-d^2 / 2 \sigma^2)

    where :math:`m` is 1 for observed entries and 0 for others and beyond the ends. All channels are
    smoothed. Ours, and so is the default. Entries that are not observed stay as they are
    (:class:`Interpolate` fills them).

    Args:
        window (int, optional): The number of frames :math:`w`, an odd one. (default: :obj:`5`)
        sigma (float, optional): The standard deviation of a Gaussian window, in frames;
            :obj:`None` for equal weights. (default: :obj:`None`)

    Shapes:
        - **x**: :math:`(N, *, T, C)`
        - **mask**: :math:`(N, *, T)`, optional

    Raises:
        TypeError: If :obj:`window` is no integer.
        ValueError: If :obj:`window` is not odd, or :obj:`sigma` no positive number.
    """

    def __init__(self, window: int = 5, sigma: float | None = None) -> None:
        self.window = checked_count("window", window)
        if self.window % 2 == 0:
            raise ValueError(f"window: expected an odd number of frames, got {window}")
        self.sigma = None if sigma is None else checked_positive("sigma", sigma)

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x`."""
        x, mask, *_ = checked_clip(data)
        half = self.window // 2
        offset = torch.arange(-half, half + 1, device=x.device, dtype=x.dtype)
        weight = torch.ones_like(offset)
        if self.sigma is not None:
            weight = torch.exp(-((offset / self.sigma) ** 2) / 2)
        seen = mask.unsqueeze(-1)
        # The weights of the observed frames are summed as one channel more.
        entries = torch.cat([torch.where(seen, x, 0.0), seen.to(x.dtype)], dim=-1)
        entries = torch.nn.functional.pad(entries, (0, 0, half, half))
        total = entries.unfold(-2, self.window, 1) @ weight
        data.x = torch.where(seen, total[..., :-1] / total[..., -1:].clamp(min=1e-30), x)
        return data

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(window={self.window}, sigma={self.sigma})"
