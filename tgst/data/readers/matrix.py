"""Square matrices in comma-separated files, with or without a header line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch_geometric.data import Data

from tgst.data.readers.text import Header, Line, as_numbers, check_names, is_number


class Matrix(NamedTuple):
    r"""A square matrix as it was read.

    Args:
        values (numpy.ndarray): The numbers, float64.
        names (list of str): What the header names, otherwise the numbers of the nodes.
        lines (list of int): The number of each row's line in its file.
    """

    values: np.ndarray
    names: list[str]
    lines: list[int]


def read_matrix(path: Path, lines: list[Line], header: Header) -> Matrix:
    r"""Returns the matrix that the lines of a file hold.

    Raises:
        ValueError: If a cell is no number, or the matrix is not square.
    """
    if header not in ("auto", True, False):
        raise ValueError(f"header: expected 'auto', True or False, got {header!r}")
    size = len(lines[0].cells)
    if lines[0].cells[0] == "":
        raise ValueError(
            f"{path} line {lines[0].number}, column 1: expected a matrix without labels in front of"
            " its rows (pandas writes none with index=False), got an empty cell"
        )
    headed = _has_header(lines) if header == "auto" else bool(header)
    rows = lines[1:] if headed else lines
    if len(rows) != size:
        beside = " below the header" if headed else ""
        raise ValueError(
            f"{path}: expected a square matrix, got {len(rows)} lines{beside} of {size} cells; "
            f"is the file cut off after line {lines[-1].number}?"
        )
    values = as_numbers(path, rows)
    plain = [str(node) for node in range(size)]
    names = check_names(f"{path} line {lines[0].number}", lines[0].cells) if headed else plain
    return Matrix(values, names, [row.number for row in rows])


def graph_of_entries(
    ends: tuple[np.ndarray, np.ndarray], values: np.ndarray, attribute: str, node_id: list[str]
) -> Data:
    r"""Returns the graph with an edge for every entry, from the first to the second of
    :obj:`ends`, whose attribute is its value.
    """
    edge_index = torch.from_numpy(np.stack(ends).astype(np.int64))
    data = Data(edge_index=edge_index, num_nodes=len(node_id), node_id=node_id)
    data.e_id = torch.arange(len(values))
    data[attribute] = torch.from_numpy(values).to(torch.get_default_dtype())
    return data


def _has_header(lines: list[Line]) -> bool:
    first, size = lines[0].cells, len(lines[0].cells)
    if len(lines) == size + 1 or not any(is_number(cell) for cell in first):
        return True
    numbered = first == [str(node) for node in range(size)]
    if len(lines) != size or not numbered or size < 3:
        return numbered and size >= 3
    # The distances along a line of nodes, or a header above a matrix that is cut off: in the
    # latter the diagonal holds entries of others.
    diagonal = [lines[node].cells[node] for node in range(size)]
    return any(not is_number(cell) or float(cell) != 0 for cell in diagonal)
