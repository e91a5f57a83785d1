"""What the benchmark of models compares: models on the same task, and what one run of each is."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tgst.ops import Adjacency

Loss = Callable[[Tensor, Tensor], Tensor]
TRAINING, INFERENCE, LATENCY = "training step", "inference", "inference, batch 1"
EAGER, COMPILED = "eager", "compiled"
EAGER_BF16, COMPILED_BF16 = "eager, bfloat16", "compiled, bfloat16"  # by autocast
MODES = (EAGER, COMPILED, EAGER_BF16, COMPILED_BF16)


class Contender(NamedTuple):
    """A model with the inputs of a batch and of a single sample, and what it is to predict.

    One that only infers has no part in training.
    """

    model: nn.Module
    batch: tuple[Any, ...]
    single: tuple[Any, ...]
    expected: Tensor
    loss: Loss
    keywords: dict[str, Any] = {}
    trains: bool = True


class Target(NamedTuple):
    """How many times faster than a rival one of ours is to be, or how many times less memory it is
    to take; the rival runs in the same mode unless another is named.
    """

    ours: str
    rival: str
    task: str
    mode: str
    least: float
    rival_mode: str | None = None
    quantity: str = "ms"


class Case(NamedTuple):
    """Models on one task: those that run, those that could not be imported, and the targets.

    Agreement holds differences from the dense model in double precision; only the models in
    :obj:`compiled` are compiled as well.
    """

    name: str
    title: str
    contenders: dict[str, Contender]
    compiled: tuple[str, ...]
    absent: dict[str, str]
    agreement: dict[str, float]
    targets: tuple[Target, ...]
    tasks: tuple[str, ...] = (TRAINING, INFERENCE, LATENCY)


def on(device: torch.device, given: Any) -> Any:
    """Return tensors, and what holds them, on a device."""
    if isinstance(given, Contender):
        contender = given._replace(model=given.model.to(device))
        names = ("batch", "single", "expected")
        return contender._replace(**{n: on(device, getattr(contender, n)) for n in names})
    if isinstance(given, Tensor):
        return given.to(device)
    if isinstance(given, Adjacency):
        return type(given)(*(on(device, value) for value in given))
    return tuple(on(device, value) for value in given) if isinstance(given, tuple) else given


def compiled_if(mode: str, model: nn.Module) -> Callable[..., Tensor]:
    """Return how a mode runs a model."""
    run = torch.compile(model, dynamic=False) if mode in (COMPILED, COMPILED_BF16) else model
    if mode in (EAGER, COMPILED):
        return run
    device = next(model.parameters()).device.type

    def narrow(*inputs: Any, **keywords: Any) -> Tensor:
        with torch.autocast(device, torch.bfloat16):
            return run(*inputs, **keywords)

    return narrow


def step(contender: Contender, mode: str) -> Callable[[], list[Tensor]]:
    """Return the forward and backward pass; the step of the optimiser is the same for all."""
    model = contender.model.train()
    run = compiled_if(mode, model)

    def training() -> list[Tensor]:
        model.zero_grad()
        out = run(*contender.batch, **contender.keywords)
        loss = contender.loss(out.float(), contender.expected)
        loss.backward()
        return [loss, *(p.grad for p in model.parameters() if p.grad is not None)]

    return training


def inference(contender: Contender, mode: str, task: str = INFERENCE) -> Callable[[], Tensor]:
    """Return the forward pass in evaluation mode of a copy of the model."""
    model = without_gradients(contender.model)
    run = compiled_if(mode, model)
    inputs = contender.single if task == LATENCY else contender.batch

    def forward() -> Tensor:
        with torch.inference_mode():
            return run(*inputs, **contender.keywords)

    return forward


def runs(contender: Contender, task: str, mode: str) -> Callable[[], Any]:
    """Return what is timed."""
    if task == TRAINING:
        return step(contender, mode)
    return inference(contender, mode, task)


def without_gradients(model: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode; it shares parameters and buffers."""
    shared = {id(each): each for each in (*model.parameters(), *model.buffers())}
    return deepcopy(model, shared).eval()


def counted_flops(function: Callable[[], object]) -> int:
    """Count two operations per product of a matrix product or convolution, and of a sparse sum."""
    sparse = {torch.ops.tgst.spmm: _spmm_flops, torch.ops.tgst.sddmm: _sddmm_flops}
    with FlopCounterMode(display=False, custom_mapping=sparse) as counter:
        function()
    return counter.get_total_flops()


def _spmm_flops(x: Any, weight: Any, source: Any, *graph: Any, **_: Any) -> int:
    return 2 * source[0] * x[1]


def _sddmm_flops(g: Any, x: Any, source: Any, *graph: Any, **_: Any) -> int:
    return 2 * source[0] * x[1]


def relative_difference(actual: Tensor, expected: Tensor) -> float:
    """Return the largest difference, relative to the largest number expected."""
    with torch.no_grad():
        return float((actual - expected).abs().max() / expected.abs().max())
