r"""Warps that keep straight lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tgst.nn.warp.matrix_warp import MatrixWarp, affine

# Points with a smaller denominator lie 100,000 images away, wherever exactly.
_LEAST_DENOMINATOR = 1e-5


class Projective(MatrixWarp):
    r"""Projective maps (homographies) by eight numbers.

    .. math::
        x_s = \frac{h_{11} x_t + h_{12} y_t + h_{13}}{h_{31} x_t + h_{32} y_t + 1}, \quad
        y_s = \frac{h_{21} x_t + h_{22} y_t + h_{23}}{h_{31} x_t + h_{32} y_t + 1}

    A denominator (relative to the largest number of the last row) within :math:`10^{-5}` of zero
    is moved to that bound, sign kept: coordinates and gradients stay finite on the line that goes
    to infinity.

    Args:
        bound (float or list, optional): See :class:`Warp`. Bounds of less than 0.5 on
            :obj:`"h31"` and :obj:`"h32"` keep the line outside the image. (default: :obj:`None`)
        fixed (dict, optional): Constant numbers among :obj:`"h11"` … :obj:`"h32"`.
            (default: :obj:`None`)

    Shapes:
        - **theta**: :math:`(B, 8)`, row by row without the last one, or :math:`(B, 3, 3)` with
          any last number
    """

    def __init__(
        self,
        bound: float | Sequence[float] | None = None,
        fixed: Mapping[str, float] | None = None,
    ):
        places = [(i, j) for i in range(3) for j in range(3)][:-1]
        super().__init__({f"h{i + 1}{j + 1}": float(i == j) for i, j in places}, bound, fixed)

    @property
    def matrix_shape(self) -> tuple[int, int]:
        r"""Rows and columns of the matrix form."""
        return 3, 3

    def _to_matrix(self, values: list[Tensor]) -> Tensor:
        return torch.stack([*values, torch.ones_like(values[0])], dim=1).view(-1, 3, 3)

    def _from_matrix(self, matrix: Tensor) -> list[Tensor]:
        # A map that takes the centre to infinity has no such numbers, but its matrix is fine.
        flat = matrix.flatten(1)
        return list((flat[:, :8] / flat[:, 8:]).unbind(1))

    def _shaped(self, homogeneous: Tensor) -> Tensor:
        return homogeneous

    def _transform(self, theta: Tensor, points: Tensor) -> Tensor:
        matrix = self.matrix(theta)
        # The map does not change with the matrix' scale, and so neither does the gradient.
        scale = matrix[:, 2:].detach().abs().amax(dim=2, keepdim=True)
        scaled = affine(matrix / torch.where(scale > 0, scale, 1), points)
        return scaled[..., :2] / _away_from_zero(scaled[..., 2:])


def _away_from_zero(x: Tensor) -> Tensor:
    bound = torch.full_like(x, _LEAST_DENOMINATOR)
    return torch.where(x.abs() < bound, torch.where(x < 0, -bound, bound), x)
