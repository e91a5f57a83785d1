r"""Flows of a grid from HDF5 files of DeepST."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import numpy as np

from tgst.data.readers.hdf5_arrays import finite_numbers, read_arrays
from tgst.data.readers.slot_stamps import FirstSlot, parse_slot_stamps

Repeated = Literal["sum", "first", "error"]


def read_flow_hdf5(
    path: str | Path,
    slots_per_day: int,
    first_slot: FirstSlot = "auto",
    repeated: Repeated = "sum",
) -> tuple[np.ndarray, np.ndarray]:
    r"""Reads frames of a grid and their stamps, as TaxiBJ, TaxiNYC and BikeNYC are handed on:
    `"Deep Spatio-Temporal Residual Networks for Citywide Crowd Flows Prediction"
    <https://arxiv.org/abs/1610.00081>`_ (Zhang et al., 2017).

    The file holds ``data`` :math:`(n, C, H, W)` and ``date``, a stamp for each frame
    (:func:`parse_slot_stamps`), in any order. Negative flows become zero, as in the authors' code.

    Args:
        path (str or Path): The file.
        slots_per_day (int): Slots of a day.
        first_slot (int or str, optional): Number of the first slot of a day: :obj:`0`, :obj:`1` or
            :obj:`"auto"`. (default: :obj:`"auto"`)
        repeated (str, optional): What frames of the same stamp are: parts of the same slot
            (:obj:`"sum"`: so it is in TaxiNYC, where trips over the end of a month are in the files
            of both months), copies (:obj:`"first"` is taken) or an :obj:`"error"`.
            (default: :obj:`"sum"`)

    Returns:
        tuple: Frames and the moments at which their slots begin, datetime64[s], in the order of
        time, each moment once.

    Shapes:
        - **frames:** :math:`(T, C, H, W)`, float32, row 0 of the grid as in the file
        - **timestamps:** :math:`(T)`

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no HDF5 or lacks an array, shapes do not fit, a value is NaN or
            infinite, a stamp does not parse, or one is repeated and should not. The message names
            the file, and index and text of the stamp.
    """
    if repeated not in get_args(Repeated):
        raise ValueError(f"repeated: expected one of {get_args(Repeated)}, got {repeated!r}")
    path = Path(path)
    frames, stamps = read_arrays(path, ("data", "date"))
    if frames.ndim != 4 or 0 in frames.shape:
        raise ValueError(
            f"{path} data: expected frames [n, channels, height, width], got shape "
            f"{list(frames.shape)}"
        )
    if stamps.shape != frames.shape[:1]:
        raise ValueError(
            f"{path} date: expected {len(frames)} stamps, one per frame of data "
            f"{list(frames.shape)}, got shape {list(stamps.shape)}"
        )
    frames = finite_numbers(frames, f"{path} data").clip(min=0)
    moments = parse_slot_stamps(stamps.tolist(), slots_per_day, first_slot, f"{path} date")
    if repeated == "error":
        _refuse_repeated(path, moments)
    return _by_moment(frames, moments, repeated)


def _by_moment(
    frames: np.ndarray, moments: np.ndarray, repeated: str
) -> tuple[np.ndarray, np.ndarray]:
    unique, first, place = np.unique(moments, return_index=True, return_inverse=True)
    result = frames[first]
    if repeated == "sum":
        again = np.setdiff1d(np.arange(len(frames)), first)
        np.add.at(result, place[again], frames[again])
    return result, unique


def _refuse_repeated(path: Path, moments: np.ndarray) -> None:
    order = np.argsort(moments, kind="stable")
    same = np.diff(moments[order]) == np.timedelta64(0)
    if same.any():
        earlier, later = order[same.argmax()], order[same.argmax() + 1]
        raise ValueError(
            f"{path} date[{later}]: expected every stamp once, got {moments[later]} again (first "
            f"at {earlier}); repeated='sum' adds the frames, 'first' takes the first one"
        )
