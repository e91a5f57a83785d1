"""The table of backends: one module each, with ``spmm`` and ``sddmm`` over plain tensors."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from tgst.ops import (
    column_blocks,
    dense,
    embedding_bag,
    reference,
    sparse_csr,
    torch_scatter,
    triton,
)


class Backend(Protocol):
    """The two products, over rows ``[rows, F]`` and the six index tensors of a graph."""

    def spmm(
        self,
        x: Tensor,
        weight: Tensor | None,
        source: Tensor,
        target: Tensor,
        in_ptr: Tensor,
        in_order: Tensor,
        out_ptr: Tensor,
        out_order: Tensor,
    ) -> Tensor:
        """Return the weighted sum over the edges that enter each row."""

    def sddmm(
        self,
        g: Tensor,
        x: Tensor,
        source: Tensor,
        target: Tensor,
        in_ptr: Tensor,
        in_order: Tensor,
        out_ptr: Tensor,
        out_order: Tensor,
    ) -> Tensor:
        """Return the dot product of the two rows of each edge."""


BACKENDS: dict[str, Backend] = {
    "embedding_bag": embedding_bag,
    "column_blocks": column_blocks,
    "triton": triton,
    "sparse_csr": sparse_csr,
    "dense": dense,
    "torch_scatter": torch_scatter,
    "reference": reference,
}


def check_backend(name: object, device: torch.device | None = None) -> None:
    """Check that a backend exists and can be imported; ``"auto"`` is fine.

    Args:
        name (str): The name.
        device (torch.device, optional): Where it is to run, if known.

    Raises:
        ValueError: If there is no such backend, or it does not run on the device.
        ImportError: If the backend needs a package that is not installed.
    """
    if name != "auto" and name not in BACKENDS:
        raise ValueError(f"backend: expected one of {['auto', *BACKENDS]}, got {name!r}")
    if name == "torch_scatter":
        torch_scatter.check_installed()
    if name == "triton":
        triton.check_installed()
        if device is not None:
            triton.check_device(device)
