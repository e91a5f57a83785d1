r"""Dropout with a mask of bytes."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tgst.ops.adjacency import is_exporting

_FULL = (-(2**63), None)  # random_ without bounds leaves the top bit of every word zero


def dropout(x: Tensor, p: float, training: bool = True) -> Tensor:
    r"""Sets entries to zero with probability :obj:`p` and scales the others, as in `"Dropout: A
    Simple Way to Prevent Neural Networks from Overfitting"
    <https://jmlr.org/papers/v15/srivastava14a.html>`_ (Srivastava et al., JMLR 2014).

    .. math::
        \mathbf{x}' = \frac{\mathbf{m} \odot \mathbf{x}}{1 - p}, \quad
        \mathbf{m} \sim \mathrm{Bernoulli}(1 - p)

    On CPU, :func:`torch.nn.functional.dropout` spends its time on one random number of 32 bits per
    entry. Here eight masks come from one word of 64 random bits where :math:`256 p` is an integer,
    four elsewhere, which drop with :math:`p` rounded to a multiple of :math:`2^{-16}`; the mask
    kept for the backward pass takes one byte per entry. The numbers follow
    :func:`torch.manual_seed` and do not depend on the number of threads. On other devices, in
    exported code and under :mod:`torch.func` and forward-mode differentiation it is
    :func:`torch.nn.functional.dropout`.

    Args:
        x (Tensor): The input.
        p (float): The probability that an entry is set to zero.
        training (bool, optional): Whether anything happens at all. (default: :obj:`True`)

    Shapes:
        - **x**, **output**: any

    Raises:
        ValueError: If :obj:`p` is not a probability.
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"p: expected a probability in [0, 1], got {p}")
    if not training or p == 0.0:
        return x
    level = round(p * 2**16)
    if level in (0, 2**16) or not _may_use_bytes(x):
        return F.dropout(x, p)
    if not torch.compiler.is_compiling():
        return _ByteMask.apply(x, level, 1 / (1 - p))
    # The mask from a seed of its own: the compiler takes two calls with equal arguments for one.
    # One dimension: what is kept in four, the compiler rearranges as if it were an image.
    flat = x.flatten()
    mask = _seeded_mask(flat.detach(), torch.randint(2**63 - 1, (), device=x.device), level)
    return (flat * mask * (1 / (1 - p))).view(x.shape)


class _ByteMask(torch.autograd.Function):
    """Multiplication with a mask of bytes and a scale; the level is in units of 2 ** -16."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, level: int, scale: float) -> Tensor:
        mask = _mask(x, level)
        ctx.save_for_backward(mask)
        ctx.scale = scale
        return _scaled(x, mask, scale)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        return _scaled(grads[0], mask, ctx.scale), None, None


@torch.library.custom_op("tgst::dropout_mask", mutates_args=())
def _seeded_mask(like: Tensor, seed: Tensor, level: int) -> Tensor:
    return _mask(like, level, torch.Generator().manual_seed(int(seed)))


@_seeded_mask.register_fake
def _seeded_mask_fake(like: Tensor, seed: Tensor, level: int) -> Tensor:
    return torch.empty(like.shape, dtype=torch.uint8, device=like.device)


def _scaled(x: Tensor, mask: Tensor, scale: float) -> Tensor:
    return x.mul(mask).mul_(scale)


def _mask(x: Tensor, level: int, generator: torch.Generator | None = None) -> Tensor:
    # One byte decides where 8 bits say all of the level, else two.
    size, short = x.numel(), level % 256 == 0
    per_word = 8 if short else 4
    words = torch.empty(-(-size // per_word), dtype=torch.int64, device=x.device).random_(
        *_FULL, generator=generator
    )
    # uint16 has no comparison on CPU: signed numbers, with the level shifted as far.
    parts = words.view(torch.uint8) if short else words.view(torch.int16)
    keep = parts[:size] >= (level // 256 if short else level - 2**15)
    return keep.view(torch.uint8).view(x.shape)


def _may_use_bytes(x: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and type(x) in (Tensor, torch.nn.Parameter)
        and not torch.jit.is_tracing()
        and not is_exporting()
        and not torch._C._are_functorch_transforms_active()
        and torch.autograd.forward_ad._current_level < 0
    )
