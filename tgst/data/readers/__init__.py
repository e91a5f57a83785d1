r"""Readers of files."""

from __future__ import annotations

from tgst.data.readers.adjacency import read_adjacency
from tgst.data.readers.distances import read_distances
from tgst.data.readers.graphml import read_graphml
from tgst.data.readers.table import read_table
from tgst.data.readers.tntp import read_tntp

__all__ = ["read_adjacency", "read_distances", "read_graphml", "read_table", "read_tntp"]
