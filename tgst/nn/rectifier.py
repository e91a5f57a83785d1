r"""The rectifier, also in code that is compiled for CPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tgst.ops.adjacency import is_exporting


def relu(x: Tensor, inplace: bool = False) -> Tensor:
    r"""The rectifier :func:`torch.nn.functional.relu`, :math:`\max(0, x)`.

    Where gradients are compiled for CPU, it is an operator of its own: the compiler would keep a
    mask of bits that it takes ten times as long to write as the rest of the pass, although the
    output, which is kept for the next layer anyway, says the same.

    Args:
        x (Tensor): The input.
        inplace (bool, optional): Whether the input may be overwritten. (default: :obj:`False`)

    Shapes:
        - **x**, **output**: any
    """
    if _is_compiled_for_cpu(x):
        return _relu(x)
    return F.relu(x, inplace)


@torch.library.custom_op("tgst::relu", mutates_args=())
def _relu(x: Tensor) -> Tensor:
    return torch.relu(x)


@_relu.register_fake
def _relu_fake(x):
    return torch.empty_like(x)


@torch.library.custom_op("tgst::relu_backward", mutates_args=())
def _relu_backward(grad: Tensor, out: Tensor) -> Tensor:
    return torch.ops.aten.threshold_backward(grad, out, 0)


@_relu_backward.register_fake
def _relu_backward_fake(grad, out):
    return torch.empty_like(grad)


def _keep(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
    ctx.save_for_backward(output)


def _backward(ctx: Any, grad: Tensor) -> Tensor:
    return _relu_backward(grad, *ctx.saved_tensors)


_relu.register_autograd(_backward, setup_context=_keep)


def _is_compiled_for_cpu(x: Tensor) -> bool:
    return (
        torch.compiler.is_compiling()
        and not is_exporting()
        and x.device.type == "cpu"
        and torch.is_grad_enabled()
    )
