r"""Fitting a checkpoint's own graph to the graph that a user has."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.data import Data

from tgst.nn.models.convert.converted_checkpoint import dense_entries
from tgst.utils.skeleton import Skeleton, as_skeleton

_SHOWN = 5
_TOLERANCE = 5e-4  # of a base weight: rounding to half precision, in which a file may store it


@dataclass(frozen=True)
class Edges:
    r"""The edges of a checkpoint in the order of a graph.

    Args:
        index (Tensor): :math:`(2, E)`.
        label (Tensor): :math:`(E)`.
        weight (Tensor): :math:`(E)`.
        e_id (Tensor): :math:`(E)`, the number of each edge in the importance.
    """

    index: Tensor
    label: Tensor
    weight: Tensor
    e_id: Tensor

    def on_edges(self, dense: Tensor) -> Tensor:
        r"""Takes a :math:`(K, V, V)` array's entries on the edges, ordered by :obj:`e_id`.

        Args:
            dense (Tensor): One matrix per partition.
        """
        entries = dense[self.label, self.index[0], self.index[1]]
        return torch.empty_like(entries).index_copy_(0, self.e_id, entries)


def aligned_edges(adjacency: Tensor, graph: Data | Skeleton | str | None) -> Edges:
    r"""Lists the edges of a checkpoint, in the order of the graph if it has labels.

    Args:
        adjacency (Tensor): The checkpoint's :math:`(K, V, V)`.
        graph (Data or Skeleton or str, optional): What the checkpoint must belong to. Labelled
            data must have the same edges, labels and weights, and lends its order and
            :obj:`e_id`; of a skeleton, and of data without labels, the edges alone are compared
            (self loops aside, up to some number of hops).

    Returns:
        Edges: The edges.

    Raises:
        TypeError: If the graph is none.
        ValueError: If the checkpoint belongs to another graph; names the first edges that differ.
    """
    index, label, weight = dense_entries(adjacency)
    own = Edges(index, label, weight, torch.arange(label.numel()))
    if graph is None:
        return own
    data = as_skeleton(graph).data() if isinstance(graph, Skeleton | str) else graph
    if not isinstance(data, Data):
        raise TypeError(
            f"graph: expected Data, a Skeleton or the name of one, got {type(graph).__name__}"
        )
    if data.num_nodes != adjacency.size(1):
        raise ValueError(
            f"graph: a checkpoint for another graph: it has {adjacency.size(1)} joints, the "
            f"graph {data.num_nodes}"
        )
    if data.edge_index is None:
        raise ValueError("graph: expected data with edge_index")
    if data.get("edge_type") is None:
        _check_pairs(adjacency, data.edge_index)
        return own
    return _in_order_of(data, own, adjacency)


def _in_order_of(graph: Data, own: Edges, adjacency: Tensor) -> Edges:
    index, label = graph.edge_index.cpu(), graph.edge_type.cpu()
    theirs = torch.stack([label, *index])
    mine = torch.stack([own.label, *own.index])
    _check_triples(mine, theirs)
    weight = adjacency[label, index[0], index[1]]
    _check_weights(graph, theirs, weight)
    e_id = graph.get("e_id")
    e_id = torch.arange(label.numel()) if e_id is None else e_id.cpu()
    if not torch.equal(e_id.sort().values, torch.arange(label.numel())):
        raise ValueError(f"graph: expected e_id with each of 0 to {label.numel() - 1} once")
    return Edges(index, label, weight, e_id)


def _check_triples(mine: Tensor, theirs: Tensor) -> None:
    own, given = set(_tuples(mine)), set(_tuples(theirs))
    if own != given:
        raise _another_graph(_described(own - given), _described(given - own))
    if len(given) != theirs.size(1):
        raise ValueError("graph: expected no parallel edges, which a checkpoint cannot tell apart")


def _check_weights(graph: Data, triples: Tensor, weight: Tensor) -> None:
    if graph.get("edge_weight") is None:
        return
    given = graph.edge_weight.to(weight).cpu()
    wrong = ((given - weight).abs() > _TOLERANCE * weight.abs()).nonzero().flatten()
    if wrong.numel():
        first = int(wrong[0])
        edge = _described([tuple(triples[:, first].tolist())])[0]
        raise ValueError(
            f"graph: a checkpoint for another graph: {wrong.numel()} edge weights differ, first "
            f"of edge {edge}: {float(weight[first]):.6g} in the checkpoint, "
            f"{float(given[first]):.6g} in the graph (another normalisation?)"
        )


def _check_pairs(adjacency: Tensor, edge_index: Tensor) -> None:
    own = adjacency.ne(0).any(0).fill_diagonal_(False)
    step = torch.eye(own.size(0), dtype=torch.bool)
    step[edge_index[0].cpu(), edge_index[1].cpu()] = True
    reach = step
    # The partitions may hold edges over several hops: compare with as many as are needed.
    for _ in range(own.size(0)):
        given = reach.clone().fill_diagonal_(False)
        if torch.equal(own, given):
            return
        reach = (reach.float() @ step.float()).gt(0)
    given = step.fill_diagonal_(False)
    raise _another_graph(
        _described(_tuples((own & ~given).nonzero().t())),
        _described(_tuples((given & ~own).nonzero().t())),
    )


def _tuples(columns: Tensor) -> list[tuple[int, ...]]:
    return [tuple(column) for column in columns.t().tolist()]


def _described(edges) -> list[str]:
    return [
        f"{edge[-2]} -> {edge[-1]}" + (f" (label {edge[0]})" if len(edge) == 3 else "")
        for edge in sorted(edges, key=lambda edge: (edge[-2:], edge))
    ]


def _another_graph(extra: list[str], lacking: list[str]) -> ValueError:
    faults = []
    if extra:
        faults.append(f"it has {len(extra)} edges that the graph lacks: {_first(extra)}")
    if lacking:
        faults.append(f"the graph has {len(lacking)} edges that it lacks: {_first(lacking)}")
    hint = ""
    if all("label" in edge for edge in extra + lacking):
        pairs = ({edge.split(" (")[0] for edge in edges} for edges in (extra, lacking))
        if next(pairs) == next(pairs):
            hint = "; only labels differ: the released code's come from hop_distance='truncated'"
    return ValueError(f"graph: a checkpoint for another graph: {'; '.join(faults)}{hint}")


def _first(edges: list[str]) -> str:
    return ", ".join(edges[:_SHOWN]) + (", ..." if len(edges) > _SHOWN else "")
