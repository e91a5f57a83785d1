from __future__ import annotations

from itertools import product

import pytest
import torch

from tgst.loader.step_plan import StepPlan


def plan(num_inputs=10, batch_size=4, num_starts=7, num_windows=2, **kwargs) -> StepPlan:
    options = {"pairing": "random", "shuffle": True, "drop_last": False, "seed": 0} | kwargs
    return StepPlan(num_inputs, batch_size, num_starts, num_windows, **options)


def as_lists(steps):
    return [(step.nodes.tolist(), step.windows.tolist(), step.seed) for step in steps]


def test_every_node_once_and_every_window_before_any_repeats():
    steps = plan()
    assert len(steps) == 3
    windows = []
    for _ in range(7):  # 7 epochs of 3 steps of 2 windows: 6 piles of 7
        epoch = list(steps)
        assert [len(step.nodes) for step in epoch] == [4, 4, 2]
        assert sorted(torch.cat([step.nodes for step in epoch]).tolist()) == list(range(10))
        windows += torch.cat([step.windows for step in epoch]).tolist()
    piles = [windows[first : first + 7] for first in range(0, 42, 7)]
    assert all(sorted(pile) == list(range(7)) for pile in piles)
    assert len({tuple(pile) for pile in piles}) == 6


def test_all_pairs_in_order():
    steps = list(plan(pairing="all", shuffle=False, num_windows=3))
    nodes = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    windows = [[0, 1, 2], [3, 4, 5], [6]]
    expected = [(batch, window) for batch in nodes for window in windows]
    assert [(step.nodes.tolist(), step.windows.tolist()) for step in steps] == expected
    assert len({step.seed for step in steps}) == 9


def test_all_pairs_shuffled():
    steps = plan(pairing="all")
    assert len(steps) == 12
    first, second = as_lists(steps), as_lists(steps)
    for epoch in (first, second):
        pairs = {pair for nodes, windows, _ in epoch for pair in product(nodes, windows)}
        assert len(pairs) == 70
        assert sum(len(nodes) * len(windows) for nodes, windows, _ in epoch) == 70
    assert first != second
    # Not one batch of nodes after the other.
    assert len({tuple(nodes) for nodes, *_ in first[:4]}) > 1


@pytest.mark.parametrize("pairing", ["random", "all"])
def test_order_follows_from_seed_and_epoch(pairing):
    first = plan(pairing=pairing)
    epochs = [as_lists(first) for _ in range(3)]
    second = plan(pairing=pairing)
    next(iter(second))  # an epoch that was given up early
    assert as_lists(second) == epochs[1]
    second.set_epoch(0)
    assert as_lists(second) == epochs[0]
    assert as_lists(plan(pairing=pairing, seed=1)) not in epochs
    still = plan(pairing=pairing, shuffle=False)
    assert as_lists(still) == as_lists(still)


def test_global_random_state_is_untouched():
    state = torch.get_rng_state()
    list(plan())
    assert torch.equal(torch.get_rng_state(), state)


def test_drop_last():
    steps = plan(drop_last=True)
    assert [len(step.nodes) for step in steps] == [4, 4]
    assert len(steps) == 2


def test_refuses_bad_arguments():
    for name in ("batch_size", "num_windows"):
        with pytest.raises(ValueError, match=f"`{name}` must be at least 1, got 0"):
            plan(**{name: 0})
        with pytest.raises(TypeError, match=rf"{name}: expected an int, got 2\.5"):
            plan(**{name: 2.5})
    with pytest.raises(TypeError, match=r"seed: expected an int, got 'a'"):
        plan(seed="a")
    with pytest.raises(ValueError, match=r"`pairing` must be one of .*got 'some'"):
        plan(pairing="some")
    message = r"`input_nodes` must fill a batch, got 3 nodes for batch_size=4 and drop_last=True"
    with pytest.raises(ValueError, match=message):
        plan(num_inputs=3, drop_last=True)
    with pytest.raises(ValueError, match="`input_nodes` must fill a batch, got 0 nodes"):
        plan(num_inputs=0)
