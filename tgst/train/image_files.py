r"""Images of one's own, to be classified."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

__all__ = ["read_images"]


def read_images(path: str | Path, num_channels: int, image_size: Sequence[int]) -> Tensor:
    r"""Images out of an ``.npy`` file.

    Integers of one byte are divided by 255; other numbers are taken as they are.

    Args:
        path: The file: an array of shape ``(N, C, H, W)``, ``(N, H, W)`` or, row by row,
            ``(N, C * H * W)``.
        num_channels: Channels that an image must have.
        image_size: Height and width that it must have.

    Shapes:
        - **output**: :math:`(N, C, H, W)` float32

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no array of numbers or has another shape.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"input: there is no file {path}")
    shape = (num_channels, *image_size)
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"input: expected {path} to be an .npy array, got {error}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        kind = getattr(array, "dtype", type(array).__name__)
        raise ValueError(f"input: expected {path} to be an .npy array of numbers, got {kind}")
    flat = int(np.prod(shape))
    fits = array.shape[1:] in (shape, (flat,)) or (shape[0] == 1 and array.shape[1:] == shape[1:])
    if not fits or len(array) == 0:
        raise ValueError(
            f"input: expected images of shape (N, {', '.join(map(str, shape))}) or (N, {flat}) in "
            f"{path}, got {array.shape}"
        )
    images = torch.from_numpy(array.astype(np.float32)).view(-1, *shape)
    return images / 255 if array.dtype == np.uint8 else images
