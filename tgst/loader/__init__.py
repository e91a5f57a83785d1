r"""Loaders of windows, of clips and of images, and batches of series of different lengths."""

from __future__ import annotations

from tgst.loader.clip_loader import ClipBatch, ClipLoader
from tgst.loader.clip_views import ClipViews
from tgst.loader.image_loader import ImageBatch, ImageLoader
from tgst.loader.neighbor_sampler import NeighborSampler
from tgst.loader.neighbor_window_loader import NeighborWindowLoader
from tgst.loader.pad_time import PadTime
from tgst.loader.window_dataset import WindowBatch, WindowDataset
from tgst.loader.window_loader import WindowLoader

__all__ = [
    "ClipBatch",
    "ClipLoader",
    "ClipViews",
    "ImageBatch",
    "ImageLoader",
    "NeighborSampler",
    "NeighborWindowLoader",
    "PadTime",
    "WindowBatch",
    "WindowDataset",
    "WindowLoader",
]
