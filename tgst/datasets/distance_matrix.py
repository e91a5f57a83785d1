r"""Square files of distances, beside a file that names their rows."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from torch_geometric.data import Data

from tgst.data import read_distances


def read_distance_matrix(
    path: Path, node_id: list[str], zero: Literal["no_path", "distance"]
) -> Data:
    r"""Reads a square file of distances in metres, whose rows another file names.

    Args:
        path (Path): The file, with a header or without.
        node_id (list of str): Ids of the sensors in the order of the rows.
        zero (str): What zero between two sensors means, see :func:`tgst.data.read_distances`.

    Raises:
        ValueError: If the file is no square matrix of distances or has another size.
    """
    data = read_distances(path, zero=zero, unit="m", form="matrix")
    if data.num_nodes != len(node_id):
        raise ValueError(
            f"{path} must have a row and a column for each of the {len(node_id)} sensors, got "
            f"{data.num_nodes}"
        )
    data.node_id = node_id
    return data
