r"""Text files that are either the old one or the new one."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["write_text"]


def write_text(path: Path, text: str) -> None:
    r"""Writes a file of scores as a whole or not at all.

    Args:
        path: The file; a missing folder is made.
        text: What it shall hold.

    Raises:
        OSError: If it cannot be written; names it.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        reason = f"cannot write the scores ({error.strerror})"
        raise OSError(error.errno, reason, str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
