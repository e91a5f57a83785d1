r"""Los-loop: a week of loop-detector speeds on the highways of Los Angeles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data, InMemoryDataset

from tgst.data import Series
from tgst.data.readers.text import read_text
from tgst.datasets.distance_matrix import read_distance_matrix
from tgst.datasets.download import RemoteFile, local_files
from tgst.datasets.sensor_locations import read_sensor_ids

TGCN = "https://github.com/lehaifeng/T-GCN/raw/master/data"
SPEED = RemoteFile(
    "los_speed.csv",
    f"{TGCN}/los_speed.csv",
    "7b732d86ae32b2930595becba28aff39dacbfb2197e250fc0332e1744ce2cbf4",
)
ADJACENCY = RemoteFile(
    "los_adj.csv",
    f"{TGCN}/los_adj.csv",
    "7a6eb41e10677992b5af50f5ab187c6c05c5c3a92cb973950cfddbf857361e76",
)
SOURCE = "both are in the folder data of https://github.com/lehaifeng/T-GCN"
FIRST_READING = np.datetime64("2012-03-01T00:00:00", "s")
INTERVAL = np.timedelta64(300, "s")
NUM_SENSORS, NUM_STEPS = 207, 2016


class LosLoop(InMemoryDataset):
    r"""The Los-loop data of `"T-GCN: A Temporal Graph Convolutional Network for Traffic
    Prediction" <https://arxiv.org/abs/1811.05320>`_ (Zhao et al., 2019): speeds of 207 METR-LA
    loop detectors, 1 to 7 March 2012, every 5 minutes, gaps filled by interpolation.

    :obj:`dataset[0]` is the graph: an edge :math:`j \to i` for every non-zero :math:`w_{ij}` of
    the adjacency matrix, a thresholded Gaussian kernel of road distance (symmetric, with self
    loops)

    .. math::
        w_{ij} = \exp\left(-d_{ij}^2 / \sigma^2\right) \text{ if } w_{ij} \geq 0.1,
        \text{ else } 0.

    It holds :obj:`edge_index`, :obj:`edge_weight`, :obj:`e_id`, :obj:`node_id` (METR-LA sensor
    ids) and :obj:`num_nodes`. :obj:`dataset.series` holds the readings. The files are read where
    they are, and nothing is written but what :obj:`download` fetches.

    With :obj:`distances` the graph has an edge :math:`i \to j` for every distance in row
    :math:`i`, column :math:`j` of that file instead, and its :obj:`edge_length` in metres in place
    of the :obj:`edge_weight`, see :class:`tgst.datasets.MetrLA`.

    Args:
        root (str or Path): Folder with ``los_speed.csv`` (a header of sensor ids, then a line of
            speeds per time step) and ``los_adj.csv`` (the matrix, no header), as published in
            the folder ``data`` of https://github.com/lehaifeng/T-GCN.
        transform (callable, optional): Applied to the graph at every access.
            (default: :obj:`None`)
        download (bool, optional): Fetch missing files. (default: :obj:`False`)
        distances (str or Path, optional): ``W_metrla.csv`` of METR-LA, whose sensors are the same
            in the same order; a ``graph_sensor_ids.txt`` in its folder has to say so as well.
            ``los_adj.csv`` is not read then. (default: :obj:`None`)

    Shapes:
        - **edge_index:** :math:`(2, 2833)`, row 0 the source
        - **edge_weight:** :math:`(2833)`, :math:`0.1 \leq w \leq 1`, float32
        - **series.values:** :math:`(207, 2016, 1)`, channel ``speed`` in miles per hour

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is empty, truncated or no text, has a cell that is no number, or does
            not fit the other file; the message names file and line.
        ConnectionError: If a missing file cannot be fetched.
    """

    series: Series

    def __init__(
        self,
        root: str | Path,
        transform: Callable | None = None,
        download: bool = False,
        distances: str | Path | None = None,
    ) -> None:
        self._distances = None if distances is None else Path(distances)
        super().__init__(str(root), transform)
        files = [SPEED, ADJACENCY] if distances is None else [SPEED]
        speed_path, *adjacency_paths = local_files(root, files, SOURCE, download)
        read_text(speed_path)  # refuses what is no text
        node_id = _read_header(speed_path)
        speed = _read_table(speed_path, len(node_id), skip=1)
        _check_complete(speed_path, speed)
        if self._distances is None:
            graph = _read_weights(adjacency_paths[0], node_id)
        else:
            graph = _read_lengths(self._distances, node_id)

        timestamps = FIRST_READING + INTERVAL * np.arange(len(speed))
        values = torch.from_numpy(np.ascontiguousarray(speed.T)).unsqueeze(-1)
        self.series = Series(values, timestamps, node_id=node_id, channels=("speed",))
        self.data, self.slices = self.collate([graph])

    @property
    def raw_file_names(self) -> list[str]:
        r"""The files in :obj:`root`."""
        return [SPEED.name] if self._distances is not None else [SPEED.name, ADJACENCY.name]

    @property
    def raw_dir(self) -> str:
        r"""The folder of the files: :obj:`root` itself."""
        return self.root


def _read_weights(path: Path, node_id: list[str]) -> Data:
    read_text(path)
    adjacency = _read_table(path, len(node_id))
    _check_adjacency(path, adjacency)
    target, source = (torch.from_numpy(index) for index in adjacency.nonzero())
    return Data(
        edge_index=torch.stack([source, target]),
        edge_weight=torch.from_numpy(adjacency[target, source]),
        e_id=torch.arange(len(source)),
        node_id=node_id,
        num_nodes=len(node_id),
    )


def _read_lengths(path: Path, node_id: list[str]) -> Data:
    r"""The graph of the distances in a square file; 0 means no path."""
    if not path.is_file():
        raise FileNotFoundError(
            f"`distances` must be the file W_metrla.csv, got {path}; it is in the folder METRLA of "
            "https://github.com/deepkashiwa20/DL-Traff-Graph"
        )
    id_path = path.with_name("graph_sensor_ids.txt")
    if id_path.is_file() and read_sensor_ids(id_path) != node_id:
        raise ValueError(
            f"{id_path} must name the sensors of los_speed.csv in the same order: the rows of "
            f"{path.name} are others"
        )
    return read_distance_matrix(path, node_id, zero="no_path")


def _read_header(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig") as lines:
        names = [name.strip() for name in lines.readline().split(",")]
    if "" in names or len(set(names)) < len(names):
        raise ValueError(
            f"{path} line 1 must name every sensor once, got {len(names)} names, "
            f"{len(set(names))} of them different"
        )
    return names


def _read_table(path: Path, columns: int, skip: int = 0) -> np.ndarray:
    r"""Numbers of a CSV file, float32; on a bad cell the file is read again to name its line."""
    try:
        table = np.loadtxt(
            path,
            dtype=np.float32,
            delimiter=",",
            skiprows=skip,
            ndmin=2,
            comments=None,
            encoding="utf-8-sig",
        )
    except ValueError:
        table = np.empty((0, 0), dtype=np.float32)
    if table.shape[1] != columns or not np.isfinite(table).all() or not _ends_with_newline(path):
        raise ValueError(_first_problem(path, columns, skip))
    return table


def _ends_with_newline(path: Path) -> bool:
    return path.read_bytes().endswith((b"\n", b"\r"))


def _first_problem(path: Path, columns: int, skip: int) -> str:
    number = 0
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            cells = line.strip("\r\n").split(",")
            if number <= skip or cells == [""]:  # blank lines are skipped
                continue
            where = f"{path} line {number}"
            if len(cells) != columns:
                return f"{where} must have {columns} cells, got {len(cells)}; is the file cut off?"
            for column, cell in enumerate(cells, start=1):
                if not _is_number(cell):
                    return f"{where}, column {column} must be a finite number, got {cell!r}"
            if not line.endswith(("\r", "\n")):
                return f"{where} must end with a line break; is the file cut off in its last cell?"
    return f"{path} must have rows of {columns} numbers, got none after line {number}"


def _is_number(cell: str) -> bool:
    try:
        return "_" not in cell and bool(np.isfinite(np.float32(cell)))
    except ValueError:
        return False


def _check_complete(path: Path, speed: np.ndarray) -> None:
    r"""A file that was cut between two lines has no bad line; only the length tells."""
    if speed.shape[1] == NUM_SENSORS and len(speed) != NUM_STEPS:
        short = f"the file is cut off after line {len(speed) + 1}"
        problem = short if len(speed) < NUM_STEPS else "these are not the published readings"
        raise ValueError(
            f"{path} must have {NUM_STEPS} lines of speeds for the {NUM_SENSORS} sensors of "
            f"Los-loop, got {len(speed)}; {problem}"
        )


def _check_adjacency(path: Path, adjacency: np.ndarray) -> None:
    rows, columns = adjacency.shape
    if rows != columns:
        raise ValueError(
            f"{path} must have {columns} lines, one per sensor in the header of los_speed.csv, "
            f"got {rows}; is the file cut off after line {rows}?"
        )
    if (adjacency < 0).any():
        row, column = np.argwhere(adjacency < 0)[0]
        raise ValueError(
            f"{path} line {row + 1}, column {column + 1} must not be negative, "
            f"got {adjacency[row, column]}"
        )
