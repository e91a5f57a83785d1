r"""Which seed nodes and which windows every step of an epoch takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Sampler

from tgst.loader.neighbor_sampler import mixed_seed
from tgst.transforms.edges import checked_int

PAIRINGS = ("random", "all")
# What a seed is mixed with, so that the streams do not meet.
_NODES, _WINDOWS, _PAIRS, _NEIGHBORS = range(4)


class Step(NamedTuple):
    r"""What one step takes.

    Shapes:
        - **nodes:** :math:`(S)`, long: places among the input nodes
        - **windows:** :math:`(B)`, long: places among the windows
        - **seed:** int, for the neighbourhoods of the step
    """

    nodes: Tensor
    windows: Tensor
    seed: int


class StepPlan(Sampler[Step]):
    r"""Pairs batches of seed nodes with batches of windows.

    Nodes, windows and the seed of every step follow from :obj:`seed` and the number of the epoch
    alone. Without :obj:`shuffle` every epoch is the same one.

    Args:
        num_inputs (int): Number of input nodes.
        batch_size (int): Nodes of a step.
        num_starts (int): Number of windows.
        num_windows (int): Windows of a step.
        pairing (str): :obj:`"random"`: an epoch takes every input node once, and each step draws
            its windows: they are dealt from a shuffled pile of all windows, over the ends of
            epochs, and the next pile begins when the last one is used up. :obj:`"all"`: an epoch
            takes every batch of nodes with every batch of windows.
        shuffle (bool): Take nodes, and with :obj:`"all"` windows and pairs, in random order.
        drop_last (bool): Leave out a last batch of nodes that is smaller than the others.
        seed (int): Different seeds give different orders.

    Raises:
        TypeError: If a size or the seed is no integer.
        ValueError: If a size is not positive, the pairing is unknown or no step is left.
    """

    def __init__(
        self,
        num_inputs: int,
        batch_size: int,
        num_starts: int,
        num_windows: int,
        pairing: str,
        shuffle: bool,
        drop_last: bool,
        seed: int,
    ) -> None:
        for name, value in (("batch_size", batch_size), ("num_windows", num_windows)):
            if checked_int(name, value) < 1:
                raise ValueError(f"`{name}` must be at least 1, got {value}")
        if pairing not in PAIRINGS:
            raise ValueError(f"`pairing` must be one of {PAIRINGS}, got {pairing!r}")
        rounded = num_inputs if drop_last else num_inputs + batch_size - 1
        self.node_batches = rounded // batch_size
        if self.node_batches == 0:
            raise ValueError(
                f"`input_nodes` must fill a batch, got {num_inputs} nodes for "
                f"batch_size={batch_size} and drop_last={drop_last}"
            )
        self.num_inputs, self.batch_size = num_inputs, batch_size
        self.num_starts, self.num_windows = num_starts, num_windows
        self.pairing, self.shuffle = pairing, shuffle
        self.seed = checked_int("seed", seed)
        self.epoch = 0
        self.loader: Any = None  # the loader that takes these steps

    def set_epoch(self, epoch: int) -> None:
        r"""Choose the order of the next pass; trainers call it before every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        if self.pairing == "random":
            return self.node_batches
        return self.node_batches * -(-self.num_starts // self.num_windows)

    def __iter__(self) -> Iterator[Step]:
        epoch = self.epoch if self.shuffle else 0
        self.epoch += 1
        nodes = torch.arange(self.num_inputs)
        if self.shuffle:
            nodes = self._permutation(self.num_inputs, _NODES, epoch)
        batches = nodes.split(self.batch_size)[: self.node_batches]
        pairs = self._dealt(epoch) if self.pairing == "random" else self._all_pairs(epoch)
        for number, (batch, windows) in enumerate(pairs):
            yield Step(batches[batch], windows, mixed_seed(self.seed, _NEIGHBORS, epoch, number))

    def _all_pairs(self, epoch: int) -> Iterator[tuple[int, Tensor]]:
        windows = torch.arange(self.num_starts)
        pairs = torch.arange(len(self))
        if self.shuffle:
            windows = self._permutation(self.num_starts, _WINDOWS, epoch)
            pairs = self._permutation(len(self), _PAIRS, epoch)
        window_batches = windows.split(self.num_windows)
        for pair in pairs.tolist():
            yield pair // len(window_batches), window_batches[pair % len(window_batches)]

    def _dealt(self, epoch: int) -> Iterator[tuple[int, Tensor]]:
        first = epoch * self.node_batches * self.num_windows
        number, pile = -1, torch.empty(0, dtype=torch.long)
        for batch in range(self.node_batches):
            cards = []
            for card in range(first, first + self.num_windows):
                if card // self.num_starts != number:
                    number = card // self.num_starts
                    pile = self._permutation(self.num_starts, _WINDOWS, number)
                cards.append(int(pile[card % self.num_starts]))
            first += self.num_windows
            yield batch, torch.tensor(cards)

    def _permutation(self, size: int, stream: int, number: int) -> Tensor:
        generator = torch.Generator().manual_seed(mixed_seed(self.seed, stream, number))
        return torch.randperm(size, generator=generator)
