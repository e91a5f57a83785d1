r"""Activations that are computed again in the backward pass instead of being kept for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import checkpoint


def run_block(block: Module, *given: Any, recompute: bool) -> Tensor:
    r"""Runs a block of a network, and keeps only what it is given if it is to be recomputed.

    The gradients are those of the block run as it is: random numbers are drawn again from the same
    state, and the running statistics of batch normalisations move once.

    Args:
        block (torch.nn.Module): The block.
        *given: Its arguments.
        recompute (bool): Whether the activations of the block are computed again in the backward
            pass. In evaluation mode and without gradients they are not.
    """
    if not (recompute and block.training and torch.is_grad_enabled()):
        return block(*given)
    if torch.compiler.is_compiling():
        # Compiled code writes the statistics once, whatever it computes again.
        return checkpoint(block, *given, use_reentrant=False)
    return checkpoint(
        block,
        *given,
        use_reentrant=False,
        context_fn=lambda: (nullcontext(), _still_statistics(block)),
    )


@contextmanager
def _still_statistics(block: Module) -> Iterator[None]:
    # On copies: the statistics have followed this batch already. Without any, fewer tensors would
    # be saved than at first, which checkpoint refuses.
    norms = [part for part in block.modules() if isinstance(part, _NormBase)]
    buffers = [dict(norm._buffers) for norm in norms]
    for norm in norms:
        for name, value in norm._buffers.items():
            norm._buffers[name] = None if value is None else value.clone()
    try:
        yield
    finally:
        for norm, kept in zip(norms, buffers, strict=True):
            norm._buffers.update(kept)
