r"""Clips at a fixed number of frames."""

from __future__ import annotations

from typing import Literal, get_args

from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.clips.arguments import checked_choice, checked_count
from tgst.transforms.clips.clip import checked_clip
from tgst.transforms.clips.frames import at_points, resampling_points

Mode = Literal["linear", "nearest"]


@functional_transform("tgst_resample_time")
class ResampleTime(BaseTransform):
    r"""Stretches or squeezes a clip of :math:`T` frames to :math:`L`, by interpolation in time.

    .. math::
        x'_l = (1 - w) \, x_{\lfloor \tau \rfloor} + w \, x_{\lfloor \tau \rfloor + 1}, \qquad
        w = \tau - \lfloor \tau \rfloor, \qquad
        \tau = \begin{cases}
            l \, \frac{T - 1}{L - 1} & \text{align\_corners} \\
            (l + \frac{1}{2}) \frac{T}{L} - \frac{1}{2} & \text{otherwise, within } 0..T-1
        \end{cases}

    The second form is the resizing of `"Channel-wise Topology Refinement Graph Convolution for
    Skeleton-Based Action Recognition" <https://arxiv.org/abs/2107.12213>`_ (to 64 frames); the
    first one keeps the first and the last frame.

    A joint is observed at :math:`\tau` if it is in the nearest frame, and interpolated if it is in
    both; otherwise the nearest frame is taken as it is.

    Args:
        length (int): The number of frames :math:`L`.
        mode (str, optional): :obj:`"linear"`, or :obj:`"nearest"` for the nearest frame.
            (default: :obj:`"linear"`)
        align_corners (bool, optional): As above. (default: :obj:`False`)

    Shapes:
        - **input**: :obj:`x` :math:`(N, *, T, C)`; :obj:`mask` :math:`(N, *, T)`, optional
        - **output**: :obj:`x` :math:`(N, *, L, C)`, :obj:`mask` :math:`(N, *, L)`

    Raises:
        TypeError: If :obj:`length` is no integer.
        ValueError: If :obj:`length` is less than 1, or :obj:`mode` neither of the two.
    """

    def __init__(self, length: int, mode: Mode = "linear", align_corners: bool = False) -> None:
        self.length = checked_count("length", length)
        self.mode = checked_choice("mode", mode, get_args(Mode))
        self.align_corners = align_corners

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`x` and :obj:`mask`."""
        x, mask, *_ = checked_clip(data)
        if x.size(-2) != self.length:
            points = resampling_points(x.size(-2), self.length, self.align_corners, x)
            x, mask = at_points(x, mask, points, linear=self.mode == "linear")
        data.x, data.mask = x, mask
        return data

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.length}, mode={self.mode!r}, "
            f"align_corners={self.align_corners})"
        )
