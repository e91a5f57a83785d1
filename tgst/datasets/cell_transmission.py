from __future__ import annotations

from typing import NamedTuple

import numpy as np

CAPACITY = 1800.0  # vehicles per hour and lane
JAM_DENSITY = 140.0  # vehicles per kilometre and lane
SLOWDOWN = 0.2  # at capacity, traffic is this share slower than on an empty road


class Traffic(NamedTuple):
    r"""What :meth:`CellTransmission.run` recorded in each interval.

    Shapes:
        * flow, speed: :math:`[T, L]`, vehicles per hour and km/h in the middle of each link
        * entered, exited, stored: :math:`[T]`, vehicles at the end of each interval: that have
          appeared at an origin so far, that have ended their trip so far, and that are on the
          road or wait to get onto it
        * occupancy: :math:`[T, \text{cells}]`, vehicles in each cell at the end of each interval
        * waiting: :math:`[T, L]`, vehicles that wait at the origin of each link
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
    <https://doi.org/10.1016/0191-2615(94)00022-R>`_ (Daganzo, 1995) on a network of one-way links.

    A link is a row of equal cells. Per time step :math:`\Delta t`, cell :math:`c` of length
    :math:`\ell` with :math:`n_c` vehicles can send :math:`S_c` and receive :math:`R_c`, and what
    moves on is the smaller of what is sent and what the next cell receives:

    .. math::
        S_c &= \min \left( n_c \frac{v \Delta t}{\ell} \left( 1 - \alpha \frac{n_c}{n^*} \right),
        Q \Delta t \right), \qquad
        R_c = \min \left( (\hat{n} - n_c) \frac{w \Delta t}{\ell}, Q \Delta t \right) \\
        y_c &= \min(S_c, R_{c+1}), \qquad n_c \leftarrow n_c + y_{c-1} - y_c

    with free-flow speed :math:`v`, capacity :math:`Q`, jam content :math:`\hat{n}`, wave speed
    :math:`w`, and :math:`n^*` the content at capacity. Daganzo's free-flow branch is the line
    :math:`\alpha = 0`; here traffic at capacity is a share :math:`\alpha = 0.2` slower, so that
    speed tells something about flow before a queue forms.

    At a junction, link :math:`i` sends the fixed share :math:`p_{ij}` to link :math:`j`. Vehicles
    leave a link first in, first out, so the fullest turn holds up the others, and a full link
    serves those who want to enter in proportion to what they send:

    .. math::
        \rho_j = \min \left( 1, \frac{R_j}{\sum_i p_{ij} S_i + S^\text{origin}_j} \right), \qquad
        y_{ij} = p_{ij} S_i \min_{k : p_{ik} > 0} \rho_k

    The share :math:`1 - \sum_j p_{ij}` ends its trip at the junction. Vehicles that find their
    link full at the origin wait beside the road until they are let in.

    Convention:
        Cells are numbered link by link, each link in driving direction. A cell is as short as the
        time step allows, :math:`\ell \ge \max(v, w) \Delta t`; a link shorter than one such cell
        is simulated as one cell of that length.

    Args:
        length: Length of each link in metres.
        lanes: Number of lanes of each link.
        speed: Free-flow speed of each link in km/h.
        source: Link that each turn leaves.
        target: Link that each turn enters.
        fraction: Share of the traffic of ``source`` that takes the turn.
        time_step: Seconds per simulation step.

    Shapes:
        * length, lanes, speed: :math:`[L]`
        * source, target, fraction: :math:`[\text{turns}]`

    Raises:
        ValueError: If the turns of a link take more than all of its traffic.
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
        #: Vehicles per hour that each link can carry: its lanes, or less where it is slow.
        self.capacity = lanes * np.minimum(CAPACITY, at_capacity * JAM_DENSITY / 2)
        critical = self.capacity / at_capacity  # vehicles per kilometre
        wave_speed = self.capacity / (JAM_DENSITY * lanes - critical)  # at most the speed
        #: First and last cell of each link, and the cell of its sensor.
        self.first = np.cumsum(count) - count
        self.last = self.first + count - 1
        self.middle = self.first + count // 2
        self._link = np.repeat(np.arange(self.num_links), count)
        #: Vehicles that fit into each cell.
        self.jam = (JAM_DENSITY * lanes * cell)[self._link]
        self._speed, self._length = speed, cell
        self._limit = (self.capacity * hours)[self._link]
        self._critical = (critical * cell)[self._link]
        self._forward = (speed * hours / cell)[self._link]
        self._bend = self._forward * SLOWDOWN / self._critical
        self._backward = (wave_speed * hours / cell)[self._link]

    def _set_turns(self, source: np.ndarray, target: np.ndarray, fraction: np.ndarray) -> None:
        ends = 1.0 - np.bincount(source, fraction, minlength=self.num_links)
        if ends.min() < -1e-9:
            link = int(ends.argmin())
            raise ValueError(
                f"fraction: expected the turns of link {link} to add up to at most 1, "
                f"got {1 - ends[link]:.6g}"
            )
        order = np.argsort(source, kind="stable")
        self._turn_source, self._turn_target = source[order], target[order]
        self._fraction = fraction[order]
        self._ends = np.maximum(ends, 0.0)
        self._through, self._first_turn = np.unique(self._turn_source, return_index=True)

    def run(
        self, demand: np.ndarray, exit_capacity: np.ndarray | None = None, interval: float = 300.0
    ) -> Traffic:
        r"""Simulates traffic on a network that is empty at first.

        Args:
            demand: Vehicles per hour that begin their trip on each link.
            exit_capacity: Share of its capacity that each link's downstream end has (default: 1).
            interval: Seconds per interval; a multiple of the time step.

        Shapes:
            * demand, exit_capacity: :math:`[T, L]`

        Raises:
            ValueError: If ``interval`` is not a multiple of the time step.
        """
        steps = round(interval / self.time_step)
        if steps < 1 or abs(steps * self.time_step - interval) > 1e-6:
            raise ValueError(
                f"interval: expected a multiple of the time step {self.time_step} s, got {interval}"
            )
        num_intervals, links = demand.shape
        arrivals = demand * (self.time_step / 3600.0)
        limit = np.broadcast_to(self._limit[self.last], demand.shape)
        limit = limit if exit_capacity is None else limit * exit_capacity
        vehicles, waiting = np.zeros(len(self.jam)), np.zeros(links)
        exited = np.zeros(num_intervals)
        passed, present, queue = (np.empty(demand.shape) for _ in range(3))
        occupancy = np.empty((num_intervals, len(self.jam)))
        for t in range(num_intervals):
            exited[t], passed[t], present[t] = self._advance(
                vehicles, waiting, arrivals[t], limit[t], steps
            )
            occupancy[t], queue[t] = vehicles, waiting
        with np.errstate(invalid="ignore"):
            speed = passed * self._length / (present * self.time_step / 3600.0)
        return Traffic(
            flow=passed * (3600.0 / interval),
            speed=np.where(present > 0.0, speed, self._speed),
            entered=np.cumsum(arrivals.sum(axis=1) * steps),
            exited=np.cumsum(exited),
            stored=occupancy.sum(axis=1) + queue.sum(axis=1),
            occupancy=occupancy,
            waiting=queue,
        )

    def _advance(
        self,
        vehicles: np.ndarray,
        waiting: np.ndarray,
        arrivals: np.ndarray,
        limit: np.ndarray,
        steps: int,
    ) -> tuple[float, np.ndarray, np.ndarray]:
        """Moves ``vehicles`` and ``waiting`` in place; returns exits, and counts at the sensors."""
        links, first, last = self.num_links, self.first, self.last
        moved, entering = np.empty_like(vehicles), np.empty_like(vehicles)
        free, ratio = np.ones(links), np.ones(links)
        exited, passed, present = 0.0, np.zeros(links), np.zeros(links)
        for _ in range(steps):
            below = np.minimum(vehicles, self._critical)
            send = below * (self._forward - self._bend * below)
            receive = np.minimum((self.jam - vehicles) * self._backward, self._limit)
            np.minimum(send[:-1], receive[1:], out=moved[:-1])  # right except at a link's last cell
            entering[1:] = moved[:-1]

            leave = np.minimum(send[last], limit)
            ending = leave * self._ends
            wish = self._fraction * leave[self._turn_source]
            from_origin = np.minimum(waiting + arrivals, self._limit[first])
            wanted = np.bincount(self._turn_target, wish, links) + from_origin
            np.divide(receive[first], np.maximum(wanted, 1e-12), out=free)
            np.minimum(free, 1.0, out=free)
            ratio[self._through] = np.minimum.reduceat(free[self._turn_target], self._first_turn)
            wish *= ratio[self._turn_source]
            from_origin *= free
            moved[last] = np.bincount(self._turn_source, wish, links) + ending
            entering[first] = np.bincount(self._turn_target, wish, links) + from_origin

            passed += moved[self.middle]
            present += vehicles[self.middle]
            exited += ending.sum()
            waiting += arrivals - from_origin
            vehicles += entering
            vehicles -= moved
        return exited, passed, present
