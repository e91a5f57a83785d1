"""Memory that the C library keeps instead of asking the system for it again."""

from __future__ import annotations

import ctypes
import sys

# Of glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def keep_memory() -> bool:
    r"""Let the process keep the memory of freed tensors on CPU for those that follow.

    glibc asks the system for every block above 32 MiB anew and gives it back when it is freed; the
    system then clears each of its pages at the first touch, which can take longer than the
    computation that fills them. After this call blocks come out of the heap and stay there. The
    process holds on to the largest amount of memory that it has needed, which is what a training
    loop needs again in the next step; it is a switch for a whole process, and cannot be undone.
    The environment variables ``MALLOC_MMAP_MAX_=0`` and ``MALLOC_TRIM_THRESHOLD_=100000000000``
    have the same effect on any program.

    Returns:
        bool: Whether the C library is glibc and has taken the setting.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version") or not hasattr(library, "mallopt"):
        return False  # musl has neither
    # A threshold of -1 is the largest unsigned number: nothing is given back.
    return bool(library.mallopt(_MMAP_MAX, 0) and library.mallopt(_TRIM_THRESHOLD, -1))
