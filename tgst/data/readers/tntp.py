"""Road networks in the TNTP format."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch_geometric.data import Data

from tgst.data.readers.text import METRES, check_unit
from tgst.data.readers.tntp_table import TntpTable, read_tntp_table

_COLUMNS = (  # of net files whose column line is missing
    "init_node",
    "term_node",
    "capacity",
    "length",
    "free_flow_time",
    "b",
    "power",
    "speed",
    "toll",
    "link_type",
)
_UNITS = {
    **dict.fromkeys(("m", "meter", "meters", "metre", "metres"), "m"),
    **dict.fromkeys(("km", "kilometer", "kilometers", "kilometre", "kilometres"), "km"),
    **dict.fromkeys(("ft", "foot", "feet"), "ft"),
    **dict.fromkeys(("mi", "mile", "miles"), "mi"),
}
_TAKEN = ("index", "type", "label", "label_index", "weight", "key", "attr", "flow")


def read_tntp(
    net: str | Path,
    node: str | Path | None = None,
    flow: str | Path | None = None,
    *,
    length_unit: Literal["m", "km", "ft", "mi"] | None = None,
) -> Data:
    r"""Reads a road network in the TNTP format of the `"Transportation Networks for Research"
    <https://github.com/bstabler/TransportationNetworks>`_ (the files are for academic use: name
    their source).

    Edges are links in the order of the net file. :obj:`node_id` holds the published ids as text
    (which begin at 1). Every further column becomes :obj:`edge_<column>`, such as
    :obj:`edge_capacity`, :obj:`edge_free_flow_time`, :obj:`edge_speed` or :obj:`edge_lanes`, in
    the units of the file, which differ from city to city; the column ``link_type`` or ``type``
    becomes :obj:`edge_link_type`. Lengths alone are converted, to metres.

    The counts in the header are compared with what is read. If the net file has none (or -1),
    a warning says so.

    Args:
        net (str or Path): The links, ``*_net.tntp``.
        node (str or Path, optional): Coordinates, ``*_node.tntp``: :obj:`data.pos`, in the unit of
            the file. (default: :obj:`None`)
        flow (str or Path, optional): Volumes of links, ``*_flow.tntp``: :obj:`data.edge_flow`, in
            the unit of the file. (default: :obj:`None`)
        length_unit (str, optional): Unit of the lengths of :obj:`net`: :obj:`"m"`, :obj:`"km"`,
            :obj:`"ft"` or :obj:`"mi"`. (default: that in brackets behind ``length`` in the line
            ``<ORIGINAL HEADER>``; many files have none)

    Returns:
        :class:`~torch_geometric.data.Data` with :obj:`edge_index`, :obj:`e_id`, :obj:`node_id`,
        :obj:`num_nodes` (nodes without links included, if a node file or the header tells of
        them), :obj:`edge_length`, the other columns,
        and, if the header has them, the plain numbers :obj:`num_zones` and :obj:`first_thru_node`
        (the published id below which nodes are zones that no route passes through).

    Shapes:
        - **edge_index:** :math:`(2, |\mathcal{E}|)`, row 0 the source
        - **edge_length:** :math:`(|\mathcal{E}|)`, metres
        - **edge_flow and other columns:** :math:`(|\mathcal{E}|)`, in the default dtype
        - **pos:** :math:`(|\mathcal{V}|, 2)`, float64 (float32 of degrees is only good to a metre)

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a line has a cell that is no number or too few cells, a count in a header
            differs from what is read, ids of the files do not match, or the unit of lengths is
            neither given nor in the file. The message names file and line.
    """
    links = read_tntp_table(Path(net), at_least=2, columns=_COLUMNS)
    links.check_count("NUMBER OF LINKS", len(links.values))
    stated = links.stated_count("NUMBER OF NODES")
    if stated is None or links.stated_count("NUMBER OF LINKS") is None:
        warnings.warn(
            f"{links.path}: the header has no counts of nodes and links; whether the file is "
            "complete is unknown",
            stacklevel=2,
        )
    ends = links.ids((0, 1))
    ids, pos = _nodes(links, ends, None if node is None else Path(node))
    data = Data(edge_index=torch.from_numpy(_places(links, ends, ids)), num_nodes=len(ids))
    data.e_id = torch.arange(len(ends))
    data.node_id = [str(name) for name in ids.tolist()]
    if pos is not None:
        data.pos = torch.from_numpy(pos)
    _add_columns(data, links, length_unit)
    if flow is not None:
        data.edge_flow = _as_tensor(_flows(links, ends, Path(flow)))
    for tag, name in (("NUMBER OF ZONES", "num_zones"), ("FIRST THRU NODE", "first_thru_node")):
        if links.stated_count(tag) is not None:
            data[name] = links.stated_count(tag)
    return data


def _add_columns(data: Data, links: TntpTable, length_unit: str | None) -> None:
    for column, name in enumerate(links.columns[2:], start=2):
        values = links.values[:, column]
        if name == "length":
            values = values * _metres(links, length_unit)
        data[f"edge_link_{name}" if name in _TAKEN else f"edge_{name}"] = _as_tensor(values)


def _nodes(
    links: TntpTable, ends: np.ndarray, path: Path | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """The ids of all nodes, and their coordinates."""
    stated = links.stated_count("NUMBER OF NODES")
    if path is None:
        return np.unique(ends) if stated is None else np.arange(1, stated + 1), None
    table = read_tntp_table(path, at_least=3, columns=("node", "x", "y"))
    table.check_count("NUMBER OF NODES", len(table.values))
    ids = table.ids((0,))[:, 0]
    _, first = np.unique(ids, return_index=True)
    repeated = np.setdiff1d(np.arange(len(ids)), first)
    if repeated.size > 0:
        raise ValueError(
            f"{table.place(int(repeated[0]))}: expected every node once, got {ids[repeated[0]]} "
            "again"
        )
    if stated is not None and len(ids) != stated:
        raise ValueError(
            f"{path}: expected the {stated} nodes in the header of {links.path}, got {len(ids)}; "
            "is the file cut off, or that of another network?"
        )
    return ids, np.ascontiguousarray(table.values[:, 1:3])


def _places(links: TntpTable, ends: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """The links' ends as numbers of nodes, [2, E]."""
    if len(ids) == 0:
        return np.zeros((2, 0), np.int64)
    order = np.argsort(ids)
    place = order[np.searchsorted(ids, ends, sorter=order).clip(max=len(ids) - 1)]
    unknown = ids[place] != ends
    if unknown.any():
        row, column = np.argwhere(unknown)[0]
        raise ValueError(
            f"{links.place(int(row))}: expected one of the {len(ids)} nodes {ids.min()}.."
            f"{ids.max()}, got {ends[row, column]}"
        )
    return np.ascontiguousarray(place.T)


