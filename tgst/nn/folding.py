r"""Networks for inference: what is fixed after training goes into the weights."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import (
    BatchNorm1d,
    BatchNorm2d,
    BatchNorm3d,
    Conv1d,
    Conv2d,
    Conv3d,
    Identity,
    Linear,
    Module,
    Parameter,
    Sequential,
    SyncBatchNorm,
)

from tgst.nn.conv import ChebConv, PartitionConv
from tgst.nn.norm import ChannelBatchNorm
from tgst.nn.temporal import TemporalConv

M = TypeVar("M", bound=Module)

# Layers whose channels are the last dimension or the second one (a linear layer's of rows: both),
# each with the normalisations of that dimension.
_LAST = (TemporalConv, PartitionConv, ChebConv, Linear)
_SECOND = (Conv1d, Conv2d, Conv3d, Linear)
_PAIRS = (
    (_LAST, (ChannelBatchNorm,)),
    (_SECOND, (BatchNorm1d, BatchNorm2d, BatchNorm3d, SyncBatchNorm)),
)
_OUT_LAST = (PartitionConv, ChebConv)  # their weights end with the output channels


def fuse(module: M) -> M:
    r"""Returns a copy of a network for inference, in which everything that is fixed after training
    has gone into the weights; the network itself stays as it is.

    .. math::
        \gamma \odot \frac{\mathbf{W} \mathbf{x} + \mathbf{b} - \boldsymbol{\mu}}
        {\sqrt{\boldsymbol{\sigma}^2 + \epsilon}} + \boldsymbol{\beta} = (\mathbf{s} \mathbf{W})
        \mathbf{x} + \mathbf{s} \odot (\mathbf{b} - \boldsymbol{\mu}) + \boldsymbol{\beta}, \quad
        \mathbf{s} = \frac{\boldsymbol{\gamma}}{\sqrt{\boldsymbol{\sigma}^2 + \epsilon}}

    Folded are batch normalisations that directly follow a convolution or a linear layer: all
    within :class:`tgst.nn.SkeletonBlock`, those between the convolutions of a
    :class:`tgst.nn.ResidualUnit`, and those of any :class:`torch.nn.Sequential`; the residual of
    :class:`tgst.nn.TemporalConv`; the alignment of :class:`tgst.nn.TrafficBlock` with
    :class:`tgst.nn.ChebConv`. What stays: layer normalisations, whose statistics are those of
    the input; a batch normalisation of the input, or after a sum that goes on past it (the first
    one of a residual unit), or after a convolution that is not ours or torch's (within
    :class:`tgst.nn.PerStep`), or one that keeps no statistics; a layer with hooks or
    parametrisations; and subclasses. A linear layer before a :class:`torch.nn.BatchNorm1d` is taken
    to give rows :math:`(N, C)`.

    The outputs are the same up to rounding. The copy is a module like any other, with other
    parameters: its :obj:`state_dict` fits a network that was fused as well. It is not meant for
    training.

    Args:
        module (torch.nn.Module): The network, or any module that contains parts of ours, in
            evaluation mode.

    Raises:
        ValueError: If a part of it is in training mode, where statistics are those of the batch.
    """
    for name, part in module.named_modules():
        if part.training:
            raise ValueError(
                "module: expected evaluation mode, call eval() before fuse(), got "
                f"{name or type(module).__name__} in training mode"
            )
    fused = copy.deepcopy(module)
    _separate(fused)
    with torch.no_grad():
        for part in list(fused.modules()):
            if type(part) is TemporalConv:
                _fold_residual(part)
            elif type(part) is Sequential:
                _fold_pairs(part)
            elif hasattr(part, "fold_"):
                part.fold_()  # type: ignore[operator]
    return fused


def fold_norm(layer: Module, norm: Module) -> Module:
    r"""Writes a batch normalisation into the weights of the layer before it, in place.

    Args:
        layer (torch.nn.Module): What comes directly before.
        norm (torch.nn.Module): The normalisation, in evaluation mode.

    Returns:
        torch.nn.Module: What remains of the normalisation: the identity, or itself where it cannot
        be folded.
    """
    if not _foldable(layer, norm) or watched(layer) or watched(norm):
        return norm
    if isinstance(layer, TemporalConv):
        _fold_residual(layer)
    _scale_and_shift(layer, *_affine(norm))
    return Identity().eval()


def _scale_and_shift(layer: Any, scale: Tensor, shift: Tensor) -> None:
    keep, dtype = layer.weight.requires_grad, layer.weight.dtype
    out_last = isinstance(layer, _OUT_LAST)
    factor = scale if out_last else scale.view(-1, *[1] * (layer.weight.dim() - 1))
    bias = None if layer.bias is None else layer.bias * scale
    layer.weight = Parameter((layer.weight * factor).to(dtype), keep)
    if isinstance(layer, PartitionConv) and layer.bias_mode == "message":
        layer.shift = Parameter(shift.to(dtype), keep)
    else:
        bias = shift if bias is None else bias + shift
        if isinstance(layer, PartitionConv):
            layer.bias_mode = True
    layer.bias = Parameter(bias.to(dtype), keep)  # type: ignore[union-attr]


def _separate(module: Module) -> None:
    # A layer with several places would take on the normalisations of all of them.
    seen: set[int] = set()
    for part in list(module.modules()):
        for name, child in part._modules.items():
            if id(child) in seen and type(child) in (*_LAST, *_SECOND):
                part._modules[name] = copy.deepcopy(child)
            seen.add(id(child))


def _foldable(layer: Any, norm: Any) -> bool:
    # The types themselves: what a subclass (a parametrised layer is one) does is not known.
    fits = any(type(layer) in layers and type(norm) in norms for layers, norms in _PAIRS)
    if not fits or norm.running_mean is None or getattr(layer, "gate", None) is not None:
        return False
    return norm.num_features == layer.weight.size(-1 if type(layer) in _OUT_LAST else 0)


def watched(layer: Module) -> bool:
    r"""Says whether a layer has hooks, which would see other numbers."""
    return bool(layer._forward_hooks or layer._forward_pre_hooks)


def _affine(norm: Any) -> tuple[Tensor, Tensor]:
    # At least in single precision, as the normalisation itself computes.
    dtype = torch.promote_types(norm.running_var.dtype, torch.float32)
    scale = (norm.running_var.to(dtype) + norm.eps).rsqrt()
    shift = -norm.running_mean.to(dtype) * scale
    if norm.affine:
        scale, shift = scale * norm.weight, shift * norm.weight + norm.bias
    return scale, shift


def _fold_residual(conv: TemporalConv) -> None:
    # The kernel of the convolution, residual included, is then no longer put together in each call.
    # Taps before input channels in memory: channels-last, as the convolution reads them.
    kernel = conv._kernel().transpose(1, 2).contiguous().transpose(1, 2)
    conv.weight = Parameter(kernel, conv.weight.requires_grad)
    conv.residual, conv.align = False, None


def _fold_pairs(layers: Sequential) -> None:
    for place in range(1, len(layers)):
        layers[place] = fold_norm(layers[place - 1], layers[place])
