r"""Samples neighbourhoods of seed nodes in pure torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import get_worker_info
from torch_geometric.data import Data
from torch_geometric.sampler import BaseSampler, NodeSamplerInput, SamplerOutput

from tgst.transforms.edges import checked_graph, checked_int, edge_name

METHODS = ("uniform", "weighted")


class SampledEdges(NamedTuple):
    r"""The edges that one hop keeps.

    Shapes:
        - **place:** :math:`(E')`, long: places in the sampler's order of edges, ascending
        - **row:** :math:`(E')`, long: which node of the frontier the edge enters, ascending
        - **scale:** :math:`(E')`, float64: what the weight of the edge is to be multiplied with
    """

    place: Tensor
    row: Tensor
    scale: Tensor


class NeighborSampler(BaseSampler):
    r"""Samples the neighbourhoods of seed nodes, from `"Inductive Representation Learning on Large
    Graphs" <https://arxiv.org/abs/1706.02216>`_ (Hamilton et al., NIPS 2017), in pure torch: a
    :class:`torch_geometric.sampler.BaseSampler` that needs no compiled extension.

    Hop by hop, every node that was not met before keeps at most :math:`k_h` of the edges that
    enter it, without replacement; their sources are the nodes of the next hop. A node is expanded
    once, at the first hop that meets it. The nodes of the last hop keep no neighbours.

    **Self loops are no neighbours**: all of them are kept, at every sampled node of every hop, and
    do not count. They are label 0 of the partition transforms and the diagonal of a Laplacian.

    Fewer edges give a smaller weighted sum. :obj:`metadata[2]` of the output says what to multiply
    each edge weight with to make up for it; it is 1 at self loops and where nothing was left out:

    .. math::
        \text{uniform:} \quad s_e = \frac{d_i}{\min(d_i, k_h)} \qquad
        \text{weighted:} \quad s_e = \frac{\sum_{e' \to i} |w_{e'}|}
        {\sum_{e' \to i \text{ kept}} |w_{e'}|}

    with :math:`d_i` the number of edges that enter :math:`i`. The first leaves the expectation of
    a weighted sum over neighbours unchanged (of one sum; a network that applies non-linear
    functions to it has no such guarantee). The second keeps the sum of absolute weights.

    One call costs what the sampled nodes and the edges that enter them cost (a hub is as
    expensive as its degree), whatever the size of the graph.

    Args:
        data (torch_geometric.data.Data): The graph, with :obj:`edge_index` and, for
            :obj:`method="weighted"`, :obj:`edge_weight`.
        num_neighbors (sequence of int): Edges to keep per node at each hop; -1 keeps all.
        method (str, optional): :obj:`"uniform"`, or :obj:`"weighted"`: one after the other, each
            with probability proportional to :obj:`|edge_weight|` among those that are left.
            (default: :obj:`"uniform"`)
        seed (int, optional): Calls without a seed of their own draw from a stream that follows
            from this one, the seed of the worker and the number of the call; the global random
            state is not used. (default: :obj:`0`)

    Shapes:
        - **edge_index:** :math:`(2, E)`
        - **edge_weight:** :math:`(E)`

    Raises:
        TypeError: If :obj:`num_neighbors` is no sequence of integers, or :obj:`seed` no integer.
        ValueError: If a number of neighbours is neither positive nor -1, the method is unknown, or
            weights are missing, not finite or not one per edge.
    """

    def __init__(
        self, data: Data, num_neighbors: Sequence[int], method: str = "uniform", seed: int = 0
    ) -> None:
        edge_index, num_nodes = checked_graph(data)
        if method not in METHODS:
            raise ValueError(f"method: expected one of {METHODS}, got {method!r}")
        self.num_neighbors = _checked_numbers(num_neighbors)
        self.method, self.seed = method, checked_int("seed", seed)
        self.num_nodes = num_nodes
        self._calls = 0
        source, target = edge_index.cpu()
        # By target; within a target the self loops first, otherwise in the order of the graph.
        self._order = torch.argsort(2 * target + (source != target).long(), stable=True)
        self._source = source[self._order]
        loops = torch.bincount(target[source == target], minlength=num_nodes)
        stop = torch.bincount(target, minlength=num_nodes).cumsum(0)
        self._stop = stop
        self._first = torch.cat([stop.new_zeros(1), stop])[:num_nodes]
        self._first_neighbor = self._first + loops
        self._weight = None
        if method == "weighted":
            self._weight = _absolute_weight(data, edge_index)[self._order]
        # Number of each node in the sample; -1 outside of a call, reset where it was touched.
        self._local = torch.full((num_nodes,), -1)

    @property
    def edge_permutation(self) -> Tensor:
        r"""The edge of the graph at every place of the sampler's order, :math:`(E)`."""
        return self._order

    def sample_from_nodes(
        self, index: NodeSamplerInput, seed: int | None = None, **kwargs: Any
    ) -> SamplerOutput:
        r"""Samples around seed nodes.

        Args:
            index (NodeSamplerInput): The seed nodes, each once.
            seed (int, optional): Makes the sample a function of seed nodes and seed alone.
                (default: :obj:`None`)
            **kwargs (optional): Not used.

        Returns:
            SamplerOutput: Nodes with the seed nodes first, in their order; edges sorted by target;
            :obj:`metadata = (input_id, time, scale)`, :obj:`scale` :math:`(E')` in float64.

        Raises:
            ValueError: If a seed node is repeated or outside of the graph.
        """
        generator = torch.Generator().manual_seed(self._next_seed() if seed is None else seed)
        frontier = index.node.cpu().long()
        self._check_seeds(frontier)
        nodes, edges, row, col = [frontier], [], [], []
        self._local[frontier] = torch.arange(len(frontier))
        count = len(frontier)
        try:
            for number in (*self.num_neighbors, 0):  # the last hop keeps its self loops only
                hop = self._hop(frontier, number, generator)
                source = self._source[hop.place]
                met = source[self._local[source] < 0].unique()
                nodes.append(met)
                self._local[met] = torch.arange(count, count + len(met))
                edges.append(hop)
                row.append(self._local[source])
                col.append(hop.row + (count - len(frontier)))
                frontier, count = met, count + len(met)
        finally:
            self._local[torch.cat(nodes)] = -1
        return SamplerOutput(
            node=torch.cat(nodes),
            row=torch.cat(row),
            col=torch.cat(col),
            edge=torch.cat([hop.place for hop in edges]),
            num_sampled_nodes=[len(part) for part in nodes[:-1]],
            num_sampled_edges=_edges_per_hop(edges),
            metadata=(index.input_id, index.time, torch.cat([hop.scale for hop in edges])),
        )

    def sample_from_edges(self, index: Any, neg_sampling: Any = None) -> SamplerOutput:
        r"""Not provided: readings belong to nodes."""
        raise NotImplementedError(
            f"{type(self).__name__} samples around nodes (sample_from_nodes), not around edges"
        )

    def _hop(self, frontier: Tensor, number: int, generator: torch.Generator) -> SampledEdges:
        first, neighbor = self._first[frontier], self._first_neighbor[frontier]
        stop = neighbor if number == 0 else self._stop[frontier]
        row, place = _ranges(first, stop)
        scale = torch.ones(len(place), dtype=torch.float64)
        degree = stop - neighbor
        if number < 1 or not (degree > number).any():
            return SampledEdges(place, row, scale)
        # Only neighbours of nodes that have too many are drawn; all other edges stay.
        drawn = ((degree > number)[row] & (place >= neighbor[row])).nonzero().flatten()
        keys = torch.empty(len(drawn), dtype=torch.float64).exponential_(generator=generator)
        weight = None if self._weight is None else self._weight[place[drawn]]
        # The smallest of exponential times with rates w are a draw by weight, one by one.
        chosen = _smallest(keys if weight is None else keys / weight, row[drawn], number)
        if weight is None:
            scale[drawn] = (degree.double() / number)[row[drawn]]
        else:
            scale[drawn] = _share(weight, chosen, row[drawn], len(frontier))
        keep = torch.ones(len(place), dtype=torch.bool)
        keep[drawn] = chosen
        return SampledEdges(place[keep], row[keep], scale[keep])

    def _check_seeds(self, seeds: Tensor) -> None:
        outside = seeds[(seeds < 0) | (seeds >= self.num_nodes)]
        if len(outside):
            raise ValueError(
                f"index.node: expected nodes in 0..{self.num_nodes - 1}, got {int(outside[0])}"
            )
        distinct, count = seeds.unique(return_counts=True)
        if len(distinct) < len(seeds):
            raise ValueError(
                f"index.node: expected every seed node once, got {int(distinct[count.argmax()])} "
                f"{int(count.max())} times"
            )

    def _next_seed(self) -> int:
        # Workers hold copies of the sampler, new ones in every epoch.
        worker = get_worker_info()
        self._calls += 1
        return mixed_seed(self.seed, worker.seed if worker else 0, self._calls)

    def __getstate__(self) -> dict[str, Any]:
        # Processes that are sent a tensor share its memory; each has to number nodes by itself.
        return {name: value for name, value in self.__dict__.items() if name != "_local"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._local = torch.full((self.num_nodes,), -1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self.num_neighbors)}, method={self.method!r})"


