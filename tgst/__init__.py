r"""tgst: spatio-temporal graph convolutions as native PyTorch Geometric operators."""

from tgst import data, datasets, loader, nn, ops, transforms, utils

__version__ = "0.1.0"

__all__ = ["__version__", "data", "datasets", "loader", "nn", "ops", "transforms", "utils"]
