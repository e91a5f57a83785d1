r"""Readings from HDF5 in the "fixed" layout of pandas, without pandas' reader and its pickles."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any

import numpy as np

from tgst.data.readers.raw_table import RawTable

READ = (
    "what is read is the layout that pandas.DataFrame.to_hdf(format='fixed') writes: a group "
    "with axis0 (node ids), axis1 (timestamps), block0_items, block0_values, ..."
)


def read_hdf5(path: Path, key: str | None) -> RawTable:
    r"""Reads a table that :meth:`pandas.DataFrame.to_hdf` wrote.

    Node ids are numbers or texts; pickled ones are refused, and no pickle in the file is read.

    Args:
        path (Path): The file.
        key (str, optional): Name of the table; :obj:`None` takes the only one.

    Raises:
        ValueError: If the file is no HDF5, the key does not exist, or the layout is another one.
    """
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path} must be an HDF5 file, got {error}") from error
    with file:
        try:
            return _read_frame(_group(file, path, key), path)
        except OSError as error:
            raise ValueError(
                f"{path} cannot be read ({error}); is it cut off, or packed with a filter that is "
                "not installed?"
            ) from error
        except (KeyError, AttributeError, TypeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} has another layout: {error}; {READ}") from error


def _group(file: Any, path: Path, key: str | None) -> Any:
    import h5py

    if key is None:
        tables: list[str] = []
        file.visititems(lambda name, item: tables.append(name) if _is_table(item) else None)
        if len(tables) != 1:
            found = f"the tables {', '.join(tables)}" if tables else f"none: {_listing(file)}"
            raise ValueError(f"`key` must name the table of {path}; it holds {found}; {READ}")
        key = tables[0]
    if key not in file:
        raise ValueError(f"`key` must name a table of {path}, got {key!r}; it has {_listing(file)}")
    group = file[key]
    kind = _text(group.attrs.get("pandas_type", b""))
    if isinstance(group, h5py.Dataset):
        found = f"a plain dataset of shape {group.shape}, {group.dtype}"
    elif kind == "frame_table":
        found = "a frame in format='table'; write it again with format='fixed'"
    elif kind != "frame":
        found = f"the pandas layout {kind!r}" if kind else f"a group of {_listing(group)}"
    elif _text(group.attrs.get("axis0_variety", b"regular")) != "regular":
        found = "several levels of columns"
    elif "axis0" not in group or "axis1" not in group or "block0_values" not in group:
        found = f"a frame without axes or values: {_listing(group)}"
    else:
        return group
    raise ValueError(f"{path}, key {key!r}: got {found}; {READ}")


def _is_table(item: Any) -> bool:
    return _text(item.attrs.get("pandas_type", b"")) in ("frame", "frame_table")


def _listing(group: Any) -> str:
    names = [f"{name} {getattr(item, 'shape', '(group)')}" for name, item in group.items()]
    return ", ".join(names[:8]) + (", ..." if len(names) > 8 else "") or "nothing"


def _read_frame(group: Any, path: Path) -> RawTable:
    encoding = _encoding(group)
    names = _names(group["axis0"], path, encoding)
    stamps, in_utc = _moments(group["axis1"], path)
    column = {name: position for position, name in enumerate(names)}
    if len(column) < len(names):
        raise ValueError(
            f"{path} must name every column once, got {len(names) - len(column)} repeated"
        )
    num_steps = len(group["axis1"])
    values = np.full((num_steps, len(names)), np.nan, dtype=np.float32)
    given: list[str] = []
    for block in range(int(group.attrs.get("nblocks", 1))):
        items = _names(group[f"block{block}_items"], path, encoding)
        readings = group[f"block{block}_values"]
        if readings.dtype.kind not in "fiub":
            raise ValueError(
                f"{path} must hold numbers, got {readings.dtype} for {', '.join(items[:5])}"
            )
        array = readings[()] if readings.attrs.get("transposed", 0) else readings[()].T
        if array.shape != (num_steps, len(items)):
            raise ValueError(
                f"{path}: {readings.name} must have {num_steps} rows and {len(items)} columns, "
                f"got {array.shape}"
            )
        values[:, [column[name] for name in items]] = array
        given += items
    if sorted(given) != sorted(names):
        raise ValueError(
            f"{path} must hold each of its {len(names)} columns in one block, got {len(given)} "
            f"columns in the blocks, {len(set(given))} of them different; {READ}"
        )
    return RawTable(values, stamps, in_utc, names)


def _encoding(group: Any) -> str:
    r"""Encoding of the texts; old files hold a pickle of "none" in its place."""
    try:
        return codecs.lookup(_text(group.attrs.get("encoding", b"UTF-8"))).name
    except LookupError:
        return "utf-8"


def _names(axis: Any, path: Path, encoding: str) -> list[str]:
    kind = _text(axis.attrs.get("kind", b""))
    if axis.dtype.kind == "S":
        return [name.decode(encoding) for name in axis[()]]
    if axis.dtype.kind in "iu" and not kind.startswith("datetime"):
        return [str(name) for name in axis[()].tolist()]
    raise ValueError(
        f"{path}: {axis.name} must hold node ids as numbers or texts, got kind {kind!r} of dtype "
        f"{axis.dtype} (pickled ids are not read); {READ}"
    )


def _moments(axis: Any, path: Path) -> tuple[np.ndarray | None, bool]:
    kind = _text(axis.attrs.get("kind", b""))
    if kind == "integer":
        return None, False
    if axis.dtype.kind not in "iu" or not kind.startswith("datetime64"):
        raise ValueError(
            f"{path}: {axis.name} must hold timestamps (kind 'datetime64'), got kind {kind!r} of "
            f"dtype {axis.dtype}; {READ}"
        )
    # "datetime64" counts nanoseconds; newer files name the unit: "datetime64[us]".
    unit = kind.removeprefix("datetime64").strip("[]").split(",")[0] or "ns"
    moments = axis[()].astype(np.int64).view(f"datetime64[{unit}]")
    return moments, "tz" in axis.attrs  # times with a zone are stored in UTC


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
