r"""Lightning's command line for forecasting tasks."""

from __future__ import annotations

from lightning.pytorch.callbacks import Callback

from tgst.train.data_module import ForecastData
from tgst.train.forecast_writer import ForecastWriter
from tgst.train.run_cli import RunCLI, rank_zero_print
from tgst.train.task import ForecastTask

__all__ = ["ForecastCLI"]


class ForecastCLI(RunCLI):
    r"""``tgst fit|validate|test|predict`` for :class:`tgst.train.ForecastTask` and
    :class:`tgst.train.ForecastData`; see :class:`tgst.train.RunCLI`.

    The best checkpoint is that of the smallest ``val/mae``. ``test`` prints and writes the scores
    beside those of simple baselines; ``predict`` writes forecasts
    (:class:`tgst.train.ForecastWriter`).

    Args:
        arguments: What follows ``tgst``.
    """

    task = "forecast"
    task_class = ForecastTask
    data_class = ForecastData
    monitor = ("val/mae", "min")
    output_name = "forecasts.csv"

    def writer(self) -> Callback:
        r"""The callback that writes the forecasts."""
        return ForecastWriter(self.output)

    def after_test(self) -> None:
        r"""Prints and writes the scores beside the baselines."""
        from tgst.train.scores import model_and_baseline_scores, table_of_scores, write_scores

        if self.trainer.is_global_zero:
            scores = model_and_baseline_scores(self.model, self.datamodule)
            print(table_of_scores(self.model, self.datamodule, scores))
            write_scores(self.model, self.datamodule, self.run_folder, scores)

    def after_predict(self) -> None:
        r"""Says where the forecasts are."""
        rank_zero_print(f"forecasts: {self.output}")
