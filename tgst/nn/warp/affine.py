r"""Warps that keep parallels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tgst.nn.warp.matrix_warp import MatrixWarp


class Affine(MatrixWarp):
    r"""Affine maps by six numbers, equation 1 of `"Spatial Transformer Networks"
    <https://arxiv.org/abs/1506.02025>`_.

    .. math::
        \begin{bmatrix} x_s \\ y_s \end{bmatrix} = \begin{bmatrix} a_{11} & a_{12} & a_{13} \\
        a_{21} & a_{22} & a_{23} \end{bmatrix} \begin{bmatrix} x_t \\ y_t \\ 1 \end{bmatrix}

    Args:
        bound (float or list, optional): See :class:`Warp`. (default: :obj:`None`)
        fixed (dict, optional): Constant numbers among :obj:`"a11"` … :obj:`"a23"`.
            (default: :obj:`None`)

    Shapes:
        - **theta**: :math:`(B, 6)`, row by row, or :math:`(B, 2, 3)`
    """

    def __init__(
        self,
        bound: float | Sequence[float] | None = None,
        fixed: Mapping[str, float] | None = None,
    ):
        rows, columns = self.matrix_shape
        identity = {f"a{i + 1}{j + 1}": float(i == j) for i in range(rows) for j in range(columns)}
        super().__init__(identity, bound, fixed)

    def _to_matrix(self, values: list[Tensor]) -> Tensor:
        return torch.stack(values, dim=1).view(-1, *self.matrix_shape)

    def _from_matrix(self, matrix: Tensor) -> list[Tensor]:
        return list(matrix.flatten(1).unbind(1))
