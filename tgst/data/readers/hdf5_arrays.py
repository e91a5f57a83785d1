r"""Arrays of an HDF5 file by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np


def read_arrays(path: Path, names: Sequence[str]) -> list[np.ndarray]:
    r"""Reads some arrays of an HDF5 file whole.

    Args:
        path (Path): The file.
        names (sequence of str): Names of the arrays, at the root of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no HDF5 or cut off, or holds no array of a name (a single number
            is none); the message names those that it holds.
    """
    import h5py

    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a file, found none")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path}: expected an HDF5 file, got {error}") from error
    with file:
        # A single number has the shape (), a dataset without any value (h5py.Empty) has none.
        missing = [name for name in names if not getattr(file.get(name), "shape", None)]
        if missing:
            raise ValueError(
                f"{path}: expected the arrays {', '.join(names)}, got no {', '.join(missing)} but "
                f"{_listing(file)}"
            )
        try:
            return [file[name][()] for name in names]
        except OSError as error:
            raise ValueError(
                f"{path}: cannot be read ({error}); is it cut off, or packed with a filter that is "
                "not installed?"
            ) from error


def _listing(file: Any) -> str:
    found = [f"{name} {getattr(item, 'shape', '(group)')}" for name, item in file.items()]
    return ", ".join(found[:8]) + (", ..." if len(found) > 8 else "") or "nothing"


def finite_numbers(values: np.ndarray, where: str) -> np.ndarray:
    r"""Values as float32.

    Args:
        values (numpy.ndarray): The values.
        where (str): How messages call them.

    Raises:
        ValueError: If they are no numbers, or one is NaN or infinite or beyond float32.
    """
    if values.dtype.kind not in "iufb":
        raise ValueError(f"{where}: expected numbers, got {values.dtype}")
    with np.errstate(over="ignore"):  # refused below
        numbers = values.astype(np.float32)
    finite = np.isfinite(numbers)
    if not finite.all():
        place = tuple(int(index) for index in np.argwhere(~finite)[0])
        raise ValueError(
            f"{where}{list(place)}: expected a finite number (float32), got {values[place]}"
        )
    return numbers
