"""JSON files: errors that name the file and the place in it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tgst.data.readers.text import read_text

LARGEST = 1e30  # single precision holds it
MOST_FRAMES = 1_000_000  # nine hours; a wrong number of a frame would fill the memory


def read_json(path: Path) -> dict[str, Any]:
    r"""Returns the object that a JSON file holds.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is empty, no JSON (the message names the line), or no object.
    """
    text = read_text(path)
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path} line {error.lineno}: expected JSON, got a file with: {error.msg}; is it cut "
            "off?"
        ) from error
    except RecursionError as error:
        raise ValueError(f"{path}: expected JSON, got one that is nested too deeply") from error
    except ValueError as error:  # an integer of thousands of digits
        raise ValueError(f"{path}: expected JSON, got one with: {error}") from error
    return entry_of(path, "", content, dict)


def entry_of(place: Path | str, name: str, value: Any, kind: type) -> Any:
    r"""Returns a value of a JSON file if it is of the kind expected.

    Args:
        place (Path or str): The file.
        name (str): The way to the value, such as ``data[3].skeleton``; empty for the whole.
        value: The value; :obj:`None` if there is none.
        kind (type): Its type: :obj:`dict`, :obj:`list`, :obj:`int` or :obj:`str`.

    Raises:
        ValueError: If it is of another type.
    """
    if not isinstance(value, kind) or isinstance(value, bool):
        names = {dict: "an object", list: "a list", int: "an integer", str: "text"}
        came = "nothing" if value is None else repr(value)
        came = came if len(came) < 60 else came[:57] + "..."
        raise ValueError(f"{place} {name}".rstrip() + f": expected {names[kind]}, got {came}")
    return value


def numbers_of(place: Path | str, name: str, value: Any, counts: Iterable[int]) -> np.ndarray:
    r"""Returns a list of finite numbers of a JSON file, as float64.

    Args:
        place (Path or str): The file.
        name (str): The way to the value.
        value: The value; :obj:`None` if there is none.
        counts (iterable of int): How many numbers there may be.

    Raises:
        ValueError: If the value is no list, of another length, or has an entry that is no finite
            number.
    """
    entries = entry_of(place, name, value, list)
    counts = tuple(counts)
    if len(entries) not in counts:
        wanted = " or ".join(map(str, counts))
        raise ValueError(f"{place} {name}: expected {wanted} numbers, got {len(entries)}")
    if all(type(entry) in (int, float) for entry in entries):
        try:
            numbers = np.array(entries, np.float64)
        except OverflowError:  # JSON has integers of any length
            numbers = np.array(np.nan)
        if (np.abs(numbers) < LARGEST).all():
            return numbers
    wrong = next(
        index
        for index, entry in enumerate(entries)
        if type(entry) not in (int, float) or not abs(entry) < LARGEST
    )
    raise ValueError(f"{place} {name}[{wrong}]: expected a finite number, got {entries[wrong]!r}")
