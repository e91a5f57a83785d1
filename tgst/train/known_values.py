r"""Values that are known before the forecast is made: from a file, or readings long before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from tgst.data import Series, StandardScaler, read_table

__all__ = ["read_known_values", "readings_before"]


def read_known_values(path: str | Path, series: Series) -> tuple[Tensor, list[str]]:
    r"""Reads covariates of all nodes, such as holidays or a weather forecast, for the moments of a
    series.

    Args:
        path: A table as :func:`tgst.data.read_table` reads it, with one column per covariate. It
            may have more moments than the series.
        series: The readings.

    Returns:
        The values :math:`(T, D)` and the names of their columns.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the table is none, or lacks a moment of the series or a value at one.
    """
    table = read_table(path)
    rows = np.minimum(table.timestamps.searchsorted(series.timestamps), table.num_steps - 1)
    absent = table.timestamps[rows] != series.timestamps
    if absent.any():
        raise ValueError(
            f"{path} must have a row for every moment of the readings, got none for "
            f"{series.timestamps[absent][0]} and {int(absent.sum()) - 1} more"
        )
    if table.mask is not None and not table.mask[:, rows].all():
        column, row = (int(index) for index in (~table.mask[:, rows]).nonzero()[0])
        raise ValueError(
            f"{path} must have a number for every moment of the readings, got none in the column "
            f"{table.node_id[column]} at {series.timestamps[row]}"
        )
    return table.values[:, rows, 0].T.contiguous(), table.node_id


def readings_before(series: Series, scaler: StandardScaler, period: np.timedelta64) -> Tensor:
    r"""The standardised readings of a period before every moment; zero, the mean, where there was
    no such moment or the node was not observed.

    Args:
        series: The readings.
        scaler: Fitted on its training rows.
        period: The span of time.

    Returns:
        The values :math:`(N, T, C)`.
    """
    wanted = series.timestamps - period
    rows = np.minimum(series.timestamps.searchsorted(wanted), series.num_steps - 1)
    found = torch.from_numpy(series.timestamps[rows] == wanted).expand(series.num_nodes, -1)
    place = torch.from_numpy(rows)
    if series.mask is not None:
        found = found & series.mask[:, place]
    return scaler.transform(series.values[:, place]) * found.unsqueeze(-1)
