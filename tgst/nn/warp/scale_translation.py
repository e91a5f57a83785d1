r"""Warps that scale both axes on their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tgst.nn.warp.matrix_warp import MatrixWarp


class ScaleTranslation(MatrixWarp):
    r"""A scale per axis and translation :math:`\theta = (s_x, s_y, t_x, t_y)`: boxes.

    .. math::
        \begin{bmatrix} s_x & 0 & t_x \\ 0 & s_y & t_y \end{bmatrix}

    Args:
        log_scale (bool, optional): Predict logarithms of the scales, which can then be neither
            zero nor negative. (default: :obj:`False`)
        bound (float or list, optional): See :class:`Warp`. (default: :obj:`None`)
        fixed (dict, optional): Constant numbers among :obj:`"scale_x"`, :obj:`"scale_y"`,
            :obj:`"x"`, :obj:`"y"`. (default: :obj:`None`)

    Shapes:
        - **theta**: :math:`(B, 4)` or :math:`(B, 2, 3)`
    """

    def __init__(
        self,
        log_scale: bool = False,
        bound: float | Sequence[float] | None = None,
        fixed: Mapping[str, float] | None = None,
    ):
        identity = {"scale_x": 1.0, "scale_y": 1.0, "x": 0.0, "y": 0.0}
        super().__init__(identity, bound, fixed, ["scale_x", "scale_y"] if log_scale else [])

    def _to_matrix(self, values: list[Tensor]) -> Tensor:
        scale_x, scale_y, x, y = values
        zero = torch.zeros_like(x)
        return torch.stack([scale_x, zero, x, zero, scale_y, y], dim=1).view(-1, 2, 3)

    def _from_matrix(self, matrix: Tensor) -> list[Tensor]:
        return [matrix[:, 0, 0], matrix[:, 1, 1], matrix[:, 0, 2], matrix[:, 1, 2]]
