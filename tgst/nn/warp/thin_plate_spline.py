r"""Warps that bend."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tgst.nn.warp.arguments import full_precision, holds_values, widened
from tgst.nn.warp.coordinates import target_points
from tgst.nn.warp.warp import Warp

_MATRICES_KEPT = 8
_INVERSE_STEPS = 20


class ThinPlateSpline(Warp):
    r"""Thin-plate splines from `"Principal Warps: Thin-Plate Splines and the Decomposition of
    Deformations" <https://doi.org/10.1109/34.24792>`_ (Bookstein, PAMI 1989), as in `"Spatial
    Transformer Networks" <https://arxiv.org/abs/1506.02025>`_: a lattice of :math:`K` fixed
    points :math:`\mathbf{c}_k` of the output, and :math:`\theta` the points of the input that
    they read.

    .. math::
        \mathbf{x}_s = \mathbf{a}_0 + \mathbf{A} \mathbf{x}_t + \sum_{k=1}^{K} \mathbf{w}_k
        \phi(\lVert \mathbf{x}_t - \mathbf{c}_k \rVert), \quad \phi(r) = r^2 \log r, \quad
        \sum_k \mathbf{w}_k = 0, \quad \sum_k \mathbf{w}_k \mathbf{c}_k^\top = 0

    As the lattice is fixed, :math:`\mathbf{a}_0, \mathbf{A}, \mathbf{w}` are linear in
    :math:`\theta` and the grid is one constant matrix, computed in float64 once per output size,
    times :math:`\theta`. No system is solved per sample.

    Convention:
        The lattice covers :math:`[-1, 1]^2`, row by row, x fastest; :math:`\theta` holds
        *absolute* source points :math:`(x_1, y_1, x_2, \dots)` in this order, and with
        :obj:`bound` each coordinate keeps within that distance of its lattice point. Given as
        :math:`(B, K, 2)` they are taken as they are, without the bound. Small bounds rule out large
        rotations.

        Where torch may use TF32 on CUDA, displacements are rounded to its ten bits.

        Splines are not closed under composition. :meth:`compose` and :meth:`inverse` return the
        spline that is exact at the lattice points; for the exact composition see
        :meth:`transform` and :class:`SerialTransformers`.

    Args:
        points (int or tuple, optional): Lattice points per side, or rows and columns.
            (default: :obj:`4`)
        bound (float or list, optional): See :class:`Warp`. (default: :obj:`None`)

    Shapes:
        - **theta**: :math:`(B, 2 K)` or :math:`(B, K, 2)`

    Raises:
        ValueError: If the lattice has fewer than two rows or columns.
    """

    targets: Tensor
    solution: Tensor

    def __init__(
        self, points: int | tuple[int, int] = 4, bound: float | Sequence[float] | None = None
    ):
        rows, columns = (points, points) if isinstance(points, int) else points
        if min(rows, columns) < 2:
            raise ValueError(f"points: expected at least 2 per side, got {points}")
        lattice = target_points(
            (rows, columns), align_corners=True, dtype=torch.float64, device=torch.device("cpu")
        )
        super().__init__(lattice.flatten().tolist(), bound)
        self.points = (rows, columns)
        self._matrices: dict[tuple, Tensor] = {}
        self._register_constants()

    def compose(self, first: Tensor, second: Tensor) -> Tensor:
        r"""The spline nearest to two resamplings one after the other: exact at the lattice
        points, :math:`\theta_k = \mathcal{T}_1(\mathcal{T}_2(\mathbf{c}_k))`.

        Args:
            first (torch.Tensor): Parameters of the one that reads the image.
            second (torch.Tensor): Parameters of the one that reads the result.

        Shapes:
            - **first**, **second**: :math:`(B, 2 K)` or :math:`(B, K, 2)`
            - **output**: :math:`(B, 2 K)`, with a bound :math:`(B, K, 2)`
        """
        self._check_theta(second)
        return self._result(self.transform(first, self._sources(widened(second))))

    def inverse(self, theta: Tensor) -> Tensor:
        r"""The spline nearest to the map that undoes another one: exact at the lattice points,
        where :math:`\mathcal{T}(\theta'_k) = \mathbf{c}_k` is solved by Newton's method.

        Gradients are those of the solution. Where the spline folds there is no inverse, and the
        result is no solution.

        Shapes:
            - **theta**: :math:`(B, 2 K)` or :math:`(B, K, 2)`
            - **output**: :math:`(B, 2 K)`, with a bound :math:`(B, K, 2)`
        """
        self._check_theta(theta)
        theta = widened(theta)
        goal = self.targets.to(theta.dtype)
        with full_precision(theta.device.type):
            with torch.no_grad():
                points = goal.expand(theta.size(0), -1, -1)
                for _ in range(_INVERSE_STEPS):
                    points = self._newton(theta, points, goal)
                slope = self._slope(theta, points)
            # One more step, of which only the spline itself is differentiated.
            miss = self._transform(theta, points) - goal
            step = torch.linalg.solve_ex(slope, miss.unsqueeze(-1))[0].squeeze(-1)
            return self._result(points - step)

    def tiles(self, count: int) -> Tensor:
        r"""Parameters that tile the image, in columns and, from four on, rows.

        Shapes:
            - **output**: :math:`(\text{count}, 2 K)`

        Raises:
            ValueError: If there is no tile, or a bound does not let parameters get there.
        """
        from tgst.nn.warp.affine import Affine

        lattice = self.identity(torch.float64).view(-1, 2)
        tiles = Affine().transform(Affine().tiles(count), lattice)
        return self._before_bound(tiles.to(torch.get_default_dtype()).flatten(1))

    def extra_repr(self) -> str:
        r"""The lattice and the bound."""
        return ", ".join(filter(None, [f"points={self.points}", super().extra_repr()]))

    # -- grid -----------------------------------------------------------------------------------

    def _grid(self, theta: Tensor, size, align_corners: bool, oversample) -> Tensor:
        # The spline of the lattice itself is the identity, so that only the differences need the
        # matrix, and the identity is exact in any precision.
        points = target_points(
            size, align_corners, oversample, dtype=theta.dtype, device=theta.device
        )
        moved = self._sources(theta) - self.targets.to(theta.dtype)
        return points + self._matrix(size, align_corners, oversample, theta.dtype) @ moved

    def _matrix(self, size, align_corners: bool, oversample, dtype: torch.dtype) -> Tensor:
        # In a traced graph it is computed from constants, which a compiler may fold.
        if not holds_values(self.targets):
            return self._new_matrix(size, align_corners, oversample).to(dtype)
        key = (size, align_corners, oversample, dtype, self.targets.device)
        if key not in self._matrices:
            while len(self._matrices) >= _MATRICES_KEPT:
                self._matrices.pop(next(iter(self._matrices)))
            # Not of inference mode, in which the first call may be, but not the next.
            with torch.inference_mode(False), torch.no_grad():
                matrix = self._new_matrix(size, align_corners, oversample).to(dtype)
            if not holds_values(matrix):
                return matrix
            self._matrices[key] = matrix
        return self._matrices[key]

    def _new_matrix(self, size, align_corners: bool, oversample) -> Tensor:
        like = {"dtype": self.targets.dtype, "device": self.targets.device}
        points = target_points(size, align_corners, oversample, **like)  # type: ignore[arg-type]
        return basis(points, self.targets) @ self.solution

    def _transform(self, theta: Tensor, points: Tensor) -> Tensor:
        targets = self.targets.to(theta.dtype)
        moved = self._sources(theta) - targets
        coefficients = self.solution.to(theta.dtype) @ moved
        return points + basis(points, targets) @ coefficients

    def _sources(self, theta: Tensor) -> Tensor:
        return (
            theta if theta.dim() == 3 else self._bounded(theta).view(-1, math.prod(self.points), 2)
        )

    def _result(self, sources: Tensor) -> Tensor:
        return sources if self.bound is not None else sources.flatten(1)

    # -- inverse --------------------------------------------------------------------------------

    def _newton(self, theta: Tensor, points: Tensor, goal: Tensor) -> Tensor:
        miss = (self._transform(theta, points) - goal).unsqueeze(-1)
        return points - torch.linalg.solve_ex(self._slope(theta, points), miss)[0].squeeze(-1)

    def _slope(self, theta: Tensor, points: Tensor) -> Tensor:
        # d phi / d x = (2 log r + 1) (x - c)
        targets = self.targets.to(theta.dtype)
        weights = self.solution.to(theta.dtype) @ (self._sources(theta) - targets)
        apart = points.unsqueeze(2) - targets
        squared = apart.square().sum(-1, keepdim=True)
        kernel = (torch.where(squared > 0, squared, 1).log() + 1) * apart
        bend = torch.einsum("bnkd,bkc->bncd", kernel, weights[:, :-3])
        unit = torch.eye(2, dtype=theta.dtype, device=theta.device)
        return unit + bend + weights[:, -2:].transpose(1, 2).unsqueeze(1)

    # -- constants ------------------------------------------------------------------------------

    def _constants(self) -> dict[str, Tensor]:
        targets = torch.tensor(self._identity, dtype=torch.float64).view(-1, 2)
        return super()._constants() | {"targets": targets, "solution": solve(targets)}

    def _check_theta(self, theta: Tensor, *forms: tuple[int, ...]) -> None:
        super()._check_theta(theta, (math.prod(self.points), 2), *forms)

    def _apply(self, fn, recurse=True):
        self._matrices.clear()
        return super()._apply(fn, recurse)

    def __getstate__(self):
        return self.__dict__ | {"_matrices": {}}


def basis(points: Tensor, targets: Tensor) -> Tensor:
    r"""The functions of a thin-plate spline at points: :math:`\phi` around each target, 1, x, y.

    Shapes:
        - **points**: :math:`(*, N, 2)`
        - **targets**: :math:`(K, 2)`
        - **output**: :math:`(*, N, K + 3)`
    """
    squared = (points.unsqueeze(-2) - targets).square().sum(-1)
    # 0 log 0 is 0 as 1 log 1 is, and so is its derivative. (A least number in place of zero would
    # have to survive an exporter, which may fold constants in float32.)
    safe = torch.where(squared > 0, squared, 1)
    kernel = 0.5 * safe * safe.log()
    return torch.cat([kernel, torch.ones_like(points[..., :1]), points], dim=-1)


def solve(targets: Tensor) -> Tensor:
    r"""The matrix that gives the coefficients of the spline through values at the targets.

    Shapes:
        - **targets**: :math:`(K, 2)`
        - **output**: :math:`(K + 3, K)`
    """
    rows = basis(targets, targets)
    side = torch.cat([rows[:, -3:].T, rows.new_zeros(3, 3)], dim=1)
    return torch.linalg.inv(torch.cat([rows, side]))[:, : targets.size(0)]
