from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import torch
from scipy import signal, sparse
from scipy.sparse.linalg import spsolve
from torch_geometric.data import Data, InMemoryDataset

from tgst.data import Series
from tgst.datasets.cell_transmission import CellTransmission

INTERVAL = 300  # seconds between readings
PER_DAY = 24 * 3600 // INTERVAL
LANES, SPEED = 1.0, 50.0  # of links that do not say
TRIP_END = 0.1  # share of the traffic that ends its trip at each junction
LOCAL_ORIGIN = 0.1  # trips that begin inside the network, relative to its gates


class Incident(NamedTuple):
    r"""A blockage at the downstream end of a link: ``remaining`` is the share of its capacity that
    is left in the rows ``start`` to ``stop`` (exclusive) of the series.
    """

    link: int
    start: int
    stop: int
    remaining: float


class Balance(NamedTuple):
    r"""Vehicles at the end of each row of the series :math:`[T]`: ``entered`` and ``exited`` so
    far, and ``stored`` on the road or waiting to get onto it; ``entered - exited = stored``.
    """

    entered: np.ndarray
    exited: np.ndarray
    stored: np.ndarray


class SimulatedTraffic(InMemoryDataset):
    r"""Speed and flow on every link of a road network, simulated with the cell transmission model
    of `"The Cell Transmission Model, Part II: Network Traffic"
    <https://doi.org/10.1016/0191-2615(94)00022-R>`_ (Daganzo, 1995), see
    :class:`~tgst.datasets.CellTransmission`.

    Trips begin on every link, most of them at gates (links that no other link leads into), in a
    morning and an evening peak on working days and one low hump on other days. The level of each
    day and origin, the hour of the peaks and the demand within the day vary at random. Each
    junction ends 10 % of the trips; the rest is divided among the next links in fixed shares, wide
    links attracting more. Incidents block the end of a link for 20 to 60 minutes; the queue spills
    upstream. Nothing is written to disk.

    ``dataset[0]`` is the graph: its nodes are the links of the road network, in the order of
    ``network.edges``, and an edge :math:`j \to i` says that one can drive from link :math:`j` onto
    link :math:`i`, U-turns excluded. It has

    * ``edge_index``: :math:`[2, E]`, sorted by source; ``e_id``: :math:`[E]`
    * ``edge_weight``: :math:`[E]`, the share of the traffic of link :math:`j` that turns into
      :math:`i`
    * ``edge_length``: :math:`[E]`, metres from the middle of :math:`j` to the middle of :math:`i`
    * ``node_id``: ``"tail-head"`` of each link; ``pos``: :math:`[N, 2]`, its middle, if the
      junctions have ``pos``

    ``dataset.series`` has the channels ``speed`` (km/h) and ``flow`` (vehicles per hour) in the
    middle of each link, every 5 minutes; both are missing together. ``dataset.incidents`` lists
    what happened, ``dataset.balance`` counts the vehicles.

    Args:
        network: Directed road network whose edges have ``length`` in metres and may have ``lanes``
            (default: 1) and ``speed``, the free-flow speed in km/h (default: 50). The default is
            :func:`default_network`.
        days: Number of days.
        seed: Seed of everything that is random. Noise, dropouts and incidents are drawn apart from
            demand: the same seed gives the same demand whatever their size.
        start: First timestamp.
        demand: Load of the busiest links at the peak of an average day, as a share of their
            capacity: one link in twenty would carry more. Queues are rare below 0.8.
        noise: Standard deviation of the relative error of a reading.
        dropout: Expected share of missing readings, half of them one by one and half in runs of one
            hour on average.
        incidents_per_day: Expected number of incidents in a day.
        transform: Applied to the graph at every access.

    Shapes:
        * series.values: :math:`[N, T, 2]` with :math:`T = 288 \cdot \text{days}`

    Raises:
        TypeError: If ``network`` is not a plain directed graph.
        ValueError: If the network has no edges, a self loop, a ``length``, ``lanes`` or ``speed``
            that is missing or not positive, or two links of the same name, or if another argument
            is out of range.
    """

    def __init__(
        self,
        network: nx.DiGraph | None = None,
        days: int = 14,
        seed: int = 0,
        start: str = "2024-01-06",
        *,
        demand: float = 1.2,
        noise: float = 0.02,
        dropout: float = 0.03,
        incidents_per_day: float = 20.0,
        transform: Callable[[Data], Data] | None = None,
    ) -> None:
        super().__init__(None, transform)
        _check_range("days", days, 1)
        _check_range("demand", demand, 0.0)
        _check_range("noise", noise, 0.0)
        _check_range("dropout", dropout, 0.0, 1.0)
        _check_range("incidents_per_day", incidents_per_day, 0.0)
        # One stream per purpose, so that a change of one leaves the others as they are.
        turns, trips, accidents, sensors = (
            np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(4)
        )
        network = default_network() if network is None else network
        length, lanes, speed = _links(network)
        source, target = _turns(network)
        fraction = _turn_fractions(source, target, lanes, turns)
        model = CellTransmission(length, lanes, speed, source, target, fraction)

        shape = (days * PER_DAY, len(length))
        timestamps = np.datetime64(start, "s") + np.arange(shape[0]) * np.timedelta64(INTERVAL, "s")
        gates = np.bincount(target, minlength=len(length)) == 0
        weight = model.capacity * np.where(gates, 1.0, LOCAL_ORIGIN)
        flow_per_trip = _flow_per_trip(source, target, fraction, len(length))
        trips_per_hour = demand * _demand(timestamps, weight, flow_per_trip, model.capacity, trips)
        self.incidents = _incidents(days, len(length), incidents_per_day, accidents)
        open_share = np.ones(shape)
        for link, first, stop, remaining in self.incidents:
            open_share[first:stop, link] = np.minimum(open_share[first:stop, link], remaining)
        traffic = model.run(trips_per_hour, open_share, INTERVAL)

        self.balance = Balance(traffic.entered, traffic.exited, traffic.stored)
        node_id = [f"{tail}-{head}" for tail, head in network.edges]
        truth = np.stack([traffic.speed.T, traffic.flow.T], axis=-1)
        error = 1.0 + noise * sensors.standard_normal(truth.shape)
        self.series = Series(
            values=torch.from_numpy((truth * error.clip(0.0)).astype(np.float32)),
            timestamps=timestamps,
            mask=torch.from_numpy(~_dropouts(truth.shape[:2], dropout, sensors)),
            node_id=node_id,
            channels=("speed", "flow"),
        )
        self._data = _graph(network, node_id, length, source, target, fraction)


