from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.transforms import BaseTransform

from tgst.datasets import SimulatedTraffic
from tgst.datasets.simulated_traffic import default_network

DAY = 288
MONDAY = "2024-01-01"


def small_network():
    """West (0) - junction (1) - east (2), both ways, and a one-way exit to the south (3)."""
    network = nx.DiGraph()
    for node, pos in enumerate([(0.0, 0.0), (1000.0, 0.0), (3000.0, 0.0), (1000.0, -600.0)]):
        network.add_node(node, pos=pos)
    for a, b, length in [(0, 1, 1000), (1, 0, 1000), (1, 2, 2000), (2, 1, 2000)]:
        network.add_edge(a, b, length=length, lanes=2, speed=80)
    network.add_edge(1, 3, length=600.0)
    return network


@pytest.fixture(scope="module")
def workdays():
    return SimulatedTraffic(days=5, seed=1, start=MONDAY)


def readings(dataset, channel):
    series = dataset.series
    values = series.values[..., series.channels.index(channel)].double()
    return values.masked_fill(~series.mask, float("nan")).numpy()


def test_graph_of_a_small_network():
    data = SimulatedTraffic(small_network(), days=1)[0]
    data.validate()
    assert data.node_id == ["0-1", "1-0", "1-2", "1-3", "2-1"]
    assert data.num_nodes == 5
    # 0-1 goes on to 1-2 and 1-3, 2-1 to 1-0 and 1-3; nobody turns back
    assert data.edge_index.tolist() == [[0, 0, 4, 4], [2, 3, 1, 3]]
    assert data.edge_length.tolist() == [1500.0, 800.0, 1500.0, 1300.0]
    assert data.e_id.tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(
        data.pos,
        torch.tensor([[500.0, 0.0], [500.0, 0.0], [2000.0, 0.0], [1000.0, -300.0], [2000.0, 0.0]]),
    )
    assert (data.edge_weight > 0).all()
    torch.testing.assert_close(data.edge_weight[:2].sum(), torch.tensor(0.85))
    torch.testing.assert_close(data.edge_weight[2:].sum(), torch.tensor(0.85))


def test_junctions_without_places_give_no_pos():
    network = small_network()
    del network.nodes[3]["pos"]
    assert "pos" not in SimulatedTraffic(network, days=1)[0]


def test_flow_divides_by_edge_weight():
    dataset = SimulatedTraffic(small_network(), days=2, noise=0, dropout=0, demand=0.5)
    data, flow = dataset[0], readings(dataset, "flow")
    source, target = data.edge_index.numpy()
    arriving = np.zeros(flow.shape)
    np.add.at(arriving, target, data.edge_weight.numpy()[:, None] * flow[source])
    exits = [1, 2, 3]
    ratio = arriving[exits].sum(1) / flow[exits].sum(1)
    # what comes from upstream is less than what passes: some trips begin on the link itself
    assert (ratio > 0.5).all()
    assert (ratio < 1.0).all()
    gates = [0, 4]
    np.testing.assert_array_equal(arriving[gates], 0.0)
    assert (flow[gates].mean(1) > 100.0).all()


def test_series_of_the_default_network():
    dataset = SimulatedTraffic(days=3, start="2024-02-28")
    series, data = dataset.series, dataset[0]
    assert len(dataset) == 1
    assert series.channels == ("speed", "flow")
    assert series.node_id == data.node_id
    assert series.values.shape == (200, 3 * DAY, 2)
    assert series.values.dtype == torch.float32
    assert series.timestamps[0] == np.datetime64("2024-02-28T00:00:00")
    assert series.timestamps[-1] == np.datetime64("2024-03-01T23:55:00")
    assert (series.values >= 0).all()
    assert (series.values[~series.mask] == 0).all()


def test_default_network():
    network = default_network()
    assert network.number_of_edges() == 200
    assert all(network.has_edge(b, a) for a, b in network.edges)
    for a, b, link in network.edges(data=True):
        difference = np.subtract(network.nodes[a]["pos"], network.nodes[b]["pos"])
        assert link["length"] == pytest.approx(np.hypot(*difference))
        assert (link["lanes"], link["speed"]) in {(1, 50.0), (2, 70.0), (3, 80.0)}
    gates = [node for node in network if network.out_degree(node) == 1]
    assert len(gates) == 16
    assert nx.is_strongly_connected(network)
    assert nx.utils.edges_equal(network.edges, default_network(seed=0).edges)
    assert network.nodes[0]["pos"] != default_network(seed=1).nodes[0]["pos"]
    assert default_network(size=2).number_of_edges() == 16