def mixed_seed(*numbers: int) -> int:
    r"""One seed out of several numbers: (0, 1) is not (1, 0)."""
    mixed = 0
    for number in numbers:
        mixed = (mixed * 1_000_003 + int(number) + 1) % (2**63 - 1)
    return mixed


def _checked_numbers(num_neighbors: Sequence[int]) -> tuple[int, ...]:
    if isinstance(num_neighbors, str | Mapping) or not hasattr(num_neighbors, "__iter__"):
        raise TypeError(
            "num_neighbors: expected a sequence with an int for each hop, got "
            f"{num_neighbors!r} ({type(num_neighbors).__name__})"
        )
    numbers = tuple(checked_int("num_neighbors", number) for number in num_neighbors)
    if not numbers or not all(number == -1 or number > 0 for number in numbers):
        raise ValueError(
            "num_neighbors: expected a positive number, or -1 for all, for each of at least one "
            f"hop, got {list(numbers)}"
        )
    return numbers


def _edges_per_hop(edges: Sequence[SampledEdges]) -> list[int]:
    # The self loops of the last hop's nodes go with the edges that led there.
    counts = [len(hop.place) for hop in edges]
    return [*counts[:-2], counts[-2] + counts[-1]]


def _absolute_weight(data: Data, edge_index: Tensor) -> Tensor:
    weight, num_edges = data.edge_weight, edge_index.size(1)
    if not isinstance(weight, Tensor) or weight.shape != (num_edges,):
        came = list(weight.shape) if isinstance(weight, Tensor) else weight
        raise ValueError(
            f"data.edge_weight: method='weighted' expects a tensor [{num_edges}], got {came}"
        )
    weight = weight.detach().cpu().double().abs()
    infinite = (~weight.isfinite()).nonzero()
    if len(infinite):
        edge = int(infinite[0])
        raise ValueError(
            "data.edge_weight: method='weighted' expects finite numbers, got "
            f"{float(data.edge_weight[edge])} at {edge_name(edge_index, edge)}"
        )
    return weight


