r"""Bike and taxi trips between the zones of Manhattan, by the hour."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch_geometric.data import Data, InMemoryDataset

from tgst.data import Series, read_adjacency
from tgst.data.readers.text import read_text
from tgst.datasets.download import RemoteFile, local_files

FIRST_HOUR = np.datetime64("2019-01-01T00:00:00", "s")
HOUR = np.timedelta64(3600, "s")
HOURS = {2019: slice(0, 8760), 2020: slice(8760, 17544), None: slice(0, 17544)}
SOURCE = "the files go around beside codes for crowd flow forecasting, under these names"


class NYCZones(InMemoryDataset):
    r"""Bike or yellow-taxi trips of the 69 taxi zones of Manhattan: how many came in and went
    out in each hour of 2019 and 2020.

    :obj:`dataset[0]` is the graph: an edge between zones that touch, both ways, with weight one.
    Three zones (103, 104 and 153) touch no other; they stay. It holds :obj:`edge_index`,
    :obj:`edge_weight`, :obj:`e_id`, :obj:`node_id` (numbers of the taxi zones), :obj:`zone_name`
    and :obj:`num_nodes`. :obj:`dataset.series` holds the trips. The files are read where they are
    and nothing is written.

    What the files do not say:

    * The array is named "inoutflow" and nothing else tells its two channels apart: the first is
      taken as ``inflow``, the second as ``outflow``.
    * The timestamps are the clock of New York without a time zone, and every day has 24 hours.
      The hour that a spring day skips (10 March 2019 and 8 March 2020 at 2) is there with zero
      trips; taxi trips of the hour that an autumn day repeats are all at its first time, 1.

    In April 2020 there are 32 times fewer taxi trips than in April 2019, and 2.8 times fewer bike
    trips: training before March 2020 and testing after it measures that. Hence :obj:`year`.

    Args:
        root (str or Path): Folder with ``bike_60min_inoutflow.npz`` or
            ``taxi_60min_inoutflow.npz`` (array ``arr_0`` of hours, zones, in and out),
            ``W_adj_matrix.csv`` (zeros and ones below a header line) and ``manhattan_zones.csv``
            (``zone_id``, ``graph_id``: row in the other files, ``zone_name``). No publisher's
            address is known: they have to be there.
        mode (str, optional): :obj:`"bike"` or :obj:`"taxi"`. (default: :obj:`"bike"`)
        year (int, optional): :obj:`2019`, :obj:`2020` or :obj:`None` for both.
            (default: :obj:`2019`)
        transform (callable, optional): Applied to the graph at every access.
            (default: :obj:`None`)

    Shapes:
        - **edge_index:** :math:`(2, 332)`, row 0 the source
        - **edge_weight:** :math:`(332)`, ones, float32
        - **series.values:** :math:`(69, T, 2)`, channels ``inflow`` and ``outflow`` in trips per
          hour, float32; :math:`T` is 8,760 in 2019, 8,784 in 2020

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If :obj:`mode` or :obj:`year` is another one, or if a file is not what it
            should be or does not fit the others; the message names the file.
    """

    series: Series

    def __init__(
        self,
        root: str | Path,
        mode: Literal["bike", "taxi"] = "bike",
        year: int | None = 2019,
        transform: Callable | None = None,
    ) -> None:
        if mode not in ("bike", "taxi"):
            raise ValueError(f"`mode` must be 'bike' or 'taxi', got {mode!r}")
        if year not in HOURS:
            raise ValueError(f"`year` must be 2019, 2020 or None (both), got {year!r}")
        self.mode, self.year = mode, year
        super().__init__(str(root), transform)
        files = [RemoteFile(name) for name in self.raw_file_names]
        flow_path, adjacency_path, zone_path = local_files(root, files, SOURCE)

        node_id, zone_name = _read_zones(zone_path)
        graph = _read_graph(adjacency_path, len(node_id))
        graph.node_id, graph.zone_name = node_id, zone_name
        hours = HOURS[year]
        flow = _read_flow(flow_path, len(node_id))[hours].transpose(1, 0, 2)
        timestamps = FIRST_HOUR + HOUR * np.arange(hours.start, hours.stop)
        values = torch.from_numpy(np.ascontiguousarray(flow, dtype=np.float32))
        self.series = Series(values, timestamps, None, node_id, ("inflow", "outflow"))
        self.data, self.slices = self.collate([graph])

    @property
    def raw_file_names(self) -> list[str]:
        r"""The files in :obj:`root`."""
        return [f"{self.mode}_60min_inoutflow.npz", "W_adj_matrix.csv", "manhattan_zones.csv"]

    @property
    def raw_dir(self) -> str:
        r"""The folder of the files: :obj:`root` itself."""
        return self.root


def _read_zones(path: Path) -> tuple[list[str], list[str]]:
    r"""Number and name of each zone, in the order of the graph."""
    lines = csv.DictReader(io.StringIO(read_text(path), newline=""))
    columns = ["zone_id", "graph_id", "zone_name"]
    if lines.fieldnames is None or not set(columns) <= set(lines.fieldnames):
        raise ValueError(f"{path} line 1 must name {columns}, got {lines.fieldnames}")
    rows = list(lines)
    zones = {str(row["graph_id"]): (row["zone_id"], row["zone_name"]) for row in rows}
    order = [str(index) for index in range(len(rows))]
    if not zones or set(zones) != set(order):
        found = sorted(str(row["graph_id"]) for row in rows)
        raise ValueError(
            f"{path} must number its zones 0, 1, ... in the column graph_id, each once, "
            f"got {', '.join(found[:5]) or 'no line'} ..."
        )
    return [zones[index][0] for index in order], [zones[index][1] for index in order]


def _read_graph(path: Path, num_nodes: int) -> Data:
    graph = read_adjacency(path, rows="target")
    if graph.num_nodes != num_nodes:
        raise ValueError(
            f"{path} must hold {num_nodes} x {num_nodes} entries, one row and column per zone of "
            f"manhattan_zones.csv, got {graph.num_nodes} x {graph.num_nodes}"
        )
    if (graph.edge_weight != 1).any():
        raise ValueError(
            f"{path} must hold zeros and ones, got {graph.edge_weight.unique()[:5].tolist()}"
        )
    return graph


def _read_flow(path: Path, num_nodes: int) -> np.ndarray:
    shape = (HOURS[None].stop, num_nodes, 2)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            flow = arrays["arr_0"]
    except Exception as error:  # damaged bytes trip the parsers wherever they happen to be
        raise ValueError(f"{path} must be a NumPy archive with an array arr_0: {error}") from error
    if flow.shape != shape or flow.dtype.kind not in "iuf":
        raise ValueError(
            f"{path} must hold numbers of the shape {shape}: hours of 2019 and 2020, zones, in "
            f"and out; got {flow.dtype} of shape {flow.shape}"
        )
    return flow
