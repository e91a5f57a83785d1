r"""The callback that writes labels to a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor

from tgst.loader import ClipBatch
from tgst.train.label_writer import LabelWriter
from tgst.train.sliding_windows import WindowItem
from tgst.train.table_file import Kind

__all__ = ["RecognitionWriter"]


class RecognitionWriter(LabelWriter):
    r"""Writes the labels of ``Trainer.predict`` to a CSV or Parquet file, clip by clip.

    One row for each clip, for all its persons together and for each of them alone, and for clips
    of several windows one for each window before it, with the columns

    * ``clip``: its name,
    * ``person``: ``all``, or the place of a person in the clip, from 0,
    * ``window``: the number of a window, from 0, or ``all``; windows in which the person was not
      seen are left out,
    * ``first_frame``, ``last_frame``: the frames that it stands for, from 0,
    * ``label``: the class with the largest probability,
    * ``confidence``: that probability; over all windows, their mean,
    * ``label_2``, ``confidence_2`` and so on: the next classes, for ``top`` above 1,
    * ``truth``: the class of the clip, only where clips have one.

    A clip in which nobody was seen has one row without a label. The file appears under its name
    when it is complete; a run that fails leaves an older file as it was.

    Args:
        path: The file; its ending, ``.csv`` or ``.parquet``, decides the format.
        top: Classes per row; at most all of them.

    Raises:
        ValueError: If the ending is another one, ``top`` is less than 1, or pyarrow is not
            installed for Parquet.
    """

    def __init__(self, path: str | Path, top: int = 1) -> None:
        super().__init__(path, top)
        self._group: list[tuple[WindowItem, Tensor]] = []

    def _begin(self, data: Any) -> dict[str, Kind]:
        self._windows, self._names = data.items, data.class_names
        self._with_truth = any(clip.label is not None for clip in self._windows.clips)
        self._group = []
        columns: dict[str, Kind] = {"clip": "text", "person": "text", "window": "text"}
        columns |= {"first_frame": "integer", "last_frame": "integer"}
        return columns | self._label_columns()

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: ClipBatch,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        r"""Writes the clips and persons whose windows are complete."""
        for index, probability in zip(batch.clip.tolist(), outputs.cpu(), strict=True):
            item = self._windows.items[index]
            if self._group and self._key(self._group[0][0]) != self._key(item):
                self._write_group()
            self._group.append((item, probability))

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        r"""Writes the last rows, and those of empty clips, and gives the file its name."""
        self._write_group()
        assert self._table is not None
        for clip in self._windows.empty:
            frames = self._windows.clips[clip].num_frames
            self._table.write([self._row(clip, "all", "all", 0, frames, None)])
        super().on_predict_end(trainer, pl_module)

    @staticmethod
    def _key(item: WindowItem) -> tuple[int, tuple[str, ...]]:
        return item.clip, item.named

    def _write_group(self) -> None:
        if not self._group:
            return
        assert self._table is not None
        first = self._group[0][0]
        mean = torch.stack([probability for _, probability in self._group]).mean(0)
        frames = self._windows.clips[first.clip].num_frames
        for person in first.named:
            if first.stop - first.first < frames:
                self._table.write(
                    [
                        self._row(i.clip, person, str(i.window), i.first, i.stop, probability)
                        for i, probability in self._group
                    ]
                )
            self._table.write([self._row(first.clip, person, "all", 0, frames, mean)])
        self._group = []

    def _row(
        self, clip: int, person: str, window: str, first: int, stop: int, values: Tensor | None
    ) -> list[Any]:
        top = min(self.top, len(self._names))
        labels: list[Any] = [None] * (2 * top)
        if values is not None:
            best = values.topk(top)
            labels[::2] = [self._names[label] for label in best.indices.tolist()]
            labels[1::2] = best.values.tolist()
        source = self._windows.clips[clip]
        row = [source.name, person, window, first, stop - 1, *labels]
        if self._with_truth:
            row.append(None if source.label is None else self._names[source.label])
        return row
