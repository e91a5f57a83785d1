"""GraphML files."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from torch_geometric.data import Data

from tgst.utils import from_networkx

# KeyError and ValueError: a text that is not of the type its key states.
_BROKEN = (ParseError, EOFError, KeyError, OSError, ValueError, zlib.error)


def read_graphml(path: str | Path, **arguments: Any) -> Data:
    r"""Reads a GraphML file, such as OSMnx saves, as a graph.

    Ids of nodes are text. Files of OSMnx hold all attributes as text: numbers in it are parsed,
    :obj:`x` and :obj:`y` become :obj:`data.pos`, and attributes that are missing on some edges
    need an entry in :obj:`defaults`. Lists in text, such as ``"['2', '3']"`` for lanes, are no
    numbers: where they occur read the file with :func:`networkx.read_graphml`, put a number in
    their place, and call :func:`~tgst.utils.from_networkx`.

    Args:
        path (str or Path): The file; ``.gz`` and ``.bz2`` are decompressed.
        **arguments: Those of :func:`tgst.utils.from_networkx`: which attributes to take, their
            defaults, and what to do with parallel edges.

    Shapes:
        - as :func:`tgst.utils.from_networkx`; lengths of OSMnx are metres

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no GraphML, or an attribute is missing or no number; the message
            names node or edge and attribute.
    """
    import networkx

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: expected a file, found none")
    try:
        graph = networkx.read_graphml(path)
    except (*_BROKEN, networkx.NetworkXError) as error:
        raise ValueError(f"{path}: expected GraphML, got a file with {error}") from error
    return from_networkx(graph, **arguments)
