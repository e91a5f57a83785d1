r"""Warp families that are matrices in homogeneous coordinates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from tgst.nn.warp.arguments import full_precision, widened
from tgst.nn.warp.warp import Warp


class MatrixWarp(Warp):
    r"""A family of maps by a matrix of few numbers.

    .. math::
        \mathbf{x}_s = \mathbf{A}_\theta \mathbf{x}_t + \mathbf{t}_\theta

    Wherever parameters :math:`(B, P)` are taken, the matrix :math:`(B, d, d + 1)` is taken too
    (:math:`(B, 3, 3)` for :class:`Projective`).

    Convention:
        :meth:`compose` and :meth:`inverse` return parameters if they were given parameters and
        the family is closed, and otherwise a matrix: with a fixed or bounded parameter the
        result is in general no member of the family.

    Args:
        identity (dict): Name and value in the identity of every number of the family.
        bound (float or list, optional): See :class:`Warp`. (default: :obj:`None`)
        fixed (dict, optional): Numbers that are not predicted but constant, by name.
            (default: :obj:`None`)
        log_scale (tuple, optional): Names of the scales that are predicted as logarithms.
            (default: :obj:`()`)

    Raises:
        ValueError: If a fixed name is unknown or nothing is left to predict.
    """

    def __init__(
        self,
        identity: Mapping[str, float],
        bound: float | Sequence[float] | None = None,
        fixed: Mapping[str, float] | None = None,
        log_scale: Sequence[str] = (),
    ):
        fixed = dict(fixed or {})
        free = [name for name in identity if name not in fixed]
        unknown = [name for name in fixed if name not in identity]
        if unknown or not free:
            raise ValueError(
                f"fixed: expected some but not all of {list(identity)}, got {list(fixed)}"
            )
        values = [0.0 if name in log_scale else identity[name] for name in free]
        super().__init__(values, bound)
        self.names = tuple(free)
        self.fixed = fixed
        self._log = tuple(name for name in free if name in log_scale)
        self._numbers = tuple(identity)

    @property
    def closed(self) -> bool:
        r"""Whether compositions and inverses of members are members."""
        return not self.fixed and self.bound is None

    @property
    def matrix_shape(self) -> tuple[int, int]:
        r"""Rows and columns of the matrix form."""
        return self.dim, self.dim + 1

    def matrix(self, theta: Tensor) -> Tensor:
        r"""The matrix that parameters stand for; a matrix is returned as it is.

        Shapes:
            - **theta**: :math:`(B, P)` or :math:`(B, d, d + 1)`
            - **output**: :math:`(B, d, d + 1)`
        """
        self._check_theta(theta)
        theta = widened(theta)
        if theta.dim() == 3:
            return theta
        with full_precision(theta.device.type):
            return self._to_matrix(self._named(self._bounded(theta)))

    def parameters_of(self, matrix: Tensor) -> Tensor:
        r"""The parameters of a matrix of the family, whose bounds are disregarded.

        Shapes:
            - **matrix**: :math:`(B, d, d + 1)`
            - **output**: :math:`(B, P)`
        """
        values = dict(zip(self._numbers, self._from_matrix(matrix), strict=True))
        free = [values[name].log() if name in self._log else values[name] for name in self.names]
        return torch.stack(free, dim=1)

    def compose(self, first: Tensor, second: Tensor) -> Tensor:
        r"""The map of two resamplings one after the other.

        .. math::
            \mathcal{T}(\mathbf{x}) = \mathcal{T}_1(\mathcal{T}_2(\mathbf{x})), \quad
            \mathbf{M} = \mathbf{M}_1 \mathbf{M}_2

        Args:
            first (torch.Tensor): Parameters of the one that reads the image.
            second (torch.Tensor): Parameters of the one that reads the result.

        Shapes:
            - **first**, **second**: :math:`(B, P)` or :math:`(B, d, d + 1)`
            - **output**: as the inputs, see :class:`MatrixWarp`
        """
        whole = product(square(self.matrix(first)), square(self.matrix(second)))
        return self._result(whole, first.dim() == second.dim() == 2)

    def inverse(self, theta: Tensor) -> Tensor:
        r"""The map that undoes another one.

        Shapes:
            - **theta**: :math:`(B, P)` or :math:`(B, d, d + 1)`
            - **output**: as the input, see :class:`MatrixWarp`

        Raises:
            RuntimeError: If a matrix is singular.
        """
        return self._result(torch.linalg.inv(square(self.matrix(theta))), theta.dim() == 2)

    def tiles(self, count: int) -> Tensor:
        r"""Parameters that tile the image, in columns and, from four on, rows.

        A family of one scale takes that of the columns.

        Args:
            count (int): Number of tiles.

        Shapes:
            - **output**: :math:`(\text{count}, P)`

        Raises:
            ValueError: If there is no tile, or a bound does not let parameters get there.
        """
        if count < 1:
            raise ValueError(f"count: expected at least 1, got {count}")
        rows = math.isqrt(count)
        columns = -(-count // rows)
        matrix = torch.eye(self.dim, self.dim + 1).repeat(count, 1, 1)
        matrix[:, 0, 0], matrix[:, 1, 1] = 1 / columns, 1 / rows
        for i in range(count):
            row, column = divmod(i, columns)
            matrix[i, 0, -1] = (2 * column + 1) / columns - 1
            matrix[i, 1, -1] = (2 * row + 1) / rows - 1
        return self._before_bound(self.parameters_of(self._shaped(square(matrix))))

    def extra_repr(self) -> str:
        r"""The options that are set."""
        options = [
            super().extra_repr(),
            f"fixed={self.fixed}" if self.fixed else "",
            "log_scale=True" if self._log else "",
        ]
        return ", ".join(filter(None, options))

    # -- for families ---------------------------------------------------------------------------

    def _to_matrix(self, values: list[Tensor]) -> Tensor:
        raise NotImplementedError

    def _from_matrix(self, matrix: Tensor) -> list[Tensor]:
        raise NotImplementedError

    def _shaped(self, homogeneous: Tensor) -> Tensor:
        return homogeneous[:, : self.dim]

    def _transform(self, theta: Tensor, points: Tensor) -> Tensor:
        return affine(self.matrix(theta), points)

    # -- details --------------------------------------------------------------------------------

    def _named(self, theta: Tensor) -> list[Tensor]:
        free = dict(zip(self.names, theta.unbind(1), strict=True))
        for name in self._log:
            free[name] = free[name].exp()
        like = theta[:, 0]
        return [
            free[name] if name in free else torch.full_like(like, self.fixed[name])
            for name in self._numbers
        ]

    def _check_theta(self, theta: Tensor, *forms: tuple[int, ...]) -> None:
        super()._check_theta(theta, self.matrix_shape, *forms)

    def _result(self, homogeneous: Tensor, as_parameters: bool) -> Tensor:
        matrix = self._shaped(homogeneous)
        return self.parameters_of(matrix) if as_parameters and self.closed else matrix


def square(matrix: Tensor) -> Tensor:
    r"""Appends the last row :math:`(0, …, 0, 1)` to an affine matrix."""
    rows, columns = matrix.shape[-2:]
    if rows == columns:
        return matrix
    last = torch.zeros_like(matrix[:, :1])
    last[..., -1] = 1
    return torch.cat([matrix, last], dim=1)


def product(one: Tensor, two: Tensor) -> Tensor:
    r"""The product of square matrices, never rounded by autocast or to TF32."""
    parts = [one[..., k : k + 1] * two[:, k : k + 1] for k in range(one.size(-1))]
    return torch.stack(parts).sum(dim=0)


def affine(matrix: Tensor, points: Tensor) -> Tensor:
    r"""The rows of an affine matrix applied to points.

    Shapes:
        - **matrix**: :math:`(B, R, d + 1)`
        - **points**: :math:`(N, d)` or :math:`(B, N, d)`
        - **output**: :math:`(B, N, R)`
    """
    # Products of single columns, not a matrix product: as fast for two or three, exact for the
    # identity, and never rounded to TF32.
    out = matrix[..., -1].unsqueeze(1)
    for column in range(matrix.size(-1) - 1):
        out = torch.addcmul(
            out, matrix[..., column].unsqueeze(1), points[..., column].unsqueeze(-1)
        )
    return out
