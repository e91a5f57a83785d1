r"""Cluttered MNIST: a digit somewhere in an image, among pieces of other digits."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from tgst.datasets.download import RemoteFile, local_files

FILE = RemoteFile("cluttered_mnist_40x40.npz")
SOURCE = (
    "it is the archive of X_train, y_train, X_valid and y_valid that goes around with "
    "implementations of the Spatial Transformer"
)
SIDE = 40  # pixels
PARTS = {"train": "train", "test": "valid"}  # what the archive calls them


class ClutteredMNIST(Dataset[tuple[Tensor, int]]):
    r"""Distorted digits among clutter, as in `"Spatial Transformer Networks"
    <https://arxiv.org/abs/1506.02025>`_ (Jaderberg et al., 2015): MNIST digits at random places of
    a larger image, with small patches of other digits beside them; 10,000 images to train on and
    1,000 to test on.

    :obj:`dataset[i]` is an image and its class. :obj:`dataset.images` and :obj:`dataset.labels` are
    all of them in one tensor each, which is what :class:`tgst.loader.ImageLoader` reads.

    The archive calls the test images ``X_valid``. They are no validation set: to choose anything,
    hold training images out (:class:`tgst.train.ImageData` does, by ``validation_share``).

    Args:
        root (str or Path): Folder of ``cluttered_mnist_40x40.npz``. No publisher's address is
            known: it has to be there.
        part (str, optional): :obj:`"train"` or :obj:`"test"`. (default: :obj:`"train"`)

    Shapes:
        - **images:** :math:`(N, 1, 40, 40)` float32 in 0..1, row 0 at the top
        - **labels:** :math:`(N)` long in 0..9

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file is no such archive or lacks an array, if arrays do not fit, or if
            there is no such part; names the file and the array.
    """

    class_names: tuple[str, ...] = tuple("0123456789")

    def __init__(self, root: str | Path, part: Literal["train", "test"] = "train") -> None:
        if part not in PARTS:
            raise ValueError(f"part: expected one of {', '.join(PARTS)}, got {part!r}")
        self.part = part
        (path,) = local_files(Path(root).expanduser(), [FILE], SOURCE)
        names = (f"X_{PARTS[part]}", f"y_{PARTS[part]}")
        pixels, digits = _read_arrays(path, names)
        self.images = _as_images(pixels, f"{path}: {names[0]}")
        self.labels = _as_labels(digits, len(self.images), f"{path}: {names[1]}")

    @property
    def num_classes(self) -> int:
        r"""Number of classes."""
        return len(self.class_names)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images[index], int(self.labels[index])

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({len(self)}, part={self.part!r})"


def _read_arrays(path: Path, names: tuple[str, ...]) -> list[np.ndarray]:
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise ValueError("one array")
        with archive:
            lacking = [name for name in names if name not in archive.files]
            if lacking:
                raise KeyError(lacking[0])
            return [archive[name] for name in names]
    except KeyError as error:
        raise ValueError(
            f"{path}: expected arrays {', '.join(names)}, got no {error.args[0]} in it"
        ) from error
    # what is no archive, is cut short, or holds pickled objects
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: expected an .npz archive of plain arrays, got {error or 'another file'}"
        ) from error


def _as_images(pixels: np.ndarray, where: str) -> Tensor:
    if pixels.shape[1:] not in ((SIDE * SIDE,), (SIDE, SIDE)) or pixels.dtype.kind not in "fui":
        raise ValueError(
            f"{where}: expected numbers of shape (N, {SIDE * SIDE}) or (N, {SIDE}, {SIDE}), got "
            f"{pixels.dtype} {pixels.shape}"
        )
    images = torch.from_numpy(pixels.astype(np.float32)).view(-1, 1, SIDE, SIDE)
    if not bool(((images >= 0) & (images <= 1)).all()):
        low, high = float(images.min()), float(images.max())
        raise ValueError(f"{where}: expected values in 0..1, got {low:g} to {high:g}")
    return images


def _as_labels(digits: np.ndarray, count: int, where: str) -> Tensor:
    r"""Classes that are stored as numbers, in one column or none, or one-hot."""
    if digits.dtype.kind not in "fui":
        raise ValueError(f"{where}: expected digits 0 to 9, got {digits.dtype}")
    if digits.shape == (count, 10):
        sums = digits.sum(axis=1)
        if (sums != 1).any() or (digits.max(axis=1) != 1).any():
            raise ValueError(f"{where}: expected one 1 in each row, got others")
        digits = digits.argmax(axis=1)
    if digits.shape not in ((count,), (count, 1)):
        raise ValueError(
            f"{where}: expected shape ({count},), ({count}, 1) or ({count}, 10), got {digits.shape}"
        )
    if not np.isin(digits, np.arange(10)).all():
        raise ValueError(f"{where}: expected digits 0 to 9, got others")
    return torch.from_numpy(digits.reshape(-1).astype(np.int64))
