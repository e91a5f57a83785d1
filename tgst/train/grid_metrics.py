r"""Errors of forecasts on a grid, and how much forecasts vary."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

from tgst.metrics import MaskedMAE, MaskedRMSE

__all__ = ["FlowVariation", "GridMetrics"]


class GridMetrics(torch.nn.Module):
    r"""Root mean squared and mean absolute error of each horizon step over all windows and cells:
    of all channels together, as published, and the former of each channel.

    Sums and counts are kept apart, so that the last, smaller batch weighs what it should.

    Args:
        horizon: Horizon steps :math:`H`.
        channels: Names of the channels.
        rmse_factor: Adds the RMSE times this. In BikeNYC 81 of 128 cells hold a station; the
            published RMSE is over those, :math:`\sqrt{128 / 81}` times that of all cells.
    """

    def __init__(
        self, horizon: int, channels: Sequence[str], rmse_factor: float | None = None
    ) -> None:
        super().__init__()
        self.rmse_factor = rmse_factor
        self.rmse, self.mae = MaskedRMSE(horizon), MaskedMAE(horizon)
        names = channels if len(channels) > 1 else ()
        self.channels = torch.nn.ModuleDict({f"rmse {n}": MaskedRMSE(horizon) for n in names})

    def reset(self) -> None:
        r"""Forgets all windows."""
        for metric in (self.rmse, self.mae, *self.channels.values()):
            metric.reset()  # type: ignore[operator]

    def update(self, prediction: Tensor, target: Tensor) -> None:
        r"""Adds windows.

        Args:
            prediction: The forecasts, :math:`(B, H, C, \text{height}, \text{width})`.
            target: The flows, in the same unit.
        """
        # the metrics take steps and channels last
        prediction, target = (x.permute(0, 3, 4, 1, 2) for x in (prediction, target))
        self.rmse.update(prediction, target)
        self.mae.update(prediction, target)
        for index, metric in enumerate(self.channels.values()):
            part = slice(index, index + 1)
            metric.update(prediction[..., part], target[..., part])  # type: ignore[operator]

    def scores(self) -> dict[str, Tensor]:
        r"""The errors of each horizon step, :math:`(H)` each."""
        return self._named(self.rmse.compute(), self.mae.compute()) | {
            name: metric.compute()  # type: ignore[operator]
            for name, metric in self.channels.items()
        }

    def overall(self) -> dict[str, Tensor]:
        r"""The errors over all horizon steps together."""
        return self._named(self.rmse.overall(), self.mae.overall()) | {
            name: metric.overall()  # type: ignore[operator]
            for name, metric in self.channels.items()
        }

    def _named(self, rmse: Tensor, mae: Tensor) -> dict[str, Tensor]:
        if self.rmse_factor is None:
            return {"rmse": rmse, "mae": mae}
        return {"rmse": rmse, f"rmse x{self.rmse_factor:.4f}": rmse * self.rmse_factor, "mae": mae}


class FlowVariation(Metric):
    r"""Standard deviations of forecasts and of targets: over time, over cells and over all.

    That over time is :math:`\sqrt{\text{mean}_i \text{var}_t}`, over the cells :math:`i` (with
    their steps and channels) of the variance over the windows :math:`t`; that over cells is
    :math:`\sqrt{\text{mean}_t \text{var}_i}`, of each frame.

    Args:
        size: :math:`(H, C, \text{height}, \text{width})`.
    """

    is_differentiable = False
    full_state_update = False

    count: Tensor
    total: Tensor
    square: Tensor
    within: Tensor
    error: Tensor

    def __init__(self, size: Sequence[int]) -> None:
        super().__init__()
        sums = torch.zeros(2, *size, dtype=torch.float64)  # of forecasts and of targets
        self.add_state("count", torch.zeros((), dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("total", sums, dist_reduce_fx="sum")
        self.add_state("square", sums.clone(), dist_reduce_fx="sum")
        self.add_state("within", torch.zeros(2, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("error", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        r"""Adds windows; arguments as of :meth:`GridMetrics.update`."""
        both = torch.stack([prediction.detach(), target.detach()]).double()
        self.count = self.count + both.size(1)
        self.total = self.total + both.sum(1)
        self.square = self.square + both.square().sum(1)
        frames = both.flatten(-2).var(-1, correction=0)
        self.within = self.within + frames.mean((2, 3)).sum(1)
        self.error = self.error + (both[0] - both[1]).square().flatten(1).mean(1).sum()

    def compute(self) -> dict[str, tuple[float, float]]:
        r"""The deviations of forecasts and targets by name: ``"time"``, ``"cells"``, ``"all"``; and
        as ``"error"`` the RMSE, and that of the best constant.
        """
        mean, square = self.total / self.count, self.square / self.count
        time = (square - mean.square()).clamp(min=0).flatten(1).mean(1)
        cells = self.within / self.count
        everything = square.flatten(1).mean(1) - mean.flatten(1).mean(1).square()
        error = torch.stack([self.error / self.count, everything[1]])
        return {
            name: (math.sqrt(max(float(v[0]), 0.0)), math.sqrt(max(float(v[1]), 0.0)))
            if v.isfinite().all()
            else (math.nan, math.nan)
            for name, v in (("time", time), ("cells", cells), ("all", everything), ("error", error))
        }
