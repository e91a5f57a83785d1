r"""What the data sets of road sensors have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch_geometric.data import Data, InMemoryDataset

from tgst.data import Series
from tgst.datasets.download import RemoteFile, local_files


class SensorNetwork(InMemoryDataset):
    r"""A graph of sensors (:obj:`dataset[0]`) and their readings (:obj:`dataset.series`), read
    where the files are.

    Args:
        root (str or Path): Folder of the files.
        readings (RemoteFile, optional): File of the readings; :obj:`None` leaves them out.
        files (sequence of RemoteFile): The other files.
        source (str): Where they are published, for the message about a missing file.
        transform (callable, optional): Applied to the graph at every access.
        download (bool): Fetch missing files.
    """

    series: Series

    def __init__(
        self,
        root: str | Path,
        readings: RemoteFile | None,
        files: Sequence[RemoteFile],
        source: str,
        transform: Callable | None,
        download: bool,
    ) -> None:
        super().__init__(str(root), transform)
        wanted = [*files] if readings is None else [readings, *files]
        self._file_names = [file.name for file in wanted]
        paths = local_files(root, wanted, source, download)
        graph = self._read_graph(paths if readings is None else paths[1:])
        if readings is not None:
            self.series = self._read_series(paths[0], graph.node_id)
        self.data, self.slices = self.collate([graph])

    @abstractmethod
    def _read_graph(self, paths: list[Path]) -> Data:
        r"""The graph out of the files other than the readings."""

    @abstractmethod
    def _read_series(self, path: Path, node_id: list[str]) -> Series:
        r"""The readings, with the nodes in the order of the graph."""

    def __getattr__(self, key: str) -> Any:
        if key == "series":
            raise AttributeError(
                f"{type(self).__name__} was made with readings=False and has no series; with "
                "readings=True it reads them"
            )
        return super().__getattr__(key)

    @property
    def raw_file_names(self) -> list[str]:
        r"""The files in :obj:`root`."""
        return self._file_names

    @property
    def raw_dir(self) -> str:
        r"""The folder of the files: :obj:`root` itself."""
        return self.root
