"""Partitions by the distance from a centre."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform

from tgst.transforms.edges import checked_int
from tgst.transforms.gravity_distance import gravity_distance
from tgst.transforms.hops import check_hops, within_hops
from tgst.transforms.partition import LabelledEdges, Partition

HopDistance = Literal["exact", "truncated"]


@functional_transform("tgst_spatial_partition")
class SpatialPartition(Partition):
    r"""Labels every edge by whether it comes from nearer to a centre or not, the spatial
    configuration partitioning of `"Spatial Temporal Graph Convolutional Networks for Skeleton-Based
    Action Recognition" <https://arxiv.org/abs/1801.07455>`_.

    .. math::
        \ell(j \to i) = \begin{cases}
            0 & h = 0 \text{ (the node itself)} \\
            2 h - 1 & h > 0, \; r_j \geq r_i \text{ (source farther from the centre, or equal)} \\
            2 h & h > 0, \; r_j < r_i \text{ (source nearer)}
        \end{cases}

    where :math:`h = \mathrm{hop}(j, i) / \mathrm{dilation}` is the label of
    :class:`DistancePartition` and :math:`r_i` the distance of node :math:`i` from the centre, in
    hops or as given. Nodes that no centre is reached from have :math:`r = \infty`; two of them are
    equal.

    Convention: :math:`r_j` counts the hops **from** :math:`j` **to the nearest centre along the
    direction of the edges**; on a road network those that a driver takes into the centre. Where
    every edge has its reverse, as on skeletons, the direction does not matter.

    Convention: the order of the labels is that of the released code. In the paper 1 is the source
    that is nearer (centripetal) and 2 the one that is farther (centrifugal), as in ST-GCN's first
    release, 2s-AGCN and PYSKL's :obj:`"spatial"` (with :obj:`normalize="target_per_partition"`);
    :obj:`paper_order` is the permutation between the two. The paper files ties under 0, which here
    is the node itself alone.

    :obj:`hop_distance="truncated"` gives the labels that the released code computes: it knows
    distances to the centre up to :obj:`max_hop` only, so that most nodes are at infinity and tie,
    and most edges that lead away from the centre have label 1. **Published weights need it**, all
    but those of the first release.

    For the paper's own form, in which the centre is the mean of all joints and :math:`r_i` an
    average over the training set, give the distances: :obj:`SpatialPartition(distance=
    gravity_distance(clips), normalize="symmetric")`. :obj:`center="gravity"` does so for a graph
    whose nodes have places: the distance from the mean of :obj:`data.pos`, or without it of
    :obj:`data.x` over its frames (see :func:`gravity_distance`).

    Self loops, normalisation, edge ids and other edge attributes: :class:`Partition`. Weights of
    edges are strengths, not lengths: a hop is a hop. The search for distances is breadth-first and
    sparse; its time grows with the number of edges.

    Args:
        center (int, list of int, torch.Tensor or str, optional): The centre, several of which the
            nearest counts (one per component, say), or :obj:`"gravity"`. Exactly one of
            :obj:`center` and :obj:`distance` is needed. (default: :obj:`None`)
        max_hop (int, optional): Largest number of hops. Edges of more than one hop are new and have
            strength 1. (default: :obj:`1`)
        dilation (int, optional): Only hops 0, :obj:`dilation`, 2 :obj:`dilation`, ... are used; the
            given edges (hop 1) leave if it exceeds 1. (default: :obj:`1`)
        hop_distance (str, optional): :obj:`"exact"`, or :obj:`"truncated"` beyond :obj:`max_hop`;
            the latter needs centre nodes. (default: :obj:`"exact"`)
        distance (torch.Tensor or list of float, optional): The distance :math:`r` of every node
            from the centre, in any unit. (default: :obj:`None`)
        **kwargs (optional): :obj:`normalize`, :obj:`alpha`, :obj:`add_self_loops` and
            :obj:`fill_value` of :class:`Partition`.

    Shapes:
        - **distance:** :math:`(|\mathcal{V}|)`

    Raises:
        TypeError: If :obj:`max_hop`, :obj:`dilation` or a centre is no integer.
        ValueError: If an argument is out of range or a centre outside of the graph, or there is not
            one distance per node.
    """

    def __init__(
        self,
        center: int | Sequence[int] | Literal["gravity"] | None = None,
        max_hop: int = 1,
        dilation: int = 1,
        hop_distance: HopDistance = "exact",
        distance: Tensor | Sequence[float] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_hop, self.dilation = check_hops(max_hop, dilation)
        if hop_distance not in get_args(HopDistance):
            raise ValueError(
                f"hop_distance: expected one of {get_args(HopDistance)}, got {hop_distance!r}"
            )
        if (center is None) == (distance is None):
            raise ValueError(
                f"center: expected either center or distance, got center={center!r} and "
                f"distance={distance!r}"
            )
        self.center = _checked_center(center)
        self.hop_distance = hop_distance
        self.distance = None if distance is None else _checked_distance(distance)
        if hop_distance == "truncated" and not isinstance(self.center, tuple):
            raise ValueError('hop_distance: expected "exact" without centre nodes, got "truncated"')

    @property
    def num_partitions(self) -> int:
        r"""One for the node itself and two per hop that is used."""
        return 1 + 2 * (self.max_hop // self.dilation)

    @property
    def paper_order(self) -> tuple[int, ...]:
        r"""Entry k is the label here of the paper's label k (root, centripetal, centrifugal, and so
        on for further hops), and the other way round: :obj:`(0, 2, 1, 4, 3, ...)`.
        """
        pairs = range(1, self.num_partitions, 2)
        return (0, *(label for pair in pairs for label in (pair + 1, pair)))

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`edge_type`, :obj:`edge_weight` and :obj:`e_id`."""
        if self.center != "gravity":
            return super().forward(data)
        given = copy.copy(self)
        given.center, given.distance = None, _gravity_distance_of(data)
        return given.forward(data)

    def label_edges(self, edges: LabelledEdges, num_nodes: int) -> LabelledEdges:
        r"""Adds the edges of further hops, labelled by hop and distance from the centre."""
        distance = self._distance_of(edges.edge_index, num_nodes)
        edges = within_hops(edges, num_nodes, self.max_hop, self.dilation)
        source, target = edges.edge_index
        nearer = (distance[source] < distance[target]).long()
        return edges._replace(label=torch.where(edges.label > 0, 2 * edges.label - 1 + nearer, 0))

    def _distance_of(self, edge_index: Tensor, num_nodes: int) -> Tensor:
        if self.distance is not None:
            if self.distance.numel() != num_nodes:
                raise ValueError(
                    f"distance: expected one for each of {num_nodes} nodes, got "
                    f"{self.distance.numel()}"
                )
            return self.distance.to(edge_index.device)
        outside = [node for node in self.center or () if not 0 <= int(node) < num_nodes]
        if outside:
            raise ValueError(f"center: expected nodes in 0..{num_nodes - 1}, got {outside[0]}")
        limit = float(self.max_hop) if self.hop_distance == "truncated" else math.inf
        return _hops_to(edge_index, num_nodes, self.center, limit)

    def __repr__(self) -> str:
        distance = None if self.distance is None else list(self.distance.shape)
        shown = {**vars(self), "distance": distance}
        arguments = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"{self.__class__.__name__}({arguments})"


