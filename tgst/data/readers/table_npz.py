r"""Readings from NPZ."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tgst.data.readers.moments import moments_from_text
from tgst.data.readers.raw_table import RawTable


def read_npz(path: Path, key: str | None, timestamps: str | None) -> RawTable:
    r"""Reads an array of readings, and timestamps and node ids if they lie beside it.

    Args:
        path (Path): The file.
        key (str, optional): Name of the array; :obj:`None` takes the only one that is neither
            timestamps nor node ids.
        timestamps (str, optional): Name of the array of moments; :obj:`None` means
            :obj:`"timestamps"`, if there is one.

    Raises:
        ValueError: If the file is no NPZ or holds pickles, an array does not exist, or the array
            has not the shape :math:`(T, N)` or :math:`(T, N, C)`.
    """
    try:
        archive = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} must be an NPZ file, got {error}") from error
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise ValueError(f"{path} must be an NPZ file, got a single array")
    with archive:
        if timestamps is not None and timestamps not in archive.files:
            raise ValueError(
                f"`timestamps` must name an array of {path}, got {timestamps!r}; "
                f"it has {', '.join(archive.files)}"
            )
        moments = timestamps or "timestamps"
        values = _array(archive, _key(archive.files, path, key, moments), path)
        if values.ndim not in (2, 3) or values.dtype.kind not in "fiub":
            raise ValueError(
                f"{path} must hold numbers of shape [time, nodes] or [time, nodes, channels], got "
                f"{values.dtype} of shape {values.shape}"
            )
        stamps, in_utc = None, False
        if moments in archive.files:
            stamps, in_utc = _moments(_array(archive, moments, path), moments, path)
        node_id = None
        if "node_id" in archive.files:
            node_id = _names(_array(archive, "node_id", path), path)
    return RawTable(values.astype(np.float32), stamps, in_utc, node_id)


def _key(names: list[str], path: Path, key: str | None, moments: str) -> str:
    candidates = [name for name in names if name not in (moments, "node_id")]
    if key is None and len(candidates) == 1:
        return candidates[0]
    if key is None or key not in names:
        raise ValueError(
            f"`key` must name the array of readings of {path}, got {key!r}; it has "
            f"{', '.join(names)}"
        )
    return key


def _array(archive: Any, name: str, path: Path) -> np.ndarray:
    try:
        return archive[name]
    except Exception as error:  # damaged bytes trip the parsers wherever they happen to be
        raise ValueError(f"{path}: the array {name!r} cannot be read: {error}") from error


def _names(array: np.ndarray, path: Path) -> list[str]:
    if array.ndim != 1 or array.dtype.kind not in "iuUS":
        raise ValueError(
            f"`node_id` must be one line of texts or whole numbers in {path}, got {array.dtype} "
            f"of shape {array.shape}"
        )
    return array.astype(str).tolist()


def _moments(array: np.ndarray, name: str, path: Path) -> tuple[np.ndarray, bool]:
    if array.dtype.kind == "M":
        return array, False
    if array.dtype.kind == "U":
        return moments_from_text(array.tolist(), f"array {name!r} of {path}")
    raise ValueError(
        f"`timestamps` must be an array of datetime64 or of ISO 8601 texts, got {array.dtype} in "
        f"{name!r} of {path}"
    )
