"""One TNTP file: a header block of tags, and a table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tgst.data.readers.text import is_number, read_text


class TntpTable(NamedTuple):
    r"""The numbers of a TNTP file with the names of their columns.

    Args:
        path (Path): The file.
        tags (dict): What stands behind the tags of the header, without their brackets.
        columns (list of str): Names of columns, in small letters, with underscores.
        values (numpy.ndarray): The numbers, float64, :obj:`[rows, columns]`.
        lines (list of int): The line of each row, from 1.
        original_header (str): The lines that name columns and their units.
    """

    path: Path
    tags: dict[str, str]
    columns: list[str]
    values: np.ndarray
    lines: list[int]
    original_header: str

    def place(self, row: int, *, name: bool = True) -> str:
        r"""Returns how messages name a row."""
        return f"{self.path} line {self.lines[row]}" if name else f"line {self.lines[row]}"

    def stated_count(self, tag: str) -> int | None:
        r"""Returns a count of the header; :obj:`None` if there is none (or -1).

        Raises:
            ValueError: If it is no integer.
        """
        text = self.tags.get(tag, "-1")
        try:
            count = int(text)
        except ValueError:
            raise ValueError(
                f"{self.path}: expected an integer for <{tag}>, got {text!r}"
            ) from None
        return None if count < 0 else count

    def check_count(self, tag: str, found: int) -> None:
        r"""Compares a count of the header with what was read.

        Raises:
            ValueError: If they differ.
        """
        stated = self.stated_count(tag)
        if stated is not None and stated != found:
            raise ValueError(
                f"{self.path}: expected {stated} lines as <{tag}> says, got {found}; is the file "
                f"cut off after line {self.lines[-1] if self.lines else 0}?"
            )

    def ids(self, columns: tuple[int, ...]) -> np.ndarray:
        r"""Returns columns of ids as int64, :obj:`[rows, columns]`.

        Raises:
            ValueError: If one is no integer from 1; the message names the line.
        """
        values = self.values[:, columns]
        wrong = (values != np.round(values)) | (values < 1) | (values > 2.0**53)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise ValueError(
                f"{self.place(int(row))}: expected an id (an integer from 1), got "
                f"{values[row, column]}"
            )
        return values.astype(np.int64)


def read_tntp_table(path: Path, *, at_least: int, columns: tuple[str, ...]) -> TntpTable:
    r"""Reads one TNTP file.

    Args:
        path (Path): The file.
        at_least (int): Number of columns that it must have.
        columns (tuple of str): Their names where the file has no line that names as many.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line has another number of cells than the others, or a cell that is no
            finite number; the message names file and line.
    """
    tags, rows, named = _split(read_text(path))
    values = _numbers(path, rows, at_least)
    size = values.shape[1]
    found = [_names(line) for line in named]
    if not rows and found:
        size = len(found[-1])
        values = values.reshape(0, size)
    names = next((names for names in reversed(found) if len(names) == size), None)
    if names is None:
        if len(columns) != size and len(rows) > 0:
            raise ValueError(
                f"{path}: expected a line that names its {size} columns ('~ ...') where they are "
                f"not {', '.join(columns)}, got none"
            )
        names, values = list(columns), values.reshape(-1, len(columns))
    if len(set(names)) < len(names):
        raise ValueError(f"{path}: expected different names of columns, got {names}")
    original = " ".join([tags.get("ORIGINAL HEADER", ""), *named])
    return TntpTable(path, tags, names, values, [number for number, _ in rows], original)


def _split(text: str) -> tuple[dict[str, str], list[tuple[int, str]], list[str]]:
    """Tags; lines of numbers with their line numbers; lines that name columns."""
    tags: dict[str, str] = {}
    rows: list[tuple[int, str]] = []
    named: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip().rstrip(";").rstrip()
        tag = re.match(r"<([^>]*)>(.*)", line) if line.startswith("<") else None
        if tag:
            tags[tag[1].strip().upper()] = tag[2].strip()
        elif line.startswith("~"):
            if not rows:  # below it is a comment
                named.append(line[1:])
        elif line and not rows and not named and line[0].isalpha():
            named.append(line)  # flow and node files name their columns without a tilde
        elif line:
            rows.append((number, line))
    return tags, rows, named


def _numbers(path: Path, rows: list[tuple[int, str]], at_least: int) -> np.ndarray:
    if not rows:
        return np.zeros((0, at_least))
    try:
        values = np.loadtxt([line for _, line in rows], ndmin=2, comments=None)
        if values.shape[1] >= at_least and np.isfinite(values).all():
            return values
    except ValueError:
        pass
    size = max(at_least, len(rows[0][1].split()))
    for number, line in rows:
        cells = line.split()
        if len(cells) != size:
            raise ValueError(
                f"{path} line {number}: expected {size} cells, got {len(cells)}; is the file cut "
                "off?"
            )
        for column, cell in enumerate(cells, start=1):
            if not is_number(cell) or not np.isfinite(float(cell)):
                raise ValueError(
                    f"{path} line {number}, column {column}: expected a finite number, got {cell!r}"
                )
    raise AssertionError(path)  # numpy and Python read numbers alike


def _names(line: str) -> list[str]:
    cells = line.split("\t") if "\t" in line.strip() else line.split()
    plain = [re.sub(r"[(\[].*", "", cell).strip().lower() for cell in cells]
    return [re.sub(r"\W+", "_", cell) for cell in plain if cell not in ("", ";")]
