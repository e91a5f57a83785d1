"""One partition for all edges."""

from __future__ import annotations

from typing import Any

import torch
from torch_geometric.data.datapipes import functional_transform

from tgst.transforms.hops import check_hops, within_hops
from tgst.transforms.partition import LabelledEdges, Partition


@functional_transform("tgst_uniform_partition")
class UniformPartition(Partition):
    r"""Puts all neighbours and the node itself into one partition, the uni-labelling of `"Spatial
    Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/1801.07455>`_.

    .. math::
        \ell(j \to i) = 0

    Self loops, normalisation, edge ids and other edge attributes: :class:`Partition`.

    Args:
        max_hop (int, optional): Largest number of hops between source and target. Edges of more
            than one hop are new and have strength 1. (default: :obj:`1`)
        dilation (int, optional): Only hops 0, :obj:`dilation`, 2 :obj:`dilation`, ... are used; the
            given edges (hop 1) leave if it exceeds 1. (default: :obj:`1`)
        **kwargs (optional): :obj:`normalize`, :obj:`alpha`, :obj:`add_self_loops` and
            :obj:`fill_value` of :class:`Partition`.

    Raises:
        TypeError: If :obj:`max_hop` or :obj:`dilation` is no integer.
        ValueError: Unless 1 <= :obj:`dilation` <= :obj:`max_hop`.
    """

    def __init__(self, max_hop: int = 1, dilation: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_hop, self.dilation = check_hops(max_hop, dilation)

    @property
    def num_partitions(self) -> int:
        r"""1."""
        return 1

    def label_edges(self, edges: LabelledEdges, num_nodes: int) -> LabelledEdges:
        r"""Adds the edges of further hops, and sets all labels to 0."""
        edges = within_hops(edges, num_nodes, self.max_hop, self.dilation)
        return edges._replace(label=torch.zeros_like(edges.label))
