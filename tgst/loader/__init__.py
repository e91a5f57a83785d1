r"""Loaders of windows, and batches of series of different lengths."""

from __future__ import annotations

from tgst.loader.neighbor_sampler import NeighborSampler
from tgst.loader.neighbor_window_loader import NeighborWindowLoader
from tgst.loader.pad_time import PadTime
from tgst.loader.window_dataset import WindowBatch, WindowDataset
from tgst.loader.window_loader import WindowLoader

__all__ = [
    "NeighborSampler",
    "NeighborWindowLoader",
    "PadTime",
    "WindowBatch",
    "WindowDataset",
    "WindowLoader",
]
