"""Graphs from networkx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from tgst.utils.networkx_attributes import GraphItems, ParallelEdges, as_tensor

if TYPE_CHECKING:
    import networkx

Parallel = Literal["keep", "sum", "min"]

# Names under "edge_" that PyG and this package give a meaning of their own.
RESERVED_EDGE_NAMES = (
    "edge_index",
    "edge_label",
    "edge_label_index",
    "edge_length",
    "edge_type",
    "edge_weight",
)


def from_networkx(
    G: networkx.Graph | networkx.DiGraph | networkx.MultiGraph | networkx.MultiDiGraph,
    *,
    x: str | Sequence[str] | None = None,
    pos: str | Sequence[str] | None = None,
    length: str | None = None,
    weight: str | None = None,
    edge_attrs: Sequence[str] = (),
    defaults: Mapping[str, float] | None = None,
    parallel: Parallel = "keep",
) -> Data:
    r"""Converts a :class:`networkx.Graph`, :class:`networkx.DiGraph`, multigraph or OSMnx graph,
    taking the attributes that are asked for and no others.

    Nodes keep the order of :obj:`G.nodes()`; :obj:`data.node_id` lists their names in that order,
    whatever they are. Edges keep the order of :obj:`G.edges()`, as source and target; where every
    edge has another integer as attribute :obj:`"e_id"` (:func:`to_networkx` writes it) they are
    ordered by it. An undirected graph gives every edge in both directions: first all edges as
    listed, then their reverses, in the same order and with the same attributes (self loops once).

    Numbers become tensors of the default floating point dtype, coordinates
    :obj:`torch.float64` (in :obj:`torch.float32` a longitude is only good to a metre);
    :obj:`edge_attrs` that are integers or booleans throughout stay so. Infinity passes (an
    infinite length is no connection), NaN does not. Numbers in strings are parsed, and so are
    :obj:`"True"` and :obj:`"False"` where an attribute holds nothing else.

    Graphs of OSMnx (marked by :obj:`G.graph["crs"]`) whose nodes all have :obj:`x` and :obj:`y`
    give these as :obj:`data.pos` (longitude and latitude, or metres if projected), never as
    features. Attributes of the graph are not taken.

    Args:
        G (networkx.Graph): The graph, directed or not, with or without parallel edges.
        x (str or list of str, optional): One node attribute, a number or an array of one shape on
            every node, or several that are numbers: :obj:`data.x`.
        pos (str or list of str, optional): One node attribute that holds coordinates, or one
            attribute per coordinate, such as :obj:`("x", "y")`: :obj:`data.pos`.
        length (str, optional): Edge attribute of lengths in metres: :obj:`data.edge_length`.
        weight (str, optional): Edge attribute of weights: :obj:`data.edge_weight`.
        edge_attrs (list of str, optional): Further edge attributes, numbers or arrays of one
            shape; :obj:`"lanes"` becomes :obj:`data.edge_lanes`, a name that starts with
            :obj:`"edge_"` stays. Labels of the partition transforms, integers from 0, are read
            from :obj:`"edge_type"`, where :func:`to_networkx` writes them.
        defaults (dict, optional): Per attribute name, the number where it is missing or
            :obj:`None`. (default: a missing attribute is an error)
        parallel (str, optional): What to do with parallel edges, those with the same source and
            target: :obj:`"keep"` all of them; :obj:`"sum"`: join them, weights and
            :obj:`edge_attrs` add up (booleans: any of them), the length is the smallest one (a sum
            of lengths has no meaning); :obj:`"min"`: keep the one with the smallest length (or
            weight, if no length is asked for), with its own attributes. (default: :obj:`"keep"`)

    Returns:
        :class:`~torch_geometric.data.Data` with :obj:`edge_index`, :obj:`e_id`, :obj:`node_id`,
        :obj:`num_nodes` and the attributes asked for; from a multigraph also :obj:`edge_key`, if
        all keys are integers and no edges were joined.

    Shapes:
        - **x:** :math:`(|\mathcal{V}|, C)`, or :math:`(|\mathcal{V}|, *)` for arrays
        - **pos:** :math:`(|\mathcal{V}|, D)`, float64
        - **edge attributes:** :math:`(|\mathcal{E}|)`, or :math:`(|\mathcal{E}|, *)` for arrays
        - **edge_key:** :math:`(|\mathcal{E}|)`, long

    Raises:
        TypeError: If :obj:`G` is no networkx graph.
        ValueError: If an attribute is missing without default, or is no number, or NaN: the
            message names node or edge and attribute. If :obj:`parallel="min"` has neither
            lengths nor weights to compare, or :obj:`parallel="sum"` labels to add.
    """
    edge_attrs = (edge_attrs,) if isinstance(edge_attrs, str) else tuple(edge_attrs)
    defaults = {} if defaults is None else defaults
    _check(G, parallel, edge_attrs, length or weight)
    for argument, name in (("x", x), ("pos", pos)):
        if name is not None and len(name) == 0:
            raise ValueError(f"{argument}: expected one attribute name or more, got {name!r}")
    _check_defaults(defaults, x, pos, length, weight, edge_attrs)
    nodes = GraphItems("node", list(G.nodes()), [G.nodes[node] for node in G], defaults)
    edges, pairs, groups = _edges(G, nodes.names, defaults, parallel, length or weight)
    edge_index, listed = _both_directions(pairs, G.is_directed())

    data = Data(edge_index=edge_index, num_nodes=len(nodes.names), node_id=nodes.names)
    data.e_id = torch.arange(edge_index.size(1))
    if x is not None:
        data.x = as_tensor(nodes.columns(x).astype(np.float64))
    pos = _coordinates_of_osmnx(G, nodes) if pos is None else pos
    if pos is not None:
        data.pos = torch.from_numpy(nodes.columns(pos).astype(np.float64))
    for key, values in _edge_values(edges, groups, length, weight, edge_attrs):
        data[key] = as_tensor(values)[listed]
    if G.is_multigraph() and groups is None and all(type(name[2]) is int for name in edges.names):
        keys = np.array([name[2] for name in edges.names], dtype=np.int64)
        data.edge_key = torch.from_numpy(keys)[listed]
    return data


def _edges(
    G: Any, nodes: list[Any], defaults: Mapping[str, float], parallel: str, measure: str | None
) -> tuple[GraphItems, np.ndarray, ParallelEdges | None]:
    """The edges as listed, their ends, and how they are to be joined."""
    edges = GraphItems("edge", *_names_and_attributes(G), defaults)
    order = _written_order(edges.attributes)
    if order is not None:
        edges = edges.select(order)
    number = {node: i for i, node in enumerate(nodes)}
    ends = map(number.__getitem__, chain.from_iterable(name[:2] for name in edges.names))
    pairs = np.fromiter(ends, np.int64, 2 * len(edges.names)).reshape(-1, 2)
    if not G.is_multigraph() or parallel == "keep":
        return edges, pairs, None
    groups = ParallelEdges(pairs)
    if parallel == "sum":
        return edges, pairs[groups.first], groups
    assert measure is not None  # _check
    kept = groups.smallest(edges.numbers(measure))
    return edges.select(kept), pairs[kept], None


def _names_and_attributes(G: Any) -> tuple[list[Any], list[dict[str, Any]]]:
    names: list[Any] = []  # filled one by one: a list of whole rows takes twice as long
    attributes: list[dict[str, Any]] = []
    if G.is_multigraph():
        for source, target, key, row in G.edges(keys=True, data=True):
            names.append((source, target, key))
            attributes.append(row)
    else:
        for source, target, row in G.edges(data=True):
            names.append((source, target))
            attributes.append(row)
    return names, attributes


def _written_order(attributes: list[dict[str, Any]]) -> np.ndarray | None:
    if not all(type(each.get("e_id")) is int for each in attributes):
        return None
    written = [each["e_id"] for each in attributes]
    return np.argsort(np.array(written)) if len(set(written)) == len(written) else None


def _edge_values(
    edges: GraphItems,
    groups: ParallelEdges | None,
    length: str | None,
    weight: str | None,
    edge_attrs: tuple[str, ...],
) -> list[tuple[str, np.ndarray]]:
    """Attributes by their names in the result, parallel edges joined."""
    found = []
    if length is not None:
        lengths = edges.numbers(length).astype(np.float64)
        found.append(
            ("edge_length", lengths if groups is None else lengths[groups.smallest(lengths)])
        )
    if weight is not None:
        weights = edges.numbers(weight).astype(np.float64)
        found.append(("edge_weight", weights if groups is None else groups.total(weights)))
    for name in edge_attrs:
        values = edges.exact(name)
        if name == "edge_type":
            edges.check_labels(values, name)
        found.append((_edge_key(name), values if groups is None else groups.total(values)))
    return found


def _coordinates_of_osmnx(G: Any, nodes: GraphItems) -> tuple[str, str] | None:
    if G.graph.get("crs") is None or len(nodes.names) == 0:
        return None
    placed = all(
        each.get("x") is not None and each.get("y") is not None for each in nodes.attributes
    )
    return ("x", "y") if placed else None


def _check(G: Any, parallel: str, edge_attrs: tuple[str, ...], measure: str | None) -> None:
    import networkx

    if not isinstance(G, networkx.Graph):
        raise TypeError(f"G: expected a networkx graph, got {type(G).__name__}")
    if parallel not in get_args(Parallel):
        raise ValueError(f"parallel: expected one of {get_args(Parallel)}, got {parallel!r}")
    if parallel == "min" and G.is_multigraph() and measure is None:
        raise ValueError(
            "parallel: expected 'keep' or 'sum' where neither length nor weight names the "
            "attribute to compare parallel edges by, got 'min'"
        )
    _check_edge_attrs(edge_attrs, G.is_multigraph())
    if parallel == "sum" and G.is_multigraph() and "edge_type" in edge_attrs:
        raise ValueError(
            "parallel: expected 'keep' or 'min' where edge_attrs has 'edge_type' (labels do not "
            "add up), got 'sum'"
        )


def _check_edge_attrs(edge_attrs: tuple[str, ...], multigraph: bool) -> None:
    reserved = (*RESERVED_EDGE_NAMES, "edge_key") if multigraph else RESERVED_EDGE_NAMES
    keys = [_edge_key(name) for name in edge_attrs]
    for name, key in zip(edge_attrs, keys, strict=True):
        taken = key in reserved and name != "edge_type"
        if taken or keys.count(key) > 1:
            raise ValueError(
                f"edge_attrs: expected names that give new attributes, got {name!r} for data.{key}"
                " (lengths and weights have arguments of their own, edge_type holds the labels of"
                " the partition transforms and is read from 'edge_type' alone)"
            )


def _check_defaults(defaults: Mapping[str, float], *arguments: str | Sequence[str] | None) -> None:
    asked: set[str] = set()
    for names in arguments:
        asked.update((names,) if isinstance(names, str) else names or ())
    unknown = sorted(set(defaults) - asked)
    if unknown:
        raise ValueError(f"defaults: expected names among {sorted(asked)}, got {unknown}")


def _both_directions(pairs: np.ndarray, directed: bool) -> tuple[Tensor, Tensor]:
    """The edge index, and for each of its edges the number of its pair."""
    edge_index = torch.from_numpy(pairs.T.copy())
    listed = torch.arange(len(pairs))
    if directed:
        return edge_index, listed
    twins = (edge_index[0] != edge_index[1]).nonzero().flatten()
    both = torch.cat([edge_index, edge_index[:, twins].flip(0)], dim=1)
    return both, torch.cat([listed, twins])


def _edge_key(name: str) -> str:
    return name if name.startswith("edge_") else f"edge_{name}"
