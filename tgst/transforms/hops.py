"""Edges between nodes that are several hops apart."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from tgst.transforms.edges import checked_int
from tgst.transforms.partition import LabelledEdges


def check_hops(max_hop: int, dilation: int) -> tuple[int, int]:
    r"""Refuses hop arguments under which no edge but the self loops would be left, and returns
    them as plain ints.

    Raises:
        TypeError: If one is no integer.
        ValueError: Unless 1 <= :obj:`dilation` <= :obj:`max_hop`.
    """
    max_hop, dilation = checked_int("max_hop", max_hop), checked_int("dilation", dilation)
    if max_hop < 1:
        raise ValueError(f"max_hop: expected a number >= 1, got {max_hop}")
    if not 1 <= dilation <= max_hop:
        raise ValueError(f"dilation: expected a number in 1..max_hop={max_hop}, got {dilation}")
    return max_hop, dilation


def within_hops(
    edges: LabelledEdges, num_nodes: int, max_hop: int, dilation: int = 1
) -> LabelledEdges:
    r"""Returns the edges of hop 0, :obj:`dilation`, 2 :obj:`dilation`, ... up to :obj:`max_hop`,
    labelled by their position in that list.

    The hop number of a pair is the length of the shortest path from source to target along the
    direction of the edges. Given edges are hop 0 (self loops) and hop 1; they come first, in their
    order, parallel edges included; hop 1 is left out if :obj:`dilation` > 1. Edges of further hops
    are new, have strength 1, and are sorted by hop, source and target. The search is sparse: its
    memory grows with the number of pairs within :obj:`max_hop`, not with the square of the number
    of nodes.
    """
    pairs = _hop_pairs(edges.edge_index, num_nodes, max_hop) if max_hop > 1 else []
    if dilation > 1:
        edges = edges.selected((edges.label == 0).nonzero().flatten())
    for hop, edge_index in enumerate(pairs, start=2):
        if hop % dilation == 0:
            label = torch.full_like(edge_index[0], hop // dilation)
            edges = edges.joined(edges.new(edge_index, label))
    return edges


def _hop_pairs(edge_index: Tensor, num_nodes: int, max_hop: int) -> list[Tensor]:
    """Breadth-first search from all nodes at once; entry h holds the pairs at hop h + 2."""
    source, target = edge_index.cpu().numpy()
    ones = np.ones(len(source), dtype=bool)
    adjacency = sparse.csr_array((ones, (source, target)), shape=(num_nodes, num_nodes))
    reached = adjacency + sparse.eye_array(num_nodes, dtype=bool, format="csr")
    frontier, pairs = adjacency, []
    for _ in range(2, max_hop + 1):
        frontier = (frontier @ adjacency) > reached
        frontier.sort_indices()
        reached = reached + frontier
        pairs.append(torch.from_numpy(np.stack(frontier.nonzero())).to(edge_index))
    return pairs
