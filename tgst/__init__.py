r"""tgst: spatio-temporal graph convolutions as native PyTorch Geometric operators."""

from importlib import import_module
from types import ModuleType

from tgst import data, datasets, loader, nn, ops, transforms, utils

__version__ = "0.1.0"

__all__ = ["__version__", "data", "datasets", "loader", "nn", "ops", "transforms", "utils"]

# These import Lightning, torchmetrics or matplotlib, and so are imported when they are first used.
_HEAVY = ("metrics", "testing", "train", "visualize")


def __getattr__(name: str) -> ModuleType:
    if name in _HEAVY:
        return import_module(f"tgst.{name}")
    raise AttributeError(f"module 'tgst' has no attribute {name!r}")
