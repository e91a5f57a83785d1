"""Pickles that hold data only."""

from __future__ import annotations

import pickle
import re
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

# Whatever bytes make the unpickler raise: its machine is not one that checks its input.
_BROKEN = (
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)
_BUILTINS = {"complex": complex, "frozenset": frozenset, "set": set}
_PLAIN = re.compile(r"[biufcSU?]\d*")  # booleans, numbers and text
_LEAVES = (type(None), bool, int, float, complex, str, bytes, bytearray, np.ndarray, np.generic)


def read_pickle(path: str | Path) -> Any:
    r"""Reads a pickle of plain data: containers and scalars of Python, and arrays and scalars of
    NumPy that hold numbers, booleans or text.

    A pickle is a program. This one may name nothing but builtin containers,
    :class:`collections.OrderedDict` and the functions that NumPy rebuilds arrays by, and in their
    places stand functions that check what they are given: no function of NumPy is ever called with
    arguments of the file, and nothing is imported. Anything else (objects of classes, functions,
    arrays of objects) is refused before it is called. A hostile file can still take much memory, up
    to what the process may have: nothing of it runs, but it is no file to read in a service.

    Arrays may be read-only, for they show the bytes of the file; copy them to write.

    Args:
        path (str or Path): The file; those that Python 2 wrote are read as well.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no pickle, cut off, or names something that is not plain data; the
            message says what.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a file, found none")
    with path.open("rb") as file:
        try:
            return _resolved(_RestrictedUnpickler(file, encoding="latin1").load(), {})
        except _BROKEN as error:
            reason = str(error) or repr(error)
            raise ValueError(
                f"{path}: expected a pickle of plain data, got one with: {reason}; is it cut off "
                "or another file?"
            ) from error


class _RestrictedUnpickler(pickle.Unpickler):
    """Gives only what plain data needs.

    All that a pickle can get hold of is a :class:`_Function` (a bound method would hand out the
    dictionary of its function, which a file could fill), an object made for it, or builtin and
    fixed: a file cannot change how the next one is read.
    """

    def find_class(self, module: str, name: str) -> Any:
        if module in ("builtins", "__builtin__") and name in _BUILTINS:
            return _BUILTINS[name]
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("_codecs", "encode"):
            return _Function(self._encoded)
        if module in ("builtins", "__builtin__") and name in ("bytes", "bytearray"):
            return _Function(self._bytes if name == "bytes" else self._bytearray)
        if module == "numpy" and name in ("ndarray", "dtype"):
            return _Function(self._dtype) if name == "dtype" else "ndarray"
        functions: dict[str, Callable[..., Any]] = {
            "multiarray._reconstruct": self._empty,
            "multiarray.scalar": self._scalar,
            "numeric._frombuffer": self._from_buffer,
        }
        found = functions.get(f"{module.rpartition('.')[2]}.{name}")
        if found is None or module.rpartition(".")[0] not in ("numpy.core", "numpy._core"):
            raise pickle.UnpicklingError(f"{module}.{name}, which is not plain data")
        return _Function(found)

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("a reference to something outside of it")

    def _encoded(self, text: str, encoding: str) -> bytes:  # bytes in old protocols
        if encoding != "latin1":
            raise ValueError(f"bytes encoded as {encoding!r}")
        return text.encode("latin1")

    def _bytes(self) -> bytes:  # old protocols name the empty ones, and encode all others
        return b""

    def _bytearray(self, content: str | bytes = b"", encoding: str = "latin-1") -> bytearray:
        if isinstance(content, str) and encoding == "latin-1":
            content = content.encode("latin1")
        if not isinstance(content, bytes):  # of a number, it would be as long as that says
            raise ValueError("a bytearray that is not made of bytes")
        return bytearray(content)

    def _dtype(self, code: str, align: bool = False, copy: bool = True) -> _PlainDtype:
        return _PlainDtype(code)

    def _empty(self, kind: str, shape: Any, dtype: Any) -> _PlainArray:
        if kind != "ndarray":
            raise ValueError(f"an array of the kind {kind!r}")
        return _PlainArray()

    def _scalar(self, dtype: _PlainDtype, content: Any) -> Any:
        return _array(content, dtype, (), "C")[()]

    def _from_buffer(
        self, content: Any, dtype: _PlainDtype, shape: tuple[int, ...], order: str
    ) -> np.ndarray:
        return _array(content, dtype, shape, order)


class _Function:
    """Can be called, and not be changed."""

    __slots__ = ("_call",)
    _call: Callable[..., Any]

    def __init__(self, call: Callable[..., Any]) -> None:
        object.__setattr__(self, "_call", call)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a function whose attributes are set")

    def __call__(self, *arguments: Any) -> Any:
        return self._call(*arguments)


class _PlainDtype:
    """A dtype of numbers or text, as a pickle describes it."""

    __slots__ = ("value",)

    def __init__(self, code: str) -> None:
        if not isinstance(code, str) or _PLAIN.fullmatch(code) is None:
            raise ValueError(f"an array of {code!r}, expected numbers or text")
        self.value = np.dtype(code)

    def __setstate__(self, state: tuple) -> None:
        _, order, parts, names, fields = state[:5]
        if order not in ("<", ">", "=", "|") or (parts, names, fields) != (None, None, None):
            raise ValueError("an array of records")
        if order in ("<", ">"):
            self.value = self.value.newbyteorder(order)


class _PlainArray:
    """An array, which a pickle makes empty and fills later."""

    __slots__ = ("value",)

    def __setstate__(self, state: tuple) -> None:
        _, shape, dtype, by_columns, content = state
        self.value = _array(content, dtype, shape, "F" if by_columns else "C")


def _array(content: Any, dtype: Any, shape: Any, order: str) -> np.ndarray:
    if isinstance(content, str):  # the bytes of Python 2
        content = content.encode("latin1")
    if not isinstance(dtype, _PlainDtype) or not isinstance(content, (bytes, bytearray)):
        raise ValueError("an array that is not made of bytes")
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"an array of the shape {shape!r}")
    if dtype.value.kind == "U":
        letters = np.frombuffer(content, f"{dtype.value.str[0]}u4")
        if letters.size and letters.max() > sys.maxunicode:  # nothing that uses them checks it
            raise ValueError("text of letters that there are not")
    return np.frombuffer(content, dtype.value).reshape(shape, order="F" if order == "F" else "C")


def _resolved(value: Any, known: dict[int, tuple[Any, Any]]) -> Any:
    """The same with arrays in the places of those that stand for them; refuses what is no data."""
    if isinstance(value, _LEAVES):
        return value
    if isinstance(value, _PlainArray):
        return value.value
    if isinstance(value, (set, frozenset)):
        for entry in value:
            _resolved(entry, known)
        return value
    if type(value) not in (dict, OrderedDict, list, tuple) or getattr(value, "__dict__", None):
        raise ValueError(f"{type(value).__name__} in the place of plain data")
    if id(value) not in known:
        known[id(value)] = (value, value)  # kept: the id of what is gone is given to others
        if isinstance(value, tuple):
            entries = tuple(_resolved(entry, known) for entry in value)
            known[id(value)] = (value, entries)
        elif isinstance(value, list):
            value[:] = [_resolved(entry, known) for entry in value]
        else:
            for key in value:
                _resolved(key, known)
                value[key] = _resolved(value[key], known)
    return known[id(value)][1]
