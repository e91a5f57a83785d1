r"""Simple forecasts that a model has to beat."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from tgst.data import Series, StandardScaler, window_starts
from tgst.loader import WindowBatch, WindowDataset
from tgst.metrics import MaskedMAE, MaskedMAPE, MaskedRMSE
from tgst.train.fill import fill_forward

__all__ = [
    "Baseline",
    "HistoricalMean",
    "LastValue",
    "LinearAutoregression",
    "baseline_scores",
]

NODES_PER_BLOCK = 256  # both bound the memory of a pass over the series
READINGS_PER_CHUNK = 2**21
SECONDS_PER_DAY = 86_400


class Baseline(Protocol):
    r"""What the baselines have in common: fitted on training rows, they forecast batches."""

    def fit(
        self, series: Series, stop_row: int, target_channels: Sequence[int] | None = None
    ) -> Baseline:
        r"""Learns from the rows before :obj:`stop_row`."""
        ...

    def predict(self, batch: WindowBatch) -> Tensor:
        r"""Forecasts a batch, :math:`(N, B, H, C_y)`, in the unit of the readings."""
        ...


class LastValue:
    r"""Forecasts the last observed reading of the window, at every horizon step.

    .. math::
        \hat{y}_{i, t + h} = x_{i, t - a}, \quad
        a = \min \{ a \ge 0 : x_{i, t - a} \text{ was observed} \}

    Where the window holds no observed reading of a node it is the node's training mean, and where
    the node has none, the mean of all nodes.
    """

    def fit(
        self, series: Series, stop_row: int, target_channels: Sequence[int] | None = None
    ) -> LastValue:
        r"""Takes the mean of each node.

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
        self.node_mean = node_means(series, stop_row)
        return self

    def predict(self, batch: WindowBatch) -> Tensor:
        r"""Forecasts a batch.

        Args:
            batch (WindowBatch): Windows as the loader gives them.

        Shapes:
            - **output**: :math:`(N, B, H, C_y)`, in the unit of the readings
        """
        last = fill_forward(batch.x, batch.mask, self.node_mean[:, None, None])
        last = last[:, :, -1, self.channels]
        return last.unsqueeze(2).repeat(1, 1, batch.y_mask.size(2), 1)


class HistoricalMean:
    r"""Forecasts the mean of each node's training readings at that time of day, or of the week.

    .. math::
        \hat{y}_{i, t} = \frac{\sum_{s < S} m_{is} \, [d(s) = d(t)] \, x_{is}}
                              {\sum_{s < S} m_{is} \, [d(s) = d(t)]}

    with :math:`d` the time of day, or of the week, in steps of the series and :math:`S` the row
    after the training rows. A time that was never observed at a node gets the node's mean, and a
    node that was never observed the mean of all nodes.

    Args:
        by_weekday (bool, optional): Every day of the week has a mean of its own.
            (default: :obj:`False`)
        weeks (int, optional): Only the last so many weeks of the training rows count.
            (default: :obj:`None`, all of them)

    Raises:
        ValueError: If :obj:`weeks` is less than one.
    """

    def __init__(self, by_weekday: bool = False, weeks: int | None = None) -> None:
        if weeks is not None and weeks < 1:
            raise ValueError(f"weeks: expected at least 1, got {weeks}")
        self.by_weekday = by_weekday
        self.weeks = weeks

    def fit(
        self, series: Series, stop_row: int, target_channels: Sequence[int] | None = None
    ) -> HistoricalMean:
        r"""Takes the mean of each node at each time of day.

        Args:
            series (Series): The readings.
            stop_row (int): Row after the last training row.
            target_channels (Sequence[int], optional): Channels to forecast; :obj:`None` means
                all. (default: :obj:`None`)

        Raises:
            ValueError: If the rows or channels are outside of the series, or no training row
                holds an observed reading.
        """
        channels = checked_channels(series, target_channels)
        node_mean = node_means(series, stop_row)[:, channels]
        self.slot = _time_slots(series, 7 if self.by_weekday else 1)
        num_slots = int(self.slot.max()) + 1
        tables = []
        start_row = self._start_row(series, stop_row)
        slot = self.slot[start_row:stop_row]
        for nodes, values, observed in _blocks(series, stop_row):
            values, observed = values[:, start_row:], observed[:, start_row:]
            total = values.new_zeros(len(values), num_slots, len(channels))
            count = values.new_zeros(len(values), num_slots, 1)
            total.index_add_(1, slot, values[..., channels] * observed)
            count.index_add_(1, slot, observed)
            tables.append(torch.where(count > 0, total / count, node_mean[nodes, None]))
        self.table = torch.cat(tables).to(series.values.dtype)
        return self

    def _start_row(self, series: Series, stop_row: int) -> int:
        if self.weeks is None:
            return 0
        stop = series.timestamps[stop_row - 1] + series.step
        return int(series.timestamps.searchsorted(stop - self.weeks * np.timedelta64(7, "D")))

    def predict(self, batch: WindowBatch) -> Tensor:
        r"""Forecasts a batch.

        Args:
            batch (WindowBatch): Windows of the fitted series, as the loader gives them.

        Shapes:
            - **output**: :math:`(N, B, H, C_y)`, in the unit of the readings

        Raises:
            ValueError: If a target row is outside of the fitted series.
        """
        steps = torch.arange(batch.y_mask.size(2)) + batch.x.size(2)
        rows = batch.start.cpu().unsqueeze(1) + steps  # [B, H]
        if rows.max() >= len(self.slot):
            raise ValueError(
                f"batch.start: expected windows of the fitted series of {len(self.slot)} rows, "
                f"got a target at row {int(rows.max())}"
            )
        return self.table[:, self.slot[rows]].to(batch.x)


