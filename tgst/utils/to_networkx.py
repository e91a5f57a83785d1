"""Graphs to networkx."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch_geometric.data import Data

from tgst.utils.graph_parts import edge_attributes, node_names, sorted_edges

if TYPE_CHECKING:
    import networkx


def to_networkx(
    data: Data,
    *,
    node_attrs: Sequence[str] | None = None,
    edge_attrs: Sequence[str] | None = None,
    multigraph: bool | None = None,
) -> networkx.DiGraph | networkx.MultiDiGraph:
    r"""Converts a graph to a :class:`networkx.DiGraph`, or :class:`networkx.MultiDiGraph` if there
    are parallel edges.

    Nodes are named by :obj:`data.node_id`, or numbered without. Edge attributes lose their prefix:
    :obj:`edge_length` becomes :obj:`"length"`; only :obj:`edge_type` keeps its name. Values are
    plain numbers, vectors are tuples, and larger arrays numpy arrays. The attribute
    :obj:`"e_id"` is the place of an edge in :obj:`data`, by which :func:`from_networkx` orders
    edges: with the attributes asked for, it gives back the same nodes, edges and tensors in the
    same order. In a multigraph :obj:`edge_key` holds the keys where it tells parallel edges apart,
    otherwise they are numbered.

    Args:
        data (torch_geometric.data.Data): The graph.
        node_attrs (list of str, optional): Tensors with a row per node.
            (default: those of :obj:`"x"` and :obj:`"pos"` that are there)
        edge_attrs (list of str, optional): Tensors with a row per edge, with or without their
            prefix. (default: all that are named :obj:`edge_*`)
        multigraph (bool, optional): Whether to give a multigraph.
            (default: only if there are parallel edges)

    Shapes:
        - **edge_index:** :math:`(2, |\mathcal{E}|)`
        - **node attributes:** :math:`(|\mathcal{V}|, *)`
        - **edge attributes:** :math:`(|\mathcal{E}|, *)`

    Raises:
        TypeError: If :obj:`data` is no single homogeneous graph.
        ValueError: If an attribute is missing or misshapen, :obj:`node_id` repeats a name, or
            :obj:`multigraph=False` meets parallel edges.
    """
    import networkx

    edges = sorted_edges(data)
    names = node_names(data)
    ends = list(zip(edges.source.tolist(), edges.target.tolist(), strict=True))
    several = _check_parallel(ends, names, multigraph)
    graph = networkx.MultiDiGraph() if several else networkx.DiGraph()
    columns = _node_columns(data, len(names), node_attrs)
    graph.add_nodes_from(zip(names, _rows(columns, len(names)), strict=True))

    values = _edge_columns(data, edge_attrs)
    if several:
        keys = _keys(ends, edge_attributes(data).get("edge_key"))
        values.pop("key", None)
    rows = _rows({**values, "e_id": range(len(ends))}, len(ends))
    sources, targets = ([names[pair[side]] for pair in ends] for side in (0, 1))
    if several:
        graph.add_edges_from(zip(sources, targets, keys, rows, strict=True))
    else:
        graph.add_edges_from(zip(sources, targets, rows, strict=True))
    return graph


def _check_parallel(ends: list[tuple[int, int]], names: list[Any], multigraph: bool | None) -> bool:
    if multigraph or len(set(ends)) == len(ends):
        return bool(multigraph)
    if multigraph is None:
        return True
    (source, target), _ = Counter(ends).most_common(1)[0]
    raise ValueError(
        "multigraph: expected True or None where there are parallel edges (from "
        f"{names[source]!r} to {names[target]!r}), got False"
    )


def _node_columns(
    data: Data, num_nodes: int, node_attrs: Sequence[str] | None
) -> dict[str, Iterable[Any]]:
    columns, stored = {}, data.to_dict()
    if node_attrs is None:
        node_attrs = [name for name in ("x", "pos") if stored.get(name) is not None]
    for name in [node_attrs] if isinstance(node_attrs, str) else node_attrs:
        value = stored.get(name)
        if not isinstance(value, Tensor) or value.dim() == 0 or value.size(0) != num_nodes:
            came = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(
                f"data.{name}: expected a tensor with a row for each of the {num_nodes} nodes, "
                f"got {came}"
            )
        single = name != "pos" and value.dim() == 2 and value.size(1) == 1
        columns[name] = _plain(value[:, 0] if single else value)
    return columns


def _edge_columns(data: Data, edge_attrs: Sequence[str] | None) -> dict[str, Iterable[Any]]:
    found = edge_attributes(data)
    if edge_attrs is None:
        asked = list(found)
    else:
        given = [edge_attrs] if isinstance(edge_attrs, str) else edge_attrs
        asked = [name if name.startswith("edge_") else f"edge_{name}" for name in given]
    columns = {}
    for name in asked:
        if name not in found:
            raise ValueError(f"edge_attrs: expected names among {sorted(found)}, got {name!r}")
        columns[name if name == "edge_type" else name[5:]] = _plain(found[name])
    return columns


def _plain(value: Tensor) -> Iterable[Any]:
    value = value.detach().cpu()
    if value.dim() == 1:
        return value.tolist()
    return map(tuple, value.tolist()) if value.dim() == 2 else value.numpy()


def _rows(columns: dict[str, Iterable[Any]], count: int) -> Iterable[dict[str, Any]]:
    if not columns:
        return [{} for _ in range(count)]
    rows = zip(*columns.values(), strict=True)
    return (dict(zip(columns, row, strict=True)) for row in rows)


def _keys(ends: list[tuple[int, int]], edge_key: Tensor | None) -> list[int]:
    if edge_key is not None:
        keys = edge_key.tolist()
        if len(set(zip(ends, keys, strict=True))) == len(ends):
            return keys
    met: Counter[tuple[int, int]] = Counter()
    keys = []
    for pair in ends:
        keys.append(met[pair])
        met[pair] += 1
    return keys
