r"""Warps that move the image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tgst.nn.warp.matrix_warp import MatrixWarp


class Translation(MatrixWarp):
    r"""Translation by :math:`\theta = (t_x, t_y)`.

    .. math::
        \begin{bmatrix} 1 & 0 & t_x \\ 0 & 1 & t_y \end{bmatrix}

    Args:
        bound (float or list, optional): See :class:`Warp`. (default: :obj:`None`)
        fixed (dict, optional): Constant numbers among :obj:`"x"`, :obj:`"y"`.
            (default: :obj:`None`)

    Shapes:
        - **theta**: :math:`(B, 2)` or :math:`(B, 2, 3)`
    """

    def __init__(
        self,
        bound: float | Sequence[float] | None = None,
        fixed: Mapping[str, float] | None = None,
    ):
        super().__init__({"x": 0.0, "y": 0.0}, bound, fixed)

    def _to_matrix(self, values: list[Tensor]) -> Tensor:
        x, y = values
        one, zero = torch.ones_like(x), torch.zeros_like(x)
        return torch.stack([one, zero, x, zero, one, y], dim=1).view(-1, 2, 3)

    def _from_matrix(self, matrix: Tensor) -> list[Tensor]:
        return [matrix[:, 0, 2], matrix[:, 1, 2]]
