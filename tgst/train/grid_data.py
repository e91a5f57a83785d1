r"""Frames, windows and loaders of a grid task."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor

import tgst.datasets
from tgst.data import FlowScaler, LagWindows, Series, external_features
from tgst.datasets.crowd_flow import CrowdFlow
from tgst.train.data_module import checked_arguments
from tgst.train.grid_windows import GridFrames, GridLoader, GridRows, Reference, grid_rows
from tgst.train.options import check_name

__all__ = ["GridData"]

DATASETS: dict[str, Any] = {
    "bikenyc": tgst.datasets.BikeNYC,
    "files": CrowdFlow,
    "movingfields": tgst.datasets.MovingFields,
    "taxibj": tgst.datasets.TaxiBJ,
    "taxinyc": tgst.datasets.TaxiNYC,
}
UNITS = {"bikenyc": "trips/h", "taxibj": "trips per half hour", "taxinyc": "trips/h"}


class GridData(LightningDataModule):
    r"""Frames of a grid and the windows to train, validate and test on, which lie in this order in
    time.

    A window forecasts :math:`H` slots from recent slots (closeness), the same time on the days
    before (period) and in the weeks before (trend); see :class:`tgst.data.LagWindows`. Slots are
    found by their stamps: no window crosses a gap. Scalers are fitted on the training frames only.

    Args:
        dataset: ``"taxinyc"``, ``"taxibj"``, ``"bikenyc"``, ``"movingfields"``, or ``"files"`` for
            files of one's own in the form of DeepST (:class:`tgst.datasets.crowd_flow.CrowdFlow`).
        root: Folder of the data set, for those that are read from disk.
        dataset_args: Further arguments of the data set, for example ``{"years": [2012]}``.
        closeness: Number of recent slots.
        period: Number of days before.
        trend: Number of weeks before.
        period_width: Slots on either side of each one of the days before, read as well.
        trend_width: Slots on either side of each one of the weeks before.
        horizon: Slots to forecast.
        reference: The network says the forecast itself (``"none"``), or its change against the
            ``"last"`` slot or the same time of the ``"week"`` before.
        changes: Each frame that is read comes with its change since the week before, as further
            channels.
        external: Give external features: day, and holidays and weather where the data set has them
            (:func:`tgst.data.external_features`).
        hour_of_day: The hour joins them.
        holiday_lags: Whether the days so many days before were holidays joins them, for example
            ``[7]`` beside ``reference: week``.
        scaling: Arguments of :class:`tgst.data.FlowScaler`, the scaling of the frames; the
            published ``{"method": "min_max"}`` by default.
        change_scaling: Those of the scaling of changes, of scaled frames, in and out of the
            network; None for none.
        test_days: The windows of the last so many days are the test part.
        test_slots: The last so many slots instead.
        val_days: The so many days before the test part are for validation.
        val_share: If there are no ``val_days``: the last so great share of the windows before the
            test part.
        train_on_all: Train on all windows before the test part, and validate on none: the second
            stage of the published protocol.
        batch_size: Windows per batch.
        predict_part: The part that ``predict`` forecasts: ``"train"``, ``"val"`` or ``"test"``.
        predict_stride: Forecast every ``predict_stride``-th window of it.
        num_workers: Worker processes of the loaders.
        seed: Seed of the order of the training windows; 0 if None. On the command line None means
            ``--seed_everything``.

    Raises:
        ValueError: If a name is unknown or a number out of range, or the data set does not take an
            argument.
    """

    series: Series
    frames: Tensor
    scaler: FlowScaler
    change_scaler: FlowScaler | None = None

    def __init__(
        self,
        dataset: str = "movingfields",
        root: str | None = None,
        dataset_args: dict[str, Any] | None = None,
        closeness: int = 3,
        period: int = 1,
        trend: int = 1,
        period_width: int = 0,
        trend_width: int = 0,
        horizon: int = 1,
        reference: Reference = "none",
        changes: bool = False,
        external: bool = True,
        hour_of_day: bool = False,
        holiday_lags: list[int] | None = None,
        scaling: dict[str, Any] | None = None,
        change_scaling: dict[str, Any] | None = None,
        test_days: float = 28,
        test_slots: int | None = None,
        val_days: float | None = None,
        val_share: float = 0.1,
        train_on_all: bool = False,
        batch_size: int = 32,
        predict_part: str = "test",
        predict_stride: int = 1,
        num_workers: int = 0,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        check_name("dataset", dataset, sorted(DATASETS))
        check_name("reference", reference, ("none", "last", "week"))
        check_name("predict_part", predict_part, ("train", "val", "test"))
        if not 0 <= val_share < 1:
            raise ValueError(f"val_share must be in [0, 1), got {val_share}")
        for name, number in (("test_days", test_days), ("test_slots", test_slots)):
            if number is not None and not number > 0:
                raise ValueError(f"{name} must be above 0, got {number}")
        for name, least, number in (
            ("period_width", 0, period_width),
            ("trend_width", 0, trend_width),
            ("val_days", 0, val_days or 0),
            ("predict_stride", 1, predict_stride),
        ):
            if number < least:
                raise ValueError(f"{name} must be at least {least}, got {number}")
        if change_scaling is not None and reference == "none" and not changes:
            raise ValueError("change_scaling needs a reference or changes to scale, got neither")
        self.dataset = dataset
        self.dataset_args = checked_arguments(DATASETS, dataset, root, dataset_args or {})
        self.lags = {"closeness": closeness, "period": period, "trend": trend}
        self.widths = {"period_width": period_width, "trend_width": trend_width}
        self.horizon = horizon
        self.reference, self.changes = reference, changes
        self.external, self.hour_of_day = external, hour_of_day
        self.holiday_lags = list(holiday_lags or [])
        self.scaling = {"method": "min_max"} | (scaling or {})
        self.change_scaling = change_scaling
        _made_scaler("scaling", self.scaling)
        _made_scaler("change_scaling", {"method": "scale"} | (change_scaling or {}))
        self.test_days, self.test_slots = test_days, test_slots
        self.val_days, self.val_share = val_days, val_share
        self.train_on_all = train_on_all
        self.batch_size = batch_size
        self.predict_part, self.predict_stride = predict_part, predict_stride
        self.num_workers = num_workers
        self.seed = seed

    @property
    def num_frames(self) -> dict[str, int]:
        r"""Number of frames that each branch reads."""
        steps = self.horizon
        return {
            "closeness": self.lags["closeness"],
            "period": steps * self.lags["period"] * (1 + 2 * self.widths["period_width"]),
            "trend": steps * self.lags["trend"] * (1 + 2 * self.widths["trend_width"]),
        }

    @property
    def description(self) -> dict[str, Any]:
        r"""What a network that is trained on these windows depends on, in plain containers."""
        channels, height, width = self.frames.shape[1:]
        return {
            "height": height,
            "width": width,
            "num_channels": channels,
            "channels": list(self.series.channels),
            "slot_seconds": int(self.series.step / np.timedelta64(1, "s")),
            **self.lags,
            **self.widths,
            "horizon": self.horizon,
            "reference": self.reference,
            "changes": self.changes,
            "external": list(self.external_names),
            "scaling": self.scaling,
            "change_scaling": self.change_scaling,
        }

    @property
    def unit(self) -> str:
        r"""Unit of the flows."""
        return UNITS.get(self.dataset, "")

    @property
    def validates(self) -> bool:
        r"""Whether there is a validation part."""
        return not self.train_on_all and bool(
            self.val_days or (self.val_days is None) * self.val_share
        )

    @property
    def trained_on(self) -> str:
        r"""First and last moment of the frames that are trained on."""
        stamps = self.series.timestamps
        return f"{stamps[0]} to {stamps[self.train_stop - 1]}"

    def setup(self, stage: str | None = None) -> None:
        r"""Reads or simulates the data set, once, and finds its windows.

        Args:
            stage: Lightning's stage; the same data serve all.

        Raises:
            ValueError: If a cell was not observed, or a part has no window.
        """
        if hasattr(self, "series"):
            return
        dataset = DATASETS[self.dataset](**self.dataset_args)
        series = dataset.series
        if series.mask is not None and not bool(series.mask.all()):
            raise ValueError(
                f"data set {self.dataset!r}: expected every cell observed in all slots"
            )
        self.frames = dataset.frames.contiguous()
        lags = (self.lags["closeness"], self.lags["period"], self.lags["trend"])
        windows = LagWindows(series.timestamps, *lags, self.horizon, step=series.step)
        rows = grid_rows(windows, **self.widths, reference=self.reference, changes=self.changes)
        self.parts, self.test_start = self._split(series, rows)
        train, val = self.parts["train"], self.parts["val"]
        before = val if len(val.target) else self.parts["test"]
        self.train_stop = int(before.target[0, 0])
        self._external(dataset, series)
        self.series = series
        self._fit_scalers(train)

    def _split(self, series: Series, rows: GridRows) -> tuple[dict[str, GridRows], np.datetime64]:
        stamps = series.timestamps
        if self.test_slots is None:
            start = stamps[-1] + series.step - np.timedelta64(round(self.test_days * 86_400), "s")
        else:
            start = stamps[max(len(stamps) - self.test_slots, 0)]
        first, last = stamps[rows.target[:, 0]], stamps[rows.target[:, -1]]
        before = rows.select(last < start)
        parts = {
            "train": before,
            "val": before.select(slice(0)),
            "test": rows.select(first >= start),
        }
        if self.validates and len(before.target):
            if self.val_days is None:
                kept = int(len(before.target) * (1 - self.val_share))
                val_start = stamps[before.target[min(kept, len(before.target) - 1), 0]]
            else:
                val_start = start - np.timedelta64(round(self.val_days * 86_400), "s")
            first, last = stamps[before.target[:, 0]], stamps[before.target[:, -1]]
            parts["train"] = before.select(last < val_start)
            parts["val"] = before.select(first >= val_start)
        for name, part in parts.items():
            if not len(part.target) and (name != "val" or self.validates):
                raise ValueError(
                    f"the {name} part: expected a window, got none of {len(rows.target)} with "
                    f"targets from {stamps[rows.target[0, 0]]} to {stamps[rows.target[-1, -1]]}; "
                    f"the test part starts at {start}; change test_days, val_days or val_share"
                )
        return parts, start

    def _external(self, dataset: Any, series: Series) -> None:
        self.external_names: list[str] = []
        self.external_values = torch.empty(series.num_steps, 0)
        if self.external:
            self.external_values, self.external_names = external_features(
                series.timestamps,
                getattr(dataset, "holidays", None),
                getattr(dataset, "meteorology", None),
                fit_stop=self.train_stop,
                hour_of_day=self.hour_of_day,
                holiday_lags=self.holiday_lags,
                step=series.step,
            )

    def _fit_scalers(self, train: GridRows) -> None:
        self.scaler = FlowScaler(**self.scaling).fit(self.frames[: self.train_stop])
        if self.change_scaling is None:
            return
        # of the change that is forecast; without a reference of that since the week before
        now, then = train.target.ravel(), train.reference.ravel()
        if not len(then):
            branches = train.closeness, train.period, train.trend
            frames = next(rows for rows in branches if rows.shape[1])
            now, then = frames[..., 0].ravel(), frames[..., 1].ravel()
        scaled = self.scaler.transform(self.frames[: self.train_stop])
        options = {"method": "scale"} | self.change_scaling
        self.change_scaler = FlowScaler(**options).fit(scaled[now] - scaled[then])

    def loader(self, part: str, stride: int = 1, shuffle: bool = False) -> GridLoader:
        r"""A loader of one part.

        Args:
            part: ``"train"``, ``"val"`` or ``"test"``.
            stride: Take every so manieth window.
            shuffle: Random order.
        """
        rows = self.parts[part].select(slice(None, None, stride))
        windows = GridFrames(self.frames, self.series.timestamps, self.external_values, rows)
        # by name: trainers that build the loader again replace them by name
        return GridLoader(
            windows,
            batch_size=self.batch_size,
            shuffle=shuffle,
            seed=self.seed or 0,
            num_workers=self.num_workers,
        )

    def train_dataloader(self) -> GridLoader:
        r"""Training windows in an order that depends on the seed and the epoch only."""
        return self.loader("train", shuffle=True)

    def val_dataloader(self) -> GridLoader | list[Any]:
        r"""All validation windows; none with ``train_on_all``."""
        return self.loader("val") if self.validates else []

    def test_dataloader(self) -> GridLoader:
        r"""All test windows."""
        return self.loader("test")

    def predict_dataloader(self) -> GridLoader:
        r"""The windows to predict, in the order of time."""
        return self.loader(self.predict_part, self.predict_stride)


def _made_scaler(name: str, options: dict[str, Any]) -> FlowScaler:
    """Tells about wrong options before the data are read."""
    try:
        return FlowScaler(**options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} does not fit FlowScaler ({error}), got {options}") from error
