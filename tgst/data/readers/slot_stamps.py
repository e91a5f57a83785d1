r"""Stamps of slots of a day: YYYYMMDD and the number of the slot."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import Literal, NoReturn

import numpy as np

FirstSlot = Literal["auto", 0, 1]
SECONDS_PER_DAY = 86_400


def parse_slot_stamps(
    stamps: Iterable[bytes | str | int],
    slots_per_day: int,
    first_slot: FirstSlot = "auto",
    where: str = "stamps",
) -> np.ndarray:
    r"""Reads stamps such as ``2013070148``: the date and the number of a slot of the day, as the
    files of DeepST have them (`"Deep Spatio-Temporal Residual Networks for Citywide Crowd Flows
    Prediction" <https://arxiv.org/abs/1610.00081>`_, Zhang et al., 2017).

    Convention:
        A moment is the **beginning** of its slot. TaxiBJ counts 01 to 48, where 01 is 00:00 to
        00:30, and BikeNYC 01 to 24; TaxiNYC counts 00 to 23.

    Args:
        stamps (iterable of bytes, str or int): Eight digits of the date, then two or more of the
            slot.
        slots_per_day (int): Slots of a day; they divide a day into whole seconds.
        first_slot (int or str, optional): Number of the first slot of a day, :obj:`0` or
            :obj:`1`; :obj:`"auto"` finds it out, by a slot 0 or one of the number
            :obj:`slots_per_day`. (default: :obj:`"auto"`)
        where (str, optional): How messages call the stamps. (default: :obj:`"stamps"`)

    Returns:
        numpy.ndarray: Moments, datetime64[s], in the order of the stamps.

    Shapes:
        - **output:** :math:`(T)`

    Raises:
        ValueError: If a stamp does not parse, both slots 0 and :obj:`slots_per_day` or neither
            occur with :obj:`"auto"`, or an argument is out of range. The message holds index and
            text of the stamp.
    """
    if slots_per_day < 1 or SECONDS_PER_DAY % slots_per_day:
        raise ValueError(
            "slots_per_day: expected a number that divides a day into whole seconds, got "
            f"{slots_per_day}"
        )
    if first_slot not in ("auto", 0, 1):
        raise ValueError(f"first_slot: expected 0, 1 or 'auto', got {first_slot!r}")
    texts = [_text(stamp) for stamp in stamps]
    days, slots = np.empty(len(texts), "datetime64[D]"), np.empty(len(texts), np.int64)
    for index, text in enumerate(texts):
        parsed = _parse(text)
        if parsed is None:
            _refuse(where, index, text, "YYYYMMDD and a slot of two digits")
        days[index], slots[index] = parsed
    first = _first_slot(slots, slots_per_day, where) if first_slot == "auto" else int(first_slot)
    outside = (slots < first) | (slots >= first + slots_per_day)
    if outside.any():
        index = int(outside.argmax())
        _refuse(where, index, texts[index], f"a slot {first}..{first + slots_per_day - 1}")
    seconds = (slots - first) * (SECONDS_PER_DAY // slots_per_day)
    return days.astype("datetime64[s]") + seconds.astype("timedelta64[s]")


def complete_days(timestamps: np.ndarray, slots_per_day: int) -> np.ndarray:
    r"""Which moments belong to a day that has all of its slots.

    Args:
        timestamps (numpy.ndarray): Beginning of each slot, datetime64, no moment twice.
        slots_per_day (int): Slots of a day.

    Shapes:
        - **timestamps:** :math:`(T)`
        - **output:** :math:`(T)`, bool
    """
    days = np.asarray(timestamps).astype("datetime64[D]")
    _, day, slots = np.unique(days, return_inverse=True, return_counts=True)
    return slots[day] == slots_per_day


def parse_day(text: str) -> np.datetime64 | None:
    r"""The day of a text YYYYMMDD; :obj:`None` if it is none.

    Args:
        text (str): The text.
    """
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        return None
    try:
        return np.datetime64(datetime.date(int(text[:4]), int(text[4:6]), int(text[6:])))
    except ValueError:
        return None


def _text(stamp: bytes | str | int) -> str:
    return stamp.decode("utf-8", "backslashreplace") if isinstance(stamp, bytes) else str(stamp)


def _parse(text: str) -> tuple[np.datetime64, int] | None:
    day, slot = parse_day(text[:8]), text[8:]
    if day is None or len(slot) < 2 or not (slot.isascii() and slot.isdigit()):
        return None
    return day, int(slot)


def _first_slot(slots: np.ndarray, slots_per_day: int, where: str) -> int:
    zero, last = bool((slots == 0).any()), bool((slots == slots_per_day).any())
    if zero == last:
        found = "both" if zero else "neither"
        raise ValueError(
            f"{where}: expected either a slot 0 or a slot {slots_per_day}, to tell from what "
            f"number slots count, got {found}; give first_slot=0 or first_slot=1"
        )
    return int(last)


def _refuse(where: str, index: int, text: str, expected: str) -> NoReturn:
    raise ValueError(f"{where}[{index}]: expected {expected}, got {text!r}")