def default_network(size: int = 7, seed: int = 0) -> nx.DiGraph:
    r"""A town of ``size`` x ``size`` junctions with a ring road, wider main roads and gates.

    Every second row and column is a main road that leads out of town through a gate at each end;
    all roads are two-way. With the default size there are 200 links of 0.5 to 2 km.

    Args:
        size: Junctions per row and column; at least 2.
        seed: Seed of the distances between the roads and of the junctions' positions.

    Raises:
        ValueError: If ``size`` is less than 2.
    """
    _check_range("size", size, 2)
    rng = np.random.default_rng(seed)
    x, y = (np.cumsum(rng.uniform(1000.0, 2500.0, size + 2)) for _ in range(2))
    network = nx.DiGraph()
    name: dict[tuple[int, int], int] = {}

    def road(places: list[tuple[int, int]], lanes: int, speed: float) -> None:
        for place in places:
            if place not in name:
                shift = rng.uniform(-200.0, 200.0, 2)
                name[place] = len(name)
                network.add_node(
                    name[place], pos=(float(x[place[0]] + shift[0]), float(y[place[1]] + shift[1]))
                )
        for a, b in pairwise(name[place] for place in places):
            length = float(np.hypot(*np.subtract(network.nodes[a]["pos"], network.nodes[b]["pos"])))
            network.add_edge(a, b, length=length, lanes=lanes, speed=speed)
            network.add_edge(b, a, length=length, lanes=lanes, speed=speed)

    for k in range(1, size + 1):
        main = k % 2 == 1
        lanes, speed = (3, 80.0) if k in (1, size) else (2, 70.0) if main else (1, 50.0)
        inside = range(size + 2) if main else range(1, size + 1)
        road([(k, j) for j in inside], lanes, speed)
        road([(i, k) for i in inside], lanes, speed)
    return network