def _ranges(first: Tensor, stop: Tensor) -> tuple[Tensor, Tensor]:
    r"""The numbers of all ranges, one after the other, and the range of each of them."""
    size = stop - first
    row = torch.repeat_interleave(size)
    before = size.cumsum(0) - size
    return row, torch.arange(len(row)) + (first - before)[row]


def _smallest(keys: Tensor, group: Tensor, number: int) -> Tensor:
    r"""Whether a key is among the :obj:`number` smallest of its group; groups are sorted."""
    order = keys.argsort()
    order = order[group[order].argsort(stable=True)]  # groups again in their places
    starts = torch.searchsorted(group, group)  # where the group of each place begins
    chosen = torch.zeros(len(keys), dtype=torch.bool)
    chosen[order[torch.arange(len(keys)) - starts < number]] = True
    return chosen


def _share(weight: Tensor, chosen: Tensor, group: Tensor, num_groups: int) -> Tensor:
    r"""Sum of the weights of each group over the sum of its chosen ones; 1 where that is 0."""
    total = weight.new_zeros(num_groups).index_add_(0, group, weight)
    kept = weight.new_zeros(num_groups).index_add_(0, group, weight * chosen)
    return torch.where(kept > 0, total / kept.clamp(min=torch.finfo(kept.dtype).tiny), 1.0)[group]
