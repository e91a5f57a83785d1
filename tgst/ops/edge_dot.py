"""The dot product per edge in chunks of edges, for devices without a fused kernel."""

from __future__ import annotations

import torch
from torch import Tensor

_CHUNK_ELEMENTS = 1 << 22  # gathered numbers held at once and per operand: 16 MB in float32


def edge_dot(g: Tensor, x: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """Return ``(g[target] * x[source]).sum(-1)`` without a tensor of ``E * F`` elements."""
    out = g.new_empty(source.shape[0])
    # Half precision is multiplied and summed in float32, as the fused kernels do.
    compute = torch.float32 if g.dtype in (torch.float16, torch.bfloat16) else g.dtype
    step = max(1, _CHUNK_ELEMENTS // max(1, g.shape[1]))
    for start in range(0, source.shape[0], step):
        part = slice(start, start + step)
        left = g.index_select(0, target[part]).to(compute)
        right = x.index_select(0, source[part]).to(compute)
        out[part] = left.mul_(right).sum(-1)
    return out
