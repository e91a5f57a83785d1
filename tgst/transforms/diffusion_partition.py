"""Random walks along and against the edges."""

from __future__ import annotations

from typing import Literal

import torch
from scipy import sparse
from torch_geometric.data.datapipes import functional_transform

from tgst.transforms.direction_partition import reversed_edges
from tgst.transforms.edges import checked_int
from tgst.transforms.partition import LabelledEdges, Partition, share


@functional_transform("tgst_diffusion_partition")
class DiffusionPartition(Partition):
    r"""Labels and weighs edges as bidirectional random walks, the diffusion convolution of
    `"Diffusion Convolutional Recurrent Neural Network" <https://arxiv.org/abs/1707.01926>`_ with
    :math:`K` steps as one product over labelled edges.

    .. math::
        \text{label } 0: I, \qquad
        \text{label } k = 1 \ldots K: F^k, \qquad
        \text{label } K + k: B^k

    with the matrices of one step, target nodes in rows:

    .. math::
        \text{walk = "paper":} \quad & F = D_I^{-1} W^{\top}, \quad B = D_O^{-1} W

        \text{walk = "authors":} \quad & F = (D_O^{-1} W)^{\top}, \quad
        B = (D_I^{-1} W^{\top})^{\top}

    where :math:`W_{ji}` is the strength of the edge :math:`j \to i`, :math:`D_O = \mathrm{diag}(W
    1)` the out-strengths and :math:`D_I = \mathrm{diag}(W^{\top} 1)` the in-strengths.

    Convention: F moves messages along the given edges (from upstream), B along their reverses.
    The formula of the paper averages: each node's incoming weights sum to 1 in each partition
    (:obj:`normalize="target_per_partition"`). The released code transposes the two matrices: each
    node's *outgoing* weights sum to 1, so that a quantity is spread and conserved. The paper calls
    :math:`D_O^{-1} W` the forward walk; as a matrix that acts on signals it takes values from
    downstream, here B. Rows without edges are 0, not NaN.

    The given edges come first, then their reverses with the same attributes, then, for 2..K steps,
    the new edges of the powers of F, then of B (sorted by target and source), then the missing self
    loops. Self loops are in partition 0 alone and are no part of a walk; a walk that returns to its
    start is an entry of its power. The number of edges grows with :math:`K` as the number of pairs
    within :math:`K` steps.

    Args:
        max_steps (int, optional): The number of steps :math:`K`. (default: :obj:`1`)
        walk (str, optional): :obj:`"paper"` or :obj:`"authors"`. (default: :obj:`"paper"`)
        add_self_loops (bool, optional): Whether to add missing self loops, the identity of label 0.
            (default: :obj:`True`)
        fill_value (float, optional): What the other attributes of new edges hold.
            (default: :obj:`0.0`)

    Raises:
        TypeError: If :obj:`max_steps` is no integer.
        ValueError: If an argument is out of range, or an edge weight is negative or not finite.
    """

    def __init__(
        self,
        max_steps: int = 1,
        walk: Literal["paper", "authors"] = "paper",
        add_self_loops: bool = True,
        fill_value: float = 0.0,
    ) -> None:
        # The walks are normalised before their powers are taken, so not once more afterwards.
        super().__init__(normalize=None, add_self_loops=add_self_loops, fill_value=fill_value)
        max_steps = checked_int("max_steps", max_steps)
        if max_steps < 1:
            raise ValueError(f"max_steps: expected a number >= 1, got {max_steps}")
        if walk not in ("paper", "authors"):
            raise ValueError(f'walk: expected "paper" or "authors", got {walk!r}')
        self.max_steps = max_steps
        self.walk = walk

    @property
    def num_partitions(self) -> int:
        r"""One for the node itself, then one per step and direction."""
        return 1 + 2 * self.max_steps

    def label_edges(self, edges: LabelledEdges, num_nodes: int) -> LabelledEdges:
        r"""Adds the backward walk and all further steps, and normalises each of them."""
        edges = edges.joined(reversed_edges(edges, label=1 + self.max_steps))
        # Messages leave a node along row 0 and reach it along row 1.
        ends = edges.edge_index[1 if self.walk == "paper" else 0]
        group = edges.label * num_nodes + ends
        weight = share(edges.strength, group, self.num_partitions * num_nodes)
        edges = edges._replace(strength=weight)
        further = [
            power
            for first in (1, 1 + self.max_steps)
            for power in _further_steps(edges, first, self.max_steps, num_nodes)
        ]
        for power in further:
            edges = edges.joined(power)
        return edges

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(max_steps={self.max_steps}, walk={self.walk!r}, "
            f"add_self_loops={self.add_self_loops}, fill_value={self.fill_value})"
        )


def _further_steps(
    edges: LabelledEdges, first: int, max_steps: int, num_nodes: int
) -> list[LabelledEdges]:
    """The edges of powers 2..max_steps of the walk whose single step has label :obj:`first`."""
    chosen = edges.selected((edges.label == first).nonzero().flatten())
    source, target = chosen.edge_index.cpu().numpy()
    values = chosen.strength.detach().double().cpu().numpy()
    step = sparse.csr_array((values, (target, source)), shape=(num_nodes, num_nodes))
    power, powers = step, []
    for label in range(first + 1, first + max_steps):
        power = power @ step
        power.eliminate_zeros()
        power.sort_indices()
        powers.append(_edges_of(power, label, edges))
    return powers


def _edges_of(matrix: sparse.csr_array, label: int, like: LabelledEdges) -> LabelledEdges:
    entries = matrix.tocoo()
    target, source = (torch.from_numpy(index).to(like.edge_index) for index in entries.coords)
    edge_index = torch.stack([source, target])
    new = like.new(edge_index, torch.full_like(source, label))
    return new._replace(strength=torch.from_numpy(entries.data).to(like.strength))
