r"""Reading checkpoint files without running what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, BinaryIO

import torch
from torch import Tensor

# Under what name training codes save the weights beside their optimiser and their settings.
_WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net", "weights")


def read_checkpoint(path: str | Path) -> dict[str, Tensor]:
    r"""Reads the tensors of a checkpoint file, without unpickling objects.

    The file may hold the tensors themselves (the released :obj:`.pt` files of ST-GCN) or a
    dictionary that holds them under :obj:`"state_dict"`, :obj:`"model"` or a like name (mmskeleton,
    PYSKL, mmaction2, Lightning). A prefix :obj:`"module."` is taken off all keys, and half
    precision is widened to :obj:`torch.float32`, which loses nothing.

    Args:
        path (str or Path): The file, as :func:`torch.save` of any version writes it.

    Returns:
        dict: Name to tensor, on the CPU, in the order of the file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is cut short, is no checkpoint, holds pickled objects (which are
            not loaded, because that can run code) or holds no tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"checkpoint {path} does not exist")
    with open(path, "rb") as file:
        content = _loaded(file, path)
    try:
        return plain_tensors(content)
    except ValueError as error:
        raise ValueError(f"checkpoint {path}: {error}") from error


def _loaded(file: BinaryIO, path: Path) -> Any:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise ValueError(
            f"checkpoint {path} holds pickled objects beside tensors and plain containers; they "
            "are not loaded, because that can run code. If you trust the file, save its "
            "'state_dict' alone with the code it comes from"
        ) from error
    # a file of another kind, or half of one, trips the reader wherever its bytes happen to
    except (
        RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError, OSError
    ) as error:  # fmt: skip
        reason = str(error).splitlines()[0] if str(error) else "end of file"
        raise ValueError(f"checkpoint {path} is damaged or not a checkpoint ({reason})") from error


def plain_tensors(content: Any) -> dict[str, Tensor]:
    r"""Takes the tensors out of what a checkpoint file holds.

    Args:
        content: A mapping of names to tensors, or a mapping that holds one.

    Returns:
        dict: Name to tensor, without :obj:`"module."` and in single precision at least.

    Raises:
        ValueError: If there are no tensors, or something else among them.
    """
    found = _unwrapped(content)
    if not found:
        raise ValueError(f"expected a dictionary of tensors, got {_description(content)}")
    other = [name for name, value in found.items() if not isinstance(value, Tensor)]
    if other:
        raise ValueError(f"expected tensors only, got {_description(found[other[0]])}: {other[0]}")
    tensors = dict(found)
    while all(name.startswith("module.") for name in tensors):
        tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    return {name: _widened(value.detach()) for name, value in tensors.items()}


def _unwrapped(content: Any) -> Mapping[str, Any] | None:
    if not isinstance(content, Mapping) or not all(isinstance(name, str) for name in content):
        return None
    for wrapper in _WRAPPERS:
        if isinstance(content.get(wrapper), Mapping):
            return _unwrapped(content[wrapper])
    return content if any(isinstance(value, Tensor) for value in content.values()) else None


def _widened(tensor: Tensor) -> Tensor:
    narrow = tensor.dtype in (torch.float16, torch.bfloat16)
    return tensor.float() if narrow else tensor


def _description(value: Any) -> str:
    if isinstance(value, Mapping):
        names = ", ".join(str(name) for name in list(value)[:5])
        return f"a dictionary of {names or 'nothing'}"
    return f"a {type(value).__name__}"
