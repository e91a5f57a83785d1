"""Graphs from networkx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, get_args

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

if TYPE_CHECKING:
    import networkx

Parallel = Literal["keep", "sum", "min"]

_NUMERIC = "biuf"  # numpy's kinds: boolean, integer, unsigned, floating point

# Names under "edge_" that PyG and this package give a meaning of their own.
_RESERVED = (
    "edge_index",
    "edge_label",
    "edge_label_index",
    "edge_length",
    "edge_type",
    "edge_weight",
)


def from_networkx(
    G: networkx.Graph | networkx.DiGraph,
    *,
    x: str | Sequence[str] | None = None,
    pos: str | Sequence[str] | None = None,
    length: str | None = None,
    weight: str | None = None,
    edge_attrs: Sequence[str] = (),
    defaults: Mapping[str, float] | None = None,
    parallel: Parallel = "keep",
) -> Data:
    r"""Converts a :class:`networkx.Graph` or :class:`networkx.DiGraph`, taking the attributes that
    are asked for and no others.

    Nodes keep the order of :obj:`G.nodes()`; :obj:`data.node_id` lists their names in that order,
    whatever they are. Edges keep the order of :obj:`G.edges()`, as source and target. An
    undirected graph gives every edge in both directions: first all edges as listed, then their
    reverses, in the same order and with the same attributes (self loops once). Numbers become
    tensors of the default floating point dtype; :obj:`edge_attrs` that are integers or booleans
    throughout stay so. Numbers in strings are parsed.

    Args:
        G (networkx.Graph or networkx.DiGraph): The graph.
        x (str or list of str, optional): One node attribute, a number or an array of one shape on
            every node, or several that are numbers: :obj:`data.x`.
        pos (str or list of str, optional): One node attribute that holds coordinates, or one
            attribute per coordinate, such as :obj:`("x", "y")`: :obj:`data.pos`.
        length (str, optional): Edge attribute of lengths in metres: :obj:`data.edge_length`.
        weight (str, optional): Edge attribute of weights: :obj:`data.edge_weight`.
        edge_attrs (list of str, optional): Further edge attributes; :obj:`"lanes"` becomes
            :obj:`data.edge_lanes`, a name that starts with :obj:`"edge_"` stays.
        defaults (dict, optional): Per attribute name, the number where it is missing or
            :obj:`None`. (default: a missing attribute is an error)
        parallel (str, optional): What to do with parallel edges: :obj:`"keep"`, :obj:`"sum"` or
            :obj:`"min"`. The graphs accepted here have none, so that it changes nothing.
            (default: :obj:`"keep"`)

    Returns:
        :class:`~torch_geometric.data.Data` with :obj:`edge_index`, :obj:`e_id`, :obj:`node_id`,
        :obj:`num_nodes` and the attributes asked for.

    Shapes:
        - **x:** :math:`(|\mathcal{V}|, C)`, or :math:`(|\mathcal{V}|, *)` for arrays
        - **pos:** :math:`(|\mathcal{V}|, D)`
        - **edge attributes:** :math:`(|\mathcal{E}|)`

    Raises:
        TypeError: If :obj:`G` is no networkx graph.
        ValueError: If :obj:`G` has parallel edges (a multigraph), an attribute is missing without
            default, or is no number, or NaN: the message names node or edge and attribute.
    """
    edge_attrs = (edge_attrs,) if isinstance(edge_attrs, str) else tuple(edge_attrs)
    defaults = {} if defaults is None else defaults
    _check(G, parallel, edge_attrs)
    for argument, name in (("x", x), ("pos", pos)):
        if name is not None and len(name) == 0:
            raise ValueError(f"{argument}: expected one attribute name or more, got {name!r}")
    _check_defaults(defaults, x, pos, length, weight, edge_attrs)
    nodes = _Items("node", list(G.nodes()), [G.nodes[node] for node in G], defaults)
    rows = list(G.edges(data=True))
    edges = _Items("edge", [row[:2] for row in rows], [row[2] for row in rows], defaults)
    edge_index, listed = _edge_index(nodes.names, edges.names, G.is_directed())

    data = Data(edge_index=edge_index, num_nodes=len(nodes.names), node_id=nodes.names)
    data.e_id = torch.arange(edge_index.size(1))
    for key, name in (("x", x), ("pos", pos)):
        if name is not None:
            data[key] = _as_tensor(nodes.columns(name).astype(np.float64))
    for key, name in (("edge_length", length), ("edge_weight", weight)):
        if name is not None:
            data[key] = _as_tensor(edges.numbers(name).astype(np.float64))[listed]
    for name in edge_attrs:
        data[_edge_key(name)] = _as_tensor(edges.exact_numbers(name))[listed]
    return data


class _Items(NamedTuple):
    """All nodes, or all edges: their names and attributes, and how to read the latter."""

    kind: str
    names: list[Any]
    attributes: list[dict[str, Any]]
    defaults: Mapping[str, float]

    def columns(self, name: str | Sequence[str]) -> np.ndarray:
        """One attribute (numbers or arrays), or several that are numbers, as [items, *]."""
        if not isinstance(name, str):
            return np.stack([self.numbers(each) for each in name], axis=1)
        values = self._values(name)
        arrays = [self._array(item, name, value) for item, value in enumerate(values)]
        for item, array in enumerate(arrays):
            if array.shape != arrays[0].shape:
                expected = f"shape {list(arrays[0].shape)} as on {self.kind} {self.names[0]!r}"
                self._refuse(item, name, expected, values[item])
        array = np.stack(arrays) if arrays else np.zeros(0)
        self._check_nan(array, name, values)
        return array[:, None] if array.ndim == 1 else array

    def numbers(self, name: str) -> np.ndarray:
        """One attribute that is a number, as [items]."""
        values = self._values(name)
        try:
            array = np.array(values)
        except ValueError:  # ragged lists
            array = np.empty(len(values), dtype=object)
        if array.ndim != 1 or array.dtype.kind not in _NUMERIC:
            array = np.array([self._number(item, name, v) for item, v in enumerate(values)], float)
        self._check_nan(array, name, values)
        return array

    def exact_numbers(self, name: str) -> np.ndarray:
        """One attribute that is a number; integers that torch cannot hold are refused."""
        array, values = self.numbers(name), self._values(name)
        for item in np.flatnonzero(np.abs(array.astype(np.float64)) >= 2.0**63):
            value = values[item]
            if isinstance(value, int | np.integer) and not -(2**63) <= int(value) < 2**63:
                self._refuse(int(item), name, "an integer of 64 bits", value)
        return array

    def _values(self, name: str) -> list[Any]:
        values = [attributes.get(name) for attributes in self.attributes]
        default = self.defaults.get(name)
        for item, value in enumerate(values):
            if value is None:
                if default is None:
                    self._refuse(item, name, "a number (or an entry in defaults)", None)
                values[item] = default
        return values

    def _array(self, item: int, name: str, value: Any) -> np.ndarray:
        try:
            array = np.asarray(value)
        except ValueError:  # ragged lists
            array = np.empty(0, dtype=object)
        if array.dtype.kind in _NUMERIC:
            return array
        return np.asarray(self._number(item, name, value))

    def _number(self, item: int, name: str, value: Any) -> float:
        try:
            return float(value)
        except (TypeError, ValueError):
            self._refuse(item, name, "a number", value)

    def _check_nan(self, array: np.ndarray, name: str, values: list[Any]) -> None:
        wrong = np.flatnonzero(np.isnan(array).any(axis=tuple(range(1, array.ndim))))
        if wrong.size > 0:
            self._refuse(int(wrong[0]), name, "a number", values[wrong[0]])

    def _refuse(self, item: int, name: str, expected: str, value: Any) -> NoReturn:
        raise ValueError(
            f"{self.kind} {self.names[item]!r}, attribute {name!r}: expected {expected}, "
            f"got {'none' if value is None else repr(value)}"
        )


def _check(G: Any, parallel: str, edge_attrs: tuple[str, ...]) -> None:
    import networkx

    if not isinstance(G, networkx.Graph):
        raise TypeError(f"G: expected networkx.Graph or networkx.DiGraph, got {type(G).__name__}")
    if G.is_multigraph():
        raise ValueError(
            "G: expected networkx.Graph or networkx.DiGraph, got a "
            f"{type(G).__name__} (join its parallel edges first)"
        )
    if parallel not in get_args(Parallel):
        raise ValueError(f"parallel: expected one of {get_args(Parallel)}, got {parallel!r}")
    keys = [_edge_key(name) for name in edge_attrs]
    for name, key in zip(edge_attrs, keys, strict=True):
        if key in _RESERVED or keys.count(key) > 1:
            raise ValueError(
                f"edge_attrs: expected names that give new attributes, got {name!r} for data.{key}"
                " (lengths and weights have arguments of their own, edge_type holds the labels of"
                " the partition transforms)"
            )


def _check_defaults(defaults: Mapping[str, float], *arguments: str | Sequence[str] | None) -> None:
    asked: set[str] = set()
    for names in arguments:
        asked.update((names,) if isinstance(names, str) else names or ())
    unknown = sorted(set(defaults) - asked)
    if unknown:
        raise ValueError(f"defaults: expected names among {sorted(asked)}, got {unknown}")


def _edge_index(
    nodes: list[Any], edges: list[tuple[Any, Any]], directed: bool
) -> tuple[Tensor, Tensor]:
    """The edge index, and for each of its edges the number under which networkx lists it."""
    number = {node: i for i, node in enumerate(nodes)}
    ends = map(number.__getitem__, chain.from_iterable(edges))
    pairs = np.fromiter(ends, np.int64, 2 * len(edges)).reshape(-1, 2)
    edge_index = torch.from_numpy(pairs.T.copy())
    listed = torch.arange(len(edges))
    if directed:
        return edge_index, listed
    twins = (edge_index[0] != edge_index[1]).nonzero().flatten()
    both = torch.cat([edge_index, edge_index[:, twins].flip(0)], dim=1)
    return both, torch.cat([listed, twins])


def _edge_key(name: str) -> str:
    return name if name.startswith("edge_") else f"edge_{name}"


def _as_tensor(values: np.ndarray) -> Tensor:
    if values.dtype.kind == "f":
        return torch.from_numpy(values).to(torch.get_default_dtype())
    return torch.from_numpy(values.astype(bool if values.dtype.kind == "b" else np.int64))
