from __future__ import annotations

import numpy as np
import pytest

from tgst.datasets import CellTransmission

NO_TURNS = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
HOUR = 12  # intervals


def chain(lanes, length=1500.0, speed=72.0):
    """Links 0 -> 1 -> ..., one after the other."""
    links = len(lanes)
    return CellTransmission(
        np.full(links, length),
        np.array(lanes, float),
        np.full(links, speed),
        np.arange(links - 1),
        np.arange(1, links),
        np.ones(links - 1),
    )


def constant(model, demand, intervals):
    """Trips that begin on the first link only."""
    trips = np.zeros((intervals, model.num_links))
    trips[:, 0] = demand
    return trips


def random_roads(seed, links=12, turns=30):
    """Arguments of CellTransmission."""
    rng = np.random.default_rng(seed)
    source, target = np.divmod(rng.permutation(links * links)[:turns], links)
    fraction = rng.uniform(0.1, 1.0, turns)
    fraction *= 0.9 / np.bincount(source, fraction, links)[source]
    length, speed = rng.uniform(100.0, 3000.0, links), rng.uniform(10.0, 100.0, links)
    return length, rng.integers(1, 4, links).astype(float), speed, source, target, fraction


def step_by_hand(roads, first, last, cells, queue, trips, exit_share, hours):
    """One step in place, written cell by cell and turn by turn; returns who ended the trip."""
    length, lanes, speed, source, target, fraction = roads
    links, turns = range(len(length)), list(zip(source, target, fraction, strict=True))
    send, receive, limit = {}, {}, {}
    for i in links:
        size = max(length[i] / 1000 / (last[i] - first[i] + 1), speed[i] * hours)
        capacity = lanes[i] * min(1800.0, 0.8 * speed[i] * 140 / 2)
        critical = capacity / (0.8 * speed[i])
        wave = capacity / (140 * lanes[i] - critical)
        limit[i] = capacity * hours
        for c in range(first[i], last[i] + 1):
            density = cells[c] / size
            free = density * speed[i] * (1 - 0.2 * density / critical)
            send[c] = hours * (free if density < critical else capacity)
            receive[c] = hours * min((140 * lanes[i] - density) * wave, capacity)
        send[last[i]] = min(send[last[i]], exit_share[i] * limit[i])
    origin = [min(queue[j] + trips[j] * hours, limit[j]) for j in links]
    wanted = [origin[j] + sum(p * send[last[i]] for i, k, p in turns if k == j) for j in links]
    admitted = [min(1.0, receive[first[j]] / max(wanted[j], 1e-12)) for j in links]
    moves = []  # from cell, to cell, vehicles
    for i in links:
        moves += [(c, c + 1, min(send[c], receive[c + 1])) for c in range(first[i], last[i])]
        held = min((admitted[j] for k, j, _ in turns if k == i), default=1.0)
        moves += [(last[i], first[j], p * send[last[i]] * held) for k, j, p in turns if k == i]
    for start, stop, vehicles in moves:
        cells[start] -= vehicles
        cells[stop] += vehicles
    exited = 0.0
    for i in links:
        end = send[last[i]] * (1 - sum(p for k, _, p in turns if k == i))
        cells[last[i]] -= end
        exited += end
        cells[first[i]] += origin[i] * admitted[i]
        queue[i] += trips[i] * hours - origin[i] * admitted[i]
    return exited


