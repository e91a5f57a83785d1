r"""Weather, wind and temperature of the slots of TaxiBJ."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from tgst.data.readers.hdf5_arrays import finite_numbers, read_arrays
from tgst.data.readers.slot_stamps import FirstSlot, parse_slot_stamps


class Meteorology(NamedTuple):
    r"""Weather of a city.

    Attributes:
        timestamps (numpy.ndarray): Beginning of each slot, datetime64[s], ascending.
        weather (numpy.ndarray): Kind of weather, one-hot.
        wind_speed (numpy.ndarray): Wind speed, in the units of the source (miles per hour in
            TaxiBJ).
        temperature (numpy.ndarray): Temperature, in the units of the source (degrees Celsius in
            TaxiBJ).

    Shapes:
        - **timestamps**, **wind_speed**, **temperature:** :math:`(T)`
        - **weather:** :math:`(T, K)`, float32
    """

    timestamps: np.ndarray
    weather: np.ndarray
    wind_speed: np.ndarray
    temperature: np.ndarray


def read_meteorology(
    path: str | Path, slots_per_day: int, first_slot: FirstSlot = "auto"
) -> Meteorology:
    r"""Reads an HDF5 file with the arrays ``date``, ``Weather``, ``WindSpeed`` and ``Temperature``,
    as ``BJ_Meteorology.h5`` of TaxiBJ is. Records may be in any order; of records with the same
    stamp the first counts.

    Args:
        path (str or Path): The file.
        slots_per_day (int): Slots of a day.
        first_slot (int or str, optional): Number of the first slot of a day: :obj:`0`, :obj:`1` or
            :obj:`"auto"`. (default: :obj:`"auto"`)

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no HDF5 or lacks an array, lengths do not agree, a value is NaN or
            infinite, or a stamp does not parse. The message names the file, and index and text of
            the stamp.
    """
    path = Path(path)
    names = ("date", "Weather", "WindSpeed", "Temperature")
    stamps, weather, wind, temperature = read_arrays(path, names)
    count = stamps.shape[:1]
    for name, array, ndim in (
        ("date", stamps, 1),
        ("Weather", weather, 2),
        ("WindSpeed", wind, 1),
        ("Temperature", temperature, 1),
    ):
        if array.ndim != ndim or array.shape[:1] != count:
            wanted = "[n, kinds]" if ndim == 2 else "[n]"
            raise ValueError(
                f"{path} {name}: expected {wanted} with n = {count[0]} as in date, got shape "
                f"{list(array.shape)}"
            )
    moments = parse_slot_stamps(stamps.tolist(), slots_per_day, first_slot, f"{path} date")
    unique, first = np.unique(moments, return_index=True)
    return Meteorology(
        unique,
        finite_numbers(weather, f"{path} Weather")[first],
        finite_numbers(wind, f"{path} WindSpeed")[first],
        finite_numbers(temperature, f"{path} Temperature")[first],
    )
