r"""Graph, readings and loaders of a forecasting task."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform, Compose

from tgst.data import Series, StandardScaler, covers_week, split_rows
from tgst.datasets import (
    FromFiles,
    LosLoop,
    MetrLA,
    NYCZones,
    PemsBay,
    PemsD7M,
    SimulatedTraffic,
    TaxiNYC,
)
from tgst.loader import WindowLoader
from tgst.train.known_values import read_known_values, readings_before
from tgst.train.seasonal import WEEK
from tgst.transforms import check_edge_ids

__all__ = ["ForecastData"]

DATASETS: dict[str, Any] = {
    "files": FromFiles,
    "losloop": LosLoop,
    "metrla": MetrLA,
    "nyczones": NYCZones,
    "pemsbay": PemsBay,
    "pemsd7m": PemsD7M,
    "simulated": SimulatedTraffic,
    "taxinyc": TaxiNYC,
}
UNITS: dict[str, dict[str, str]] = {
    "losloop": {"speed": "mph"},
    "metrla": {"speed": "mph"},
    "nyczones": {"inflow": "trips/h", "outflow": "trips/h"},
    "pemsbay": {"speed": "mph"},
    "pemsd7m": {"speed": "mph"},
    "simulated": {"speed": "km/h", "flow": "veh/h"},
    "taxinyc": {"new_flow": "trips/h", "end_flow": "trips/h"},
}
POSITION_UNITS = {"simulated": "m"}


class ForecastData(LightningDataModule):
    r"""A graph, its series of readings, and the windows to train, validate and test on.

    The readings are split by time. The scaler is fitted on the observed readings of the training
    rows only.

    Args:
        dataset: ``"losloop"``, ``"metrla"``, ``"nyczones"``, ``"pemsbay"``, ``"pemsd7m"``,
            ``"simulated"``, ``"taxinyc"``, or ``"files"`` for files of one's own
            (:class:`tgst.datasets.FromFiles`).
        root: Folder of the data set, for those that are read from disk.
        dataset_args: Further arguments of the data set, for example ``{"days": 7}``.
        transform: PyG transforms of the graph, applied in this order.
        history: Input steps.
        horizon: Steps to predict.
        split: Share of rows for training, validation and test.
        test_days: Instead of the shares: the rows of the last so many days are for the test,
        val_days: and those of so many days before them for validation.
        batch_size: Windows per batch.
        stride: Take every ``stride``-th training window; validation and test take all.
        time_of_day: Add sine and cosine of the time of day to the inputs.
        day_of_week: Add the day of the week, one-hot, to the inputs. Training rows that lack a
            weekday are refused; ``"auto"`` leaves it out then.
        covariates: File of further values that are known in advance, one column each, in
            :attr:`root` or by its own path (:func:`tgst.data.read_table`); they join the inputs
            after the calendar's.
        week_before: Add the standardised readings of the node a week before each moment to the
            inputs, after all others; zero, the mean, where there is none. With
            ``future_covariates`` of the task those of a week before the targets join as well.
        within_day: Leave out windows that cross midnight.
        target_channels: Names of the channels to predict; None predicts all.
        predict_part: The part that ``predict`` forecasts: ``"train"``, ``"val"`` or ``"test"``.
        predict_stride: Forecast every ``predict_stride``-th window of it; with ``horizon`` every
            moment is forecast once.
        num_workers: Worker processes of the loaders.
        seed: Seed of the order of the training windows; 0 if None. On the command line None
            means ``--seed_everything``.

    Raises:
        ValueError: If the data set, a channel or the part to predict is unknown, or the data set
            does not take an argument.
    """

    graph: Data
    series: Series
    scaler: StandardScaler
    known_values: Tensor | None = None
    known_names: Sequence[str] = ()

    def __init__(
        self,
        dataset: str = "simulated",
        root: str | None = None,
        dataset_args: dict[str, Any] | None = None,
        transform: list[BaseTransform] | None = None,
        history: int = 12,
        horizon: int = 12,
        split: tuple[float, float, float] = (0.7, 0.1, 0.2),
        test_days: float | None = None,
        val_days: float | None = None,
        batch_size: int = 32,
        stride: int = 1,
        time_of_day: bool = False,
        day_of_week: bool | Literal["auto"] = False,
        covariates: str | None = None,
        week_before: bool = False,
        within_day: bool = False,
        target_channels: list[str] | None = None,
        predict_part: str = "test",
        predict_stride: int = 1,
        num_workers: int = 0,
        seed: int | None = None,
    ) -> None:
        super().__init__()
        if dataset not in DATASETS:
            raise ValueError(
                f"dataset must be one of {', '.join(sorted(DATASETS))}, got {dataset!r}"
            )
        if predict_part not in ("train", "val", "test"):
            raise ValueError(f"predict_part must be train, val or test, got {predict_part!r}")
        self.dataset = dataset
        self.dataset_args = checked_arguments(DATASETS, dataset, root, dataset_args or {})
        self.transform = Compose(list(transform or []))
        self.history = history
        self.horizon = horizon
        if (test_days is None) != (val_days is None):
            raise ValueError(
                "test_days and val_days replace the split together, got test_days "
                f"{test_days} and val_days {val_days}"
            )
        self.split = split
        self.test_days, self.val_days = test_days, val_days
        self.batch_size = batch_size
        self.stride = stride
        self.time_of_day = time_of_day
        self.day_of_week = day_of_week
        self.covariates = covariates
        self.week_before = week_before
        self.within_day = within_day
        self.target_channels = target_channels
        self.predict_part = predict_part
        self.predict_stride = predict_stride
        self.num_workers = num_workers
        self.seed = seed

    @property
    def target_index(self) -> list[int]:
        r"""Indices of the predicted channels."""
        channels = list(self.series.channels)
        if self.target_channels is None:
            return list(range(len(channels)))
        unknown = [name for name in self.target_channels if name not in channels]
        if unknown:
            raise ValueError(f"target_channels must be of {channels}, got {unknown}")
        return [channels.index(name) for name in self.target_channels]

    @property
    def target_names(self) -> list[str]:
        r"""Names of the predicted channels."""
        return [self.series.channels[index] for index in self.target_index]

    @property
    def unit(self) -> str:
        r"""Unit of the predicted channels, or of none if they differ."""
        if self.dataset not in UNITS:
            return self._unit
        units = {UNITS[self.dataset][name] for name in self.target_names}
        return units.pop() if len(units) == 1 else "mixed units"

    @property
    def position_unit(self) -> str | None:
        r"""Unit of the graph's ``pos``, if it is known."""
        return POSITION_UNITS.get(self.dataset)

    @property
    def covariate_channels(self) -> dict[str, int]:
        r"""Number of covariates by the argument that adds them."""
        week = self.day_of_week
        if week == "auto":
            week = covers_week(self.series, self.train_rows)
        known = 0 if self.known_values is None else self.known_values.size(-1)
        before = self.series.num_channels if self.week_before else 0
        given = {"time_of_day": 2 if self.time_of_day else 0, "day_of_week": 7 if week else 0}
        given["covariates"] = known - before
        return given | ({"week_before": before} if before else {})

    @property
    def covariate_names(self) -> list[str]:
        r"""The covariates in the order of their channels: parts of the calendar, columns of the
        file.
        """
        given = self.covariate_channels
        calendar = [name for name in ("time_of_day", "day_of_week") if given[name]]
        return [*calendar, *self.known_names]

    @property
    def train_rows(self) -> range:
        r"""The rows of the series that belong to the training part."""
        return split_rows(self.series.num_steps, self.split)["train"]

    def setup(self, stage: str | None = None) -> None:
        r"""Reads or simulates the data set, once.

        Args:
            stage: Lightning's stage; the same data serve all.
        """
        if hasattr(self, "series"):
            return
        dataset = DATASETS[self.dataset](**self.dataset_args)
        graph = dataset[0]
        self._unit = getattr(dataset, "unit", "")
        series = dataset.series.aligned_to(graph.node_id)
        if self.test_days is not None and self.val_days is not None:
            self.split = _shares(series, self.test_days, self.val_days)
        train = split_rows(series.num_steps, self.split)["train"]
        self.scaler = StandardScaler().fit(series, train.start, train.stop)
        graph = self.transform(graph)
        check_edge_ids(graph)  # a transform may have left labels or ids behind
        if self.covariates is not None:
            path = Path(self.dataset_args.get("root") or ".", self.covariates)
            self.known_values, self.known_names = read_known_values(path, series)
        if self.week_before:
            self._add_week_before(series)
        self.graph = graph
        self.series = series

    def _add_week_before(self, series: Series) -> None:
        if self.horizon * series.step > WEEK:
            raise ValueError(
                f"week_before needs a horizon of at most a week, got {self.horizon} steps of "
                f"{series.step}"
            )
        before = readings_before(series, self.scaler, WEEK)
        if self.known_values is not None:
            known = self.known_values.to(before).expand(series.num_nodes, -1, -1)
            before = torch.cat([known, before], dim=-1)
        self.known_values = before
        self.known_names = [*self.known_names, *(f"{c} a week before" for c in series.channels)]

    def loader(self, part: str, **kwargs: Any) -> WindowLoader:
        r"""A loader of one part.

        Args:
            part: ``"train"``, ``"val"`` or ``"test"``.
            **kwargs: Further arguments of :class:`tgst.loader.WindowLoader`.
        """
        return WindowLoader(
            self.series,
            self.history,
            self.horizon,
            part=part,
            split=self.split,
            batch_size=self.batch_size,
            target_channels=self.target_index,
            time_of_day=self.time_of_day,
            day_of_week=self.day_of_week,
            covariates=self.known_values,
            within_day=self.within_day,
            seed=self.seed or 0,
            num_workers=self.num_workers,
            **kwargs,
        )

    def train_dataloader(self) -> WindowLoader:
        r"""Training windows in an order that depends on the seed and the epoch only."""
        return self.loader("train", stride=self.stride)

    def val_dataloader(self) -> WindowLoader:
        r"""All validation windows."""
        return self.loader("val")

    def test_dataloader(self) -> WindowLoader:
        r"""All test windows."""
        return self.loader("test")

    def predict_dataloader(self) -> WindowLoader:
        r"""The windows to predict, in the order of time."""
        return self.loader(self.predict_part, shuffle=False, stride=self.predict_stride)


