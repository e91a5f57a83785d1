"""Partitions of a directed network: the node itself, upstream, downstream."""

from __future__ import annotations

import torch
from torch_geometric.data.datapipes import functional_transform

from tgst.transforms.partition import LabelledEdges, Partition


@functional_transform("tgst_direction_partition")
class DirectionPartition(Partition):
    r"""Lets information flow both ways along directed edges, such as roads, with different weights:
    every edge is joined by its reverse, and the two have different labels.

    .. math::
        \ell(j \to i) = \begin{cases}
            0 & j = i \text{ (the node itself)} \\
            1 & \text{given edge: } j \text{ is upstream of } i \\
            2 & \text{reverse of a given edge: } j \text{ is downstream of } i
        \end{cases}

    The given edges come first, in their order, then their reverses, in the same order (self loops
    are not reversed), then the missing self loops. A reverse has the strength **and all other
    attributes of its edge** (a road has one length). Where a road has both directions, each
    neighbour is upstream and downstream: four edges connect the pair, two of each label.

    Convention: the direction of an edge is that of the traffic, from source to target. Give the
    directed graph, not an undirected one: in the latter, labels 1 and 2 mean the same.

    Self loops, normalisation, edge ids and other edge attributes: :class:`Partition`.

    Args:
        **kwargs (optional): :obj:`normalize`, :obj:`alpha`, :obj:`add_self_loops` and
            :obj:`fill_value` of :class:`Partition`.
    """

    @property
    def num_partitions(self) -> int:
        r"""3: the node itself, upstream, downstream."""
        return 3

    def label_edges(self, edges: LabelledEdges, num_nodes: int) -> LabelledEdges:
        r"""Adds the reverse of every edge."""
        return edges.joined(reversed_edges(edges, label=2))


def reversed_edges(edges: LabelledEdges, label: int) -> LabelledEdges:
    r"""Returns the reverses of all edges but self loops, with their strengths and attributes."""
    edges = edges.selected((edges.label != 0).nonzero().flatten())
    return edges._replace(
        edge_index=edges.edge_index.flip(0), label=torch.full_like(edges.label, label)
    )
