"""Partitions by the number of hops."""

from __future__ import annotations

from typing import Any

from torch_geometric.data.datapipes import functional_transform

from tgst.transforms.hops import check_hops, within_hops
from tgst.transforms.partition import LabelledEdges, Partition


@functional_transform("tgst_distance_partition")
class DistancePartition(Partition):
    r"""Labels every edge by the number of hops from source to target, the distance partitioning of
    `"Spatial Temporal Graph Convolutional Networks for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/1801.07455>`_.

    .. math::
        \ell(j \to i) = \mathrm{hop}(j, i) / \mathrm{dilation}, \quad \mathrm{hop}(j, i) \in
        \{0, \mathrm{dilation}, 2 \, \mathrm{dilation}, \ldots\}, \quad
        \mathrm{hop}(j, i) \leq \mathrm{max\_hop}

    Hops are counted along the direction of the edges. With :obj:`dilation=1` the label is the hop
    number itself. Self loops, normalisation, edge ids and other edge attributes:
    :class:`Partition`.

    Args:
        max_hop (int, optional): Largest number of hops. Edges of more than one hop are new and have
            strength 1. (default: :obj:`1`)
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
        r"""One for the node itself and one per hop that is used."""
        return self.max_hop // self.dilation + 1

    def label_edges(self, edges: LabelledEdges, num_nodes: int) -> LabelledEdges:
        r"""Adds the edges of further hops, labelled by hop."""
        return within_hops(edges, num_nodes, self.max_hop, self.dilation)
