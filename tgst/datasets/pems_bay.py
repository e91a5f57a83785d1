r"""PEMS-BAY: half a year of loop-detector speeds on the highways of the San Francisco Bay Area."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from torch_geometric.data import Data

from tgst.data import Series, read_distances, read_table
from tgst.datasets.download import RemoteFile
from tgst.datasets.sensor_locations import read_locations
from tgst.datasets.sensor_network import SensorNetwork

DCRNN = "https://raw.githubusercontent.com/liyaguang/DCRNN/master/data/sensor_graph"
DL_TRAFF = "https://raw.githubusercontent.com/deepkashiwa20/DL-Traff-Graph/main/PEMSBAY"
READINGS = RemoteFile(
    "pems-bay.h5",
    f"{DL_TRAFF}/pems-bay.zip",
    member="pems-bay.h5",
    other_names=("PEMS-BAY.csv",),
)
FILES = [
    RemoteFile(
        "distances_bay_2017.csv",
        f"{DCRNN}/distances_bay_2017.csv",
        "e5feed06bfa1ba4c554a946d0e03d99f2018365eec5a8f28fd8504dea9d082b5",
    ),
    RemoteFile(
        "graph_sensor_locations_bay.csv",
        f"{DCRNN}/graph_sensor_locations_bay.csv",
        "276ee01059610774d4e59572507f7e32eaac21f1f5882fcd9e3d7d426a4b7a6c",
    ),
]
SOURCE = (
    "the readings are linked from https://github.com/liyaguang/DCRNN, whose folder "
    "data/sensor_graph holds the other files"
)


class PemsBay(SensorNetwork):
    r"""The PEMS-BAY data of `"Diffusion Convolutional Recurrent Neural Network: Data-Driven
    Traffic Forecasting" <https://arxiv.org/abs/1707.01926>`_ (Li et al., 2018): speeds of 325
    loop detectors, 1 January to 30 June 2017, every 5 minutes. A reading of 0 is a missing one.

    :obj:`dataset[0]` is the graph: an edge for each line of ``distances_bay_2017.csv``, which
    gives both ways between two detectors each its distance by road, and each detector the
    distance 0 to itself. It holds :obj:`edge_index`, :obj:`edge_length` in metres, :obj:`e_id`,
    :obj:`pos`, :obj:`node_id` (sensor ids, as text) and :obj:`num_nodes`. Lengths are no weights:
    :class:`tgst.transforms.GaussianKernel` makes those, 2,694 of them with the settings of the
    paper. :obj:`dataset.series` holds the readings, with the nodes in the order of the graph.

    The timestamps are the local clock without a time zone: on 12 March 2017 the hour from 2 to 3
    does not exist. That is a gap, which no window crosses.

    Args:
        root (str or Path): Folder with ``pems-bay.h5`` (as published, a table of pandas) or
            ``PEMS-BAY.csv``, ``distances_bay_2017.csv`` and ``graph_sensor_locations_bay.csv``.
        readings (bool, optional): Read the readings; without them there is the graph, but no
            :obj:`series`. (default: :obj:`True`)
        transform (callable, optional): Applied to the graph at every access.
            (default: :obj:`None`)
        download (bool, optional): Fetch missing files. (default: :obj:`False`)

    Shapes:
        - **edge_index:** :math:`(2, 8358)`, row 0 the source
        - **edge_length:** :math:`(8358)`, metres, float32
        - **pos:** :math:`(325, 2)`, longitude and latitude in degrees, float64
        - **series.values:** :math:`(325, 52116, 1)`, channel ``speed`` in miles per hour, with a
          mask

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is not what it should be or does not fit the others; the message
            names the file.
        ConnectionError: If a missing file cannot be fetched.
    """

    def __init__(
        self,
        root: str | Path,
        readings: bool = True,
        transform: Callable | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, READINGS if readings else None, FILES, SOURCE, transform, download)

    def _read_graph(self, paths: list[Path]) -> Data:
        length_path, location_path = paths
        node_id, pos = read_locations(location_path)
        data = read_distances(length_path, node_id=node_id, zero="distance", unit="m", form="list")
        data.pos = pos
        return data

    def _read_series(self, path: Path, node_id: list[str]) -> Series:
        return read_table(path, channel="speed", missing=(0,)).aligned_to(node_id)
