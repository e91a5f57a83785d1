r"""Lightning's command line for grid tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lightning.pytorch.callbacks import Callback

from tgst.train.grid_data import GridData
from tgst.train.grid_task import GridTask
from tgst.train.grid_writer import GridWriter
from tgst.train.run_cli import RunCLI, best_or_last, rank_zero_print

__all__ = ["GridCLI"]


class GridCLI(RunCLI):
    r"""``tgst fit|validate|test|predict`` for :class:`tgst.train.GridTask` and
    :class:`tgst.train.GridData`; see :class:`tgst.train.RunCLI`.

    * The best checkpoint is that of the smallest ``val/rmse``. A fit with ``data.train_on_all``
      keeps ``last.ckpt`` only; the other commands take it if there is no ``best.ckpt`` beside it.
    * ``test`` prints and writes the scores beside those of simple baselines.
    * ``predict`` writes forecasts (:class:`tgst.train.GridWriter`).

    Args:
        arguments: What follows ``tgst``.
    """

    task = "grid"
    task_class = GridTask
    data_class = GridData
    monitor = ("val/rmse", "min")
    output_name = "forecasts.csv"

    def default_checkpoint(self, runs: Path) -> str:
        r"""The best one of the newest run, or its last one if it had nothing to choose by."""
        return best_or_last(runs)

    def monitored(self) -> tuple[str, Literal["min", "max"]] | None:
        r"""``val/rmse``, if there is a validation part."""
        return self.monitor if self.datamodule.validates else None

    def writer(self) -> Callback:
        r"""The callback that writes the forecasts."""
        return GridWriter(self.output)

    def before_validate(self) -> None:
        r"""Refuses to validate on nothing."""
        if not self.datamodule.validates:
            raise ValueError(
                "data.val_days or data.val_share must say what to validate on, and "
                "data.train_on_all be false"
            )

    def before_predict(self) -> None:
        r"""Refuses to forecast a validation part that there is not."""
        if self.datamodule.predict_part == "val":
            self.before_validate()

    def after_test(self) -> None:
        r"""Prints and writes the scores beside the baselines."""
        from tgst.train.grid_scores import grid_scores, grid_table, write_grid_scores

        if self.trainer.is_global_zero:
            scores = grid_scores(self.model, self.datamodule)
            print(grid_table(self.model, self.datamodule, scores))
            write_grid_scores(self.model, self.datamodule, self.run_folder, scores)

    def after_predict(self) -> None:
        r"""Says where the forecasts are."""
        rank_zero_print(f"forecasts: {self.output}")
