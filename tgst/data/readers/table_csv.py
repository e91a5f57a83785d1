r"""Readings from CSV."""

from __future__ import annotations

import csv
import gzip
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from tgst.data.readers.moments import moments_from_text
from tgst.data.readers.raw_table import RawTable

MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]


def read_csv(path: Path, timestamps: str | None) -> RawTable:
    r"""Reads a header of node ids and a line of readings per moment.

    Args:
        path (Path): The file, ``.csv`` or ``.csv.gz``.
        timestamps (str, optional): Name of the column of moments; :obj:`None` takes the first
            one if it holds no numbers.

    Raises:
        ValueError: If a line has too few or too many cells, a cell is no number, a column of
            readings has no name, or the file is empty, cut off or no text.
    """
    try:
        return _read(path, timestamps)
    except (UnicodeDecodeError, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} must be UTF-8 text, got {error}") from error
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _read(path: Path, timestamps: str | None) -> RawTable:
    names = _header(path)
    if timestamps is not None and timestamps not in names:
        raise ValueError(f"`timestamps` must name a column of {path}, got {timestamps!r}")
    moments = names.index(timestamps) if timestamps is not None else 0
    if timestamps is None and not _first_is_text(path):
        moments = -1
    unnamed = [column for column, name in enumerate(names) if not name and column != moments]
    if unnamed:
        raise ValueError(
            f"{path} line 1 must name every column of readings, got no name in column "
            f"{unnamed[0] + 1}; were row numbers written with the readings?"
        )
    columns = _columns(path, len(names), moments)
    stamps, in_utc = None, False
    if moments >= 0:
        stamps, in_utc = moments_from_text(
            columns.pop(moments).tolist(), f"column {names[moments]!r} of {path}"
        )
        names.pop(moments)
    if not columns:
        raise ValueError(f"{path} must have a column of readings, got only timestamps")
    return RawTable(np.stack(columns, axis=1), stamps, in_utc, names)


def _open(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _header(path: Path) -> list[str]:
    with _open(path) as lines:
        names = [name.strip() for name in next(csv.reader(lines), [])]
    if not names:
        raise ValueError(f"{path} must begin with a line of node ids, got an empty file")
    return names


def _first_is_text(path: Path) -> bool:
    r"""Whether the first cell that is not missing, of the first column, is no number."""
    with _open(path) as lines:
        rows = csv.reader(lines)
        next(rows)
        for row in rows:
            cell = row[0].strip() if row else ""
            if cell not in MISSING:
                try:
                    float(cell)
                except ValueError:
                    return True
                return False
    return False


def _columns(path: Path, count: int, moments: int) -> list[np.ndarray]:
    r"""Columns of the table: texts of the moments, float32 numbers of the rest."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [str(column) for column in range(count)]  # the header may repeat a name
    types = {name: pa.float32() for name in names}
    if moments >= 0:
        types[names[moments]] = pa.string()
    try:
        table = arrow_csv.read_csv(
            path,
            # one thread: only then do messages name the line
            read_options=arrow_csv.ReadOptions(skip_rows=1, column_names=names, use_threads=False),
            convert_options=arrow_csv.ConvertOptions(column_types=types, null_values=MISSING),
        )
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} must be a table of numbers under a header: {error}") from error
    if table.num_rows == 0:
        raise ValueError(f"{path} must have a line of readings, got a header only")
    return [
        np.asarray(column.to_pylist()) if index == moments else column.to_numpy()
        for index, column in enumerate(table.itercolumns())
    ]
