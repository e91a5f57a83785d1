r"""Speed and flow on a simulated road network."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import networkx as nx
import numpy as np
import torch
from torch_geometric.data import Data, InMemoryDataset

from tgst.data import Series
from tgst.datasets.cell_transmission import CellTransmission

INTERVAL = 300  # seconds between readings
PER_HOUR, PER_DAY = 3600 // INTERVAL, 24 * 3600 // INTERVAL
LINK_DEFAULTS = {"lanes": 1, "speed": 50.0}
TRIP_END = 0.15  # share of the traffic of a link that ends its trip there
INNER_ORIGIN = 0.15  # trips that begin on a link inside the network, relative to a gate


class Incident(NamedTuple):
    r"""A blockage at the downstream end of a link (an index into :obj:`node_id`): in the rows
    :obj:`start` to :obj:`stop` (exclusive) the share :obj:`remaining` of its capacity is left.
    """

    link: int
    start: int
    stop: int
    remaining: float


class Balance(NamedTuple):
    r"""Vehicles at the end of each row of the series: that have :obj:`entered` and :obj:`exited`
    the network so far, and that are :obj:`stored` on its roads or waiting to get onto them.
    """

    entered: np.ndarray
    exited: np.ndarray
    stored: np.ndarray


class SimulatedTraffic(InMemoryDataset):
    r"""Speed and flow on every link of a road network, simulated with the cell transmission model
    of `"The Cell Transmission Model, Part II: Network Traffic"
    <https://doi.org/10.1016/0191-2615(94)00022-R>`_ (Daganzo, 1995; see
    :class:`~tgst.datasets.CellTransmission`).

    Trips begin on every link, most of them at the gates (links that no turn leads into): in a
    morning and an evening peak on working days, in one low hump on other days. The level of the
    day, the hour of the peaks and the demand within the day vary at random, for each origin apart.
    On each link 15 % of the traffic ends its trip; the rest turns into the next links in fixed
    random shares, more into wide ones, never back. Incidents block the end of a link for 20 to
    60 minutes, and the queue spills upstream. The network is empty at first.

    :obj:`dataset[0]` is the graph: its nodes are the links of the road network in the order of
    :obj:`network.edges`, and an edge :math:`j \to i` says that one can turn from link :math:`j`
    into link :math:`i`. It holds :obj:`edge_index` (sorted by source), :obj:`edge_weight` (the
    share of the traffic of :math:`j` that takes the turn), :obj:`edge_length` (metres from the
    middle of :math:`j` to the middle of :math:`i`), :obj:`e_id`, :obj:`node_id` (``"tail-head"``),
    :obj:`num_nodes` and, if the junctions have :obj:`pos`, :obj:`pos` (the middle of each link).

    :obj:`dataset.series` holds the readings of one sensor in the middle of each link,
    :obj:`dataset.incidents` a list of what happened and :obj:`dataset.balance` the vehicle counts,
    :math:`\text{entered} - \text{exited} = \text{stored}`. Nothing is written.

    Args:
        network (networkx.DiGraph, optional): Road network whose edges have ``length`` in metres and
            may have ``lanes`` (1 if missing) and ``speed``, the free-flow speed in km/h (50 if
            missing). (default: :func:`default_network`)
        days (int, optional): Number of days. (default: :obj:`14`)
        seed (int, optional): Seed of everything that is random. The turns, the demand, the
            incidents and the sensors have a random stream each: the same seed gives the same
            demand whatever the incidents, and the same traffic whatever the sensors.
            (default: :obj:`0`)
        start (str, optional): First timestamp. With the default, a Saturday, a chronological
            70/10/20 split of 14 days validates and tests on working days.
            (default: :obj:`"2024-01-06"`)
        demand (float, optional): Load of the network in an average peak: the flow that 19 links in
            20 stay below, over capacity. There are few queues below 0.8. (default: :obj:`1.1`)
        noise (float, optional): Standard deviation of the relative error of a reading.
            (default: :obj:`0.02`)
        dropout (float, optional): Expected share of missing readings, about half of them single
            and half in runs of an hour on average. (default: :obj:`0.03`)
        incidents_per_day (float, optional): Expected number of incidents. (default: :obj:`60.0`)
        transform (callable, optional): Applied to the graph at every access.
            (default: :obj:`None`)

    Shapes:
        - **edge_weight, edge_length:** :math:`(E)`, float32
        - **series.values:** :math:`(N, T, 2)` with :math:`T = 288 \cdot \text{days}`, every
          5 minutes: channels ``speed`` in km/h and ``flow`` in vehicles per hour

    Raises:
        TypeError: If the network is no :class:`networkx.DiGraph` (undirected, or a multigraph).
        ValueError: If the network has no edges, a self loop, a number on an edge that is missing
            or not positive, or two links of one name, or if another argument is out of range.
    """

    series: Series
    incidents: list[Incident]
    balance: Balance

    def __init__(
        self,
        network: nx.DiGraph | None = None,
        days: int = 14,
        seed: int = 0,
        start: str = "2024-01-06",
        *,
        demand: float = 1.1,
        noise: float = 0.02,
        dropout: float = 0.03,
        incidents_per_day: float = 60.0,
        transform: Callable | None = None,
    ) -> None:
        super().__init__(None, transform)
        _check_integer("days", days, 1)
        _check_integer("seed", seed, 0)
        _check_range("demand", demand)
        _check_range("noise", noise)
        _check_range("incidents_per_day", incidents_per_day)
        _check_range("dropout", dropout, 1.0)
        streams = np.random.SeedSequence(seed).spawn(4)
        turns, trips, accidents, sensors = (np.random.default_rng(stream) for stream in streams)
        network = default_network() if network is None else network
        roads = _roads(network, turns)
        model = CellTransmission(*roads)

        timestamps = _timestamps(start, days * PER_DAY)
        trips_per_hour = demand * _demand(timestamps, roads, model.capacity, trips)
        num_incidents = int(accidents.poisson(incidents_per_day * days))
        self.incidents = _incidents(num_incidents, len(timestamps), model.num_links, accidents)
        exit_capacity = np.ones(trips_per_hour.shape)
        for link, first, stop, remaining in self.incidents:
            exit_capacity[first:stop, link] *= remaining
        traffic = model.run(trips_per_hour, exit_capacity, INTERVAL)
        self.balance = Balance(traffic.entered, traffic.exited, traffic.stored)

        node_id = [_name(link) for link in network.edges]
        readings = np.stack([traffic.speed.T, traffic.flow.T], axis=-1)
        readings *= np.maximum(1.0 + noise * sensors.standard_normal(readings.shape), 0.0)
        missing = _dropouts(readings.shape[0], readings.shape[1], dropout, sensors)
        values, mask = torch.from_numpy(readings).float(), torch.from_numpy(~missing)
        self.series = Series(values, timestamps, mask, node_id, ("speed", "flow"))
        self.data, self.slices = self.collate([_graph(network, node_id, roads)])


def default_network(size: int = 7, seed: int = 0) -> nx.DiGraph:
    r"""A region of :obj:`size` times :obj:`size` junctions on a bent grid of two-way roads.

    Every second road, from the first, is a main road (two lanes, 70 km/h; three lanes and 80 km/h
    on the ring around the region) and continues to a gate outside at both ends; the others have
    one lane and 50 km/h. The default has 200 links of 0.7 to 2.7 km.

    Args:
        size (int, optional): Junctions per row and column. (default: :obj:`7`)
        seed (int, optional): Seed of the places of the junctions. (default: :obj:`0`)

    Returns:
        networkx.DiGraph: Its nodes have ``pos`` in metres, its edges ``length`` in metres,
        ``lanes`` and ``speed`` in km/h.

    Raises:
        ValueError: If :obj:`size` is below 2.
    """
    _check_integer("size", size, 2)
    rng = np.random.default_rng(seed)
    across, along = (np.cumsum(rng.uniform(1000.0, 2500.0, size + 2)) for _ in range(2))
    place = np.stack(np.meshgrid(across, along, indexing="ij"), axis=-1)
    place += rng.uniform(-200.0, 200.0, place.shape)
    network = nx.DiGraph()
    for road in range(1, size + 1):
        main, ring = road % 2 == 1, road in (1, size)
        lanes, speed = (3, 80.0) if ring else (2, 70.0) if main else (1, 50.0)
        stops = range(size + 2) if main else range(1, size + 1)
        for a, b in pairwise(stops):
            for ends in (((road, a), (road, b)), ((a, road), (b, road))):
                length = float(np.linalg.norm(place[ends[0]] - place[ends[1]]))
                for link in (ends, ends[::-1]):
                    network.add_edge(*link, length=length, lanes=lanes, speed=speed)
    nx.set_node_attributes(network, {n: tuple(place[n].tolist()) for n in network}, "pos")
    return nx.convert_node_labels_to_integers(network, ordering="sorted")


class _Roads(NamedTuple):
    """The arguments of CellTransmission: links, then turns sorted by source."""

    length: np.ndarray
    lanes: np.ndarray
    speed: np.ndarray
    source: np.ndarray
    target: np.ndarray
    fraction: np.ndarray


def _name(link: tuple) -> str:
    return f"{link[0]}-{link[1]}"


def _check_integer(name: str, value: int, least: int) -> None:
    if not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}, got {value!r}")


def _check_range(name: str, value: float, stop: float = np.inf) -> None:
    if not 0.0 <= value < stop:
        raise ValueError(f"`{name}` must be at least 0 and below {stop}, got {value}")


def _check_network(network: nx.DiGraph) -> None:
    if not isinstance(network, nx.DiGraph) or network.is_multigraph():
        raise TypeError(f"`network` must be a networkx.DiGraph, got a {type(network).__name__}")
    if network.number_of_edges() == 0:
        raise ValueError(
            f"`network` must have edges, got a graph of {network.number_of_nodes()} nodes without"
        )
    named: dict[str, tuple] = {}
    for link in network.edges:
        if link[0] == link[1]:
            raise ValueError(f"`network` must have no self loops, got edge {link}")
        other = named.setdefault(_name(link), link)
        if other != link:
            raise ValueError(
                f"`network` must name its links apart, got {_name(link)!r} for the edges {other} "
                f"and {link}"
            )


def _numbers(network: nx.DiGraph, key: str) -> np.ndarray:
    """A positive number of each link."""
    numbers = []
    for tail, head, attributes in network.edges(data=True):
        number = attributes.get(key, LINK_DEFAULTS.get(key))
        if not isinstance(number, int | float | np.number) or not 0.0 < number < np.inf:
            raise ValueError(
                f"`network` must have a positive number {key!r} on every edge, got {number!r} on "
                f"edge {(tail, head)}"
            )
        numbers.append(float(number))
    return np.array(numbers)


def _roads(network: nx.DiGraph, rng: np.random.Generator) -> _Roads:
    _check_network(network)
    length, lanes, speed = (_numbers(network, key) for key in ("length", "lanes", "speed"))
    index = {link: position for position, link in enumerate(network.edges)}
    turns = [
        (position, index[head, after])
        for (tail, head), position in index.items()
        for after in network.successors(head)
        if after != tail
    ]
    source, target = np.array(turns, dtype=np.int64).reshape(-1, 2).T
    attraction = lanes[target] ** 2 * rng.lognormal(0.0, 0.4, len(turns))
    total = np.bincount(source, attraction, minlength=len(length))
    fraction = (1.0 - TRIP_END) * attraction / total[source]
    return _Roads(length, lanes, speed, source, target, fraction)


def _timestamps(start: str, num_steps: int) -> np.ndarray:
    try:
        first = np.datetime64(start, "s")
    except ValueError as error:
        raise ValueError(f"`start` must be a date and time (ISO 8601), got {start!r}") from error
    return first + np.arange(num_steps) * np.timedelta64(INTERVAL, "s")


def _peak_load(roads: _Roads, capacity: np.ndarray, *origins: np.ndarray) -> float:
    """Flow over capacity that 19 links in 20 stay below if trips per hour begin as in `origins`
    and no link is ever full: solves flow = origin + turns(flow).
    """
    from scipy import sparse
    from scipy.sparse.linalg import spsolve

    links = len(capacity)
    turns = sparse.coo_array((roads.fraction, (roads.target, roads.source)), shape=(links, links))
    system = (sparse.eye_array(links) - turns).tocsc()
    loads = [spsolve(system, origin) / capacity for origin in origins]
    return float(np.quantile(np.max(loads, axis=0), 0.95))


def _demand(
    timestamps: np.ndarray, roads: _Roads, capacity: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Trips per hour that begin on each link [T, L], for a peak load of about 1."""
    links = len(capacity)
    gate = np.bincount(roads.target, minlength=links) == 0
    weight = capacity * np.where(gate, 1.0, INNER_ORIGIN)
    morning, evening = (weight * rng.lognormal(0.0, 0.3, links) for _ in range(2))
    peak = _peak_load(roads, capacity, morning, evening)
    morning, evening = morning / peak, evening / peak

    date = timestamps.astype("datetime64[D]")
    day = (date - date[0]).astype(np.int64)
    hour = ((timestamps - date) / np.timedelta64(3600, "s"))[:, None]
    working = ((date.astype(np.int64) + 3) % 7 < 5)[:, None]  # 1970-01-01 was a Thursday
    shift = rng.normal(0.0, 0.3, (day[-1] + 1, 2))[day]
    level = rng.normal(0.0, 0.1, (day[-1] + 1, 1)) + rng.normal(0.0, 0.15, (day[-1] + 1, links))
    early = 0.9 * _bell(hour, 7.75 + shift[:, :1], 0.9) * working
    late = 0.85 * _bell(hour, 17.25 + shift[:, 1:], 1.2) * working
    midday = 0.03 + np.where(working, 0.22, 0.42) * _bell(hour, 13.5, 4.0)
    trips = early * morning + late * evening + midday * (morning + evening) / 2
    return trips * np.exp(level[day] + _drift(len(timestamps), links, rng))


