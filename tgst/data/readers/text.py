"""Text files of numbers: lines with their numbers, tables, and errors that name line and column."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

Header = Literal["auto"] | bool

METRES = {"m": 1.0, "km": 1000.0, "ft": 0.3048, "mi": 1609.344}


class Line(NamedTuple):
    """One line that is not blank: its number in the file, from 1, and its cells."""

    number: int
    cells: list[str]


def read_text(path: Path) -> str:
    r"""Returns a file as text.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is empty or no UTF-8 text.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a file, found none")
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{path} line {number}: expected UTF-8 text, got the byte "
            f"{content[error.start]:#04x}; is the file another one or compressed?"
        ) from error
    if not text.strip():
        raise ValueError(f"{path}: expected text, got an empty file; was it written completely?")
    return text


def read_cells(path: Path) -> list[Line]:
    r"""Returns the lines of a comma-separated file that are not blank, cells without the quotes
    around them.

    Raises:
        ValueError: If lines do not all have the same number of cells.
    """
    lines = [
        Line(number, [cell.strip().strip('"') for cell in line.strip("\r").split(",")])
        for number, line in enumerate(read_text(path).split("\n"), start=1)
        if line.strip()
    ]
    for line in lines:
        if len(line.cells) != len(lines[0].cells):
            raise ValueError(
                f"{path} line {line.number}: expected {len(lines[0].cells)} cells as in line "
                f"{lines[0].number}, got {len(line.cells)}; is the file cut off?"
            )
    return lines


def as_numbers(path: Path, lines: Sequence[Line], name: str = "a number") -> np.ndarray:
    r"""Returns cells as float64; infinity passes.

    Raises:
        ValueError: If a cell is no number or NaN; the message names line and column.
    """
    try:
        numbers = np.array([line.cells for line in lines], dtype=np.float64)
        if not np.isnan(numbers).any() and not any(
            "_" in cell for line in lines for cell in line.cells
        ):
            return numbers
    except ValueError:
        pass
    for line in lines:
        for column, cell in enumerate(line.cells, start=1):
            if not is_number(cell):
                raise ValueError(
                    f"{path} line {line.number}, column {column}: expected {name}, got {cell!r}"
                )
    raise AssertionError(path)  # is_number takes nothing that numpy refuses


def is_number(cell: str) -> bool:
    r"""Returns whether a cell is a number other than NaN."""
    try:  # Python reads "1_0" as 10, and the digits of all scripts
        return cell.isascii() and "_" not in cell and not np.isnan(float(cell))
    except ValueError:
        return False


def check_names(argument: str, node_id: Sequence[object], count: int | None = None) -> list[str]:
    r"""Returns node ids as text.

    Raises:
        ValueError: If their number is not :obj:`count`, or one occurs twice.
    """
    names = [str(name) for name in node_id]
    if count is not None and len(names) != count:
        raise ValueError(f"{argument}: expected {count} ids, one per node, got {len(names)}")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{argument}: expected every id once, got {name!r} twice")
        seen.add(name)
    return names


def check_unit(argument: str, unit: str) -> float:
    r"""Returns the metres of a unit of length.

    Raises:
        ValueError: If it is none of those known.
    """
    if unit not in METRES:
        raise ValueError(f"{argument}: expected one of {tuple(METRES)}, got {unit!r}")
    return METRES[unit]
