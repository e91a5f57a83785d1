r"""Readings and graph from files of one's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from torch_geometric.data import Data, InMemoryDataset

from tgst.data import (
    Series,
    read_adjacency,
    read_distances,
    read_graphml,
    read_table,
    read_tntp,
)

READERS: dict[str, Callable[..., Data]] = {
    "adjacency": read_adjacency,
    "distances": read_distances,
    "graphml": read_graphml,
    "tntp": read_tntp,
}
NAMED_BY_READINGS = ("adjacency", "distances")  # their order may come from the table


class FromFiles(InMemoryDataset):
    r"""A table of readings and a graph, from files in the formats that :mod:`tgst.data` reads.

    :obj:`dataset[0]` is the graph as its reader gives it, :obj:`dataset.series` holds the readings
    in the order of the graph. Distances and adjacencies are read in the order of the table's
    columns, so that a matrix without ids has to be in that order; the other graphs name their
    nodes, which must be those of the table.

    Args:
        root (str or Path): Folder of the files.
        readings (str): The table of readings (:func:`tgst.data.read_table`).
        graph (str): The file of the graph.
        graph_format (str, optional): :obj:`"distances"` (:func:`tgst.data.read_distances`),
            :obj:`"adjacency"` (:func:`tgst.data.read_adjacency`), :obj:`"graphml"`
            (:func:`tgst.data.read_graphml`) or :obj:`"tntp"` (:func:`tgst.data.read_tntp`).
            (default: :obj:`"distances"`)
        readings_args (dict, optional): Further arguments of the reader of the table.
            (default: :obj:`None`)
        graph_args (dict, optional): Further arguments of the reader of the graph.
            (default: :obj:`None`)
        unit (str, optional): Unit of the readings, for tables of scores.
            (default: :obj:`"units of the readings"`)
        transform (callable, optional): Applied to the graph at every access.
            (default: :obj:`None`)

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If :obj:`graph_format` is another one, a reader does not take an argument, a
            file is not what its reader takes, or
            the nodes of the graph are not those of the table.
    """

    series: Series

    def __init__(
        self,
        root: str | Path,
        readings: str,
        graph: str,
        graph_format: Literal["distances", "adjacency", "graphml", "tntp"] = "distances",
        readings_args: dict[str, Any] | None = None,
        graph_args: dict[str, Any] | None = None,
        unit: str = "units of the readings",
        transform: Callable | None = None,
    ) -> None:
        if graph_format not in READERS:
            raise ValueError(f"`graph_format` must be of {sorted(READERS)}, got {graph_format!r}")
        super().__init__(str(root), transform)
        self._file_names, self.unit = [readings, graph], unit
        series = _read(read_table, Path(root, readings), "readings_args", readings_args or {})
        options = dict(graph_args or {})
        if graph_format in NAMED_BY_READINGS:
            options.setdefault("node_id", series.node_id)
        data = _read(READERS[graph_format], Path(root, graph), "graph_args", options)
        self.series = series.aligned_to(data.node_id)
        self.data, self.slices = self.collate([data])

    @property
    def raw_file_names(self) -> list[str]:
        r"""The files in :obj:`root`."""
        return self._file_names

    @property
    def raw_dir(self) -> str:
        r"""The folder of the files: :obj:`root` itself."""
        return self.root


def _read(reader: Callable, path: Path, name: str, arguments: Mapping[str, Any]) -> Any:
    r"""Calls a reader; :obj:`name` is where its arguments come from."""
    try:
        inspect.signature(reader).bind(path, **arguments)
    except TypeError as error:
        raise ValueError(
            f"`{name}` must be arguments of tgst.data.{reader.__name__}: {error}"
        ) from error
    return reader(path, **arguments)
