r"""Checks of what enters a loss or a metric."""

from __future__ import annotations

import torch
from torch import Tensor


def masked_difference(
    prediction: Tensor, target: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    r"""Returns :obj:`prediction - target`, zero where masked, and the mask with a channel axis.

    The difference is taken in single precision at least. The zeros are put in right after the
    subtraction, whose derivative is a constant: what stands at a masked entry, NaN included,
    reaches neither the value nor the gradient.

    Args:
        prediction (torch.Tensor): The forecast.
        target (torch.Tensor): The readings.
        mask (torch.Tensor, optional): :obj:`True` where a reading was observed.

    Shapes:
        - **prediction**, **target**: :math:`(N, *, H, C)`
        - **mask**: :math:`(N, *, H)`
        - **output**: :math:`(N, *, H, C)` and :math:`(N, *, H, 1)`

    Raises:
        ValueError: On a shape or dtype that does not fit.
    """
    if prediction.dim() < 3:
        raise ValueError(
            f"prediction: expected [num_nodes, *, horizon, channels], "
            f"got shape {list(prediction.shape)}"
        )
    if prediction.shape != target.shape:
        raise ValueError(
            f"target: expected the prediction's shape {list(prediction.shape)}, "
            f"got {list(target.shape)}"
        )
    if mask is None:
        mask = torch.ones(prediction.shape[:-1], dtype=torch.bool, device=prediction.device)
    if mask.dtype != torch.bool:
        raise ValueError(f"mask: expected torch.bool (True = observed), got {mask.dtype}")
    if mask.shape != prediction.shape[:-1]:
        raise ValueError(
            f"mask: expected the prediction's shape without channels "
            f"{list(prediction.shape[:-1])}, got {list(mask.shape)}"
        )
    mask = mask.unsqueeze(-1)
    dtype = torch.promote_types(torch.promote_types(prediction.dtype, target.dtype), torch.float32)
    difference = prediction.to(dtype) - target.to(dtype)
    return torch.where(mask, difference, torch.zeros_like(difference)), mask
