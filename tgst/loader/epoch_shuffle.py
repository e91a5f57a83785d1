r"""A random order for every epoch that depends on a seed and the epoch's number only."""

from __future__ import annotations

from collections.abc import Iterator, Sized

import torch
from torch.utils.data import RandomSampler


class EpochShuffle(RandomSampler):
    r"""Shuffles by a seed and the number of the epoch.

    Unlike a generator that runs on, the order of an epoch does not depend on how far earlier
    epochs were read, so that a resumed run sees what an uninterrupted one sees. It takes nothing
    from the global random state. A :class:`~torch.utils.data.RandomSampler`, by which trainers
    recognise that a loader shuffles.

    Args:
        data_source (sized): What to shuffle.
        seed (int, optional): Different seeds give different orders. (default: :obj:`0`)
    """

    def __init__(self, data_source: Sized, seed: int = 0) -> None:
        super().__init__(data_source)
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        r"""Choose the order of the next pass; trainers call it before every epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        # One integer out of both: seed 0, epoch 1 must not be seed 1, epoch 0.
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        self.epoch += 1
        yield from torch.randperm(len(self.data_source), generator=generator).tolist()
