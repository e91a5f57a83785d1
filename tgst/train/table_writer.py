r"""What the callbacks share that write what a model says to a table."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from tgst.train.table_file import Kind, TableFile, check_table_path

__all__ = ["TableWriter", "check_one_process"]


class TableWriter(Callback):
    r"""Opens a table before ``Trainer.predict``, and gives it its name when it is complete.

    A run that fails leaves an older file as it was.

    Attributes:
        contents: What is written, in the plural, for messages.

    Args:
        path: The file; its ending, ``.csv`` or ``.parquet``, decides the format.

    Raises:
        ValueError: If the ending is another one.
    """

    contents: ClassVar[str]

    def __init__(self, path: str | Path) -> None:
        self.path = check_table_path(path)
        self._table: TableFile | None = None

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        r"""Opens the temporary file."""
        check_one_process(trainer, self.contents)
        self._table = TableFile(self.path, self._begin(trainer.datamodule))  # type: ignore[attr-defined]

    @abstractmethod
    def _begin(self, data: Any) -> dict[str, Kind]:
        """Takes from the data module what the rows need; the columns."""

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        r"""Closes the file and gives it its name."""
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


def check_one_process(trainer: Trainer, contents: str) -> None:
    r"""Refuses to write from several processes.

    Args:
        trainer: The trainer.
        contents: What is written, in the plural.

    Raises:
        ValueError: If there are several.
    """
    if trainer.world_size > 1:
        raise ValueError(
            f"{contents} are written by one process, got {trainer.world_size}: set "
            "trainer.devices to 1"
        )
