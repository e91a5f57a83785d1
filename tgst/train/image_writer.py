r"""The callback that writes the labels of images to a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from tgst.loader import ImageBatch
from tgst.train.table_file import Kind, TableFile, check_table_path

__all__ = ["ImageWriter"]


class ImageWriter(Callback):
    r"""Writes the labels of ``Trainer.predict`` to a CSV or Parquet file, one row for each image.

    The columns are

    * ``image``: its number, from 0,
    * ``label``: the class with the largest probability,
    * ``confidence``: that probability,
    * ``label_2``, ``confidence_2`` and so on: the next classes, for ``top`` above 1,
    * ``truth``: the class of the image, only where images have one.

    The file appears under its name when it is complete; a run that fails leaves an older file as
    it was.

    Args:
        path: The file; its ending, ``.csv`` or ``.parquet``, decides the format.
        top: Classes per row; at most all of them.

    Raises:
        ValueError: If the ending is another one, ``top`` is less than 1, or pyarrow is not
            installed for Parquet.
    """

    def __init__(self, path: str | Path, top: int = 1) -> None:
        self.path = check_table_path(path)
        if top < 1:
            raise ValueError(f"top must be at least 1, got {top}")
        self.top = top
        self._table: TableFile | None = None

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        r"""Opens the temporary file."""
        if trainer.world_size > 1:
            raise ValueError(
                f"labels are written by one process, got {trainer.world_size}: set "
                "trainer.devices to 1"
            )
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self._names = data.class_names
        self._with_truth = data.input is None
        columns: dict[str, Kind] = {"image": "integer"}
        for place in range(min(self.top, len(self._names))):
            ending = f"_{place + 1}" if place else ""
            columns |= {f"label{ending}": "text", f"confidence{ending}": "number"}
        self._table = TableFile(
            self.path, columns | ({"truth": "text"} if self._with_truth else {})
        )

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: ImageBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        r"""Writes the rows of a batch."""
        assert self._table is not None
        best = outputs.cpu().topk(min(self.top, len(self._names)))
        labels, values = best.indices.tolist(), best.values.tolist()
        rows = []
        for place, image in enumerate(batch.image.tolist()):
            row: list[Any] = [image]
            for label, value in zip(labels[place], values[place], strict=True):
                row += [self._names[label], value]
            if self._with_truth:
                row.append(self._names[int(batch.y[place])])
            rows.append(row)
        self._table.write(rows)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        r"""Gives the file its name."""
        assert self._table is not None
        self._table.close()
        self._table = None

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        r"""Removes the unfinished file."""
        if self._table is not None:
            self._table.discard()
            self._table = None
