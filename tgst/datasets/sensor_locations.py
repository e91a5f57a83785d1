r"""Ids and places of sensors, as they are published beside the readings."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import torch
from torch import Tensor

from tgst.data.readers.text import read_text


def read_locations(
    path: Path, columns: tuple[str, str, str] | None = None
) -> tuple[list[str], Tensor]:
    r"""Reads a CSV file with a line per sensor.

    Args:
        path (Path): The file.
        columns (tuple of str, optional): Names of the columns of id, latitude and longitude in
            the header; :obj:`None` if there is no header and these are the three columns.
            (default: :obj:`None`)

    Returns:
        tuple: Ids as text, and positions :math:`(N, 2)`, longitude and latitude in degrees,
        float64: single precision would round them to about a metre.

    Raises:
        ValueError: If the file is empty or no text, a column is missing, a line is too short, a
            place is none on Earth, or an id is repeated.
    """
    rows = csv.reader(io.StringIO(read_text(path), newline=""))
    header = next(rows, []) if columns is not None else ["id", "latitude", "longitude"]
    wanted = columns or ("id", "latitude", "longitude")
    if not set(wanted) <= set(header):
        raise ValueError(f"{path} line 1 must name the columns {wanted}, got {header}")
    places = [header.index(name) for name in wanted]
    sensors = [_sensor(row, places, f"{path} line {rows.line_num}") for row in rows if row]
    node_id = [name for name, _, _ in sensors]
    if not node_id or len(set(node_id)) < len(node_id):
        raise ValueError(
            f"{path} must have one line per sensor, got {len(node_id)} lines for "
            f"{len(set(node_id))} sensors"
        )
    pos = [(longitude, latitude) for _, latitude, longitude in sensors]
    return node_id, torch.tensor(pos, dtype=torch.float64)


def _sensor(row: list[str], places: list[int], where: str) -> tuple[str, float, float]:
    try:
        name, latitude, longitude = (row[place].strip() for place in places)
        sensor = (name, float(latitude), float(longitude))
    except (IndexError, ValueError) as error:
        raise ValueError(f"{where} must hold an id, a latitude and a longitude: {row}") from error
    if not (abs(sensor[1]) <= 90 and abs(sensor[2]) <= 180):
        raise ValueError(f"{where} must hold degrees of latitude and longitude, got {sensor[1:]}")
    return sensor


def read_sensor_ids(path: Path) -> list[str]:
    r"""Reads the one line of ids with commas that gives the order of the sensors.

    Args:
        path (Path): The file, ``graph_sensor_ids.txt``.

    Raises:
        ValueError: If the file is empty or no text, or an id is empty or repeated.
    """
    node_id = [name.strip() for name in read_text(path).strip().split(",")]
    if "" in node_id or len(set(node_id)) < len(node_id):
        raise ValueError(
            f"{path} must name every sensor once, with commas between, got {len(node_id)} names, "
            f"{len(set(node_id))} of them different"
        )
    return node_id


def order_of(node_id: list[str], located: list[str], path: Path) -> list[int]:
    r"""Line of each sensor in a file of locations, in the order of the graph.

    Args:
        node_id (list of str): Sensors of the graph.
        located (list of str): Sensors of the file.
        path (Path): The file, for the error message.

    Raises:
        ValueError: If a sensor of the graph has no location.
    """
    line = {name: index for index, name in enumerate(located)}
    missing = [name for name in node_id if name not in line]
    if missing:
        raise ValueError(
            f"{path} must hold the location of every sensor, got none for {len(missing)}, the "
            f"first is {missing[0]!r}"
        )
    return [line[name] for name in node_id]
