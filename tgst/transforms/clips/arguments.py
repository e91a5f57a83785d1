r"""Checks of the arguments that several transforms of clips have."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from tgst.transforms.edges import checked_int


def checked_count(name: str, value: Any, at_least: int = 1) -> int:
    r"""Returns an integer argument that is not too small.

    Raises:
        TypeError: If it is no integer.
        ValueError: If it is less than :obj:`at_least`.
    """
    count = checked_int(name, value)
    if count < at_least:
        raise ValueError(f"{name}: expected at least {at_least}, got {count}")
    return count


def checked_coordinates(value: Any) -> int | None:
    r"""Returns the argument :obj:`num_coordinates`.

    Raises:
        TypeError: If it is neither an integer nor :obj:`None`.
        ValueError: If it is less than 1.
    """
    return None if value is None else checked_count("num_coordinates", value)


def checked_amount(name: str, value: Any) -> float:
    r"""Returns an argument that is a finite number of at least 0.

    Raises:
        ValueError: If it is none.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise ValueError(f"{name}: expected a number >= 0, got {value!r}")
    return float(value)


def checked_positive(name: str, value: Any) -> float:
    r"""Returns an argument that is a finite number greater than 0.

    Raises:
        ValueError: If it is none.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < math.inf:
        raise ValueError(f"{name}: expected a number > 0, got {value!r}")
    return value


def checked_amounts(name: str, value: Any) -> float | tuple[float, ...]:
    r"""Returns an argument that is a number >= 0, or one per axis.

    Raises:
        ValueError: If it is neither.
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        if not value:
            raise ValueError(f"{name}: expected a number >= 0, or one per axis, got {value!r}")
        return tuple(checked_amount(name, each) for each in value)
    return checked_amount(name, value)


def per_axis(name: str, value: float | tuple[float, ...], num_axes: int) -> tuple[float, ...]:
    r"""Returns one number per axis.

    Raises:
        ValueError: If another number of them was given.
    """
    if not isinstance(value, tuple):
        return (value,) * num_axes
    if len(value) != num_axes:
        raise ValueError(f"{name}: expected one number per each of {num_axes} axes, got {value}")
    return value


def checked_probability(name: str, value: Any) -> float:
    r"""Returns an argument that is a probability.

    Raises:
        ValueError: If it is no number in 0..1.
    """
    if checked_amount(name, value) > 1:
        raise ValueError(f"{name}: expected a probability in 0..1, got {value!r}")
    return float(value)


def checked_choice(name: str, value: Any, choices: Sequence[Any]) -> Any:
    r"""Returns an argument that is one of a few.

    Raises:
        ValueError: If it is not.
    """
    if value not in choices:
        raise ValueError(f"{name}: expected one of {tuple(choices)}, got {value!r}")
    return value
