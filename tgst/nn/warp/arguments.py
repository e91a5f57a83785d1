r"""Checks and precision of what enters warps and samplers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

__all__ = ["LAYOUTS", "check_image", "check_size", "full_precision", "holds_values", "widened"]

LAYOUTS = {2: "[B, C, H, W]", 3: "[B, C, D, H, W]"}
SIZES = {2: "(height, width)", 3: "(depth, height, width)"}


def check_image(x: Tensor, dim: int | None = None) -> None:
    r"""Raises unless :obj:`x` is a float image :math:`(B, C, *)` of :obj:`dim` dimensions."""
    if not isinstance(x, Tensor):
        raise TypeError(f"x: expected a Tensor, got {type(x).__name__}")
    dims = (2, 3) if dim is None else (dim,)
    if x.dim() - 2 not in dims:
        layouts = " or ".join(LAYOUTS[each] for each in dims)
        raise ValueError(f"x: expected {layouts} (channels first), got shape {list(x.shape)}")
    if not x.is_floating_point():
        raise TypeError(f"x: expected a float tensor, got {x.dtype}")
    if min(x.shape[2:]) < 1:
        raise ValueError(
            f"x: expected {LAYOUTS[x.dim() - 2]} with at least one pixel, got {list(x.shape)}"
        )


def check_size(size: Sequence[int], dim: int, name: str = "size") -> tuple[int, ...]:
    r"""Returns :obj:`size` as a tuple, if it is :obj:`dim` whole numbers of at least one."""
    sizes = tuple(size) if isinstance(size, Iterable) else (size,)
    whole = not any(isinstance(n, float) for n in sizes)
    if len(sizes) != dim or not whole or min(sizes) < 1:
        raise ValueError(f"{name}: expected {dim} sizes {SIZES[dim]}, each at least 1, got {sizes}")
    return sizes


def holds_values(x: Tensor) -> bool:
    r"""Whether :obj:`x` holds numbers that may be looked at or kept: not so in a traced graph, in
    :mod:`torch.func`, on the meta device or if it is a fake tensor.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():
        return False
    return type(x) is Tensor and not x.is_meta and not torch._C._are_functorch_transforms_active()


def widened(x: Tensor) -> Tensor:
    r"""Returns :obj:`x` in float32 if its dtype is narrower, else as it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def full_precision(device_type: str) -> AbstractContextManager:
    r"""Switches autocast off where it is on."""
    # Entered only then, so that an exported graph holds no trace of it.
    if device_type != "meta" and torch.is_autocast_enabled(device_type):
        return torch.autocast(device_type, enabled=False)
    return nullcontext()
