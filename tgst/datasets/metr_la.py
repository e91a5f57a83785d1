r"""METR-LA: four months of loop-detector speeds on the highways of Los Angeles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from torch_geometric.data import Data

from tgst.data import Series, read_distances, read_table
from tgst.datasets.distance_matrix import read_distance_matrix
from tgst.datasets.download import RemoteFile
from tgst.datasets.sensor_locations import order_of, read_locations, read_sensor_ids
from tgst.datasets.sensor_network import SensorNetwork

DCRNN = "https://raw.githubusercontent.com/liyaguang/DCRNN/master/data/sensor_graph"
DL_TRAFF = "https://raw.githubusercontent.com/deepkashiwa20/DL-Traff-Graph/main/METRLA"
READINGS = RemoteFile("metr-la.h5", f"{DL_TRAFF}/metr-la.h5", other_names=("METR-LA.csv",))
GRAPHS = {
    "matrix": RemoteFile(
        "W_metrla.csv",
        f"{DL_TRAFF}/W_metrla.csv",
        "66cf73cb23a92332f59728d5a524b45dcc9c4787e38ec988bfac389a953a1924",
    ),
    "distances": RemoteFile("distances_la_2012.csv", f"{DCRNN}/distances_la_2012.csv"),
}
SENSORS = [
    RemoteFile(
        "graph_sensor_ids.txt",
        f"{DCRNN}/graph_sensor_ids.txt",
        "3ba026caa2e6263ab0ea54b0fa1b125dbfa7216544cd05313b555e826292b990",
    ),
    RemoteFile(
        "graph_sensor_locations.csv",
        f"{DCRNN}/graph_sensor_locations.csv",
        "eb8ea96e07358b45d0e4ba3b89c2673fa20c54af50150249e627389e749ade6f",
    ),
]
SOURCE = (
    "the readings are linked from https://github.com/liyaguang/DCRNN, whose folder "
    "data/sensor_graph holds the sensors and distances_la_2012.csv; W_metrla.csv is in the folder "
    "METRLA of https://github.com/deepkashiwa20/DL-Traff-Graph"
)


class MetrLA(SensorNetwork):
    r"""The METR-LA data of `"Diffusion Convolutional Recurrent Neural Network: Data-Driven Traffic
    Forecasting" <https://arxiv.org/abs/1707.01926>`_ (Li et al., 2018): speeds of 207 loop
    detectors, 1 March to 27 June 2012, every 5 minutes. A reading of 0 is a missing one.

    :obj:`dataset[0]` is the graph. It holds :obj:`edge_index`, :obj:`edge_length` in metres,
    :obj:`e_id`, :obj:`pos`, :obj:`node_id` (sensor ids, as text) and :obj:`num_nodes`. Lengths
    are no weights: :class:`tgst.transforms.GaussianKernel` makes those. :obj:`dataset.series`
    holds the readings, with the nodes in the order of the graph.

    There are two sources of distances by road:

    * :obj:`"matrix"` takes ``W_metrla.csv``, where 0 means that no path is recorded: such a pair
      gets no edge. The file is symmetric, and by its sister file for PEMS-BAY it keeps the longer
      of both ways. Of two detectors in a row on one carriageway that is the way around, not the
      few hundred metres between them.
    * :obj:`"distances"` takes the file of the authors, ``distances_la_2012.csv``, with a line
      :obj:`from, to, cost` for each way. A distance of 0 is one here, that of a sensor to itself.

    Args:
        root (str or Path): Folder with ``metr-la.h5`` (as published, a table of pandas) or
            ``METR-LA.csv``, the file of distances, ``graph_sensor_ids.txt`` and
            ``graph_sensor_locations.csv``.
        graph (str, optional): :obj:`"matrix"` or :obj:`"distances"`. (default: :obj:`"matrix"`)
        readings (bool, optional): Read the readings; without them there is the graph, but no
            :obj:`series`. (default: :obj:`True`)
        transform (callable, optional): Applied to the graph at every access.
            (default: :obj:`None`)
        download (bool, optional): Fetch missing files. (default: :obj:`False`)

    Shapes:
        - **edge_index:** :math:`(2, 14736)` from ``W_metrla.csv``, row 0 the source
        - **edge_length:** :math:`(|\mathcal{E}|)`, metres, float32
        - **pos:** :math:`(207, 2)`, longitude and latitude in degrees, float64
        - **series.values:** :math:`(207, 34272, 1)`, channel ``speed`` in miles per hour, with
          a mask

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If :obj:`graph` is another one, or if a file is not what it should be or does
            not fit the others; the message names the file.
        ConnectionError: If a missing file cannot be fetched.
    """

    def __init__(
        self,
        root: str | Path,
        graph: Literal["matrix", "distances"] = "matrix",
        readings: bool = True,
        transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        if graph not in GRAPHS:
            raise ValueError(f"`graph` must be one of {sorted(GRAPHS)}, got {graph!r}")
        self._graph = graph
        files = [GRAPHS[graph], *SENSORS]
        super().__init__(root, READINGS if readings else None, files, SOURCE, transform, download)

    def _read_graph(self, paths: list[Path]) -> Data:
        length_path, id_path, location_path = paths
        node_id = read_sensor_ids(id_path)
        if self._graph == "matrix":
            data = read_distance_matrix(length_path, node_id, zero="no_path")
        else:
            data = read_distances(
                length_path, node_id=node_id, zero="distance", unit="m", form="list"
            )
        located, pos = read_locations(location_path, ("sensor_id", "latitude", "longitude"))
        data.pos = pos[order_of(node_id, located, location_path)]
        return data

    def _read_series(self, path: Path, node_id: list[str]) -> Series:
        series = read_table(path, channel="speed", missing=(0,))
        return series.aligned_to(node_id)