def _check_range(name: str, value: float, low: float, high: float = np.inf) -> None:
    if not low <= value < high:
        below = f" and below {high}" if high < np.inf else ""
        raise ValueError(f"{name}: expected at least {low}{below}, got {value}")


def _links(network: nx.DiGraph) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Length, lanes and speed of the links of a checked network."""
    if not isinstance(network, nx.DiGraph) or network.is_multigraph():
        raise TypeError(f"network: expected a networkx.DiGraph, got {type(network).__name__}")
    if network.number_of_edges() == 0:
        raise ValueError("network: expected edges, got a graph without edges")
    columns: dict[str, list[float]] = {"length": [], "lanes": [], "speed": []}
    names: dict[str, tuple[Any, Any]] = {}
    for tail, head, attributes in network.edges(data=True):
        if tail == head:
            raise ValueError(f"network: expected no self loops, got {tail!r} -> {head!r}")
        if other := names.get(f"{tail}-{head}"):
            raise ValueError(
                f"network: expected distinct link names, got '{tail}-{head}' for {other} and "
                f"{(tail, head)}"
            )
        names[f"{tail}-{head}"] = (tail, head)
        values = {"lanes": LANES, "speed": SPEED} | attributes
        for key, column in columns.items():
            value = values.get(key)
            if not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
                raise ValueError(
                    f"network: expected a positive {key} on edge {tail!r} -> {head!r}, got {value!r}"
                )
            column.append(float(value))
    length, lanes, speed = (np.array(column) for column in columns.values())
    return length, lanes, speed


def _turns(network: nx.DiGraph) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of links that one can drive along in sequence, sorted by the first, without U-turns."""
    index = {link: i for i, link in enumerate(network.edges)}
    pairs = [
        (i, index[head, after])
        for (tail, head), i in index.items()
        for after in network.successors(head)
        if after != tail
    ]
    source, target = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return source, target