class LinearAutoregression:
    r"""Forecasts each horizon step by one ridge regression on the window, shared by all nodes.

    .. math::
        \hat{\mathbf{y}}_{i, t + h} = \mathbf{b}_h + \mathbf{W}_h^{\top}
            [\mathbf{x}_{i, t - L + 1}, \ldots, \mathbf{x}_{i, t}], \quad
        \min_{\mathbf{W}_h, \mathbf{b}_h}
            \frac{1}{n_h} \sum_{i, t} m_{i, t + h} \,
            \| \mathbf{y}_{i, t + h} - \hat{\mathbf{y}}_{i, t + h} \|^2
            + \lambda \| \mathbf{W}_h \|^2

    on standardised readings, with :math:`n_h` the number of observed targets. Unobserved readings
    of the window are filled as in :class:`LastValue`. The normal equations are summed up in double
    precision, a chunk of windows at a time, and solved in closed form.

    Args:
        history (int, optional): Readings :math:`L` in a window. (default: :obj:`12`)
        horizon (int, optional): Horizon steps. (default: :obj:`12`)
        ridge (float, optional): :math:`\lambda \ge 0`. (default: :obj:`1e-4`)
        within_day (bool, optional): Leave out windows that cross midnight.
            (default: :obj:`False`)

    Raises:
        ValueError: If :obj:`ridge` is negative.
    """

    def __init__(
        self,
        history: int = 12,
        horizon: int = 12,
        ridge: float = 1e-4,
        within_day: bool = False,
    ) -> None:
        if ridge < 0:
            raise ValueError(f"ridge: expected a value of at least 0, got {ridge}")
        self.history = history
        self.horizon = horizon
        self.ridge = ridge
        self.within_day = within_day

    def fit(
        self, series: Series, stop_row: int, target_channels: Sequence[int] | None = None
    ) -> LinearAutoregression:
        r"""Solves the regressions on all windows that end before :obj:`stop_row`.

        Args:
            series (Series): The readings.
            stop_row (int): Row after the last training row.
            target_channels (Sequence[int], optional): Channels to forecast; :obj:`None` means
                all. (default: :obj:`None`)

        Raises:
            ValueError: If the rows or channels are outside of the series, no training row holds
                an observed reading, or the training rows are fewer than a window's.
        """
        self.channels = checked_channels(series, target_channels)
        self.node_mean = node_means(series, stop_row)
        self.scaler = StandardScaler().fit(series, stop=stop_row)
        width = self.history * series.num_channels + 1
        gram = torch.zeros(self.horizon, width, width, dtype=torch.float64)
        cross = torch.zeros(self.horizon, width, len(self.channels), dtype=torch.float64)
        for batch in self._chunks(series.slice(0, stop_row)):
            features = self._features(batch.x, batch.mask).flatten(0, 1)
            target = self.scaler.transform(batch.y, self.channels).double().flatten(0, 1)
            for step in range(self.horizon):
                # A target that is not observed takes its whole equation with it.
                seen = features * batch.y_mask[:, :, step].reshape(-1, 1)
                gram[step] += seen.T @ features
                cross[step] += seen.T @ target[:, step]
        count = gram[:, -1:, -1:].clamp(min=1)  # the last feature is one
        penalty = torch.full((width,), self.ridge, dtype=torch.float64)
        penalty[-1] = 0
        # A constant series leaves the equations singular: "gelsd" takes the smallest solution.
        solution = torch.linalg.lstsq(gram / count + penalty.diag(), cross / count, driver="gelsd")
        self.weight = solution.solution
        return self

    def predict(self, batch: WindowBatch) -> Tensor:
        r"""Forecasts a batch.

        Args:
            batch (WindowBatch): Windows as the loader gives them.

        Shapes:
            - **output**: :math:`(N, B, H, C_y)`, in the unit of the readings

        Raises:
            ValueError: If history or horizon are not the fitted ones.
        """
        steps = (batch.x.size(2), batch.y_mask.size(2))
        if steps != (self.history, self.horizon):
            raise ValueError(
                f"batch: expected history {self.history} and horizon {self.horizon} as fitted, "
                f"got {steps[0]} and {steps[1]}"
            )
        features = self._features(batch.x.cpu(), batch.mask.cpu())
        output = torch.einsum("nbd,hdc->nbhc", features, self.weight)
        return self.scaler.inverse_transform(output, self.channels).to(batch.x)

    def _chunks(self, train: Series) -> Iterator[WindowBatch]:
        r"""Windows of the training rows, as a loader gives them."""
        starts = window_starts(train, self.history, self.horizon, within_day=self.within_day)
        windows = WindowDataset(train, starts, self.history, self.horizon, self.channels)
        length = self.history + self.horizon
        size = max(1, READINGS_PER_CHUNK // (train.num_nodes * length * train.num_channels))
        for chunk in torch.arange(len(starts)).split(size):
            yield windows.windows(chunk)

    def _features(self, x: Tensor, mask: Tensor) -> Tensor:
        r"""Filled, standardised window and a one: :math:`(N, B, L \cdot C + 1)`, double."""
        filled = fill_forward(x, mask, self.node_mean[:, None, None])
        filled = self.scaler.transform(filled).double()
        return torch.nn.functional.pad(filled.flatten(2), (0, 1), value=1.0)


def baseline_scores(
    loader: Iterable[WindowBatch], baselines: Mapping[str, Baseline], epsilon: float = 1e-3
) -> dict[str, dict[str, Tensor]]:
    r"""Scores fitted baselines on the windows of a loader.

    Args:
        loader (Iterable[WindowBatch]): A :class:`tgst.loader.WindowLoader`.
        baselines (Mapping[str, Baseline]): Fitted baselines by name.
        epsilon (float, optional): Targets smaller than this are left out of the percentage
            error. (default: :obj:`1e-3`)

    Returns:
        dict: For each baseline :obj:`"mae"`, :obj:`"rmse"` and :obj:`"mape"`, a tensor
        :math:`(H)` each: the masked errors of each horizon step, see :mod:`tgst.metrics`.

    Raises:
        ValueError: If the loader is empty.
    """
    metrics: dict[str, dict[str, MaskedMAE | MaskedRMSE | MaskedMAPE]] = {}
    for batch in loader:
        horizon = batch.y_mask.size(2)
        for name, baseline in baselines.items():
            if name not in metrics:
                metrics[name] = {
                    "mae": MaskedMAE(horizon),
                    "rmse": MaskedRMSE(horizon),
                    "mape": MaskedMAPE(horizon, epsilon),
                }
            prediction = baseline.predict(batch)
            for metric in metrics[name].values():
                metric.to(prediction.device).update(prediction, batch.y, batch.y_mask)
    if baselines and not metrics:
        raise ValueError("loader: expected at least one batch, got none")
    return {
        name: {error: metric.compute() for error, metric in errors.items()}
        for name, errors in metrics.items()
    }


def checked_channels(series: Series, channels: Sequence[int] | None) -> list[int]:
    r"""Channels to forecast, all if none are given.

    Args:
        series (Series): The readings.
        channels (Sequence[int], optional): Their indices.

    Raises:
        ValueError: If there is none, or one is outside of the series.
    """
    if channels is None:
        return list(range(series.num_channels))
    channels = list(channels)
    if not channels or not all(channel in range(series.num_channels) for channel in channels):
        raise ValueError(
            f"target_channels: expected at least one index in 0 to {series.num_channels - 1}, "
            f"got {channels}"
        )
    return channels


def _blocks(series: Series, stop_row: int) -> Iterator[tuple[slice, Tensor, Tensor]]:
    r"""Training rows a block of nodes at a time: nodes, readings and whether observed (both
    double, the latter :math:`(n, T, 1)`).
    """
    if not 0 < stop_row <= series.num_steps:
        raise ValueError(
            f"stop_row: expected a row in 1 to {series.num_steps}, the end of the series, "
            f"got {stop_row}"
        )
    for start in range(0, series.num_nodes, NODES_PER_BLOCK):
        nodes = slice(start, start + NODES_PER_BLOCK)
        values = series.values[nodes, :stop_row].double()
        if series.mask is None:
            observed = torch.ones_like(values[..., :1])
        else:
            observed = series.mask[nodes, :stop_row, None].double()
        yield nodes, values, observed


def node_means(series: Series, stop_row: int) -> Tensor:
    r"""Mean of each node's observed training readings :math:`(N, C)`, double; the mean of all
    nodes where a node has none.

    Args:
        series (Series): The readings.
        stop_row (int): Row after the last training row.

    Raises:
        ValueError: If the row is outside of the series, or no training row holds an observed
            reading.
    """
    totals, counts = [], []
    for _, values, observed in _blocks(series, stop_row):
        totals.append((values * observed).sum(dim=1))
        counts.append(observed.sum(dim=1))
    total, count = torch.cat(totals), torch.cat(counts)
    if count.sum() == 0:
        raise ValueError(
            f"series: expected an observed reading in the {stop_row} training rows, got none "
            "(the mask is False everywhere)"
        )
    return torch.where(count > 0, total / count, total.sum(dim=0) / count.sum())


def _time_slots(series: Series, days: int) -> Tensor:
    r"""Time of each row in a cycle of 1 or 7 days, counted in steps of the series."""
    step = int(series.step / np.timedelta64(1, "s"))
    seconds = series.timestamps.astype("datetime64[s]").astype(np.int64) % (days * SECONDS_PER_DAY)
    return torch.from_numpy(seconds // step)
