r"""The exponential moving average of weights and normalisation statistics."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

__all__ = ["averaged_model"]

Tensors = tuple[Tensor, ...] | list[Tensor]


def averaged_model(model: torch.nn.Module, decay: float) -> AveragedModel:
    r"""A copy of a model that follows it by an exponential moving average.

    Parameters and floating point buffers, such as the statistics of batch normalisation, are
    averaged alike; buffers of integers are copied. After :math:`n` updates the decay is
    :math:`\min(\text{decay}, (1 + n) / (10 + n))`, so that the first, random weights are soon
    forgotten.

    Args:
        model: The model.
        decay: Share of the average that each update keeps.
    """
    averaged = AveragedModel(model, multi_avg_fn=_average(decay), use_buffers=True)
    averaged.requires_grad_(False)
    return averaged


def _average(decay: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    @torch.no_grad()
    def update(averages: Tensors, values: Tensors, updates: Tensor | int) -> None:
        kept = min(decay, (1 + int(updates)) / (10 + int(updates)))
        # a group holds tensors of one type
        if averages[0].is_floating_point():
            torch._foreach_lerp_(averages, values, 1 - kept)
        else:
            torch._foreach_copy_(averages, values)

    return update