def test_vehicles_are_conserved(workdays):
    entered, exited, stored = workdays.balance
    assert entered.shape == (5 * DAY,)
    assert stored.max() > 10_000
    np.testing.assert_allclose(entered - exited, stored, rtol=1e-9)
    assert exited[-1] > 0.99 * entered[-1]


def test_the_seed_decides_everything():
    first, same, other = (SimulatedTraffic(days=1, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(first.series.values, same.series.values)
    assert torch.equal(first.series.mask, same.series.mask)
    assert torch.equal(first[0].edge_weight, same[0].edge_weight)
    assert first.incidents == same.incidents
    assert not torch.equal(first[0].edge_weight, other[0].edge_weight)
    assert first.incidents != other.incidents
    assert not torch.equal(first.series.mask, other.series.mask)
    change = (first.series.values - other.series.values).abs().mean((0, 1))
    assert (change > torch.tensor([1.0, 50.0])).all()


def test_queues_form_in_the_peaks_of_working_days():
    dataset = SimulatedTraffic(days=7, start=MONDAY, incidents_per_day=0)
    speed, flow = readings(dataset, "speed"), readings(dataset, "flow")
    free = np.nanquantile(speed, 0.95, axis=1, keepdims=True)
    slow = (speed < 0.5 * free).reshape(200, 7, 24, 12).mean(axis=(0, 3))  # by day and hour
    assert (slow[:5, [8, 17, 18]].mean(axis=0) > 0.05).all()
    assert slow[:, :6].max() < 0.01
    assert slow[5:].max() < 0.02
    daily = slow[:5].mean(axis=1)
    assert daily.max() > 1.3 * daily.min()  # no two days are alike
    hourly = np.nanmean(flow.reshape(200, 7, 24, 12), axis=(0, 3))
    assert (hourly[:5, 8] > 5 * hourly[:5, 3]).all()


def test_an_incident_slows_its_link_and_those_upstream():
    kwargs = {"network": road_with_side_streets(), "days": 2, "noise": 0, "dropout": 0}
    calm = SimulatedTraffic(**kwargs, start=MONDAY, incidents_per_day=0, demand=0.8)
    rough = SimulatedTraffic(**kwargs, start=MONDAY, incidents_per_day=100, demand=0.8)
    assert calm.incidents == []
    torch.testing.assert_close(calm[0].edge_weight, rough[0].edge_weight)
    np.testing.assert_allclose(calm.balance.entered, rough.balance.entered)
    lost = readings(calm, "speed") - readings(rough, "speed")
    first = min(incident.start for incident in rough.incidents)
    assert np.abs(lost[:, :first]).max(initial=0.0) < 1e-6
    source, target = rough[0].edge_index
    own, upstream = [], []
    for link, start, stop, remaining in rough.incidents:
        assert 4 <= stop - start <= 12 or stop == 2 * DAY
        assert 0.1 <= remaining <= 0.5
        if 7.0 <= start % DAY / 12 < 19.0:
            own.append(lost[link, start:stop].mean())
            before = source[target == link]
            upstream.append(lost[before, stop - 1 : stop + 3].mean() if len(before) else 0.0)
    assert max(own) > 30.0
    assert max(upstream) > 20.0


def road_with_side_streets():
    network = nx.DiGraph()
    nx.add_path(network, range(8), length=800.0, lanes=2, speed=80.0)
    for node in (2, 4, 6):
        network.add_edge(f"in{node}", node, length=500.0)
        network.add_edge(node, f"out{node}", length=500.0)
    return network


def test_noise_is_relative_and_leaves_the_traffic_alone():
    exact, noisy = (SimulatedTraffic(days=2, noise=noise) for noise in (0.0, 0.05))
    observed = exact.series.mask
    assert torch.equal(observed, noisy.series.mask)
    np.testing.assert_array_equal(exact.balance.stored, noisy.balance.stored)
    error = noisy.series.values[observed] / exact.series.values[observed] - 1.0
    torch.testing.assert_close(error.mean(0), torch.zeros(2), atol=1e-3, rtol=0)
    torch.testing.assert_close(error.std(0), torch.full((2,), 0.05), atol=1e-3, rtol=0)


@pytest.mark.parametrize("dropout", [0.0, 0.03, 0.4, 0.9])
def test_dropouts_come_single_and_in_runs(dropout):
    dataset = SimulatedTraffic(days=7, dropout=dropout, demand=0.3)
    missing = ~dataset.series.mask.numpy()
    assert missing.mean() == pytest.approx(dropout, rel=0.05)
    if dropout == 0.03:
        edges = np.diff(np.pad(missing, ((0, 0), (1, 1))).astype(int), axis=1)
        length = np.nonzero(edges == -1)[1] - np.nonzero(edges == 1)[1]
        single = (length == 1).sum() / missing.sum()
        assert single == pytest.approx(0.5, abs=0.06)
        assert length[length > 1].mean() == pytest.approx(12.0, abs=1.5)


def test_more_demand_means_longer_queues():
    stored = [
        SimulatedTraffic(days=1, start=MONDAY, demand=demand).balance.stored.max()
        for demand in (0.6, 0.9, 1.2)
    ]
    assert stored[1] > 1.5 * stored[0]
    assert stored[2] > 1.5 * stored[1]
    assert SimulatedTraffic(days=1, demand=0.0).balance.stored.max() == 0.0


def test_network_without_gates_has_trips_on_every_link():
    ring = nx.cycle_graph(6, create_using=nx.DiGraph)
    nx.set_edge_attributes(ring, 900.0, "length")
    dataset = SimulatedTraffic(ring, days=2, start=MONDAY)
    assert dataset[0].edge_index.tolist() == [[0, 1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 0]]
    peak = readings(dataset, "flow")[:, 7 * 12 : 9 * 12]
    assert (np.nanmax(peak, axis=1) > 900.0).all()
    entered, exited, stored = dataset.balance
    np.testing.assert_allclose(entered - exited, stored, rtol=1e-9)


def test_start_within_a_day_keeps_the_clock():
    early = SimulatedTraffic(days=1, start="2024-01-02", incidents_per_day=0)
    late = SimulatedTraffic(days=1, start="2024-01-02T12:00", incidents_per_day=0)
    assert late.series.timestamps[0] == np.datetime64("2024-01-02T12:00:00")
    for dataset in (early, late):
        flow = np.nanmean(readings(dataset, "flow"), axis=0)
        hour = (dataset.series.timestamps - np.datetime64("2024-01-02")).astype(int) / 3600 % 24
        assert flow[(hour >= 7) & (hour < 9)].mean() > 5 * flow[hour < 4].mean()


def test_transform_is_applied_and_nothing_is_written(tmp_path, monkeypatch):
    class Double(BaseTransform):
        def forward(self, data):
            data.edge_weight = 2 * data.edge_weight
            return data

    monkeypatch.chdir(tmp_path)
    dataset = SimulatedTraffic(small_network(), days=1, transform=Double())
    for _ in range(2):  # the stored graph stays as it is
        torch.testing.assert_close(dataset[0].edge_weight[:2].sum(), torch.tensor(1.7))
    assert list(tmp_path.iterdir()) == []


def neighbour_means(x, edge_index):
    """Means over the links upstream and over those downstream; zero where there is none."""
    for source, target in (edge_index, edge_index.flip(0)):
        count = torch.bincount(target, minlength=len(x)).clamp(min=1)
        yield torch.zeros_like(x).index_add(0, target, x[source]) / count[:, None, None]


def forecast_error(dataset, edge_index, horizon, history=6):
    """Root mean squared error of the speed, in km/h, on the last 30 % of the time: of a linear
    model on the readings of a link and of the links one and two steps up and down the road. All
    links share its weights, which are the least squares solution on the time before.
    """
    series = dataset.series
    x = series.values.double()
    for t in range(1, series.num_steps):
        x[:, t] = torch.where(series.mask[:, t, None], x[:, t], x[:, t - 1])
    x[..., 0] -= x[..., 0].quantile(0.95, dim=1, keepdim=True)
    scale = x.flatten(0, 1).std(0)
    x = x / scale
    parts = [x, torch.ones_like(x[..., :1])]
    for near in neighbour_means(x, edge_index):
        parts += [near, *neighbour_means(near, edge_index)]
    windows = torch.cat(parts, dim=-1).unfold(1, history, 1)[:, :-horizon].flatten(2)
    now, later = x[:, history - 1 : -horizon, 0], x[:, history - 1 + horizon :, 0]
    observed = series.mask[:, history - 1 + horizon :]
    test = int(0.7 * series.num_steps)
    train = test - history - horizon  # no target of a training window reaches the test part
    a, b = windows[:, :train][observed[:, :train]], (later - now)[:, :train][observed[:, :train]]
    weight = torch.linalg.solve(a.T @ a + torch.eye(a.shape[1], dtype=a.dtype), a.T @ b)
    error = (now + windows @ weight - later)[:, test:][observed[:, test:]]
    return scale[0].item() * error.square().mean().sqrt().item()


@pytest.mark.parametrize("horizon", [3, 6])
def test_neighbours_help_to_predict(workdays, horizon):
    edges = workdays[0].edge_index
    relabelled = torch.randperm(200, generator=torch.Generator().manual_seed(0))[edges]
    alone = forecast_error(workdays, edges[:, :0], horizon)
    gain = 1 - forecast_error(workdays, edges, horizon) / alone
    # Far links tell the hour and the day as well; only the right ones tell where the queues are.
    gain_elsewhere = 1 - forecast_error(workdays, relabelled, horizon) / alone
    assert gain > 0.05
    assert gain > 1.5 * gain_elsewhere


def edited(**attributes):
    network = small_network()
    network.edges[1, 2].update(attributes)
    return network


def without_length():
    network = small_network()
    del network.edges[1, 2]["length"]
    return network


def with_edge(*edge):
    network = small_network()
    network.add_edge(*edge, length=1.0)
    return network


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nx.DiGraph([(0, 1)]).to_undirected(), r"must be a networkx\.DiGraph, got a Graph"),
        (nx.MultiDiGraph([(0, 1)]), r"must be a networkx\.DiGraph, got a MultiDiGraph"),
        (np.eye(3), r"must be a networkx\.DiGraph, got a ndarray"),
    ],
)
def test_refuses_what_is_no_plain_directed_graph(network, message):
    with pytest.raises(TypeError, match="`network` " + message):
        SimulatedTraffic(network)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nx.empty_graph(3, nx.DiGraph), "must have edges, got a graph of 3 nodes"),
        (without_length(), r"positive number 'length' .* got None on edge \(1, 2\)"),
        (edited(length=0.0), r"positive number 'length' .* got 0\.0 on edge \(1, 2\)"),
        (edited(length=float("nan")), r"positive number 'length' .* got nan on edge \(1, 2\)"),
        (edited(length="2 km"), r"positive number 'length' .* got '2 km' on edge \(1, 2\)"),
        (edited(lanes=-1), r"positive number 'lanes' .* got -1 on edge \(1, 2\)"),
        (edited(speed=float("inf")), r"positive number 'speed' .* got inf on edge \(1, 2\)"),
        (with_edge(1, 1), r"must have no self loops, got edge \(1, 1\)"),
        (with_edge("1", "2"), r"got '1-2' for the edges \(1, 2\) and \('1', '2'\)"),
    ],
)
def test_refuses_a_network_it_cannot_simulate(network, message):
    with pytest.raises(ValueError, match="`network` must .*" + message.removeprefix("must ")):
        SimulatedTraffic(network, days=1)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("days", 0, "must be an integer of at least 1, got 0"),
        ("days", 1.5, r"must be an integer of at least 1, got 1\.5"),
        ("seed", -1, "must be an integer of at least 0, got -1"),
        ("start", "monday", "must be a date and time .* got 'monday'"),
        ("demand", -0.1, r"must be at least 0 and below inf, got -0\.1"),
        ("noise", float("nan"), "must be at least 0 and below inf, got nan"),
        ("dropout", 1.0, r"must be at least 0 and below 1\.0, got 1\.0"),
        ("dropout", -0.1, r"must be at least 0 and below 1\.0, got -0\.1"),
        ("incidents_per_day", -1, "must be at least 0 and below inf, got -1"),
    ],
)
def test_refuses_arguments_out_of_range(name, value, message):
    with pytest.raises(ValueError, match=f"`{name}` {message}"):
        SimulatedTraffic(small_network(), **{"days": 1, name: value})


def test_default_network_refuses_a_size_below_two():
    with pytest.raises(ValueError, match="`size` must be an integer of at least 2, got 1"):
        default_network(size=1)
