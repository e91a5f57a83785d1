"""Rows of numbers between blanks, as text files of joints hold them."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from tgst.data.readers.text import Line, as_numbers


def number_rows(place: Path, text: str, columns: int, names: str) -> np.ndarray:
    r"""Returns the numbers of a text with :obj:`columns` numbers in every line that is not blank,
    as float64 :math:`(\text{lines}, \text{columns})`.

    Args:
        place (Path): Name of the file, for messages.
        text (str): The text.
        columns (int): Numbers per line.
        names (str): What they are, for messages.

    Raises:
        ValueError: If there is no line, a line has another number of cells, or a cell is no finite
            number; the message names the line.
    """
    lines = text.split("\n")
    widths = [len(line.split()) for line in lines]
    for number, width in enumerate(widths, start=1):
        if width not in (0, columns):
            raise ValueError(
                f"{place} line {number}: expected {columns} cells ({names}), got {width}; is the "
                "file cut off?"
            )
    if not any(widths):
        raise ValueError(f"{place}: expected lines of {columns} numbers ({names}), got none")
    numbers = _fast_numbers(text)
    if len(numbers) == sum(widths) and np.isfinite(numbers).all():
        return numbers.reshape(-1, columns)
    cells = [Line(number, line.split()) for number, line in enumerate(lines, 1) if line.strip()]
    values = as_numbers(place, cells)  # slow, but knows the place of what is no number
    row, column = np.argwhere(~np.isfinite(values))[0]
    raise ValueError(
        f"{place} line {cells[row].number}, column {column + 1}: expected a finite number, got "
        f"{cells[row].cells[column]!r}"
    )


def _fast_numbers(text: str) -> np.ndarray:
    r"""Returns the numbers of a text between blanks as float64, those before the first cell that is
    none. Compare their number with that of the cells: ``1.5.5`` gives two.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of text behind the last number
        try:
            return np.fromstring(text, dtype=np.float64, sep=" ")
        except ValueError:  # which that warning is to become
            return np.empty(0)
