"""Products by Triton kernels: CUDA's default where Triton can be imported.

Deterministic by construction: no atomic additions, and block sizes that follow from the width and
the dtype alone (nothing is tuned at run time), so that equal inputs give equal bits on a device.
Half precision is multiplied and summed in float32, float64 in itself. Addresses are computed in 64
bits, whatever the dtype of the indices. Nothing waits for the device and no shape depends on the
values, hence the products may be captured in a CUDA graph.

A row of many edges is not left to one program: the sorted edges are cut into segments of a fixed
length, those that lie within a long row are summed by programs of their own into a workspace, and
the program of the row adds these partial sums in order. The workspace has one row per segment,
0.4 % of a feature vector per edge.
"""

from __future__ import annotations

import functools
import os
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

_SEGMENT = 256  # edges; a row from twice as many on is split
_LANE_BYTES = 16 * 32  # what one warp reads at once


@torch.compiler.assume_constant_result
def _import_error() -> str | None:
    return _try_import()


@functools.cache
def _try_import() -> str | None:
    try:
        import triton
        import triton.language  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: a library it is linked to is missing
        return str(error)
    return None


@functools.cache
def _kernels() -> ModuleType:
    from tgst.ops import triton_kernels

    return triton_kernels


@torch.compiler.assume_constant_result
def is_available(device_type: str) -> bool:
    """Say whether the kernels run on a kind of device: ``"cuda"``, or ``"cpu"`` interpreted.

    Args:
        device_type (str): The type of a :class:`torch.device`.
    """
    if device_type == "cuda":
        return torch.cuda.is_available() and _import_error() is None and is_new_enough()
    return device_type == "cpu" and _is_interpreted() and _import_error() is None


@functools.cache
def is_new_enough() -> bool:
    """Say whether all CUDA devices, if any, are of a kind that Triton compiles for."""
    # Volta and later; the weakest device decides, so that one answer holds for all.
    devices = range(torch.cuda.device_count())
    return all(torch.cuda.get_device_capability(device) >= (7, 0) for device in devices)


def _is_interpreted() -> bool:
    return os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "on", "yes", "y")


def check_installed() -> None:
    """Raise an :class:`ImportError` that says how to install Triton.

    Raises:
        ImportError: If Triton cannot be imported.
    """
    error = _import_error()
    if error is not None:
        raise ImportError(
            f"backend: 'triton' needs the package triton: pip install triton ({error})"
        )


def check_device(device: torch.device) -> None:
    """Check that the kernels run on a device.

    Raises:
        ValueError: If they do not.
    """
    if not is_available(device.type):
        raise ValueError(
            "backend: 'triton' expected tensors on a CUDA device (compute capability 7.0 or "
            f"later), got {device}; to run Triton's slow interpreter on CPU, set the environment "
            "variable TRITON_INTERPRET=1 before triton is imported"
        )


def spmm(
    x: Tensor,
    weight: Tensor | None,
    source: Tensor,
    target: Tensor,
    in_ptr: Tensor,
    in_order: Tensor,
    out_ptr: Tensor,
    out_order: Tensor,
) -> Tensor:
    """Sum each row by one program per block of columns, long rows by several."""
    check_device(x.device)
    x, width, num_rows = _unit_stride(x), x.shape[1], in_ptr.shape[0] - 1
    source, target, ptr, order = (t.contiguous() for t in (source, target, in_ptr, in_order))
    out = x.new_empty((num_rows, width))
    options = _row_blocks(width, x.dtype)
    column_blocks = -(-width // options["BLOCK_F"])
    num_segments = source.shape[0] // _SEGMENT
    split = num_segments > 1  # else no row is long
    total = _total_dtype(x.dtype)
    partial = x.new_empty((num_segments if split else 0, width), dtype=total)
    weighted = weight is not None
    factors = x if weight is None else weight.contiguous()  # any pointer; it is not read
    options |= {"WEIGHTED": weighted, "SEGMENT": _SEGMENT}
    kernels = _kernels()
    with _on(x.device):
        if split:
            kernels.sum_segments[(num_segments * column_blocks,)](
                partial, x, x.stride(0), factors, source, target, ptr, order, width,
                column_blocks, **options,
            )  # fmt: skip
        kernels.sum_rows[(num_rows * column_blocks,)](
            out, partial, x, x.stride(0), factors, source, ptr, order, width, column_blocks,
            SPLIT=split, TOTAL=_triton_dtype(total), **options,
        )  # fmt: skip
    return out


def sddmm(
    g: Tensor,
    x: Tensor,
    source: Tensor,
    target: Tensor,
    in_ptr: Tensor,
    in_order: Tensor,
    out_ptr: Tensor,
    out_order: Tensor,
) -> Tensor:
    """Take the dot products of a block of edges per program, over all columns in turn."""
    check_device(g.device)
    g, x, width, num_edges = _unit_stride(g), _unit_stride(x), g.shape[1], source.shape[0]
    source, target, order = (t.contiguous() for t in (source, target, in_order))
    out = g.new_empty(num_edges)
    options = _dot_blocks(width)
    with _on(g.device):
        _kernels().dot_edges[(-(-num_edges // options["BLOCK_E"]),)](
            out, g, g.stride(0), x, x.stride(0), source, target, order, num_edges, width,
            TOTAL=_triton_dtype(_total_dtype(g.dtype)), **options,
        )  # fmt: skip
    return out


def _row_blocks(width: int, dtype: torch.dtype) -> dict[str, Any]:
    # A thread reads 16 bytes of each of several rows at once; a warp spans neighbouring columns.
    columns = min(256, max(16, _power_of_two(width)))
    edges = min(16, max(4, 512 // columns))
    warps = min(4, max(1, columns * dtype.itemsize // _LANE_BYTES))
    return {"BLOCK_F": columns, "BLOCK_E": edges, "num_warps": warps}


def _dot_blocks(width: int) -> dict[str, Any]:
    columns = min(256, max(16, _power_of_two(width)))
    return {"BLOCK_F": columns, "BLOCK_E": 2048 // columns, "num_warps": 4}


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()


def _total_dtype(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _triton_dtype(dtype: torch.dtype) -> Any:
    import triton.language as tl

    return tl.float64 if dtype == torch.float64 else tl.float32


def _unit_stride(rows: Tensor) -> Tensor:
    return rows if rows.stride(1) == 1 else rows.contiguous()


def _on(device: torch.device) -> Any:
    # A kernel is launched on the current device, which may be another one.
    return torch.cuda.device(device if device.type == "cuda" else -1)
