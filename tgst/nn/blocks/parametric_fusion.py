r"""The parametric-matrix fusion of ST-ResNet."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class ParametricFusion(torch.nn.Module):
    r"""The parametric-matrix-based fusion from `"Deep Spatio-Temporal Residual Networks for
    Citywide Crowd Flows Prediction" <https://arxiv.org/abs/1610.00081>`_ (Zhang, Zheng and Qi,
    AAAI 2017): every cell and channel weighs the branches for itself.

    .. math::
        \mathbf{Y} = \sum_{k=1}^{K} \mathbf{W}_k \odot \mathbf{X}_k

    The weights are drawn uniformly from :math:`[0, 1)`, as in the authors' code.

    Args:
        num_branches (int): Number of branches :math:`K`.
        channels (int): Number of channels of a branch.
        height (int): Rows of the grid.
        width (int): Columns of the grid.

    Shapes:
        - **branches**: a sequence of :math:`K` tensors :math:`(B, C, H, W)`
        - **output**: :math:`(B, C, H, W)`

    Raises:
        ValueError: If a size is less than one, or the branches do not fit.
    """

    def __init__(self, num_branches: int, channels: int, height: int, width: int):
        super().__init__()
        if min(num_branches, channels, height, width) < 1:
            raise ValueError(
                "num_branches, channels, height, width: expected at least 1, got "
                f"{(num_branches, channels, height, width)}"
            )
        self.weight = torch.nn.Parameter(torch.empty(num_branches, channels, height, width))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        r"""Draws new weights."""
        torch.nn.init.uniform_(self.weight)

    def forward(self, branches: Sequence[Tensor]) -> Tensor:
        r"""Fuses; see the class for shapes."""
        shape = self.weight.shape[1:]
        if len(branches) != len(self.weight) or any(
            x.dim() != 4 or x.shape[1:] != shape for x in branches
        ):
            raise ValueError(
                f"branches: expected {len(self.weight)} tensors [B, {', '.join(map(str, shape))}] "
                f"(batch, channels, height, width), got {[list(x.shape) for x in branches]}"
            )
        out = self.weight[0] * branches[0]
        for weight, x in zip(self.weight[1:], branches[1:], strict=True):
            out = out + weight * x
        return out

    def __repr__(self) -> str:
        sizes = ", ".join(map(str, self.weight.shape))
        return f"{self.__class__.__name__}({sizes})"
