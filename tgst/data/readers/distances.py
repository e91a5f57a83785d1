"""Distances between sensors, as a list or a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch_geometric.data import Data

from tgst.data.readers.matrix import graph_of_entries, read_matrix
from tgst.data.readers.text import (
    Header,
    Line,
    as_numbers,
    check_names,
    check_unit,
    is_number,
    read_cells,
)

# Sources and targets, values, names of the nodes.
_Entries = tuple[tuple[np.ndarray, np.ndarray], np.ndarray, list[str]]

_FIRST_COLUMNS = ("from", "origin", "source", "start")  # headers of lists, in small letters


def read_distances(
    path: str | Path,
    *,
    node_id: Sequence[Any] | None = None,
    zero: Literal["no_path", "distance"] = "no_path",
    unit: Literal["m", "km", "ft", "mi"] = "m",
    header: Header = "auto",
    form: Literal["auto", "list", "matrix"] = "auto",
) -> Data:
    r"""Reads the distances between sensors from a comma-separated file, as a graph whose edges
    have a length: :class:`~tgst.transforms.GaussianKernel` makes weights of it.

    A **list** has lines of three cells: from, to, distance. Ids are text. With :obj:`node_id` the
    nodes are those, in that order; lines about others are left out, and ids without lines stay as
    nodes without edges, as in `"Diffusion Convolutional Recurrent Neural Network"
    <https://arxiv.org/abs/1707.01926>`_. A line from a sensor to itself is a self loop. Edges keep
    the order of the lines.

    In a square **matrix** row :math:`i` and column :math:`j` hold the distance from :math:`i` to
    :math:`j`. A zero on the diagonal is no self loop. Edges are ordered row by row.

    A distance of zero between two different sensors means that no path was recorded, and never
    becomes an edge (METR-LA), unless :obj:`zero="distance"` says that they stand in one place
    (PeMSD7(M)). An infinite distance is no edge.

    Args:
        path (str or Path): The file.
        node_id (sequence, optional): Ids of the nodes, compared as text. (default: in a list the
            ids in the order in which they occur; for a matrix those of its header, or
            :obj:`"0"`, :obj:`"1"`, ...)
        zero (str, optional): What zero between different sensors means: :obj:`"no_path"` or
            :obj:`"distance"`. (default: :obj:`"no_path"`)
        unit (str, optional): Unit of the file: :obj:`"m"`, :obj:`"km"`, :obj:`"ft"` or
            :obj:`"mi"`. (default: :obj:`"m"`)
        header (str or bool, optional): Whether the first line names the columns; :obj:`"auto"`
            finds out. (default: :obj:`"auto"`)
        form (str, optional): :obj:`"list"` or :obj:`"matrix"`; :obj:`"auto"`: three columns are a
            list. (default: :obj:`"auto"`)

    Shapes:
        - **edge_index:** :math:`(2, |\mathcal{E}|)`, row 0 the source
        - **edge_length:** :math:`(|\mathcal{E}|)`, metres, in the default dtype

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a distance is no number or negative, an id is empty, a pair occurs twice, a
            matrix is not square, a file of three columns could be either form, or no id of the
            file is in :obj:`node_id`. The message names line and column.
    """
    for argument, value, allowed in (
        ("zero", zero, ("no_path", "distance")),
        ("form", form, ("auto", "list", "matrix")),
        ("header", header, ("auto", True, False)),
    ):
        if value not in allowed:
            raise ValueError(f"{argument}: expected one of {allowed}, got {value!r}")
    path, metres = Path(path), check_unit("unit", unit)
    lines = read_cells(path)
    listed = _is_list(path, lines, header) if form == "auto" else form == "list"
    read = _read_list if listed else _read_matrix
    ends, lengths, names = read(path, lines, node_id, zero, header)
    return graph_of_entries(ends, lengths * metres, "edge_length", names)


def _is_list(path: Path, lines: list[Line], header: Header) -> bool:
    if len(lines[0].cells) != 3:
        return False
    if lines[0].cells[0].lower() in _FIRST_COLUMNS or len(lines) not in (3, 4):
        return True
    headed = len(lines) == 4 and header is not False
    rows = lines[1:] if headed else lines
    if len(rows) == 3 and all(_is_zero(row.cells[place]) for place, row in enumerate(rows)):
        raise ValueError(
            f"form: expected 'list' or 'matrix' for {path}, whose lines could be both (3 columns, "
            "zeros on the diagonal), got 'auto'"
        )
    return True


def _is_zero(cell: str) -> bool:
    return is_number(cell) and float(cell) == 0


def _read_matrix(
    path: Path, lines: list[Line], node_id: Sequence[Any] | None, zero: str, header: Header
) -> _Entries:
    matrix = read_matrix(path, lines, header)
    values = matrix.values
    _check_distances(path, values, matrix.lines, 1)
    names = matrix.names if node_id is None else check_names("node_id", node_id, len(values))
    chosen = np.isfinite(values)
    if zero == "no_path":
        chosen &= values != 0
    chosen &= (values != 0) | ~np.eye(len(values), dtype=bool)
    return chosen.nonzero(), values[chosen], names


def _read_list(
    path: Path, lines: list[Line], node_id: Sequence[Any] | None, zero: str, header: Header
) -> _Entries:
    if len(lines[0].cells) != 3:
        raise ValueError(
            f"{path} line {lines[0].number}: expected 3 cells (from, to, distance), got "
            f"{len(lines[0].cells)}"
        )
    named = not any(is_number(cell) for cell in lines[0].cells)
    headed = named if header == "auto" else header
    rows = lines[1:] if headed else lines
    cells = [Line(row.number, row.cells[2:]) for row in rows]
    distance = _list_distances(path, cells)
    _check_pairs(path, rows)
    met = dict.fromkeys(name for row in rows for name in row.cells[:2])
    names = list(met) if node_id is None else check_names("node_id", node_id)
    number = {name: node for node, name in enumerate(names)}
    if rows and not any(name in number for name in met):
        raise ValueError(
            f"node_id: expected ids of {path} such as {next(iter(met))!r}, got none of them "
            f"(but {names[:3]} ...)"
        )
    ends = np.array([[number.get(name, -1) for name in row.cells[:2]] for row in rows], np.int64)
    ends = ends.reshape(-1, 2)
    chosen = (ends >= 0).all(1) & np.isfinite(distance)
    if zero == "no_path":
        chosen &= (distance != 0) | (ends[:, 0] == ends[:, 1])
    return tuple(ends[chosen].T), distance[chosen], names


def _list_distances(path: Path, cells: list[Line]) -> np.ndarray:
    for row in cells:
        if not is_number(row.cells[0]):
            raise ValueError(
                f"{path} line {row.number}, column 3: expected a distance, got {row.cells[0]!r}"
            )
    distance = as_numbers(path, cells).reshape(-1, 1)
    _check_distances(path, distance, [row.number for row in cells], 3)
    return distance[:, 0]


def _check_distances(path: Path, values: np.ndarray, lines: list[int], first: int) -> None:
    if (values < 0).any():
        row, column = np.argwhere(values < 0)[0]
        raise ValueError(
            f"{path} line {lines[row]}, column {column + first}: expected a distance >= 0, got "
            f"{values[row, column]}"
        )


def _check_pairs(path: Path, rows: list[Line]) -> None:
    met: dict[tuple[str, ...], int] = {}
    for row in rows:
        pair = tuple(row.cells[:2])
        if "" in pair:
            raise ValueError(
                f"{path} line {row.number}, column {pair.index('') + 1}: expected an id, got an "
                "empty cell"
            )
        if pair in met:
            raise ValueError(
                f"{path} line {row.number}: expected every pair once, got {pair[0]!r} to "
                f"{pair[1]!r} again (first in line {met[pair]})"
            )
        met[pair] = row.number
