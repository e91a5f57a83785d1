r"""The callback that writes forecasts of a grid to a table."""

from __future__ import annotations

from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer

from tgst.train.grid_windows import GridBatch
from tgst.train.table_file import Kind
from tgst.train.table_writer import TableWriter

__all__ = ["GridWriter"]

COLUMNS: dict[str, Kind] = {
    "timestamp": "text",
    "row": "integer",
    "column": "integer",
    "horizon": "integer",
    "channel": "text",
    "value": "number",
}


class GridWriter(TableWriter):
    r"""Writes the forecasts of ``Trainer.predict`` to a CSV or Parquet file, batch by batch.

    One row per forecast value, with the columns

    * ``timestamp``: the beginning of the slot that is predicted,
    * ``row``, ``column``: the cell, from 0 at the top left,
    * ``horizon``: how many slots ahead of the last known one, from 1,
    * ``channel``,
    * ``value``: in the unit of the flows.

    The file appears under its name when it is complete; a run that fails leaves an older file as it
    was.

    Args:
        path: The file; its ending, ``.csv`` or ``.parquet``, decides the format.

    Raises:
        ValueError: If the ending is another one, or pyarrow is not installed for Parquet.
    """

    contents = "forecasts"

    def _begin(self, data: Any) -> dict[str, Kind]:
        self._stamps = data.series.timestamps
        self._channels = data.series.channels
        return COLUMNS

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: GridBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        r"""Adds the forecasts of one batch."""
        assert self._table is not None
        for first, window in zip(batch.row.tolist(), outputs.cpu().float(), strict=True):
            steps, channels, height, width = np.indices(window.shape).reshape(4, -1)
            stamps = [str(t).replace("T", " ") for t in self._stamps[first : first + len(window)]]
            columns = (
                [stamps[step] for step in steps],
                height.tolist(),
                width.tolist(),
                (steps + 1).tolist(),
                [self._channels[channel] for channel in channels],
                window.flatten().tolist(),
            )
            self._table.write(list(zip(*columns, strict=True)))
