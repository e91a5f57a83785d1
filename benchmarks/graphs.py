"""Graphs to measure on: random ones of a given degree, and one like a network of roads."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch_geometric.data import Data


def random_graph(num_nodes: int, degree: int, seed: int) -> Tensor:
    """Draw ``num_nodes * degree`` different ordered pairs of nodes, in random order.

    Self loops may be among them. At most all pairs.
    """
    generator = torch.Generator().manual_seed(seed)
    pairs, wanted = num_nodes * num_nodes, min(num_nodes * degree, num_nodes * num_nodes)
    if pairs <= 2**22:
        pair = torch.randperm(pairs, generator=generator)[:wanted]
    else:
        drawn = int(wanted * (1 + 2 * wanted / pairs)) + 100
        pair = torch.randint(pairs, (drawn,), generator=generator).unique()
        pair = pair[torch.randperm(pair.numel(), generator=generator)[:wanted]]
    return torch.stack([pair % num_nodes, pair // num_nodes])


def road_graph(num_nodes: int, seed: int, keep: float = 0.75) -> Data:
    """Lay streets between neighbouring crossings of a square grid, two ways, and leave some out.

    Crossings are shaken by up to a third of a block and numbered row by row; with three quarters
    of the streets a crossing has about three.
    """
    generator = torch.Generator().manual_seed(seed)
    columns = math.isqrt(num_nodes)
    node = torch.arange(num_nodes)
    right = node[(node % columns < columns - 1) & (node + 1 < num_nodes)]
    below = node[node + columns < num_nodes]
    street = torch.cat([torch.stack([right, right + 1]), torch.stack([below, below + columns])], 1)
    street = street[:, torch.rand(street.shape[1], generator=generator) < keep]
    place = torch.stack([node % columns, node // columns], 1)
    shaken = place + (2 * torch.rand(num_nodes, 2, generator=generator) - 1) / 3
    both_ways = torch.cat([street, street.flip(0)], 1)
    return Data(edge_index=both_ways, pos=shaken, num_nodes=num_nodes)


def shuffled(data: Data, seed: int) -> Data:
    """Give the nodes random numbers."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(data.num_nodes, generator=generator)  # new place of each node
    pos = torch.empty_like(data.pos)
    pos[order] = data.pos
    return Data(edge_index=order[data.edge_index], pos=pos, num_nodes=data.num_nodes)
