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
    mask of bits, slow to write, although the output, which is kept for the next layer anyway, says
    the same.

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


_relu.register_fake(torch.relu)


@torch.library.custom_op("tgst::relu_backward", mutates_args=())
def _relu_backward(grad: Tensor, out: Tensor) -> Tensor:
    return torch.ops.aten.threshold_backward(grad, out, 0)


@_relu_backward.register_fake
def _relu_backward_fake(grad, out):
    return torch.ops.aten.threshold_backward(grad, out, 0)


def _keep_output(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
    ctx.save_for_backward(output)


def _keep_input(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(inputs[1])


def _backward(ctx: Any, grad: Tensor) -> Tensor:
    return _relu_backward(grad, *ctx.saved_tensors)


def _backward_twice(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
    return _relu_backward(grad, *ctx.saved_tensors), None


_relu.register_autograd(_backward, setup_context=_keep_output)
_relu_backward.register_autograd(_backward_twice, setup_context=_keep_input)


def _is_compiled_for_cpu(x: Tensor) -> bool:
    return (
        torch.compiler.is_compiling()
        and not is_exporting()
        and x.device.type == "cpu"
        and torch.is_grad_enabled()
        and x.requires_grad
        # Of an operator, forward-mode derivatives would be zero without a word.
        and not torch._C._are_functorch_transforms_active()
        and torch.autograd.forward_ad._current_level < 0
    )
