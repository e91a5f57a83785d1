r"""Loaders of windows."""

from __future__ import annotations

from tgst.loader.window_dataset import WindowBatch, WindowDataset
from tgst.loader.window_loader import WindowLoader

__all__ = ["WindowBatch", "WindowDataset", "WindowLoader"]