def _turn_fractions(
    source: np.ndarray, target: np.ndarray, lanes: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    attraction = lanes[target] * rng.lognormal(0.0, 0.5, len(source))
    total = np.bincount(source, attraction, minlength=len(lanes))
    return (1.0 - TRIP_END) * attraction / total[source]


def _flow_per_trip(
    source: np.ndarray, target: np.ndarray, fraction: np.ndarray, num_links: int
) -> Callable[[np.ndarray], np.ndarray]:
    """Solves flow = demand + turns(flow): the flow on each link if no link were ever full."""
    turns = sparse.csc_array((fraction, (target, source)), shape=(num_links, num_links))
    system = (sparse.eye_array(num_links) - turns).tocsc()
    return lambda demand: spsolve(system, demand)


def _demand(
    timestamps: np.ndarray,
    weight: np.ndarray,
    flow_per_trip: Callable[[np.ndarray], np.ndarray],
    capacity: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Trips per hour [T, links]; 19 links in 20 carry at most their capacity on an average day."""
    num_links = len(weight)
    day = timestamps.astype("datetime64[D]")
    hour = ((timestamps - day) / np.timedelta64(3600, "s"))[:, None]
    weekday = (day.astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday
    day_number = (day - day[0]).astype(np.int64)
    num_days = int(day_number[-1]) + 1

    morning, evening = (weight * rng.lognormal(0.0, 0.5, num_links) for _ in range(2))
    load = np.maximum(flow_per_trip(morning), flow_per_trip(evening)) / capacity
    morning, evening = (pattern / np.quantile(load, 0.95) for pattern in (morning, evening))

    shift = rng.normal(0.0, 0.3, (num_days, 2))[day_number]
    level = rng.normal(0.0, 0.1, (num_days, 1)) + rng.normal(0.0, 0.15, (num_days, num_links))
    work = np.where(weekday < 5, 1.0, 0.0)[:, None]
    early = np.exp(-0.5 * ((hour - 7.75 - shift[:, :1]) / 0.9) ** 2)
    late = np.exp(-0.5 * ((hour - 17.25 - shift[:, 1:]) / 1.2) ** 2)
    noon = np.exp(-0.5 * ((hour - 13.5) / 4.0) ** 2)
    middle = 0.5 * (morning + evening)
    trips = work * (0.9 * early * morning + 0.85 * late * evening)
    trips = trips + (0.03 + (0.22 + 0.2 * (1.0 - work)) * noon) * middle
    return trips * np.exp(level[day_number] + _drift(len(timestamps), num_links, rng))


def _drift(num_steps: int, num_links: int, rng: np.random.Generator) -> np.ndarray:
    """Noise [T, links] with standard deviation 0.3 that is forgotten in about an hour."""
    keep = np.exp(-INTERVAL / 3600.0)
    shocks = rng.normal(0.0, 0.3 * np.sqrt(1.0 - keep**2), (num_steps, num_links))
    return signal.lfilter([1.0], [1.0, -keep], shocks, axis=0)


def _incidents(
    days: int, num_links: int, per_day: float, rng: np.random.Generator
) -> list[Incident]:
    count = int(rng.poisson(per_day * days))
    link = rng.integers(num_links, size=count)
    start = rng.integers(days * PER_DAY, size=count)
    duration = rng.integers(20 * 60 // INTERVAL, 60 * 60 // INTERVAL + 1, size=count)
    remaining = rng.uniform(0.1, 0.5, count)
    return [
        Incident(int(link[k]), int(start[k]), int(start[k] + duration[k]), float(remaining[k]))
        for k in np.argsort(start, kind="stable")
    ]


def _dropouts(shape: tuple[int, ...], share: float, rng: np.random.Generator) -> np.ndarray:
    """True where a reading is missing [N, T]: single ones, and runs of an hour on average."""
    each = 1.0 - np.sqrt(1.0 - share)  # both kinds miss this share; together they miss ``share``
    missing = rng.random(shape) < each
    mean = 3600 // INTERVAL
    # A run ends with probability 1 / mean at each step and begins so that `each` of the time is in
    # a run: the stationary state of a Markov chain with two states.
    begin = min(1.0, each / (1.0 - each) / mean)
    inside = rng.random(shape[0]) < each
    draw = rng.random(shape)
    for t in range(shape[1]):
        missing[:, t] |= inside
        inside = np.where(inside, draw[:, t] >= 1.0 / mean, draw[:, t] < begin)
    return missing


def _graph(
    network: nx.DiGraph,
    node_id: list[str],
    length: np.ndarray,
    source: np.ndarray,
    target: np.ndarray,
    fraction: np.ndarray,
) -> Data:
    data = Data(
        edge_index=torch.from_numpy(np.stack([source, target])),
        edge_weight=torch.from_numpy(fraction).float(),
        edge_length=torch.from_numpy(0.5 * (length[source] + length[target])).float(),
        e_id=torch.arange(len(source)),
        node_id=node_id,
        num_nodes=len(node_id),
    )
    place = nx.get_node_attributes(network, "pos")
    if len(place) == network.number_of_nodes():
        middle = [np.add(place[tail], place[head]) / 2 for tail, head in network.edges]
        data.pos = torch.tensor(np.array(middle), dtype=torch.float32)
    return data
