r"""Checks and conversions of what enters a plot."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def as_array(name: str, value: Any, shape: tuple[int | None, ...]) -> np.ndarray:
    r"""Returns a tensor or array as a numpy array after a check of its shape.

    Args:
        name (str): Name of the argument, for the message.
        value (torch.Tensor or numpy.ndarray): The values.
        shape (tuple[int or None]): The expected size of each dimension; :obj:`None` for any.

    Raises:
        ValueError: If the shape differs.
    """
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = value.float() if value.dtype in (torch.bfloat16, torch.float16) else value
    value = np.asarray(value)
    fits = value.ndim == len(shape) and all(
        size is None or size == actual for size, actual in zip(shape, value.shape, strict=True)
    )
    if not fits:
        expected = ", ".join("*" if size is None else str(size) for size in shape)
        raise ValueError(f"{name}: expected shape [{expected}], got {list(value.shape)}")
    return value
