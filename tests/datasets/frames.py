r"""Tables in the layout in which pandas wrote METR-LA and PEMS-BAY."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_frame(
    path: Path, key: str, node_id: list, stamps: np.ndarray, values: np.ndarray
) -> Path:
    r"""Writes readings [time, nodes]; ids are numbers (as in PEMS-BAY) or texts (METR-LA)."""
    import h5py

    numbers = all(isinstance(name, int) for name in node_id)
    names = np.array(node_id if numbers else [name.encode() for name in node_id])
    with h5py.File(path, "w") as file:
        group = file.create_group(key)
        group.attrs["pandas_type"] = np.bytes_("frame")
        group.attrs["encoding"] = np.bytes_("UTF-8")
        group.attrs["ndim"], group.attrs["nblocks"] = 2, 1
        for name in ("axis0", "axis1", "block0_items"):
            group.attrs[f"{name}_variety"] = np.bytes_("regular")
        for name in ("axis0", "block0_items"):
            group[name] = names
            group[name].attrs["kind"] = np.bytes_("integer" if numbers else "string")
        group["axis1"] = stamps.astype("datetime64[ns]").astype(np.int64)
        group["axis1"].attrs["kind"] = np.bytes_("datetime64")
        group["block0_values"] = values
        group["block0_values"].attrs["transposed"] = np.bool_(True)
    return path


def clock(start: str, num_steps: int) -> np.ndarray:
    r"""Moments five minutes apart."""
    return np.datetime64(start, "s") + np.arange(num_steps) * np.timedelta64(300, "s")