def _hops_to(edge_index: Tensor, num_nodes: int, nodes: Any, limit: float) -> Tensor:
    """Hops along the edges from every node to the nearest of some nodes; inf beyond the limit."""
    source, target = edge_index.cpu().numpy()
    ones = np.ones(len(source))
    # The search starts at the centres, so it goes against the edges. With unit lengths it is a
    # breadth-first one. Parallel edges add up to one entry, whose value is not read.
    against = sparse.coo_array((ones, (target, source)), shape=(num_nodes, num_nodes)).tocsr()
    hops = dijkstra(against, indices=list(nodes), unweighted=True, min_only=True, limit=limit)
    return torch.from_numpy(hops).to(edge_index.device)


def _gravity_distance_of(data: Data) -> Tensor:
    if data.pos is not None:
        return gravity_distance([data.pos.unsqueeze(1)])
    if data.x is None or data.x.dim() < 3:
        raise ValueError(
            'center: expected data.pos [N, D] or data.x [N, *, T, D] for "gravity", got neither'
        )
    mask = data.get("mask")
    return gravity_distance([data.x if mask is None else Data(x=data.x, mask=mask)])


def _checked_center(center: Any) -> tuple[int, ...] | Literal["gravity"] | None:
    if isinstance(center, Tensor | np.ndarray):
        center = center.tolist()
    if center is None or center == "gravity":
        return center
    if isinstance(center, str):
        raise ValueError(f'center: expected nodes or "gravity", got {center!r}')
    if not isinstance(center, Sequence):
        return (checked_int("center", center),)
    if len(center) == 0:
        raise ValueError("center: expected one node or more, got none")
    return tuple(checked_int("center", node) for node in center)


def _checked_distance(distance: Any) -> Tensor:
    distance = torch.as_tensor(distance)
    if distance.dim() != 1 or distance.dtype == torch.bool or distance.is_complex():
        raise ValueError(
            f"distance: expected one number per node, got shape {list(distance.shape)} and "
            f"{distance.dtype}"
        )
    wrong = distance.isnan().nonzero()
    if wrong.numel() > 0:
        raise ValueError(f"distance: expected numbers, got NaN at node {int(wrong[0])}")
    return distance
