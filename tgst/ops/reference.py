"""The formula written down: gather, scale, add. For export, forward-mode AD and tests."""

from __future__ import annotations

from torch import Tensor


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
    """Add the weighted rows of the sources to the rows of the targets, ``[rows_in, F]``."""
    messages = x.index_select(0, source)
    if weight is not None:
        messages = messages * weight.unsqueeze(-1)
    # Created from the messages, not from x: under torch.func only they may carry the batch.
    out = messages.new_zeros((in_ptr.shape[0] - 1, x.shape[1]))
    # By int64: only then torch sums half precision in float32.
    return out.index_add(0, target.long(), messages)


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
    """Multiply and sum the two rows at the ends of every edge, ``[E]``."""
    return (g.index_select(0, target) * x.index_select(0, source)).sum(-1)
