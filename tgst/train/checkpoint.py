r"""Reading and writing checkpoints safely."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO
from torch import Tensor

__all__ = ["AtomicCheckpointIO", "model_difference"]


class AtomicCheckpointIO(CheckpointIO):
    r"""Checkpoint files that are either the old one or the new one, and never run code.

    A checkpoint is written to a temporary file in the target's own folder, flushed to the disk and
    renamed over the target. A full disk, a signal or a power failure while saving therefore leaves
    the previous file as it was. Files are read with ``weights_only=True``: tensors, numbers,
    strings and plain containers are admitted, pickled objects are refused.

    Example::

        Trainer(plugins=[AtomicCheckpointIO()])
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None
    ) -> None:
        r"""Writes a checkpoint as a whole or not at all.

        Args:
            checkpoint: What to save.
            path: The file; missing folders are made.
            storage_options: Not supported, must be None.

        Raises:
            ValueError: If ``storage_options`` is given.
            OSError: If the file cannot be written (no space, no permission); names the path.
        """
        if storage_options is not None:
            raise ValueError(f"storage_options must be None, got {storage_options!r}")
        path = Path(path)
        # the process id keeps two runs that save to one place apart
        temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, "wb") as file:
                torch.save(checkpoint, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            _flush_folder(path.parent)
        # torch reports a failed write of its archive as a RuntimeError
        except (OSError, RuntimeError) as error:
            number, reason = _cause(error)
            raise OSError(
                number,
                f"cannot save the checkpoint ({reason}); one saved there before is untouched",
                str(path),
            ) from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        r"""Reads a checkpoint without unpickling objects.

        Args:
            path: The file.
            map_location: Where tensors go, as in :func:`torch.load`; the CPU when None.
            weights_only: Ignored: always True.

        Returns:
            The dictionary that was saved.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is no checkpoint, is cut short, or holds pickled objects.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"checkpoint {path} does not exist")
        try:
            checkpoint = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        except UnpicklingError as error:
            raise ValueError(
                f"checkpoint {path} is not a file of tensors and plain containers; objects in it "
                "are not unpickled, because that can run code"
            ) from error
        # a file of another kind trips the reader wherever its bytes happen to; one that is cut
        # short may make it seek to before its beginning
        except (RuntimeError, EOFError, LookupError, ValueError, TypeError, OSError) as error:
            if isinstance(error, OSError) and error.errno != errno.EINVAL:
                raise  # the file system's own word
            reason = str(error).splitlines()[0] if str(error) else "end of file"
            raise ValueError(
                f"checkpoint {path} is damaged or not a checkpoint ({reason})"
            ) from error
        if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
            raise ValueError(f"checkpoint {path} holds no 'state_dict': not made by a fit")
        return checkpoint

    def remove_checkpoint(self, path: str | Path) -> None:
        r"""Removes a checkpoint file if it exists.

        Args:
            path: The file.
        """
        Path(path).unlink(missing_ok=True)


def _cause(error: BaseException) -> tuple[int, str]:
    """The operating system's own error number and words, wherever they hide in the chain."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, OSError) and link.errno is not None:
            return link.errno, str(link.strerror)
        link = link.__cause__ or link.__context__
    return errno.EIO, str(error).splitlines()[0]


def _flush_folder(folder: Path) -> None:
    if os.name != "posix":  # folders cannot be opened elsewhere
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def model_difference(
    own: Mapping[str, Tensor], saved: Mapping[str, Tensor], limit: int = 3
) -> list[str]:
    r"""Says how the parameters of a checkpoint differ in name and shape from a model's.

    Args:
        own: The model's ``state_dict``.
        saved: The checkpoint's.
        limit: At most this many names per kind of difference.

    Returns:
        One sentence per kind of difference; empty if the checkpoint fits the model.
    """
    shapes = [
        f"{name} is {tuple(saved[name].shape)} in the checkpoint and {tuple(own[name].shape)} here"
        for name in own
        if name in saved and own[name].shape != saved[name].shape
    ]
    lacking = [name for name in own if name not in saved]
    extra = [name for name in saved if name not in own]
    sentences = []
    if shapes:
        sentences.append("; ".join(_shortened(shapes, limit)))
    if lacking:
        sentences.append(f"the checkpoint lacks {', '.join(_shortened(lacking, limit))}")
    if extra:
        sentences.append(f"only the checkpoint has {', '.join(_shortened(extra, limit))}")
    return sentences


def _shortened(items: list[str], limit: int) -> list[str]:
    return items if len(items) <= limit else [*items[:limit], f"and {len(items) - limit} more"]
