"""Adjacency matrices."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from zipfile import BadZipFile

import numpy as np
from torch_geometric.data import Data

from tgst.data.readers.matrix import graph_of_entries, read_matrix
from tgst.data.readers.text import Header, check_names, read_cells

if TYPE_CHECKING:
    import scipy.sparse


def read_adjacency(
    path: str | Path,
    *,
    node_id: Sequence[Any] | None = None,
    header: Header = "auto",
    rows: Literal["source", "target"] = "source",
) -> Data:
    r"""Reads a weighted adjacency matrix, in a comma-separated or NPZ file, as a graph with an edge
    for every entry that is not zero (self loops included), row by row.

    .. math::
        A_{ij} \neq 0 \quad \Leftrightarrow \quad \text{edge } i \to j \text{ of weight } A_{ij},

    as :mod:`networkx` and :mod:`scipy` read matrices. Papers that write :math:`\mathbf{A}
    \mathbf{x}` mean :obj:`rows="target"`, the edge :math:`j \to i`; in a symmetric matrix both
    are the same edges. Zero always means no edge.

    Args:
        path (str or Path): A ``.npz`` file with one square array, or one written by
            :func:`scipy.sparse.save_npz`; any other name is read as comma-separated text.
        node_id (sequence, optional): Names of the nodes. (default: those of the header, or
            :obj:`"0"`, :obj:`"1"`, ...)
        header (str or bool, optional): Whether the first line of text names the columns;
            :obj:`"auto"`: if it stands above as many lines as there are columns, or has no cell
            that is a number. (default: :obj:`"auto"`)
        rows (str, optional): Whether rows are the :obj:`"source"` or the :obj:`"target"` of edges.
            (default: :obj:`"source"`)

    Shapes:
        - **edge_index:** :math:`(2, |\mathcal{E}|)`, row 0 the source
        - **edge_weight:** :math:`(|\mathcal{E}|)`, in the default dtype

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the matrix is not square, has an entry that is no number, infinite or
            negative (the message names line and column), or does not fit :obj:`node_id`.
    """
    if rows not in ("source", "target"):
        raise ValueError(f"rows: expected 'source' or 'target', got {rows!r}")
    path = Path(path)
    if path.suffix.lower() == ".npz":
        matrix = _read_npz(path)
        names = [str(node) for node in range(matrix.shape[0])]
        row, column, values = (matrix.row, matrix.col, matrix.data.astype(np.float64))
        places = None
    else:
        table = read_matrix(path, read_cells(path), header)
        row, column = table.values.nonzero()
        names, values, places = table.names, table.values[row, column], table.lines
    wrong = np.flatnonzero(~np.isfinite(values) | (values < 0))
    if wrong.size > 0:
        i, j = row[wrong[0]], column[wrong[0]]
        place = f"row {i}, column {j}" if places is None else f"line {places[i]}, column {j + 1}"
        raise ValueError(f"{path} {place}: expected a finite number >= 0, got {values[wrong[0]]}")
    if node_id is not None:
        names = check_names("node_id", node_id, len(names))
    ends = (row, column) if rows == "source" else (column, row)
    return graph_of_entries(ends, values, "edge_weight", names)


def _read_npz(path: Path) -> scipy.sparse.coo_array:
    """The entries that are not zero, row by row."""
    import scipy.sparse

    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a file, found none")
    try:
        with np.load(path, allow_pickle=False) as file:
            names = file.files
            if "format" in names and "shape" in names:
                found = scipy.sparse.load_npz(path)
                if found.format in ("csr", "csc", "bsr"):
                    found.check_format(full_check=True)  # conversions write where indices point
            elif len(names) == 1:
                found = file[names[0]]
            else:
                raise ValueError(f"expected one array, or a sparse one of scipy, got {names}")
    except (BadZipFile, EOFError, KeyError, OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}; is the file cut off or another one?") from error
    if found.ndim != 2 or found.shape[0] != found.shape[1] or found.dtype.kind not in "biuf":
        raise ValueError(
            f"{path}: expected a square matrix of numbers, got shape {list(found.shape)} and "
            f"dtype {found.dtype}"
        )
    # In double precision: scipy has no half precision, and sums of bytes overflow.
    entries = scipy.sparse.csr_array(found.astype(np.float64))
    entries.sum_duplicates()  # and sorts
    entries.eliminate_zeros()
    return entries.tocoo()
