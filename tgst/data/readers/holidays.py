r"""Lists of holidays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tgst.data.readers.slot_stamps import parse_day
from tgst.data.readers.text import read_text


def read_holidays(path: str | Path) -> np.ndarray:
    r"""Reads a text file with a day ``YYYYMMDD`` in every line, as ``BJ_Holiday.txt`` of TaxiBJ is.

    Blank lines are skipped; order and repetition do not matter.

    Args:
        path (str or Path): The file.

    Returns:
        numpy.ndarray: Days, datetime64[D], ascending, each once.

    Shapes:
        - **output:** :math:`(D)`

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is empty or no text, or a line is no day; the message names the
            line.
    """
    path, days = Path(path), []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        text = line.strip()
        if not text:
            continue
        day = parse_day(text)
        if day is None:
            raise ValueError(f"{path} line {number}: expected a day YYYYMMDD, got {text!r}")
        days.append(day)
    return np.unique(np.array(days, dtype="datetime64[D]"))
