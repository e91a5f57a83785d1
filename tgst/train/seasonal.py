r"""The reading a period ago as a forecast."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tgst.data import Series
from tgst.loader import WindowBatch
from tgst.train.baselines import checked_channels, node_means

WEEK = np.timedelta64(7, "D")


class SeasonalLag:
    r"""Forecasts the reading one period before the target, a week by default.

    .. math::
        \hat{y}_{i, t} = x_{i, t - P}

    The period :math:`P` is a span of time, not a number of rows: across gaps the lag stays a
    week. Where the node was not observed at that moment, or the series did not exist, the
    forecast is the node's training mean, and where the node has none, the mean of all nodes.

    Args:
        period (numpy.timedelta64, optional): :math:`P`; at least as long as the horizon.
            (default: :obj:`numpy.timedelta64(7, "D")`)

    Raises:
        ValueError: If :obj:`period` is not a positive span of whole seconds.
    """

    def __init__(self, period: np.timedelta64 = WEEK) -> None:
        if not isinstance(period, np.timedelta64) or not period > np.timedelta64(0, "s"):
            raise ValueError(f"period: expected a numpy.timedelta64 above 0, got {period!r}")
        self.period = period.astype("timedelta64[s]")
        if self.period != period:
            raise ValueError(f"period: expected whole seconds, got {period!r}")

    def fit(
        self, series: Series, stop_row: int, target_channels: Sequence[int] | None = None
    ) -> SeasonalLag:
        r"""Takes the mean of each node and keeps the readings.

        Args:
            series (Series): The readings.
            stop_row (int): Row after the last training row.
            target_channels (Sequence[int], optional): Channels to forecast; :obj:`None` means
                all. (default: :obj:`None`)

        Raises:
            ValueError: If the rows or channels are outside of the series, or no training row
                holds an observed reading.
        """
        self.channels = checked_channels(series, target_channels)
        self.node_mean = node_means(series, stop_row)[:, self.channels]
        self.series = series
        return self

    def predict(self, batch: WindowBatch) -> Tensor:
        r"""Forecasts a batch.

        Args:
            batch (WindowBatch): Windows of the fitted series, as the loader gives them.

        Shapes:
            - **output**: :math:`(N, B, H, C_y)`, in the unit of the readings

        Raises:
            ValueError: If a target row is outside of the fitted series, or the period is so
                short that it ends after the window's history: that reading is not known yet.
        """
        history, horizon = batch.x.size(2), batch.y_mask.size(2)
        start = batch.start.cpu().numpy()
        rows = start[:, None] + np.arange(horizon) + history  # [B, H]
        stamps = self.series.timestamps
        if rows.max() >= len(stamps):
            raise ValueError(
                f"batch.start: expected windows of the fitted series of {len(stamps)} rows, "
                f"got a target at row {int(rows.max())}"
            )
        before = stamps[rows] - self.period
        if (before > stamps[start + history - 1, None]).any():
            raise ValueError(
                f"period: expected at least the horizon, {horizon} steps of {self.series.step}, "
                f"got {self.period}: the reading is not known when the forecast is made"
            )
        found = np.minimum(stamps.searchsorted(before), len(stamps) - 1)
        lagged = torch.from_numpy(found)
        seen = torch.from_numpy(stamps[found] == before).expand(len(self.node_mean), -1, -1)
        if self.series.mask is not None:
            seen = seen & self.series.mask[:, lagged]
        readings = self.series.values[:, lagged][..., self.channels]  # [N, B, H, C]
        mean = self.node_mean[:, None, None].to(readings.dtype)
        return torch.where(seen.unsqueeze(-1), readings, mean).to(batch.x)
