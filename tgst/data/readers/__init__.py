r"""Readers of files."""

from __future__ import annotations

from tgst.data.readers.table import read_table

__all__ = ["read_table"]
