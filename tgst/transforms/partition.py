"""The contract that all partition transforms share: self loops, weights, edge ids, attributes."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.transforms import BaseTransform

from tgst.transforms.edges import checked_graph, edge_strength, replace_edges

Normalization = Literal["target", "target_per_partition", "symmetric"]


class LabelledEdges(NamedTuple):
    r"""The edges of a graph while it is partitioned.

    Args:
        edge_index (torch.Tensor): Source (row 0) and target (row 1), :math:`(2, |\mathcal{E}|)`.
        label (torch.Tensor): The partition of every edge, :math:`(|\mathcal{E}|)`.
        strength (torch.Tensor): The weight before normalisation, :math:`(|\mathcal{E}|)`.
        origin (torch.Tensor): The edge of the input graph whose attributes an edge takes, -1 for a
            new edge, :math:`(|\mathcal{E}|)`.
    """

    edge_index: Tensor
    label: Tensor
    strength: Tensor
    origin: Tensor

    def joined(self, other: LabelledEdges) -> LabelledEdges:
        r"""Returns these edges, then the other ones."""
        return LabelledEdges(*(torch.cat([a, b], dim=-1) for a, b in zip(self, other, strict=True)))

    def selected(self, edges: Tensor) -> LabelledEdges:
        r"""Returns the edges of the given numbers, in their order."""
        return LabelledEdges(*(field[..., edges] for field in self))

    def new(self, edge_index: Tensor, label: Tensor) -> LabelledEdges:
        r"""Returns edges of strength 1 that the input graph does not have."""
        strength = self.strength.new_ones(edge_index.size(1))
        return LabelledEdges(edge_index, label, strength, torch.full_like(label, -1))


class Partition(BaseTransform):
    r"""Labels the edges of a graph, completes them with self loops and normalises their weights.

    What all partition transforms do, in this order:

    1. take the given edges in their order, with :obj:`data.edge_weight` as strength (1 without);
    2. label them and add the edges that the partition needs (:obj:`label_edges`);
    3. add a self loop of strength 1 to every node that has none (label 0, in node order, after
       all other edges); self loops that exist are kept with their strength, never doubled;
    4. normalise the strengths to :obj:`data.edge_weight`;
    5. write :obj:`data.edge_type` (the label), :obj:`data.edge_weight` and :obj:`data.e_id`
       (0, 1, ...; existing ones are replaced), and carry all other edge attributes along.

    Label 0 is always the node itself, so that the number of partitions follows from the arguments
    alone. With strength :math:`s_e`, label :math:`k_e` and edges :math:`e = (j \to i)`, the weight
    is

    .. math::
        \text{target:} \quad & s_e \Big/ \sum_{e' = (\cdot \to i)} s_{e'}

        \text{target\_per\_partition:} \quad & s_e \Big/ \sum_{e' = (\cdot \to i), k_{e'} = k_e}
        s_{e'}

        \text{symmetric:} \quad & s_e \big/ \sqrt{\Lambda_{k_e,i} \Lambda_{k_e,j}}, \quad
        \Lambda_{k,i} = \alpha + \sum_{e' = (\cdot \to i), k_{e'} = k} s_{e'}

    and 0 where the sum is 0. The first is what the code of `"Spatial Temporal Graph Convolutional
    Networks for Skeleton-Based Action Recognition" <https://arxiv.org/abs/1801.07455>`_ does, the
    last the formula of that paper. Note that the paper's :math:`\Lambda_k` counts incoming edges
    on both sides: a source without incoming edges in a partition has :math:`\Lambda = \alpha`
    there, and its outgoing weights grow to about :math:`1 / \sqrt{\alpha}`.

    Args:
        normalize (str, optional): :obj:`"target"`, :obj:`"target_per_partition"`,
            :obj:`"symmetric"` or :obj:`None` (the strength itself is the weight).
            (default: :obj:`"target"`)
        alpha (float, optional): Added to every degree if :obj:`normalize="symmetric"`.
            (default: :obj:`0.001`)
        add_self_loops (bool, optional): Whether to add missing self loops. (default: :obj:`True`)
        fill_value (float, optional): What the other attributes of new edges hold (:obj:`False` or
            :obj:`True` if boolean, :obj:`None` in lists). (default: :obj:`0.0`)

    Raises:
        ValueError: If an argument is out of range, or an edge attribute has not one entry per
            edge, or :obj:`edge_weight` is not floating point, finite and >= 0.
    """

    def __init__(
        self,
        normalize: Normalization | None = "target",
        alpha: float = 0.001,
        add_self_loops: bool = True,
        fill_value: float = 0.0,
    ) -> None:
        choices = (*get_args(Normalization), None)
        if normalize not in choices:
            raise ValueError(f"normalize: expected one of {choices}, got {normalize!r}")
        if not 0 <= alpha < math.inf:
            raise ValueError(f"alpha: expected a number >= 0, got {alpha}")
        self.normalize = normalize
        self.alpha = alpha
        self.add_self_loops = add_self_loops
        self.fill_value = fill_value

    @property
    @abstractmethod
    def num_partitions(self) -> int:
        r"""The number of labels; a plain number, known before any graph is seen."""

    @abstractmethod
    def label_edges(self, edges: LabelledEdges, num_nodes: int) -> LabelledEdges:
        r"""Returns the labelled edges of the partition, but for missing self loops.

        Args:
            edges (LabelledEdges): The given edges; self loops have label 0, all others 1.
            num_nodes (int): The number of nodes.
        """

    def forward(self, data: Data) -> Data:
        r"""Writes :obj:`edge_type`, :obj:`edge_weight` and :obj:`e_id`."""
        edge_index, num_nodes = checked_graph(data)
        edges = LabelledEdges(
            edge_index,
            label=(edge_index[0] != edge_index[1]).long(),
            strength=edge_strength(data, edge_index),
            origin=torch.arange(edge_index.size(1), device=edge_index.device),
        )
        edges = self.label_edges(edges, num_nodes)
        if self.add_self_loops:
            edges = _with_self_loops(edges, num_nodes)
        data.edge_weight = data.edge_type = None  # written below: no need to carry them
        data = replace_edges(data, edges.edge_index, edges.origin, self.fill_value)
        data.edge_type = edges.label
        data.edge_weight = self._weight(edges, num_nodes)
        return data

    def _weight(self, edges: LabelledEdges, num_nodes: int) -> Tensor:
        source, target = edges.edge_index
        if self.normalize is None:
            return edges.strength
        if self.normalize == "target":
            return share(edges.strength, target, num_nodes)
        row = edges.label * num_nodes
        num_rows = self.num_partitions * num_nodes
        if self.normalize == "target_per_partition":
            return share(edges.strength, row + target, num_rows)
        degree = edges.strength.new_full((num_rows,), self.alpha)
        degree.index_add_(0, row + target, edges.strength)
        root = torch.where(degree > 0, degree.rsqrt(), 0.0)
        return edges.strength * root[row + target] * root[row + source]

    def __repr__(self) -> str:
        arguments = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{self.__class__.__name__}({arguments})"


def share(strength: Tensor, group: Tensor, num_groups: int) -> Tensor:
    r"""Returns each strength divided by the sum over its group, and 0 where that sum is 0."""
    total = strength.new_zeros(num_groups).index_add_(0, group, strength)
    return strength / torch.where(total > 0, total, 1.0)[group]


def _with_self_loops(edges: LabelledEdges, num_nodes: int) -> LabelledEdges:
    source, target = edges.edge_index
    missing = source.new_ones(num_nodes, dtype=torch.bool)
    # A walk that returns to its start is no self loop: it has another label.
    missing[source[(source == target) & (edges.label == 0)]] = False
    nodes = missing.nonzero().flatten()
    return edges.joined(edges.new(nodes.expand(2, -1), label=torch.zeros_like(nodes)))
