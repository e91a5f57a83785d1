r"""What the data sets of flows in the cells of a city have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import InMemoryDataset

from tgst.data import (
    Meteorology,
    Series,
    complete_days,
    read_flow_hdf5,
    read_holidays,
    read_meteorology,
)
from tgst.data.readers.slot_stamps import FirstSlot
from tgst.datasets.download import RemoteFile, local_files
from tgst.utils import grid_graph, nodes_to_grid

NUM_FLOWS = 2


class CrowdFlow(InMemoryDataset):
    r"""A grid of cells as a graph (:obj:`dataset[0]`) and the flows of each cell
    (:obj:`dataset.series`), out of HDF5 files in the form of DeepST, read where they are.

    Args:
        root (str or Path): Folder of the files.
        flow_files (sequence of str): The files of the flows, in the order of time.
        slots_per_day (int): Slots of a day.
        first_slot (int or str): Number of the first slot of a day, or :obj:`"auto"`.
        channels (sequence of str): Names of the two flows, in the order of the files.
        source (str): Where the files are published, for the message about a missing one.
        holiday_file (str, optional): The file of the holidays.
        meteorology_file (str, optional): The file of the weather.
        keep (callable, optional): From timestamps to a mask of those that are kept.
        whole_days (bool): Whether to drop days that lack a slot.
        connectivity (int): Neighbours of a cell, 4 or 8.
        transform (callable, optional): Applied to the graph at every access.
    """

    series: Series
    holidays: np.ndarray | None = None
    meteorology: Meteorology | None = None

    def __init__(
        self,
        root: str | Path,
        flow_files: Sequence[str],
        slots_per_day: int,
        first_slot: FirstSlot,
        channels: Sequence[str],
        source: str,
        holiday_file: str | None = None,
        meteorology_file: str | None = None,
        keep: Callable[[np.ndarray], np.ndarray] | None = None,
        whole_days: bool = False,
        connectivity: int = 4,
        transform: Callable | None = None,
    ) -> None:
        super().__init__(str(root), transform)
        self.slots_per_day = slots_per_day
        optional = [name for name in (holiday_file, meteorology_file) if name is not None]
        self._file_names = [*flow_files, *optional]
        files = [RemoteFile(name) for name in self._file_names]
        paths = dict(zip(self._file_names, local_files(root, files, source), strict=True))
        flow_paths = [paths[name] for name in flow_files]
        frames, stamps = _read_flows(flow_paths, slots_per_day, first_slot)
        kept = np.ones(len(stamps), dtype=bool) if keep is None else keep(stamps)
        if whole_days:
            kept &= complete_days(stamps, slots_per_day)
        if not kept.any():
            raise ValueError(
                f"{root}: expected a slot that is kept, got none of {len(stamps)} from "
                f"{stamps[0]} to {stamps[-1]}"
            )
        if holiday_file is not None:
            self.holidays = read_holidays(paths[holiday_file])
        if meteorology_file is not None:
            path = paths[meteorology_file]
            self.meteorology = read_meteorology(path, slots_per_day, first_slot)
        self.height, self.width = frames.shape[-2:]
        graph = grid_graph(self.height, self.width, connectivity)
        self.series = _series(frames[kept], stamps[kept], graph.node_id, tuple(channels))
        self.data, self.slices = self.collate([graph])

    @property
    def frames(self) -> Tensor:
        r"""The flows as frames :math:`(T, C, H, W)`, a view of :obj:`series.values`."""
        return nodes_to_grid(self.series.values, self.height, self.width)

    @property
    def raw_file_names(self) -> list[str]:
        r"""The files in :obj:`root`."""
        return self._file_names

    @property
    def raw_dir(self) -> str:
        r"""The folder of the files: :obj:`root` itself."""
        return self.root


def _read_flows(
    paths: Sequence[Path], slots_per_day: int, first_slot: FirstSlot
) -> tuple[np.ndarray, np.ndarray]:
    r"""Frames and stamps of all files in the order of time."""
    read = [read_flow_hdf5(path, slots_per_day, first_slot) for path in paths]
    for path, (frames, _) in zip(paths, read, strict=True):
        channels, width = frames.shape[1], frames.shape[3]
        # More channels than the flows may follow them; rows read as channels must not go unnoticed.
        if channels < NUM_FLOWS or channels > width == NUM_FLOWS:
            raise ValueError(
                f"{path} data: expected {NUM_FLOWS} channels [n, 2, height, width], got shape "
                f"{list(frames.shape)}"
            )
        if frames.shape[2:] != read[0][0].shape[2:]:
            raise ValueError(
                f"{path} data: expected the grid {list(read[0][0].shape[2:])} of {paths[0].name}, "
                f"got {list(frames.shape[2:])}"
            )
    stamps = np.concatenate([stamps for _, stamps in read])
    order = np.argsort(stamps, kind="stable")
    again = np.diff(stamps[order]) == np.timedelta64(0)
    if again.any():
        moment = stamps[order[again.argmax()]]
        names = [path.name for path, (_, own) in zip(paths, read, strict=True) if moment in own]
        raise ValueError(f"{' and '.join(names)}: expected every slot in one file, got {moment}")
    return np.concatenate([frames[:, :NUM_FLOWS] for frames, _ in read])[order], stamps[order]


def _series(
    frames: np.ndarray, stamps: np.ndarray, node_id: list[str], channels: tuple[str, ...]
) -> Series:
    num_steps = len(frames)
    values = frames.transpose(2, 3, 0, 1).reshape(len(node_id), num_steps, NUM_FLOWS)
    return Series(torch.from_numpy(values), stamps, None, node_id, channels)
