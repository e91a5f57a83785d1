r"""The callback that writes the labels of images to a table."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import LightningModule, Trainer

from tgst.loader import ImageBatch
from tgst.train.label_writer import LabelWriter
from tgst.train.table_file import Kind

__all__ = ["ImageWriter"]


class ImageWriter(LabelWriter):
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

    def _begin(self, data: Any) -> dict[str, Kind]:
        self._names = data.class_names
        self._with_truth = data.input is None
        return {"image": "integer", **self._label_columns()}

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
