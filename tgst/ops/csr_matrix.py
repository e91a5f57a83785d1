"""A ``torch.sparse`` CSR matrix from the sorted edges of a graph, for use inside an operator."""

from __future__ import annotations

import functools
import warnings

import torch
from torch import Tensor

_INT32_MAX = 2**31 - 1


def csr_matrix(ptr: Tensor, columns: Tensor, values: Tensor, num_columns: int) -> Tensor:
    """Return the matrix with ``values`` in sorted rows; parallel edges stay separate entries."""
    size = (ptr.shape[0] - 1, num_columns)
    if max(*size, values.shape[0]) <= _INT32_MAX:
        # The libraries count in 32 bits; torch would copy wider indices for each product.
        ptr, columns = ptr.int(), columns.int()
    _use_up_the_warning()
    # No check: the adjacency was validated when it was built, and a check waits for the device.
    return torch.sparse_csr_tensor(ptr, columns, values, size, check_invariants=False)


@functools.cache
def _use_up_the_warning() -> None:
    # torch says once per process that CSR tensors are in beta state. Nothing of them leaves the
    # operator, and one filter here disturbs no other warning, as a filter around each use would.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support")
        torch.zeros(1, 1).to_sparse_csr()
