r"""What a forecast of flows knows besides the flows: day, holiday, weather."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from tgst.data.calendar import WEEKDAYS, day_of_week
from tgst.data.gap import irregular_steps
from tgst.data.readers.meteorology import Meteorology


def external_features(
    timestamps: np.ndarray,
    holidays: np.ndarray | None = None,
    meteorology: Meteorology | None = None,
    *,
    fit_stop: int | None = None,
    weather_lag: int = 1,
    hour_of_day: bool = False,
    holiday_lags: Sequence[int] = (),
    step: np.timedelta64 | None = None,
) -> tuple[Tensor, list[str]]:
    r"""The external features of `"Deep Spatio-Temporal Residual Networks for Citywide Crowd Flows
    Prediction" <https://arxiv.org/abs/1610.00081>`_ (Zhang et al., 2017), of every slot.

    The columns, in this order:

    * day of the week, one-hot from Monday on (7), and 1 on weekdays, 0 on Saturday and Sunday (1);
    * 1 on holidays (1, with :obj:`holidays`);
    * kind of weather, one-hot (17 in TaxiBJ), wind speed (1) and temperature (1, all three with
      :obj:`meteorology`), of :obj:`weather_lag` slots before;
    * hour of the day, one-hot (24, with :obj:`hour_of_day`; not published);
    * 1 where the day so many days before was a holiday (one for each of :obj:`holiday_lags`; not
      published): the week before is a poor guide after a holiday.

    Those are the 28 of TaxiBJ and the 8 of BikeNYC. Wind speed and temperature are scaled so that
    the least and the largest value of the **training rows** become 0 and 1; the authors' code takes
    those of all rows, the test part included. A constant one becomes 0. Where a record of weather
    is missing, the last one before it counts if it is at most a day old, and else, as at the first
    slot of all, the weather of the slot itself.

    Args:
        timestamps (numpy.ndarray): Beginning of each slot, datetime64, ascending.
        holidays (numpy.ndarray, optional): Days, datetime64 (:func:`tgst.data.read_holidays`).
            (default: :obj:`None`, no such column)
        meteorology (Meteorology, optional): Weather (:func:`tgst.data.read_meteorology`).
            (default: :obj:`None`, no such columns)
        fit_stop (int, optional): Row after the last training row, required with
            :obj:`meteorology`. (default: :obj:`None`)
        weather_lag (int, optional): Slots between the weather and the flow that goes with it. The
            weather of the slot itself (:obj:`0`) is not known when the forecast is made.
            (default: :obj:`1`)
        hour_of_day (bool, optional): Whether to add the hour. (default: :obj:`False`)
        holiday_lags (sequence of int, optional): Numbers of days, at least 1; need
            :obj:`holidays`. (default: :obj:`()`)
        step (numpy.timedelta64, optional): Length of a slot. (default: the most frequent difference
            of neighbouring timestamps)

    Returns:
        tuple: The features and the name of each.

    Shapes:
        - **timestamps:** :math:`(T)`
        - **features:** :math:`(T, E)`, float32

    Raises:
        ValueError: If the timestamps are no moments or not ascending, :obj:`fit_stop` is missing or
            outside of the rows, :obj:`weather_lag` is negative, a slot has no weather, there is
            one slot only and no :obj:`step` to go back by, or there are :obj:`holiday_lags` below 1
            or without :obj:`holidays`.
    """
    stamps = np.asarray(timestamps)
    if stamps.dtype.kind != "M" or stamps.ndim != 1 or len(stamps) == 0:
        raise ValueError(
            f"timestamps: expected a datetime64 array [T], got {stamps.dtype} of shape "
            f"{list(stamps.shape)}"
        )
    if not (np.diff(stamps) > np.timedelta64(0)).all():
        raise ValueError("timestamps: expected ascending moments, got others")
    if any(lag < 1 for lag in holiday_lags) or (holidays is None and holiday_lags):
        raise ValueError(
            "holiday_lags: expected numbers of days from 1 on, and holidays beside them, got "
            f"{[*holiday_lags]}{' without holidays' if holidays is None else ''}"
        )
    week = day_of_week(stamps)
    columns = [week, week[:, :5].sum(axis=1, keepdims=True)]
    names = [*WEEKDAYS, "weekday"]
    if holidays is not None:
        columns.append(_holiday(stamps, holidays, 0))
        names.append("holiday")
    if meteorology is not None:
        rows = _weather_rows(stamps, meteorology, weather_lag, step)
        wind = _scaled(meteorology.wind_speed[rows], fit_stop)
        temperature = _scaled(meteorology.temperature[rows], fit_stop)
        columns += [meteorology.weather[rows], wind, temperature]
        kinds = meteorology.weather.shape[1]
        names += [*(f"weather_{kind}" for kind in range(kinds)), "wind_speed", "temperature"]
    if hour_of_day:
        hour = stamps.astype("datetime64[h]").astype(np.int64) % 24
        columns.append(np.eye(24)[hour])
        names += [f"hour_{hour}" for hour in range(24)]
    if holidays is not None:
        columns += [_holiday(stamps, holidays, lag) for lag in holiday_lags]
        names += [f"holiday_{lag}_days_before" for lag in holiday_lags]
    features = np.concatenate([column.astype(np.float32) for column in columns], axis=1)
    return torch.from_numpy(features), names


def _holiday(stamps: np.ndarray, holidays: np.ndarray, lag: int) -> np.ndarray:
    r"""Whether the day :obj:`lag` days before each slot was a holiday, as a column."""
    days = np.asarray(holidays).astype("datetime64[D]")
    return np.isin(stamps.astype("datetime64[D]") - lag, days)[:, None]


def _weather_rows(
    stamps: np.ndarray, meteorology: Meteorology, lag: int, step: np.timedelta64 | None
) -> np.ndarray:
    r"""The record of weather that goes with each slot."""
    if lag < 0:
        raise ValueError(f"weather_lag: expected at least 0 slots, got {lag}")
    if step is None and len(stamps) < 2 and lag:  # a step of 0 would take the weather of now
        raise ValueError(f"step: expected the length of a slot for {len(stamps)} slot, got None")
    length = irregular_steps(stamps)[1] if step is None else step
    wanted = stamps - lag * length
    rows = _last_record(meteorology.timestamps, wanted)
    rows = np.where(rows >= 0, rows, _last_record(meteorology.timestamps, stamps))
    if (rows < 0).any():
        row = int((rows < 0).argmax())
        raise ValueError(
            f"meteorology: expected the weather at {wanted[row]} for row {row}, got none within a "
            f"day (nor for {int((rows < 0).sum()) - 1} other rows); it covers "
            f"{meteorology.timestamps[0]} .. {meteorology.timestamps[-1]}"
        )
    return rows


def _last_record(records: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    r"""The last of the records at or before some moments, -1 if that is more than a day ago."""
    rows = np.searchsorted(records, wanted, side="right") - 1
    recent = (rows >= 0) & (wanted - records[rows] <= np.timedelta64(1, "D"))
    return np.where(recent, rows, -1)


def _scaled(values: np.ndarray, fit_stop: int | None) -> np.ndarray:
    if fit_stop is None or not 0 < fit_stop <= len(values):
        raise ValueError(
            "fit_stop: expected the row after the last training row, "
            f"1..{len(values)}, to scale wind speed and temperature by, got {fit_stop}"
        )
    low, high = values[:fit_stop].min(), values[:fit_stop].max()
    return ((values - low) / (high - low if high > low else 1))[:, None]
