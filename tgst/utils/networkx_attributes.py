"""Attributes of networkx graphs: reading them as numbers, and joining those of parallel edges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

import numpy as np
import torch
from torch import Tensor

NUMERIC = "biuf"  # numpy's kinds: boolean, integer, unsigned, floating point

_BOOLEANS = {"True": True, "False": False}  # what OSMnx writes into GraphML


class GraphItems(NamedTuple):
    r"""All nodes, or all edges, of a networkx graph and how to read their attributes.

    Args:
        kind (str): :obj:`"node"` or :obj:`"edge"`, for messages.
        names (list): Node, (u, v) or (u, v, key).
        attributes (list of dict): The attributes, not copied.
        defaults (dict): Per attribute, the number where it is missing or :obj:`None`.
    """

    kind: str
    names: list[Any]
    attributes: list[dict[str, Any]]
    defaults: Mapping[str, float]

    def select(self, places: np.ndarray) -> GraphItems:
        r"""Returns some of the items, in the order of :obj:`places`."""
        chosen = places.tolist()
        names = [self.names[place] for place in chosen]
        return self._replace(names=names, attributes=[self.attributes[place] for place in chosen])

    def columns(self, name: str | Sequence[str]) -> np.ndarray:
        r"""Returns one attribute (numbers or arrays), or several that are numbers, as
        :obj:`[items, *]`.
        """
        if not isinstance(name, str):
            return np.stack([self.numbers(each) for each in name], axis=1)
        values = self._values(name)
        array = _stacked(values)
        if array is None:
            arrays = [self._array(item, name, value) for item, value in enumerate(values)]
            for item, each in enumerate(arrays):
                if each.shape != arrays[0].shape:
                    expected = f"shape {list(arrays[0].shape)} as on {self.kind} {self.names[0]!r}"
                    self.refuse(item, name, expected, values[item])
            array = np.stack(arrays)
        self._check_nan(array, name, values)
        return array[:, None] if array.ndim == 1 else array

    def numbers(self, name: str) -> np.ndarray:
        r"""Returns one attribute that is a number, as :obj:`[items]`: booleans, integers or
        floating point numbers.
        """
        values = self._values(name)
        array = _stacked(values)
        if array is None or array.ndim != 1:
            array = self._parsed(name, values)
        self._check_nan(array, name, values)
        return array

    def exact(self, name: str) -> np.ndarray:
        r"""Returns one attribute that is a number, or an array of numbers of one shape on every
        item, as :obj:`[items, *]`; integers that torch cannot hold are refused.
        """
        values = self._values(name)
        array = _stacked(values)
        if array is not None and array.ndim > 1 and array.dtype != np.uint64:
            self._check_nan(array, name, values)
            return array
        array = self.numbers(name)
        for item in np.flatnonzero(np.abs(array.astype(np.float64)) >= 2.0**63):
            value = self.attributes[item].get(name)
            integer = _parsed_integer(value)
            if integer is not None and not -(2**63) <= integer < 2**63:
                self.refuse(int(item), name, "an integer of 64 bits", value)
        return array

    def check_labels(self, values: np.ndarray, name: str) -> None:
        r"""Refuses what cannot be labels of the partition transforms."""
        wrong = np.arange(len(values))
        if values.ndim == 1 and (values.dtype.kind in "iu" or len(values) == 0):
            wrong = np.flatnonzero(values < 0)
        if wrong.size > 0:
            item = int(wrong[0])
            self.refuse(item, name, "a label (an integer from 0)", self.attributes[item].get(name))

    def refuse(self, item: int, name: str, expected: str, value: Any) -> NoReturn:
        r"""Raises the error that names the item and the attribute."""
        raise ValueError(
            f"{self.kind} {self.names[item]!r}, attribute {name!r}: expected {expected}, "
            f"got {'none' if value is None else repr(value)}"
        )

    def _values(self, name: str) -> list[Any]:
        values = [attributes.get(name) for attributes in self.attributes]
        if any(value is None for value in values):
            default = self.defaults.get(name)
            for item, value in enumerate(values):
                if value is None:
                    if default is None:
                        self.refuse(item, name, "a number (or an entry in defaults)", None)
                    values[item] = default
        return values

    def _array(self, item: int, name: str, value: Any) -> np.ndarray:
        array = _stacked(value)
        return np.asarray(float(self._number(item, name, value))) if array is None else array

    def _parsed(self, name: str, values: list[Any]) -> np.ndarray:
        quick = _parsed_texts(values)
        if quick is not None:
            return quick
        booleans = [_BOOLEANS.get(v) if isinstance(v, str) else v for v in values]
        if all(isinstance(value, bool | np.bool_) for value in booleans):
            return np.array(booleans, dtype=bool)
        parsed = [self._number(item, name, value) for item, value in enumerate(values)]
        array = np.array(parsed)
        return array if array.dtype.kind in NUMERIC else np.array(parsed, dtype=np.float64)

    def _number(self, item: int, name: str, value: Any) -> float:
        try:
            integer = _parsed_integer(value)
            if integer is not None:
                float(integer)
                return integer
            if not isinstance(value, str) or "_" not in value:
                return float(value)
        except (TypeError, ValueError, OverflowError):
            pass
        self.refuse(item, name, "a number", value)

    def _check_nan(self, array: np.ndarray, name: str, values: list[Any]) -> None:
        wrong = np.flatnonzero(np.isnan(array).any(axis=tuple(range(1, array.ndim))))
        if wrong.size > 0:
            self.refuse(int(wrong[0]), name, "a number", values[wrong[0]])


class ParallelEdges:
    r"""Edges grouped by source and target, groups in the order of their first edges.

    Args:
        pairs (numpy.ndarray): Source and target of every edge, :obj:`[E, 2]`.
    """

    def __init__(self, pairs: np.ndarray) -> None:
        code = pairs[:, 0] * (pairs.max(initial=0) + 1) + pairs[:, 1]
        _, first, group = np.unique(code, return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        self.first = np.sort(first)
        self.group = rank[group]

    def smallest(self, measure: np.ndarray) -> np.ndarray:
        r"""Returns for each group the edge with the smallest :obj:`measure`; the first one of
        several.
        """
        order = np.lexsort((measure, self.group))
        starts = np.searchsorted(self.group[order], np.arange(len(self.first)))
        return order[starts]

    def total(self, values: np.ndarray) -> np.ndarray:
        r"""Returns the sum of each group; for booleans, whether one of them is true."""
        totals = np.zeros((len(self.first), *values.shape[1:]), values.dtype)
        add = np.logical_or if values.dtype.kind == "b" else np.add
        add.at(totals, self.group, values)
        return totals


def as_tensor(values: np.ndarray) -> Tensor:
    r"""Returns floating point numbers in the default dtype, integers as long, booleans as bool."""
    if values.dtype.kind == "f":
        return torch.from_numpy(values).to(torch.get_default_dtype())
    return torch.from_numpy(values.astype(bool if values.dtype.kind == "b" else np.int64))


def _stacked(values: Any) -> np.ndarray | None:
    """Numbers or arrays of numbers of one shape as an array."""
    if isinstance(values, list) and str in set(map(type, values)):
        return None
    try:
        array = np.asarray(values)
    except ValueError:  # ragged lists
        return None
    return array if array.dtype.kind in NUMERIC else None


def _parsed_texts(values: list[Any]) -> np.ndarray | None:
    """Texts that are all integers of 64 bits, or all numbers: the quick way."""
    if set(map(type, values)) != {str} or "_" in "".join(values):
        return None
    for kind, dtype in ((int, np.int64), (float, np.float64)):
        try:
            return np.fromiter(map(kind, values), dtype, len(values))
        except (ValueError, OverflowError):
            pass
    return None


def _parsed_integer(value: Any) -> int | None:
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, str) and "_" not in value:  # Python reads "1_0" as 10
        try:
            return int(value)
        except ValueError:
            pass
    return None
