"""Small files in the form of DeepST."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np

DAY = np.timedelta64(1, "D")


def slot_stamps(first: str, last: str, slots_per_day: int, first_slot: int) -> list[bytes]:
    """All stamps of the days from the first to the last."""
    days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + DAY)
    return [
        f"{str(day).replace('-', '')}{slot + first_slot:02d}".encode()
        for day in days
        for slot in range(slots_per_day)
    ]


def numbered_frames(count: int, size: Sequence[int] = (2, 3, 2), first: int = 0) -> np.ndarray:
    """Frame, channel, row and column can be read off every value."""
    frame, channel, row, column = np.ogrid[first : first + count, : size[0], : size[1], : size[2]]
    return frame * 100.0 + channel * 50 + row * 8 + column


def write_flow(path: Path, stamps: Sequence[bytes], frames: np.ndarray | None = None) -> Path:
    with h5py.File(path, "w") as file:
        file["data"] = numbered_frames(len(stamps)) if frames is None else frames
        file["date"] = np.array(stamps, dtype="S")
    return path


def write_meteorology(path: Path, stamps: Sequence[bytes], kinds: int = 17) -> Path:
    """Wind speed is the number of the record, temperature goes down from 20 by halves."""
    number = np.arange(len(stamps))
    with h5py.File(path, "w") as file:
        file["date"] = np.array(stamps, dtype="S")
        file["Weather"] = np.eye(kinds)[number % kinds]
        file["WindSpeed"] = number.astype(float)
        file["Temperature"] = 20 - number / 2
    return path
