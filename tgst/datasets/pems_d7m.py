r"""PeMSD7(M): the weekdays of two months of loop-detector speeds in Los Angeles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import Data

from tgst.data import Series
from tgst.datasets.distance_matrix import read_distance_matrix
from tgst.datasets.download import RemoteFile
from tgst.datasets.sensor_locations import read_locations
from tgst.datasets.sensor_network import SensorNetwork

FIRST_DAY, LAST_DAY = np.datetime64("2012-05-01"), np.datetime64("2012-06-30")
STEPS_PER_DAY = 288
INTERVAL = np.timedelta64(300, "s")
STGCN = "https://github.com/VeritasYin/STGCN_IJCAI-18/raw/master/dataset"
ARCHIVE = f"{STGCN}/PeMSD7_Full.zip"
READINGS = RemoteFile(
    "PeMSD7_V_228.csv", ARCHIVE, member="PeMSD7_V_228.csv", other_names=("V_228.csv",)
)
FILES = [
    RemoteFile("PeMSD7_W_228.csv", ARCHIVE, member="PeMSD7_W_228.csv", other_names=("W_228.csv",)),
    RemoteFile(
        "PeMSD7_M_Station_Info.csv",
        f"{STGCN}/PeMSD7_M_Station_Info.csv",
        "5a9744215880f2ec1a5b3efdbd6ee662eb1533b9b3d68924d85f5e45c28a02fe",
    ),
]
SOURCE = (
    "all are in the folder dataset of https://github.com/VeritasYin/STGCN_IJCAI-18, the first two "
    "inside of PeMSD7_Full.zip"
)


class PemsD7M(SensorNetwork):
    r"""The PeMSD7(M) data of `"Spatio-Temporal Graph Convolutional Networks: A Deep Learning
    Framework for Traffic Forecasting" <https://arxiv.org/abs/1709.04875>`_ (Yu et al., 2018):
    speeds of 228 stations in District 7 of California on 44 weekdays of 2012, every 5 minutes,
    missing values filled by interpolation.

    :obj:`dataset[0]` is the graph: an edge each way for every pair of stations, with the distance
    between them. A distance of 0 between two stations is one (they stand at the same place) and
    becomes an edge, too. It holds :obj:`edge_index`, :obj:`edge_length` in metres, :obj:`e_id`,
    :obj:`pos`, :obj:`node_id` (station ids, as text) and :obj:`num_nodes`. Lengths are no weights:
    :class:`tgst.transforms.GaussianKernel` with :obj:`formula="stgcn"` makes those, exactly the
    1,664 of the authors. :obj:`dataset.series` holds the readings.

    The file of readings has no timestamps, and the publication names the weekdays of May and June
    2012. Those are 44, Memorial Day (28 May) among them, and the file has 44 days: each day gets
    its date in this order. Weekends are gaps, but midnight from Monday to Tuesday is none. In the
    protocol of the paper no window crosses midnight: give
    :obj:`tgst.loader.WindowLoader(..., within_day=True)`.

    Args:
        root (str or Path): Folder with ``PeMSD7_V_228.csv`` (a line of speeds per time step, no
            header), ``PeMSD7_W_228.csv`` (metres, with a header or without) and
            ``PeMSD7_M_Station_Info.csv``; the first two may be named ``V_228.csv`` and
            ``W_228.csv`` as well.
        readings (bool, optional): Read the readings; without them there is the graph, but no
            :obj:`series`. (default: :obj:`True`)
        transform (callable, optional): Applied to the graph at every access.
            (default: :obj:`None`)
        download (bool, optional): Fetch missing files. (default: :obj:`False`)

    Shapes:
        - **edge_index:** :math:`(2, 51756)`, row 0 the source, no self loops
        - **edge_length:** :math:`(51756)`, metres, float32
        - **pos:** :math:`(228, 2)`, longitude and latitude in degrees, float64
        - **series.values:** :math:`(228, 12672, 1)`, channel ``speed`` in miles per hour, float32

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
        length_path, station_path = paths
        node_id, pos = read_locations(station_path, ("ID", "Latitude", "Longitude"))
        data = read_distance_matrix(length_path, node_id, zero="distance")
        data.pos = pos
        return data

    def _read_series(self, path: Path, node_id: list[str]) -> Series:
        timestamps = _moments()
        try:
            speed = np.loadtxt(path, np.float32, delimiter=",", comments=None, ndmin=2)
        except ValueError as error:
            raise ValueError(f"{path} must hold lines of {len(node_id)} speeds: {error}") from error
        if speed.shape != (len(timestamps), len(node_id)):
            raise ValueError(
                f"{path} must hold {len(timestamps)} lines (44 days of {STEPS_PER_DAY}) of "
                f"{len(node_id)} speeds, one per station, got {speed.shape}; is it cut off?"
            )
        values = torch.from_numpy(np.ascontiguousarray(speed.T)).unsqueeze(-1)
        return Series(values, timestamps, None, node_id, ("speed",))


def _moments() -> np.ndarray:
    r"""The 5-minute steps of the weekdays of May and June 2012."""
    days = np.arange(FIRST_DAY, LAST_DAY + 1)
    weekdays = days[np.is_busday(days)].astype("datetime64[s]")
    return (weekdays[:, None] + INTERVAL * np.arange(STEPS_PER_DAY)).ravel()
