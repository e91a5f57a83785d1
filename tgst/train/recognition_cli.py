r"""Lightning's command line for recognition tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lightning.pytorch.callbacks import Callback
from lightning.pytorch.cli import LightningArgumentParser

from tgst.train.recognition_agreement import skeleton_of
from tgst.train.recognition_task import RecognitionTask
from tgst.train.recognition_writer import RecognitionWriter
from tgst.train.run_cli import RunCLI, best_or_last, rank_zero_print
from tgst.train.skeleton_data import SkeletonData

__all__ = ["RecognitionCLI"]


class RecognitionCLI(RunCLI):
    r"""``tgst fit|validate|test|predict`` for :class:`tgst.train.RecognitionTask` and
    :class:`tgst.train.SkeletonData`; see :class:`tgst.train.RunCLI`.

    * The best checkpoint is that of the largest ``val/accuracy``. A fit without clips to validate
      on keeps ``last.ckpt`` only; the other commands take it if there is no ``best.ckpt`` beside
      it.
    * ``test`` prints the scores and writes ``scores.json``, ``scores.md`` and ``confusion.png``.
    * ``predict`` writes the labels of the test part, or of the clips in ``--input``
      (:class:`tgst.train.RecognitionWriter`). Layout and classes come from the checkpoint then;
      the data set need not be there.

    Args:
        arguments: What follows ``tgst``.
    """

    task = "recognition"
    task_class = RecognitionTask
    data_class = SkeletonData
    monitor = ("val/accuracy", "max")
    output_name = "labels.csv"

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        r"""Adds the options that Lightning does not have."""
        super().add_arguments_to_parser(parser)
        parser.add_argument(
            "--input",
            type=str | None,
            help="predict: folder of OpenPose folders or .skeleton files; the test part if unset",
        )
        parser.add_argument(
            "--top", type=int, default=1, help="predict: number of labels in each row"
        )

    def before_instantiate_classes(self) -> None:
        r"""Finds the checkpoint and the run's folder."""
        options = self.options
        if options.input is not None:
            # moved, so that a saved config does not outvote --data.input
            options.data.input, options.input = options.input, None
        super().before_instantiate_classes()

    def default_checkpoint(self, runs: Path) -> str:
        r"""The best one of the newest run, or its last one if it had nothing to choose by."""
        return best_or_last(runs)

    def monitored(self) -> tuple[str, Literal["min", "max"]] | None:
        r"""``val/accuracy``, if clips are held out for validation."""
        return self.monitor if self.datamodule.validates else None

    def writer(self) -> Callback:
        r"""The callback that writes the labels."""
        return RecognitionWriter(self.output, self.options.top)

    def before_validate(self) -> None:
        r"""Refuses to validate on nothing."""
        if not self.datamodule.validates:
            raise ValueError(
                "data.validation_subjects or data.validation_share must say what to validate on, "
                "got neither"
            )

    def before_predict(self) -> None:
        r"""Tells the data what the model knows, so that clips need no data set beside them."""
        if self.datamodule.input is not None:
            io = self.trainer.strategy.checkpoint_io
            checkpoint = io.load_checkpoint(self.options.ckpt_path)
            if not checkpoint.get("skeleton") or not checkpoint.get("class_names"):
                raise ValueError(
                    f"checkpoint {self.options.ckpt_path} names no classes: it is not of a "
                    "recognition task"
                )
            skeleton = skeleton_of(checkpoint["skeleton"])
            extent = checkpoint.get("extent")
            self.datamodule.describe(skeleton, checkpoint["class_names"], extent)

    def after_test(self) -> None:
        r"""Prints and writes the scores."""
        from tgst.train.recognition_report import (
            recognition_scores,
            recognition_table,
            write_recognition_scores,
        )

        if self.trainer.is_global_zero:
            scores = recognition_scores(self.model, str(self.options.ckpt_path))
            print(recognition_table(scores))
            write_recognition_scores(self.model, self.run_folder, scores)

    def after_predict(self) -> None:
        r"""Says where the labels are, and which clips have none."""
        windows = self.datamodule.items
        if windows.empty:
            names = ", ".join(windows.clips[number].name for number in windows.empty)
            rank_zero_print(f"nobody was seen in: {names}")
        rank_zero_print(f"labels: {self.output}")
