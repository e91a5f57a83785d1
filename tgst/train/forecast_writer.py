r"""The callback that writes forecasts to a table."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from tgst.loader import WindowBatch
from tgst.train.table_file import check_table_path
from tgst.train.table_writer import check_one_process

__all__ = ["ForecastWriter"]


class ForecastWriter(Callback):
    r"""Writes the forecasts of ``Trainer.predict`` to a CSV or Parquet file, batch by batch.

    One row per forecast value, with the columns

    * ``timestamp``: the time that is predicted,
    * ``node_id``,
    * ``horizon``: how many steps ahead of the last known reading, from 1,
    * ``value``: in the unit of the readings,
    * ``channel``: only where more than one channel is predicted.

    Only one batch is in memory at a time. The file appears under its name when it is complete; a
    run that fails leaves an older file as it was.

    Args:
        path: The file; its ending, ``.csv`` or ``.parquet``, decides the format.

    Raises:
        ValueError: If the ending is another one, or pyarrow is not installed for Parquet.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = check_table_path(path)
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._table: _CsvTable | _ParquetTable | None = None

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        r"""Opens the temporary file."""
        check_one_process(trainer, "forecasts")
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self._series = data.series
        self._node_id = np.array(data.series.node_id)
        self._channels = data.target_names
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._table = _TABLES[self.path.suffix](self._temporary, len(self._channels) > 1)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: WindowBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        r"""Adds the forecasts of one batch."""
        assert self._table is not None
        history = batch.x.size(2)
        for window, start in enumerate(batch.start.tolist()):
            values = outputs[:, window].cpu().float()  # [N, horizon, C]
            first = start + history
            stamps = self._series.timestamps[first : first + values.size(1)]
            self._table.write(*_columns(values, stamps, self._node_id, self._channels))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        r"""Closes the file and gives it its name."""
        assert self._table is not None
        self._table.close()
        self._table = None
        os.replace(self._temporary, self.path)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        r"""Removes the unfinished file."""
        if self._table is not None:
            self._table = None
            self._temporary.unlink(missing_ok=True)


def _columns(
    values: Tensor, stamps: np.ndarray, node_id: np.ndarray, channels: Sequence[str]
) -> tuple[np.ndarray, ...]:
    """One window's [N, H, C] as columns, ordered by horizon, node, channel."""
    nodes, horizon, width = values.shape
    steps = np.arange(horizon)
    index = np.repeat(steps, nodes * width)
    return (
        stamps[index],
        np.tile(np.repeat(node_id, width), horizon),
        index + 1,
        values.transpose(0, 1).reshape(-1).numpy(),
        np.tile(np.array(channels), horizon * nodes),
    )


class _CsvTable:
    def __init__(self, path: Path, with_channel: bool) -> None:
        self._width = 5 if with_channel else 4
        self._file = open(path, "w", newline="", encoding="utf-8")  # noqa: SIM115
        self._writer = csv.writer(self._file)
        self._writer.writerow(_NAMES[: self._width])

    def write(
        self,
        stamps: np.ndarray,
        nodes: np.ndarray,
        steps: np.ndarray,
        values: np.ndarray,
        channels: np.ndarray,
    ) -> None:
        columns = (
            [str(stamp).replace("T", " ") for stamp in stamps.astype("datetime64[s]")],
            nodes,
            steps,
            [f"{value:.9g}" for value in values],  # nine digits give a float32 back exactly
            channels,
        )
        self._writer.writerows(zip(*columns[: self._width], strict=True))

    def close(self) -> None:
        self._file.close()


class _ParquetTable:
    def __init__(self, path: Path, with_channel: bool) -> None:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise ValueError(
                'Parquet files need pyarrow: pip install "tgst[data]", or write .csv'
            ) from error
        self._arrow = pyarrow
        fields = [
            ("timestamp", pyarrow.timestamp("s")),
            ("node_id", pyarrow.string()),
            ("horizon", pyarrow.int32()),
            ("value", pyarrow.float32()),
            ("channel", pyarrow.string()),
        ]
        self._schema = pyarrow.schema(fields if with_channel else fields[:4])
        self._writer = pyarrow.parquet.ParquetWriter(path, self._schema)

    def write(self, stamps: np.ndarray, *columns: np.ndarray) -> None:
        arrays = [
            self._arrow.array(column, type=field.type)
            # without a channel column in the schema, the channels are left out
            for column, field in zip(
                (stamps.astype("datetime64[s]"), *columns), self._schema, strict=False
            )
        ]
        self._writer.write_batch(self._arrow.record_batch(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


_NAMES = ("timestamp", "node_id", "horizon", "value", "channel")
_TABLES: dict[str, type[_CsvTable] | type[_ParquetTable]] = {
    ".csv": _CsvTable,
    ".parquet": _ParquetTable,
}
