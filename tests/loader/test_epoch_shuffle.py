import torch
from torch.utils.data import RandomSampler

from tgst.loader.epoch_shuffle import EpochShuffle


def test_every_epoch_is_another_permutation():
    sampler = EpochShuffle(range(50), seed=3)
    epochs = [list(sampler) for _ in range(4)]
    assert all(sorted(order) == list(range(50)) for order in epochs)
    assert len({tuple(order) for order in epochs}) == 4
    assert isinstance(sampler, RandomSampler)
    assert len(sampler) == 50


def test_order_follows_from_seed_and_epoch():
    first = EpochShuffle(range(50), seed=3)
    orders = [list(first) for _ in range(3)]
    second = EpochShuffle(range(50), seed=3)
    next(iter(second))  # an epoch that was given up early
    assert list(second) == orders[1]
    second.set_epoch(0)
    assert list(second) == orders[0]
    assert list(EpochShuffle(range(50), seed=4)) not in orders


def test_global_random_state_is_untouched():
    before = torch.get_rng_state()
    list(EpochShuffle(range(50)))
    assert torch.equal(torch.get_rng_state(), before)
