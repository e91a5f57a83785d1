r"""The cell transmission model: traffic on a network of one-way links."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

CAPACITY = 1800.0  # vehicles per hour and lane
JAM_DENSITY = 140.0  # vehicles per kilometre and lane
SLOWDOWN = 0.2  # traffic at capacity is this share slower than a car on an empty road


class Traffic(NamedTuple):
    r"""What :meth:`CellTransmission.run` recorded in each of :math:`T` intervals.

    Shapes:
        - **flow:** :math:`(T, L)`, vehicles per hour past the sensor in the middle of each link
        - **speed:** :math:`(T, L)`, km/h there; the free-flow speed if nobody was there
        - **entered:** :math:`(T)`, vehicles that have come to an origin so far
        - **exited:** :math:`(T)`, vehicles that have ended their trip so far
        - **stored:** :math:`(T)`, vehicles on the road and waiting at the origins at the end
        - **occupancy:** :math:`(T, \text{cells})`, vehicles in each cell at the end
        - **waiting:** :math:`(T, L)`, vehicles waiting at the origin of each link at the end
    """

    flow: np.ndarray
    speed: np.ndarray
    entered: np.ndarray
    exited: np.ndarray
    stored: np.ndarray
    occupancy: np.ndarray
    waiting: np.ndarray


class CellTransmission:
    r"""The cell transmission model of `"The Cell Transmission Model, Part II: Network Traffic"
    <https://doi.org/10.1016/0191-2615(94)00022-R>`_ (Daganzo, 1995) with fixed turning fractions.

    A link is a row of equal cells. In a time step :math:`\Delta t`, cell :math:`c` with
    :math:`n_c` vehicles can send :math:`S_c` and receive :math:`R_c`, and what moves on is the
    smaller of what it sends and what the next cell receives:

    .. math::
        S_c &= \min \left( n_c \frac{v \Delta t}{\ell} \left( 1 - \alpha \frac{n_c}{n^*} \right),
        Q \Delta t \right), \quad
        R_c = \min \left( (\hat{n} - n_c) \frac{w \Delta t}{\ell}, Q \Delta t \right) \\
        y_c &= \min(S_c, R_{c+1}), \quad n_c \leftarrow n_c + y_{c-1} - y_c

    with cell length :math:`\ell`, free-flow speed :math:`v`, capacity :math:`Q` (1800 vehicles per
    hour and lane), content :math:`n^*` at capacity, :math:`\hat{n}` in a jam (140 vehicles per
    kilometre and lane), and the speed :math:`w` of a wave in a queue that follows from these. With
    Daganzo's :math:`\alpha = 0` the flow over the density is a triangle; here
    :math:`\alpha = 0.2` bends its free-flow side, so that speed tells something about flow before
    a queue forms.

    At a junction the share :math:`p_{ij}` of the traffic of link :math:`i` turns into link
    :math:`j`. Vehicles leave a link first in, first out, so the fullest turn holds up the others;
    a full link admits in proportion to what wants to enter, :math:`O_j` from its origin included:

    .. math::
        \rho_j = \min \left( 1, \frac{R_j}{\sum_i p_{ij} S_i + O_j} \right), \quad
        y_{ij} = p_{ij} S_i \min_{k : p_{ik} > 0} \rho_k

    The rest of what a link can send, :math:`(1 - \sum_j p_{ij}) S_i`, ends its trip there. It parks
    before the junction and is not held up, so that a ring of full links dissolves. Vehicles that
    find their link full at the origin wait beside the road.

    Convention:
        Cells are numbered link by link, each link in driving direction. A cell is as short as the
        time step allows, :math:`\ell \ge v \Delta t`; a shorter link is one cell of that length.

    Args:
        length (numpy.ndarray): Length of each link in metres.
        lanes (numpy.ndarray): Number of lanes of each link.
        speed (numpy.ndarray): Free-flow speed of each link in km/h.
        source (numpy.ndarray): Link that each turn leaves.
        target (numpy.ndarray): Link that each turn enters.
        fraction (numpy.ndarray): Share of the traffic of its source that takes the turn; positive.
        time_step (float, optional): Seconds per simulation step. (default: :obj:`20.0`)

    Shapes:
        - **length, lanes, speed:** :math:`(L)`
        - **source, target, fraction:** :math:`(\text{turns})`

    Raises:
        ValueError: If a fraction is not positive, or the fractions of a link exceed 1 together.
    """

    def __init__(
        self,
        length: np.ndarray,
        lanes: np.ndarray,
        speed: np.ndarray,
        source: np.ndarray,
        target: np.ndarray,
        fraction: np.ndarray,
        time_step: float = 20.0,
    ) -> None:
        self.num_links = len(length)
        self.time_step = time_step
        self._set_cells(length / 1000.0, lanes, speed)
        self._set_turns(source, target, fraction)

    def _set_cells(self, length: np.ndarray, lanes: np.ndarray, speed: np.ndarray) -> None:
        hours = self.time_step / 3600.0
        count = np.maximum(1, (length / (speed * hours) + 1e-9).astype(np.int64))
        cell = np.maximum(length / count, speed * hours)
        at_capacity = speed * (1.0 - SLOWDOWN)
        #: Vehicles per hour that each link can carry: those of its lanes, fewer on a slow street,
        #: whose waves would otherwise outrun its vehicles.
        self.capacity = lanes * np.minimum(CAPACITY, at_capacity * JAM_DENSITY / 2)
        critical = self.capacity / at_capacity  # vehicles per kilometre
        wave_speed = self.capacity / (JAM_DENSITY * lanes - critical)
        #: First cell of each link, last cell, and the cell of its sensor.
        self.first = np.cumsum(count) - count
        self.last = self.first + count - 1
        self.middle = self.first + count // 2
        link = np.repeat(np.arange(self.num_links), count)
        #: Vehicles that fit into each cell.
        self.jam = (JAM_DENSITY * lanes * cell)[link]
        self._cell_length, self._speed = cell, speed
        self._limit = (self.capacity * hours)[link]
        self._critical = (critical * cell)[link]
        self._forward = (speed * hours / cell)[link]
        self._bend = self._forward * SLOWDOWN / self._critical
        self._backward = (wave_speed * hours / cell)[link]

    def _set_turns(self, source: np.ndarray, target: np.ndarray, fraction: np.ndarray) -> None:
        if (fraction <= 0.0).any():
            raise ValueError(f"`fraction` must be positive, got {fraction.min():.6g}")
        total = np.bincount(source, fraction, minlength=self.num_links)
        if total.max() > 1.0 + 1e-9:
            raise ValueError(
                f"`fraction` must add up to at most 1 for each link, got {total.max():.6g} for "
                f"link {total.argmax()}"
            )
        self._end = np.maximum(1.0 - total, 0.0)
        order = np.argsort(source, kind="stable")  # the turns of a link together, for reduceat
        self._source, self._target, self._fraction = source[order], target[order], fraction[order]
        self._with_turns, self._first_turn = np.unique(self._source, return_index=True)

    def run(
        self, demand: np.ndarray, exit_capacity: np.ndarray | None = None, interval: float = 300.0
    ) -> Traffic:
        r"""Simulates traffic on a network that is empty at first.

        Args:
            demand (numpy.ndarray): Vehicles per hour that begin their trip on each link.
            exit_capacity (numpy.ndarray, optional): Share of its capacity that is left at the
                downstream end of each link. (default: 1 everywhere)
            interval (float, optional): Seconds per interval, a multiple of the time step.
                (default: :obj:`300.0`)

        Shapes:
            - **demand, exit_capacity:** :math:`(T, L)`

        Raises:
            ValueError: If :obj:`interval` is no multiple of the time step.
        """
        steps = round(interval / self.time_step)
        if steps < 1 or abs(steps * self.time_step - interval) > 1e-6:
            raise ValueError(
                f"`interval` must be a multiple of the time step {self.time_step} s, got {interval}"
            )
        arrivals = demand * (self.time_step / 3600.0)
        limit = np.broadcast_to(self._limit[self.last], demand.shape)
        limit = limit if exit_capacity is None else limit * exit_capacity
        vehicles, queue = np.zeros(len(self.jam)), np.zeros(self.num_links)
        exited = np.zeros(len(demand))
        passed, present, waiting = (np.empty(demand.shape) for _ in range(3))
        occupancy = np.empty((len(demand), len(self.jam)))
        for t in range(len(demand)):
            exited[t], passed[t], present[t] = self._advance(
                vehicles, queue, arrivals[t], limit[t], steps
            )
            occupancy[t], waiting[t] = vehicles, queue
        hours = present * (self.time_step / 3600.0)  # spent in the sensor's cell by all vehicles
        travelled = passed * self._cell_length
        return Traffic(
            flow=passed * (3600.0 / interval),
            speed=np.where(hours > 0.0, travelled / np.where(hours > 0.0, hours, 1.0), self._speed),
            entered=np.cumsum(arrivals.sum(axis=1) * steps),
            exited=np.cumsum(exited),
            stored=occupancy.sum(axis=1) + waiting.sum(axis=1),
            occupancy=occupancy,
            waiting=waiting,
        )

    def _advance(
        self,
        vehicles: np.ndarray,
        queue: np.ndarray,
        arrivals: np.ndarray,
        limit: np.ndarray,
        steps: int,
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Steps `vehicles` and `queue` in place; returns exits, and sums over the sensors' cells:
        of the vehicles that left them and of those that were in them.
        """
        first, last, links = self.first, self.last, self.num_links
        moved, entering = np.empty_like(vehicles), np.empty_like(vehicles)
        admitted, passing = np.empty(links), np.ones(links)
        exited, passed, present = 0.0, np.zeros(links), np.zeros(links)
        for _ in range(steps):
            below = np.minimum(vehicles, self._critical)
            send = below * (self._forward - self._bend * below)
            receive = np.minimum((self.jam - vehicles) * self._backward, self._limit)
            np.minimum(send[:-1], receive[1:], out=moved[:-1])  # the ends of links follow below
            entering[1:] = moved[:-1]

            leaving = np.minimum(send[last], limit)
            ending = leaving * self._end
            turning = leaving[self._source] * self._fraction
            starting = np.minimum(queue + arrivals, self._limit[first])
            wanted = np.bincount(self._target, turning, links) + starting
            np.divide(receive[first], np.maximum(wanted, 1e-12), out=admitted)
            np.minimum(admitted, 1.0, out=admitted)
            passing[self._with_turns] = np.minimum.reduceat(
                admitted[self._target], self._first_turn
            )
            turning *= passing[self._source]
            starting *= admitted
            moved[last] = np.bincount(self._source, turning, links) + ending
            entering[first] = np.bincount(self._target, turning, links) + starting

            passed += moved[self.middle]
            present += vehicles[self.middle]
            exited += ending.sum()
            queue += arrivals - starting
            vehicles += entering - moved
        return exited, passed, present
