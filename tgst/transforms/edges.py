"""What every transform here does with the edges of a graph: check, replace, carry attributes."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data

# What to do about attributes that are out of step with the edges.
_ORDER = "apply transforms that change the edges (ToUndirected, AddSelfLoops) before labelling them"


def checked_graph(data: Any) -> tuple[Tensor, int]:
    r"""Returns the edge index as a plain tensor and the number of nodes of a single graph.

    Args:
        data (torch_geometric.data.Data): A homogeneous graph with :obj:`edge_index`.

    Raises:
        TypeError: If :obj:`data` is no single homogeneous graph.
        ValueError: If :obj:`edge_index` is missing or has another shape or dtype, or names a node
            outside of the graph.
    """
    if not isinstance(data, Data) or isinstance(data, Batch):
        raise TypeError(
            "data: expected one torch_geometric.data.Data (transform graphs before batching them), "
            f"got {type(data).__name__}"
        )
    edge_index = data.edge_index
    if not isinstance(edge_index, Tensor):
        raise ValueError(f"data.edge_index: expected a tensor [2, E], got {edge_index!r}")
    if isinstance(edge_index, EdgeIndex):
        edge_index = edge_index.as_tensor()
    if edge_index.dim() != 2 or edge_index.size(0) != 2 or edge_index.dtype != torch.long:
        raise ValueError(
            "data.edge_index: expected shape [2, E] and dtype torch.int64, got "
            f"{list(edge_index.shape)} and {edge_index.dtype}"
        )
    num_nodes = int(data.num_nodes or 0)
    outside = ((edge_index < 0) | (edge_index >= num_nodes)).any(0).nonzero()
    if outside.numel() > 0:
        edge = int(outside[0])
        raise ValueError(
            f"data.edge_index: expected nodes in 0..{num_nodes - 1}, got "
            f"{edge_name(edge_index, edge)}"
        )
    if data.get("edge_type") is not None:
        _check_in_step(data, edge_index, num_nodes)
    return edge_index, num_nodes


def check_edge_ids(data: Data, full: Data | None = None) -> None:
    r"""Refuses a single graph whose labels, weights or edge ids no longer belong to its edges.

    Transforms that change the edges keep some edge attributes in step and not others.
    :class:`~torch_geometric.transforms.ToUndirected` adds up the labels and ids of both directions,
    :class:`~torch_geometric.transforms.AddSelfLoops` leaves labels short, and
    :class:`~torch_geometric.transforms.AddRemainingSelfLoops` may move the self loops away from
    their labels. What shows afterwards is refused: an attribute of the wrong length, an id that two
    edges have, and, in a graph where every node has a self loop and as many edges as nodes have
    label 0, a label 0 on other edges than the self loops.

    The transforms of this package check every graph that has labels already.

    Where edges were only sorted, nothing shows in the graph itself: with :obj:`full`, every id has
    to name the same edge, with the same label, in both graphs.

    Args:
        data (torch_geometric.data.Data): A homogeneous graph, not a batch or, without :obj:`full`,
            a sampled part of one. If its nodes are renumbered, :obj:`data.n_id` holds their numbers
            in :obj:`full`.
        full (torch_geometric.data.Data, optional): The graph as the transform that labelled or
            weighed it left it, with :obj:`e_id` 0, 1, ... (default: :obj:`None`)

    Raises:
        TypeError: If :obj:`data` or :obj:`full` is no single homogeneous graph.
        ValueError: If an attribute is out of step; the message names it and the first edge.
    """
    edge_index, num_nodes = checked_graph(data)
    _check_length(data, "edge_weight", edge_index)
    if data.get("edge_type") is None:  # which was checked above
        _check_in_step(data, edge_index, num_nodes)
    if full is not None:
        _check_same_edges(data, edge_index, full)


def _check_same_edges(data: Data, edge_index: Tensor, full: Data) -> None:
    known, _ = checked_graph(full)
    e_id, ids, n_id = data.get("e_id"), full.get("e_id"), data.get("n_id")
    if not isinstance(ids, Tensor) or ids.tolist() != list(range(known.size(1))):
        raise ValueError(f"full.e_id: expected 0, 1, ..., {known.size(1) - 1}, got {ids}")
    if not isinstance(e_id, Tensor) or not torch.isin(e_id, ids).all():
        raise ValueError(f"data.e_id: expected ids of full, got {e_id}")
    ends = edge_index if n_id is None else n_id[edge_index]
    wrong = (ends != known[:, e_id]).any(0)
    label, known_label = data.get("edge_type"), full.get("edge_type")
    if isinstance(label, Tensor) and isinstance(known_label, Tensor):
        wrong |= label != known_label[e_id]
    if wrong.any():
        edge = int(wrong.nonzero()[0])
        names = f"{edge_name(ends, edge)} and {edge_name(known, int(e_id[edge]))} of full"
        raise ValueError(
            f"data.e_id: expected that {names}, which have one id, are the same edge with the same "
            f"label; {_ORDER}"
        )


def _check_in_step(data: Data, edge_index: Tensor, num_nodes: int) -> None:
    for name in ("edge_type", "e_id"):
        _check_length(data, name, edge_index)
    e_id, label = data.get("e_id"), data.get("edge_type")
    if isinstance(e_id, Tensor):
        _check_unique(e_id, edge_index)
    if isinstance(label, Tensor):
        _check_self_loop_labels(label, edge_index, num_nodes)


def _check_length(data: Data, name: str, edge_index: Tensor) -> None:
    value, num_edges = data.get(name), edge_index.size(1)
    if isinstance(value, Tensor) and value.shape[:1] != (num_edges,):
        raise ValueError(
            f"data.{name}: expected one entry for each of the {num_edges} edges, got shape "
            f"{list(value.shape)}; {_ORDER}"
        )


def _check_unique(e_id: Tensor, edge_index: Tensor) -> None:
    ids, count = e_id.unique(return_counts=True)
    repeated = ids[count > 1]
    if repeated.numel() > 0:
        twice = repeated[0]  # not rounded: ids that were averaged have fractions
        first, second = (e_id == twice).nonzero().flatten()[:2].tolist()
        raise ValueError(
            f"data.e_id: expected another id for every edge, got {twice.item()} at "
            f"{edge_name(edge_index, first)} and {edge_name(edge_index, second)}; {_ORDER}, or "
            "delete e_id if they are neither labelled nor weighted yet"
        )


def _check_self_loop_labels(label: Tensor, edge_index: Tensor, num_nodes: int) -> None:
    # Where the self loops are a partition of their own (label 0, one per node), an edge between
    # two nodes cannot have their label: then the labels stayed while the edges moved.
    own = edge_index[0] == edge_index[1]
    complete = edge_index[0, own].unique().numel() == num_nodes
    moved = ((label == 0) & ~own).nonzero()
    if complete and int((label == 0).sum()) == num_nodes and moved.numel() > 0:
        raise ValueError(
            f"data.edge_type: expected label 0 on the self loops alone, got it at "
            f"{edge_name(edge_index, int(moved[0]))}; {_ORDER}"
        )


def checked_int(name: str, value: Any) -> int:
    r"""Returns an argument that is an integer as a plain int.

    Raises:
        TypeError: If :obj:`value` is no integer; a boolean or a tensor is none.
    """
    if not isinstance(value, bool | Tensor):
        try:
            return operator.index(value)
        except TypeError:
            pass
    raise TypeError(f"{name}: expected an int, got {value!r} ({type(value).__name__})")


def edge_name(edge_index: Tensor, edge: int) -> str:
    r"""Returns how error messages name an edge: :obj:`"edge 3 (0 -> 7)"`."""
    source, target = edge_index[:, edge].tolist()
    return f"edge {edge} ({source} -> {target})"


def checked_edge_values(data: Data, name: str, edge_index: Tensor) -> Tensor:
    r"""Returns the attribute :obj:`name` if it holds one floating point number per edge.

    Raises:
        ValueError: If shape or dtype differ, or a number is NaN or negative (infinity is left to
            the caller).
    """
    values = data[name]
    if not isinstance(values, Tensor) or values.shape != edge_index.shape[1:]:
        came = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise ValueError(f"data.{name}: expected shape [{edge_index.size(1)}], got {came}")
    if not values.is_floating_point():
        raise ValueError(f"data.{name}: expected a floating point dtype, got {values.dtype}")
    wrong = (values.isnan() | (values < 0)).nonzero()
    if wrong.numel() > 0:
        edge = int(wrong[0])
        raise ValueError(
            f"data.{name}: expected numbers >= 0, got {float(values[edge])} at "
            f"{edge_name(edge_index, edge)}"
        )
    return values


def edge_strength(data: Data, edge_index: Tensor) -> Tensor:
    r"""Returns :obj:`edge_weight`, or ones in the dtype of :obj:`x` where there is none.

    Raises:
        ValueError: If :obj:`edge_weight` is not :obj:`[E]`, floating point, finite and >= 0.
    """
    if data.edge_weight is None:
        x = data.x
        floating = isinstance(x, Tensor) and x.is_floating_point()
        dtype = x.dtype if floating else torch.get_default_dtype()
        return torch.ones(edge_index.size(1), dtype=dtype, device=edge_index.device)
    strength = checked_edge_values(data, "edge_weight", edge_index)
    infinite = strength.isinf().nonzero()
    if infinite.numel() > 0:
        name = edge_name(edge_index, int(infinite[0]))
        raise ValueError(f"data.edge_weight: expected finite numbers, got inf at {name}")
    return strength


def replace_edges(data: Data, edge_index: Tensor, origin: Tensor, fill_value: float = 0.0) -> Data:
    r"""Replaces the edges of :obj:`data`, and carries every edge attribute along.

    Edge :obj:`e` of the new graph takes the attributes of the old edge :obj:`origin[e]`; where
    :obj:`origin[e]` is -1 the edge is new and takes :obj:`fill_value` (:obj:`bool(fill_value)`,
    or :obj:`None` in lists). :obj:`e_id` is written anew, and the number of nodes stays.

    Raises:
        ValueError: If an attribute named after the edges does not hold one entry per edge.
    """
    with warnings.catch_warnings():  # PyG warned before if it had to infer the number from edges
        warnings.simplefilter("ignore")
        num_nodes = int(data.num_nodes or 0)
        for name in _edge_attributes(data, num_nodes):
            data[name] = _carried(data, name, origin, fill_value)
        data.edge_index = edge_index
        data.e_id = torch.arange(edge_index.size(1), device=edge_index.device)
        if data.num_nodes != num_nodes:
            data.num_nodes = num_nodes
    return data


def _edge_attributes(data: Data, num_nodes: int) -> list[str]:
    """PyG's rule, but for lists where N == E (PyG takes a list of node ids for edge ids there)."""
    num_edges = data.edge_index.size(1)
    names = []
    for key, value in data.to_dict().items():
        if "edge_index" in key or key.startswith("edge_label"):  # link supervision, negative edges
            continue
        length = length_of(data, key, value)
        if (key.startswith("edge_") or key == "e_id") and length not in (None, num_edges):
            raise ValueError(
                f"data.{key}: expected one entry for each of the {num_edges} edges, got {length}"
            )
        if length == num_edges and (num_edges != num_nodes or "edge" in key):
            names.append(key)
    return names