def _metres(links: TntpTable, length_unit: str | None) -> float:
    if length_unit is not None:
        return check_unit("length_unit", length_unit)
    stated = re.search(r"length\s*[(\[]\s*([^)\]]*?)\s*[)\]]", links.original_header, re.IGNORECASE)
    unit = _UNITS.get(stated[1].lower()) if stated else None
    if unit is None:
        came = f"which states {stated[1]!r}" if stated else "which states none"
        raise ValueError(
            f"length_unit: expected one of {tuple(METRES)} for {links.path}, {came}, got None"
        )
    return METRES[unit]


def _flows(links: TntpTable, ends: np.ndarray, path: Path) -> np.ndarray:
    """The volume of every link; parallel links take the volumes of their pair in order."""
    table = read_tntp_table(path, at_least=3, columns=("from", "to", "volume", "cost"))
    table.check_count("NUMBER OF LINKS", len(table.values))
    named = table.ids((0, 1))
    order, other = (np.lexsort((pairs[:, 1], pairs[:, 0])) for pairs in (ends, named))
    sorted_ends, sorted_named = ends[order], named[other]
    shorter = min(len(order), len(other))
    differ = np.flatnonzero((sorted_ends[:shorter] != sorted_named[:shorter]).any(1))
    place = int(differ[0]) if differ.size > 0 else shorter
    if place < max(len(order), len(other)):
        link = tuple(sorted_ends[place]) if place < len(order) else None
        given = tuple(sorted_named[place]) if place < len(other) else None
        if given is None or (link is not None and link < given):
            assert link is not None
            raise ValueError(
                f"{path}: expected a flow for every link of {links.path}, got none for "
                f"{link[0]} -> {link[1]} ({links.place(int(order[place]), name=False)} there)"
            )
        raise ValueError(
            f"{table.place(int(other[place]))}: expected a link of {links.path}, once, got "
            f"{given[0]} -> {given[1]}"
        )
    volumes = np.empty(len(order))
    volumes[order] = table.values[other, 2]
    return volumes


def _as_tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(torch.get_default_dtype())
