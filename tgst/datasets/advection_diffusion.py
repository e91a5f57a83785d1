r"""Advection and diffusion on a grid by finite volumes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tgst.ops.adjacency import check_count


class AdvectionDiffusion:
    r"""Advection and diffusion on a grid of square cells, by finite volumes with a flux limiter.

    The limiter is van Leer's, of `"Towards the Ultimate Conservative Difference Scheme, II:
    Monotonicity and Conservation Combined in a Second-Order Scheme"
    <https://doi.org/10.1016/0021-9991(74)90019-9>`_ (van Leer, 1974).

    .. math::
        \frac{\partial u}{\partial t} = - \nabla \cdot (\mathbf{v} u) + D \, \nabla^2 u
        + \sum_{k} q_k(t) \, g_k - \lambda u

    Lengths are cells, times steps. What leaves a cell through a side enters its neighbour, so the
    sum over a periodic grid changes by sources and decay alone. A step is divided evenly into so
    many substeps that in each of them a cell takes a weighted mean of itself and its neighbours: a
    field stays non-negative, and no new extremes appear.

    Convention: velocities are (rows, columns) per step; rows grow downwards.

    Args:
        height (int): Number of rows :math:`H`.
        width (int): Number of columns :math:`W`.
        wind (sequence of float): Velocity that is the same everywhere.
        swirl (float, optional): Largest speed of a steady swirl without divergence that is added to
            the wind, of four eddies in a periodic grid and of one without. (default: :obj:`0.0`)
        diffusion (float, optional): :math:`D`. (default: :obj:`0.0`)
        decay (float, optional): :math:`\lambda`; a step multiplies the field by
            :math:`e^{-\lambda}`. (default: :obj:`0.0`)
        periodic (bool, optional): Whether opposite borders are neighbours. Otherwise what is
            carried over a border is lost, nothing comes in, and nothing diffuses across.
            (default: :obj:`True`)

    Raises:
        TypeError: If a size is no integer.
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        height: int,
        width: int,
        wind: Sequence[float],
        *,
        swirl: float = 0.0,
        diffusion: float = 0.0,
        decay: float = 0.0,
        periodic: bool = True,
    ) -> None:
        self.height = check_count("height", height, at_least=3)
        self.width = check_count("width", width, at_least=3)
        numbers = {"swirl": swirl, "diffusion": diffusion, "decay": decay}
        for name, value in numbers.items():
            if not 0 <= value < np.inf:
                raise ValueError(f"{name}: expected a number >= 0, got {value}")
        if np.shape(wind) != (2,) or not np.isfinite(wind).all():
            raise ValueError(f"wind: expected two numbers, rows and columns per step, got {wind}")
        self.diffusion, self.decay, self.periodic = diffusion, decay, periodic
        self.velocity = _velocity(self.height, self.width, wind, swirl, periodic)
        # Through its four sides a cell may exchange no more than it holds.
        exchanged = 2 * sum(float(np.abs(side).max()) for side in self.velocity) + 4 * diffusion
        self.substeps = max(1, int(np.ceil(exchanged - 1e-9)))

    def run(
        self,
        field: np.ndarray,
        num_steps: int,
        rate: np.ndarray | None = None,
        place: np.ndarray | None = None,
    ) -> np.ndarray:
        r"""Runs a number of steps.

        Args:
            field (numpy.ndarray): The first frame, of :math:`C` fields.
            num_steps (int): Number of frames :math:`T`, the first one included.
            rate (numpy.ndarray, optional): What each source emits in the step after each frame.
            place (numpy.ndarray, optional): Where it goes.

        Shapes:
            - **field:** :math:`(C, H, W)`
            - **rate:** :math:`(T, C, K)`
            - **place:** :math:`(C, K, H, W)`
            - **output:** :math:`(T, C, H, W)`
        """
        frames = np.empty((num_steps, *field.shape))
        frames[0] = field
        part = 1.0 / self.substeps
        keep = np.exp(-self.decay * part)
        for step in range(1, num_steps):
            field, emitted = frames[step - 1], 0.0
            if rate is not None and place is not None:
                emitted = part * np.einsum("ck,ckhw->chw", rate[step - 1], place)
            for _ in range(self.substeps):
                field = field - self._outflow(field, 0, part) - self._outflow(field, 1, part)
                field = keep * (field + emitted)
            frames[step] = field
        return frames

    def gaussian(self, place: np.ndarray, width: np.ndarray) -> np.ndarray:
        r"""Gaussians of height 1 on the grid, around the border where it is periodic.

        Args:
            place (numpy.ndarray): Centres in rows and columns.
            width (numpy.ndarray): Standard deviations in cells.

        Shapes:
            - **place:** :math:`(*, 2)`
            - **width:** :math:`(*)`
            - **output:** :math:`(*, H, W)`
        """
        rows, columns = (
            self._distance(place[..., side, None], size) / width[..., None]
            for side, size in enumerate((self.height, self.width))
        )
        return np.exp(-0.5 * rows[..., :, None] ** 2 - 0.5 * columns[..., None, :] ** 2)

    def _distance(self, place: np.ndarray, size: int) -> np.ndarray:
        distance = np.arange(size) - place
        return (distance + size / 2) % size - size / 2 if self.periodic else distance

    def _outflow(self, field: np.ndarray, direction: int, part: float) -> np.ndarray:
        """What leaves every cell in a part of a step, through its two sides in one direction."""
        axis = direction + 1
        velocity = part * np.moveaxis(self.velocity[direction], direction, -1)
        u = np.moveaxis(field, axis, -1)
        # Two cells more on either side; the flux through side i is from cell i - 1 to cell i.
        ends = ((0, 0), (0, 0), (2, 2))
        padded = np.pad(u, ends, mode="wrap") if self.periodic else np.pad(u, ends)
        size = u.shape[-1]
        jump = np.diff(padded, axis=-1)
        slope = _van_leer(jump[..., :-1], jump[..., 1:])  # of cells -1 to size
        before, after = padded[..., 1 : size + 2], padded[..., 2 : size + 3]
        reach = np.abs(velocity)
        flux = np.where(
            velocity > 0,
            velocity * (before + 0.5 * (1.0 - reach) * slope[..., :-1]),
            velocity * (after - 0.5 * (1.0 - reach) * slope[..., 1:]),
        )
        spread = part * self.diffusion * jump[..., 1:-1]
        if not self.periodic:
            spread[..., 0] = spread[..., -1] = 0.0
        return np.moveaxis(np.diff(flux - spread, axis=-1), -1, axis)


def _van_leer(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Harmonic mean of two differences of one sign, 0 at extremes."""
    product = left * right
    total = left + right
    return np.where(product > 0, 2 * product / np.where(total == 0, 1.0, total), 0.0)


def _velocity(
    height: int, width: int, wind: Sequence[float], swirl: float, periodic: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Velocities through the sides of the cells: [H + 1, W] down and [H, W + 1] to the right.

    The swirl comes from a stream function on the corners, so that as much enters a cell as leaves.
    """
    turns = 2 if periodic else 1
    rows = np.sin(turns * np.pi * np.arange(height + 1) / height)
    columns = np.sin(turns * np.pi * np.arange(width + 1) / width)
    stream = rows[:, None] * columns
    down, right = np.diff(stream, axis=1), -np.diff(stream, axis=0)
    fastest = max(float(np.abs(down).max()), float(np.abs(right).max()))
    return wind[0] + swirl / fastest * down, wind[1] + swirl / fastest * right
