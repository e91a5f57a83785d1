r"""Scaling of frames of a grid: by all values or per cell, after a root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor

Method = Literal["min_max", "standard", "scale"]
Per = Literal["all", "channel", "cell"]

FRAMES_PER_PASS = 1024  # bounds the memory of the float64 sums


class FlowScaler(torch.nn.Module):
    r"""Scales frames of a grid, such as the crowd flows of `"Deep Spatio-Temporal Residual Networks
    for Citywide Crowd Flows Prediction" <https://arxiv.org/abs/1610.00081>`_ (Zhang et al., 2017).

    .. math::
        z = \frac{f(x) - a}{b}, \qquad f(x) = \begin{cases}
            \operatorname{sign}(x) \, |x|^p & p > 0 \\
            \operatorname{sign}(x) \, \ln(1 + |x|) & p = 0
        \end{cases}

    with :math:`p` the :obj:`power`; signs are kept, so that :math:`f` has an inverse everywhere.
    Shift :math:`a` and scale :math:`b` come from the frames given to :meth:`fit`, the training
    frames only:

    ============  ==============================================  ================================
    method        :math:`a`                                       :math:`b`
    ============  ==============================================  ================================
    "min_max"     :math:`(\max f + \min f) / 2`                   :math:`(\max f - \min f) / 2`
    "standard"    :math:`\operatorname{mean} f`                   :math:`\operatorname{std} f`
    "scale"       0                                               :math:`\operatorname{std} f`
    ============  ==============================================  ================================

    The published scaling is :obj:`FlowScaler("min_max")`: one minimum and maximum of everything
    become -1 and 1, and an RMSE of scaled values times :obj:`scaler.scale` is one in counts.
    Values that were not seen in :meth:`fit` may lie outside of [-1, 1]. With heavy tails, where
    nearly all values are far below the maximum, min-max scaling leaves a network little to tell
    them apart by: take a root (:obj:`power=0.5`) or scale per cell.

    A range or deviation below the float32 resolution of the values, that of a constant, becomes 1.
    With :obj:`per="cell"` no scale is below :obj:`floor` times that of its channel over all cells:
    cells that were always zero in training, or nearly so, would blow up the first trip that is
    seen there, and weigh as much in a loss as the busiest cell.

    Args:
        method (str, optional): :obj:`"min_max"`, :obj:`"standard"` or :obj:`"scale"`.
            (default: :obj:`"min_max"`)
        per (str, optional): One shift and scale for :obj:`"all"` values, for each
            :obj:`"channel"`, or for each :obj:`"cell"` and channel. (default: :obj:`"all"`)
        power (float, optional): Exponent :math:`p` before scaling: :obj:`1.0` leaves values as they
            are, :obj:`0.5` takes square roots, :obj:`0.0` logarithms. (default: :obj:`1.0`)
        floor (float, optional): Least scale of a cell, as a share of that of its channel.
            (default: :obj:`0.01`)
        size (sequence of int, optional): :math:`(C, H, W)` before :meth:`fit`, which sets it from
            the frames; needed to load a :obj:`state_dict` of a scaler per channel or cell. Shift 0
            and scale 1 until then. (default: :obj:`(1, 1, 1)`)

    Shapes:
        - **shift**, **scale:** :math:`(1, 1, 1)`, :math:`(C, 1, 1)` or :math:`(C, H, W)`, buffers

    Raises:
        ValueError: If an argument is none of the choices, :obj:`power` or :obj:`floor` is negative
            or :obj:`size` is not three positive numbers.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        method: Method = "min_max",
        per: Per = "all",
        power: float = 1.0,
        floor: float = 0.01,
        size: Sequence[int] = (1, 1, 1),
    ) -> None:
        super().__init__()
        for name, value, allowed in (
            ("method", method, get_args(Method)),
            ("per", per, get_args(Per)),
        ):
            if value not in allowed:
                raise ValueError(f"{name}: expected one of {allowed}, got {value!r}")
        for name, number in (("power", power), ("floor", floor)):
            if not 0 <= number < float("inf"):
                raise ValueError(f"{name}: expected a number of at least 0, got {number}")
        if len(size) != 3 or min(size) < 1:
            raise ValueError(f"size: expected (channels, height, width), got {tuple(size)}")
        self.method, self.per, self.power, self.floor = method, per, power, floor
        shape = {"all": (1, 1, 1), "channel": (size[0], 1, 1), "cell": tuple(size)}[per]
        self.register_buffer("shift", torch.zeros(shape))
        self.register_buffer("scale", torch.ones(shape))

    def fit(self, frames: Tensor) -> FlowScaler:
        r"""Take shift and scale from some frames: those of the training part only.

        Args:
            frames (torch.Tensor): Frames in the units of the source.

        Shapes:
            - **frames:** :math:`(T, C, H, W)`

        Raises:
            ValueError: If the frames have another number of dimensions, if there is none, or if a
                value is NaN or infinite.
        """
        if frames.dim() != 4 or 0 in frames.shape:
            raise ValueError(
                f"frames: expected [T, C, H, W] with at least one entry each, got shape "
                f"{list(frames.shape)}"
            )
        for part in frames.split(FRAMES_PER_PASS):
            if not part.isfinite().all():
                raise ValueError("frames: expected finite values, got NaN or infinity")
        shift, scale = self._statistics(frames, self.per)
        if self.per == "cell":
            channel = self._statistics(frames, "channel")[1]
            scale = torch.where(scale > 0, scale, channel)  # a constant cell
            scale = scale.maximum(self.floor * channel)
        self.shift = shift.to(self.shift)
        self.scale = torch.where(scale > 0, scale, 1.0).to(self.scale)
        return self

    def transform(self, x: Tensor) -> Tensor:
        r"""Frames to scaled values.

        Args:
            x (torch.Tensor): Frames.

        Shapes:
            - **x:** :math:`(*, C, H, W)`
            - **output:** :math:`(*, C, H, W)`, dtype of :obj:`x`

        Raises:
            ValueError: If channels, height or width are not those of the scaler, or :obj:`x` is
                not floating point.
        """
        self._check_size(x)
        return (self._bend(x) - self.shift.to(x.dtype)) / self.scale.to(x.dtype)

    def inverse_transform(self, x: Tensor) -> Tensor:
        r"""Scaled values to frames; argument and shapes as in :meth:`transform`."""
        self._check_size(x)
        bent = x * self.scale.to(x.dtype) + self.shift.to(x.dtype)
        if self.power == 1:
            return bent
        if self.power == 0:
            # sign(b) expm1(|b|), but with the slope 1 at b = 0, where a network may start
            return torch.where(bent < 0, -(-bent).expm1(), bent.expm1())
        return bent.sign() * bent.abs() ** (1 / self.power)

    def extra_repr(self) -> str:
        r"""Method, extent and power."""
        return f"{self.method!r}, per={self.per!r}, power={self.power}"

    def _bend(self, x: Tensor) -> Tensor:
        if self.power == 1:
            return x
        if self.power == 0:
            return x.sign() * x.abs().log1p()
        return x.sign() * x.abs() ** self.power

    def _statistics(self, frames: Tensor, per: str) -> tuple[Tensor, Tensor]:
        r"""Shift and scale in float64; the scale of a constant is 0."""
        over = {"all": (0, 1, 2, 3), "channel": (0, 2, 3), "cell": (0,)}[per]
        parts = frames.split(FRAMES_PER_PASS)
        if self.method == "min_max":
            low = torch.stack([self._bend(part.double()).amin(over, True) for part in parts]).amin(
                0
            )
            high = torch.stack([self._bend(part.double()).amax(over, True) for part in parts]).amax(
                0
            )
            center, scale = (high + low) / 2, (high - low) / 2
        else:
            totals = [self._bend(part.double()).sum(over, True) for part in parts]
            count = frames.numel() // totals[0].numel()
            center = torch.stack(totals).sum(0) / count
            squares = [((self._bend(p.double()) - center) ** 2).sum(over, True) for p in parts]
            scale = (torch.stack(squares).sum(0) / count).sqrt()
        scale = torch.where(scale > torch.finfo(torch.float32).eps * center.abs(), scale, 0.0)
        shift = torch.zeros_like(center) if self.method == "scale" else center
        return shift.squeeze(0), scale.squeeze(0)

    def _check_size(self, x: Tensor) -> None:
        if not x.is_floating_point():  # shift and scale would be rounded to the dtype of x
            raise ValueError(f"x: expected floating point, got {x.dtype}")
        size = tuple(self.scale.shape)
        got = tuple(x.shape[-3:])
        expected = {"all": (), "channel": size[:1], "cell": size}[self.per]
        if len(got) < 3 or got[: len(expected)] != expected:  # 1 would broadcast in silence
            names = [str(n) for n in expected] + ["C", "H", "W"][len(expected) :]
            raise ValueError(
                f"x: expected [*, {', '.join(names)}] (channels, height, width) as the scaler per "
                f"{self.per}, got shape {list(x.shape)}"
            )
