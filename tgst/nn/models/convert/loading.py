r"""From a file to a network, whatever code has written it."""

from __future__ import annotations

from pathlib import Path

from torch_geometric.data import Data

from tgst.nn.models.convert.converted_checkpoint import ConvertedCheckpoint
from tgst.nn.models.convert.families import family
from tgst.nn.models.convert.pyskl import from_pyskl
from tgst.nn.models.convert.reading import read_checkpoint
from tgst.nn.models.convert.stgcn import from_stgcn
from tgst.utils.skeleton import Skeleton


def load(
    path: str | Path, graph: Data | Skeleton | str | None = None, **options
) -> ConvertedCheckpoint:
    r"""Reads a published checkpoint of ST-GCN, of whichever code.

    Args:
        path (str or Path): The file.
        graph (Data or Skeleton or str, optional): The graph that the checkpoint must belong to;
            see :func:`from_stgcn`. (default: :obj:`None`)
        **options (optional): Further arguments of :func:`from_stgcn` or :func:`from_pyskl`.

    Returns:
        ConvertedCheckpoint: Model and graph.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read safely, belongs to another network or to another
            graph; the message begins with the file.
    """
    tensors = read_checkpoint(path)
    try:
        reader = from_pyskl if family(tensors) == "pyskl" else from_stgcn
        return reader(tensors, graph=graph, **options)
    except ValueError as error:
        raise ValueError(f"checkpoint {path}: {error}") from error
