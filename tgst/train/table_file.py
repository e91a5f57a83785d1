r"""Tables written row by row to CSV or Parquet."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

__all__ = ["TableFile", "check_table_path"]

Kind = Literal["text", "integer", "number"]
SUFFIXES = (".csv", ".parquet")


def check_table_path(path: str | Path) -> Path:
    r"""The path of a table, if its ending says how to write it.

    Args:
        path: The file.

    Raises:
        ValueError: If it ends in something else than ``.csv`` or ``.parquet``.
    """
    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ValueError(f"output must end in {' or '.join(SUFFIXES)}, got {path.name!r}")
    return path


class TableFile:
    r"""A table that appears under its name when it is complete; until then an older file stays.

    Args:
        path: The file; its ending, ``.csv`` or ``.parquet``, decides the format.
        columns: Name and kind of each column.

    Raises:
        ValueError: If the ending is another one, or pyarrow is not installed for Parquet.
    """

    def __init__(self, path: str | Path, columns: Mapping[str, Kind]) -> None:
        self.path = check_table_path(path)
        self.columns = dict(columns)
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._rows: _CsvRows | _ParquetRows = (
            _CsvRows(self._temporary, self.columns)
            if self.path.suffix == ".csv"
            else _ParquetRows(self._temporary, self.columns)
        )

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        r"""Adds rows.

        Args:
            rows: The values in the order of the columns; None where there is none.
        """
        if rows:
            self._rows.write(rows)

    def close(self) -> None:
        r"""Completes the file and gives it its name."""
        self._rows.close()
        os.replace(self._temporary, self.path)

    def discard(self) -> None:
        r"""Removes the unfinished file."""
        with suppress(OSError):
            self._rows.close()
        self._temporary.unlink(missing_ok=True)


class _CsvRows:
    def __init__(self, path: Path, columns: Mapping[str, Kind]) -> None:
        self._file = open(path, "w", newline="", encoding="utf-8")  # noqa: SIM115
        self._writer = csv.writer(self._file)
        self._writer.writerow(columns)

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        self._writer.writerows([_text(value) for value in row] for row in rows)

    def close(self) -> None:
        self._file.close()


def _text(value: Any) -> Any:
    return f"{value:.6g}" if isinstance(value, float) else value


class _ParquetRows:
    def __init__(self, path: Path, columns: Mapping[str, Kind]) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise ValueError(
                'Parquet files need pyarrow: pip install "tgst[data]", or write .csv'
            ) from error
        self._arrow = pyarrow
        types = {"text": pyarrow.string(), "integer": pyarrow.int32(), "number": pyarrow.float32()}
        self._schema = pyarrow.schema([(name, types[kind]) for name, kind in columns.items()])
        self._writer = pyarrow.parquet.ParquetWriter(path, self._schema)

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        arrays = [
            self._arrow.array(column, type=field.type)
            for column, field in zip(zip(*rows, strict=True), self._schema, strict=True)
        ]
        self._writer.write_batch(self._arrow.record_batch(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()