def length_of(data: Data, key: str, value: Any) -> int | None:
    r"""Returns how many nodes or edges an attribute has entries for, if that can be told."""
    if isinstance(value, list | tuple):
        return len(value)
    if isinstance(value, Tensor | np.ndarray) and value.ndim > 0:
        dim = data.__cat_dim__(key, value)
        return value.shape[dim] if isinstance(dim, int) else None
    return None


def _carried(data: Data, key: str, origin: Tensor, fill_value: float) -> Any:
    value = data[key]
    if isinstance(value, list | tuple):
        entries = [None if edge < 0 else value[edge] for edge in origin.tolist()]
        return entries if isinstance(value, list) else tuple(entries)
    dim = data.__cat_dim__(key, value)
    if isinstance(value, np.ndarray):
        carried = _carried_rows(torch.from_numpy(value).movedim(dim, 0), origin, fill_value)
        return carried.movedim(0, dim).numpy()
    return _carried_rows(value.movedim(dim, 0), origin, fill_value).movedim(0, dim)


def _carried_rows(value: Tensor, origin: Tensor, fill_value: float) -> Tensor:
    # One more row holds what new edges get; an empty edge set then needs no case of its own.
    new = value.new_full((1, *value.shape[1:]), fill_value)
    rows = torch.where(origin < 0, value.size(0), origin).to(value.device)
    return torch.cat([value, new]).index_select(0, rows)