def _bell(hour: np.ndarray, centre: np.ndarray | float, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((hour - centre) / width) ** 2)


def _drift(num_steps: int, links: int, rng: np.random.Generator) -> np.ndarray:
    """Noise [T, L] of standard deviation 0.2 that is forgotten in an hour."""
    keep = np.exp(-1.0 / PER_HOUR)
    drift = rng.normal(0.0, 0.2, (num_steps, links))
    drift[1:] *= np.sqrt(1.0 - keep**2)
    for t in range(1, num_steps):
        drift[t] += keep * drift[t - 1]
    return drift


def _incidents(count: int, num_steps: int, links: int, rng: np.random.Generator) -> list[Incident]:
    start = np.sort(rng.integers(num_steps, size=count))
    stop = start + rng.integers(PER_HOUR // 3, PER_HOUR + 1, size=count)
    link, remaining = rng.integers(links, size=count), rng.uniform(0.1, 0.5, count)
    columns = (link, start, stop.clip(max=num_steps), remaining)
    return [Incident(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _dropouts(num_nodes: int, num_steps: int, share: float, rng: np.random.Generator) -> np.ndarray:
    """True where a reading is missing [N, T], single readings and runs."""
    each = 1.0 - np.sqrt(1.0 - share)  # of both kinds, so that their union has the wanted share
    missing = rng.random((num_steps, num_nodes)) < each
    # A chain of two states: a run goes on with probability `stay`, and begins so often that the
    # share of time in runs is constant.
    stay = 1.0 - 1.0 / PER_HOUR
    begin = min(1.0, each / (1.0 - each) * (1.0 - stay))
    inside = rng.random(num_nodes) < each
    for row, draw in zip(missing, rng.random((num_steps, num_nodes)), strict=True):
        row |= inside
        inside = draw < np.where(inside, stay, begin)
    return missing.T


def _graph(network: nx.DiGraph, node_id: list[str], roads: _Roads) -> Data:
    source, target = roads.source, roads.target
    data = Data(
        edge_index=torch.from_numpy(np.stack([source, target])),
        edge_weight=torch.from_numpy(roads.fraction).float(),
        edge_length=torch.from_numpy((roads.length[source] + roads.length[target]) / 2).float(),
        e_id=torch.arange(len(source)),
        node_id=node_id,
        num_nodes=len(node_id),
    )
    pos = nx.get_node_attributes(network, "pos")
    if len(pos) == network.number_of_nodes():
        middle = [np.add(pos[tail], pos[head]) / 2 for tail, head in network.edges]
        data.pos = torch.from_numpy(np.array(middle)).float()
    return data