def _shares(series: Series, test_days: float, val_days: float) -> tuple[float, float, float]:
    """The shares of rows that give just the last days to test and validation."""
    spans = (round(days * 86_400) for days in (test_days, test_days + val_days))
    end = series.timestamps[-1] + series.step
    test, val = (
        int(series.timestamps.searchsorted(end - np.timedelta64(span, "s"))) for span in spans
    )
    if not 0 < val <= test < series.num_steps:
        raise ValueError(
            f"test_days, val_days: expected fewer days than the readings from "
            f"{series.timestamps[0]} to {series.timestamps[-1]}, got {test_days} and {val_days}"
        )
    rows = series.num_steps
    return val / rows, (test - val) / rows, 1 - test / rows


def checked_arguments(
    datasets: Mapping[str, Any], dataset: str, root: str | None, arguments: Mapping[str, Any]
) -> dict[str, Any]:
    r"""The arguments of a data set, checked before it takes time to read or simulate it.

    Args:
        datasets: Data sets by name.
        dataset: The name of one.
        root: Folder of its files, if one was given.
        arguments: Its other arguments.

    Raises:
        ValueError: If it does not take one of them, or needs a folder.
    """
    parameters = inspect.signature(datasets[dataset]).parameters
    arguments = dict(arguments) | ({} if root is None else {"root": root})
    unknown = [name for name in arguments if name not in parameters]
    if unknown:
        raise ValueError(
            f"data set {dataset!r} takes {', '.join(parameters)}, got {', '.join(unknown)}"
        )
    if "root" in parameters and "root" not in arguments:
        raise ValueError(
            f"data set {dataset!r} is read from a folder: root (--root DIR) is missing"
        )
    return arguments
