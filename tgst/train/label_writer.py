r"""What the callbacks share that write labels to a table."""

from __future__ import annotations

from pathlib import Path

from tgst.train.table_file import Kind
from tgst.train.table_writer import TableWriter

__all__ = ["LabelWriter"]


class LabelWriter(TableWriter):
    r"""Writes the first classes of each row, with their probabilities.

    Args:
        path: The file; its ending, ``.csv`` or ``.parquet``, decides the format.
        top: Classes per row; at most all of them.

    Raises:
        ValueError: If the ending is another one, or ``top`` is less than 1.
    """

    contents = "labels"

    def __init__(self, path: str | Path, top: int = 1) -> None:
        super().__init__(path)
        if top < 1:
            raise ValueError(f"top must be at least 1, got {top}")
        self.top = top
        self._names: list[str] = []
        self._with_truth = False

    def _label_columns(self) -> dict[str, Kind]:
        columns: dict[str, Kind] = {}
        for place in range(min(self.top, len(self._names))):
            ending = f"_{place + 1}" if place else ""
            columns |= {f"label{ending}": "text", f"confidence{ending}": "number"}
        return columns | ({"truth": "text"} if self._with_truth else {})
