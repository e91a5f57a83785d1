r"""Readings from a file, whatever its format."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from tgst.data.readers.moments import (
    check_clock_does_not_go_back,
    local_to_utc,
    regular_moments,
)
from tgst.data.readers.raw_table import RawTable
from tgst.data.readers.table_csv import read_csv
from tgst.data.readers.table_hdf5 import read_hdf5
from tgst.data.readers.table_npz import read_npz
from tgst.data.readers.table_parquet import read_parquet
from tgst.data.series import Series

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".h5", ".hdf5", ".npz")


def read_table(
    path: str | Path,
    *,
    channel: str = "value",
    key: str | None = None,
    start: str | None = None,
    step: str | None = None,
    timestamps: str | None = None,
    missing: Sequence[float] = (),
    node_id: Sequence[str] | None = None,
    channels: Sequence[str] | None = None,
    graph: Data | None = None,
    tz: str | None = None,
) -> Series:
    r"""Reads a table of readings with a row per moment and a column per node.

    The format follows from the ending of the file's name:

    * ``.csv``, ``.csv.gz``: the header holds the node ids; the first column holds the timestamps
      (ISO 8601), unless it holds numbers.
    * ``.parquet``: the index of the table holds the timestamps, or the column
      :obj:`timestamps`.
    * ``.h5``, ``.hdf5``: what :meth:`pandas.DataFrame.to_hdf` writes in its "fixed" format, as
      METR-LA and PEMS-BAY are published.
    * ``.npz``: an array ``[time, nodes]`` or ``[time, nodes, channels]``, beside it the arrays
      ``timestamps`` and ``node_id`` if there are any.

    Timestamps are kept as they are, gaps included (:func:`tgst.data.gaps`), and never made up: a
    file that has none needs :obj:`start` and :obj:`step`. No pickle is ever read.

    Args:
        path (str or Path): The file.
        channel (str, optional): Name of the channel of a table. (default: :obj:`"value"`)
        key (str, optional): Name of the table in an HDF5 file or of the array in an NPZ file;
            :obj:`None` takes the only one. (default: :obj:`None`)
        start (str, optional): Moment of the first row of a file without timestamps, for example
            :obj:`"2012-03-01"`. (default: :obj:`None`)
        step (str, optional): Time from row to row of a file without timestamps, for example
            :obj:`"5min"`. (default: :obj:`None`)
        timestamps (str, optional): Name of the column (CSV, Parquet) or array (NPZ) of
            timestamps, if it is not the one above. (default: :obj:`None`)
        missing (sequence of float, optional): Values that mean *not observed*, beside NaN and
            empty cells: :obj:`(0,)` for METR-LA. (default: :obj:`()`)
        node_id (sequence, optional): Names of the columns, in place of those of the file.
            (default: :obj:`None`)
        channels (sequence of str, optional): Names of the channels of an array with several.
            (default: :obj:`None`)
        graph (torch_geometric.data.Data, optional): Brings the nodes into the order of
            :obj:`graph.node_id`; columns without names are taken to be in this order.
            (default: :obj:`None`)
        tz (str, optional): The timestamps are times of a local clock in this zone, for example
            :obj:`"America/Los_Angeles"`; the series is in UTC then, as it is if the file itself
            names a zone. An hour that the clock repeats is told by the order of the rows. Time
            of day, day of week and days of windows are those of UTC then. (default: :obj:`None`)

    Returns:
        Series: The readings, float32; of several channels, a reading is observed if no channel is
        missing.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If a package that reads the format is not installed.
        ValueError: If the format is unknown or the file is not of it, timestamps are absent,
            repeated or unsorted, or the ids do not match those of the graph.
    """
    path = Path(path)
    absent = _as_numbers(missing)
    table = _read(path, key, timestamps)
    moments = _moments(table, path, start, step, tz)
    values = table.values if table.values.ndim == 3 else table.values[..., None]
    if channels is None and table.values.ndim == 2:
        channels = (channel,)
    observed = ~np.isnan(values)
    for value in absent:
        observed &= values != value
    seen = torch.from_numpy(np.ascontiguousarray(observed.all(axis=-1).T))
    # pandas may give an array that must not be written to: that one is copied
    readings = torch.from_numpy(np.require(values.transpose(1, 0, 2), requirements=["C", "W"]))
    names = list(node_id) if node_id is not None else table.node_id
    if graph is not None:
        wanted = _graph_ids(graph, path)
        names = wanted if names is None else names
    series = Series(
        readings, moments, None if seen.all() else seen, names or [], tuple(channels or ())
    )
    return series if graph is None else series.aligned_to(wanted)


def _read(path: Path, key: str | None, timestamps: str | None) -> RawTable:
    suffix = ".csv.gz" if path.name.endswith(".csv.gz") else path.suffix
    if suffix not in SUFFIXES:
        raise ValueError(f"`path` must end in one of {', '.join(SUFFIXES)}, got {path.name!r}")
    if not path.is_file():
        raise FileNotFoundError(f"`path` must be a file, got {path}")
    if key is not None and suffix not in (".h5", ".hdf5", ".npz"):
        raise ValueError(f"`key` names a table of an HDF5 or NPZ file, got {key!r} for {path.name}")
    try:
        if suffix == ".npz":
            return read_npz(path, key, timestamps)
        if suffix == ".parquet":
            return read_parquet(path, timestamps)
        if suffix in (".h5", ".hdf5"):
            return read_hdf5(path, key)
        return read_csv(path, timestamps)
    except ModuleNotFoundError as error:
        raise ImportError(
            f'{path.name} needs {error.name} to be read: pip install "tgst[data]"'
        ) from error


def _as_numbers(missing: Sequence[float]) -> list[float]:
    r"""Values that mean *not observed*, as Python's numbers: NumPy compares those with float32 in
    float32, where 99.9 is 99.9.
    """
    if not isinstance(missing, str):
        with suppress(TypeError, ValueError):
            return [float(value) for value in missing]
    raise ValueError(f"`missing` must be a sequence of numbers such as (0,), got {missing!r}")


def _moments(
    table: RawTable, path: Path, start: str | None, step: str | None, tz: str | None
) -> np.ndarray:
    r"""The moments of a table, in UTC if a time zone is known."""
    if table.timestamps is None:
        if start is None or step is None:
            raise ValueError(
                f"{path} has no timestamps: give `start`, such as '2012-03-01', and `step`, such "
                f"as '5min', or name where they are by `timestamps`; got start={start!r}, "
                f"step={step!r}"
            )
        if tz is not None:
            raise ValueError(
                f"`tz` needs the local times of a file, but {path} has no timestamps: give "
                "`start` in UTC"
            )
        return regular_moments(start, step, len(table.values))
    if start is not None or step is not None:
        raise ValueError(
            f"`start` and `step` are for files without timestamps, {path} has its own; got "
            f"start={start!r}, step={step!r}"
        )
    if tz is not None and table.in_utc:
        raise ValueError(f"`tz` is for local times, but {path} names a time zone; got {tz!r}")
    if tz is not None:
        return local_to_utc(table.timestamps, tz)
    check_clock_does_not_go_back(table.timestamps, str(path))
    return table.timestamps


def _graph_ids(graph: Data, path: Path) -> list[str]:
    if getattr(graph, "node_id", None) is None:
        raise ValueError(f"`graph` must have `node_id` to be matched with the columns of {path}")
    ids = graph.node_id.tolist() if isinstance(graph.node_id, Tensor) else graph.node_id
    return [str(name) for name in ids]