@pytest.mark.parametrize("seed", range(3))
def test_equals_the_formulas_written_out(seed):
    rng = np.random.default_rng(seed + 100)
    roads = random_roads(seed)
    model = CellTransmission(*roads)
    trips = rng.uniform(0.0, 2500.0, (8, 12))
    exit_share = rng.choice([0.0, 0.3, 1.0], (8, 12), p=[0.1, 0.3, 0.6])
    traffic = model.run(trips, exit_share, interval=60.0)

    cells, queue, exited = np.zeros(len(model.jam)), np.zeros(12), 0.0
    ends = model.first, model.last
    for t in range(8):
        for _ in range(3):
            hours = 20.0 / 3600.0
            exited += step_by_hand(roads, *ends, cells, queue, trips[t], exit_share[t], hours)
        np.testing.assert_allclose(traffic.occupancy[t], cells, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(traffic.waiting[t], queue, rtol=1e-9, atol=1e-9)
        assert traffic.exited[t] == pytest.approx(exited)


@pytest.mark.parametrize("seed", range(4))
def test_vehicles_are_conserved_and_fit_on_the_road(seed):
    rng = np.random.default_rng(seed + 100)
    model = CellTransmission(*random_roads(seed))
    trips = rng.uniform(0.0, 3000.0, (48, 12))
    traffic = model.run(trips, rng.choice([0.0, 1.0], (48, 12), p=[0.1, 0.9]))
    assert traffic.occupancy.max() > 0.9 * model.jam.max()  # else the bounds below say little
    np.testing.assert_allclose(traffic.entered, np.cumsum(trips.sum(1)) / 12, rtol=1e-12)
    np.testing.assert_allclose(traffic.entered - traffic.exited, traffic.stored, rtol=1e-9)
    assert (np.diff(traffic.exited) >= 0).all()
    assert traffic.occupancy.min() >= -1e-9
    assert (traffic.occupancy <= model.jam + 1e-9).all()
    assert traffic.waiting.min() >= -1e-9
    assert traffic.flow.min() >= -1e-9
    assert (traffic.flow <= model.capacity * (1 + 1e-9)).all()
    assert (traffic.speed >= -1e-9).all()


def test_free_flow_speed_and_travel_time():
    model = chain([1, 1, 1])
    traffic = model.run(constant(model, 600.0, HOUR))
    np.testing.assert_allclose(traffic.flow[-1], 600.0, rtol=1e-6)
    # flow = density * v (1 - 0.2 density / critical) with critical = 1800 / (0.8 * 72)
    critical = 1800.0 / 57.6
    density = critical / 0.4 * (1 - np.sqrt(1 - 0.8 * 600.0 / (72.0 * critical)))
    np.testing.assert_allclose(traffic.speed[-1], 600.0 / density, rtol=1e-6)
    # Little's law: vehicles on 4.5 km = flow * travel time
    assert traffic.stored[-1] == pytest.approx(4.5 * density, rel=1e-6)
    # A car on an empty road: half of a small pulse is through when 4.5 km / 72 km/h have passed.
    pulse = constant(model, 0.0, 60)
    pulse[0, 0] = 1.0
    exited = model.run(pulse, interval=20.0).exited
    assert np.interp(0.5 * exited[-1], exited, np.arange(60) * 20.0) == pytest.approx(225, rel=0.1)


def test_an_empty_road_has_free_flow_speed_and_a_blocked_one_none():
    model = chain([1, 1])
    exit_capacity = np.ones((HOUR, 2))
    exit_capacity[:, 0] = 0.0
    traffic = model.run(constant(model, 900.0, HOUR), exit_capacity)
    np.testing.assert_array_equal(traffic.speed[:, 1], 72.0)
    np.testing.assert_array_equal(traffic.flow[:, 1], 0.0)
    assert traffic.speed[-1, 0] == pytest.approx(0.0, abs=1e-3)
    # what does not fit onto the link waits at its origin
    assert traffic.waiting[-1, 0] == pytest.approx(900.0 - 1.5 * 140.0, rel=1e-3)


def test_lane_drop_discharges_its_capacity_and_queues_on_the_congested_branch():
    model = chain([2, 2, 1])
    traffic = model.run(constant(model, 3000.0, 3 * HOUR))
    np.testing.assert_allclose(traffic.flow[-1], 1800.0, rtol=1e-3)
    density = 280.0 - 1800.0 * (280.0 - 3600.0 / 57.6) / 3600.0  # w = Q / (jam - critical)
    np.testing.assert_allclose(traffic.speed[-1, :2], 1800.0 / density, rtol=1e-2)
    assert traffic.speed[-1, 2] == pytest.approx(57.6, rel=1e-2)
    # the rest of the demand waits
    assert traffic.waiting[-1, 0] - traffic.waiting[-2, 0] == pytest.approx(100.0, rel=1e-2)


def test_incident_queue_spills_upstream_and_clears():
    model = chain([1, 1, 1, 1])
    exit_capacity = np.ones((4 * HOUR, 4))
    exit_capacity[HOUR : 2 * HOUR, 2] = 0.2
    trips = constant(model, 1200.0, 4 * HOUR)
    with_incident, without = model.run(trips, exit_capacity), model.run(trips)
    np.testing.assert_array_equal(with_incident.speed[:HOUR], without.speed[:HOUR])
    slow = with_incident.speed < 0.5 * without.speed
    assert slow[:, :3].any(axis=0).all()
    arrival = slow[:, :3].argmax(axis=0)
    assert HOUR <= arrival[2] < arrival[1] < arrival[0]  # against the driving direction
    assert not slow[:, 3].any()
    assert with_incident.flow[2 * HOUR - 1, 3] == pytest.approx(0.2 * 1800.0, rel=1e-3)
    np.testing.assert_allclose(with_incident.speed[-1], without.speed[-1], rtol=1e-3)


def junction(source, target, fraction, links):
    ones = np.ones(links)
    return CellTransmission(
        1500.0 * ones, ones, 72.0 * ones, np.array(source), np.array(target), np.array(fraction)
    )


def test_traffic_divides_in_fixed_shares_and_the_rest_ends_its_trip():
    model = junction([0, 0], [1, 2], [0.5, 0.3], links=3)
    traffic = model.run(constant(model, 1000.0, HOUR))
    np.testing.assert_allclose(traffic.flow[-1], [1000.0, 500.0, 300.0], rtol=1e-6)
    # 200 end on link 0, and what reaches the ends of links 1 and 2 ends there
    assert 12 * (traffic.exited[-1] - traffic.exited[-2]) == pytest.approx(1000.0, rel=1e-6)


def test_a_full_turn_holds_up_the_others():
    model = junction([0, 0], [1, 2], [0.6, 0.4], links=3)
    exit_capacity = np.ones((2 * HOUR, 3))
    exit_capacity[:, 2] = 0.1
    traffic = model.run(constant(model, 1000.0, 2 * HOUR), exit_capacity)
    np.testing.assert_allclose(traffic.flow[-1], [450.0, 270.0, 180.0], rtol=1e-3)


def test_a_full_link_admits_in_proportion():
    model = junction([0, 1], [2, 2], [1.0, 1.0], links=3)
    trips = np.zeros((3 * HOUR, 3))
    trips[:, :2] = 1700.0
    exit_capacity = np.ones((3 * HOUR, 3))
    exit_capacity[:, 1] = 0.5  # sends at most 900, link 0 sends 1800
    traffic = model.run(trips, exit_capacity)
    np.testing.assert_allclose(traffic.flow[-1], [1200.0, 600.0, 1800.0], rtol=1e-3)


def test_a_full_ring_dissolves():
    links = np.arange(4)
    model = junction(links, (links + 1) % 4, np.full(4, 0.9), links=4)
    trips = np.zeros((14 * HOUR, 4))
    trips[:HOUR] = 1800.0
    traffic = model.run(trips)
    assert traffic.speed[HOUR].max() < 20.0
    assert traffic.stored[-1] < 1e-3 * traffic.stored.max()


def test_link_without_turns_and_link_shorter_than_a_cell():
    one, four = np.ones(1), np.full(1, 400.0)
    for length in (50.0 * one, four):  # a cell of 72 km/h and 20 s is 400 m
        model = CellTransmission(length, one, 72.0 * one, *NO_TURNS)
        np.testing.assert_allclose(model.jam, [56.0])
        traffic = model.run(np.full((HOUR, 1), 600.0))
        np.testing.assert_allclose(traffic.flow[-1], 600.0, rtol=1e-6)


def test_refuses_fractions_that_are_not_positive_or_exceed_one():
    with pytest.raises(ValueError, match=r"`fraction` must be positive, got -0\.1"):
        junction([0, 0], [1, 2], [0.5, -0.1], links=3)
    with pytest.raises(ValueError, match=r"`fraction` must add up to at most 1 .* 1\.2 for link 0"):
        junction([0, 0], [1, 2], [0.5, 0.7], links=3)


@pytest.mark.parametrize("interval", [10.0, 70.0])
def test_refuses_an_interval_between_steps(interval):
    model = chain([1, 1])
    with pytest.raises(
        ValueError, match=rf"`interval` must be a multiple of .*20\.0 s, got {interval}"
    ):
        model.run(constant(model, 1.0, 2), interval=interval)
