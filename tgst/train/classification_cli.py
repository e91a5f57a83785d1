r"""What the command lines of classification tasks share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

from lightning.pytorch.cli import LightningArgumentParser

from tgst.train.run_cli import RunCLI, best_or_last

__all__ = ["ClassificationCLI"]


class ClassificationCLI(RunCLI):
    r"""``tgst fit|validate|test|predict`` for a :class:`tgst.train.ClassificationTask`; see
    :class:`tgst.train.RunCLI`.

    * The best checkpoint is that of the largest ``val/accuracy``. A fit that holds nothing out to
      validate on keeps ``last.ckpt`` only; the other commands take it if there is no ``best.ckpt``
      beside it.
    * ``test`` prints the scores and writes ``scores.json``, ``scores.md`` and ``confusion.png``.
    * ``predict`` writes the labels of the test part, or of what ``--input`` names.

    Args:
        arguments: What follows ``tgst``.

    Attributes:
        input_help: What ``--input`` may be.
        validation_settings: The settings that say what to validate on.
    """

    monitor = ("val/accuracy", "max")
    output_name = "labels.csv"
    input_help: ClassVar[str]
    validation_settings: ClassVar[str]

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        r"""Adds the options that Lightning does not have."""
        super().add_arguments_to_parser(parser)
        parser.add_argument(
            "--input",
            type=str | None,
            help=f"predict: {self.input_help}; the test part if unset",
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
        r"""``val/accuracy``, if something is held out for validation."""
        return self.monitor if self.datamodule.validates else None

    def before_validate(self) -> None:
        r"""Refuses to validate on nothing."""
        if not self.datamodule.validates:
            raise ValueError(f"{self.validation_settings} must say what to validate on, got none")

    def described(self, *names: str) -> dict[str, Any]:
        r"""The checkpoint to predict with.

        Args:
            names: What it has to say of the data.

        Raises:
            ValueError: If it does not say it.
        """
        checkpoint = self.trainer.strategy.checkpoint_io.load_checkpoint(self.options.ckpt_path)
        if not all(checkpoint.get(name) for name in ("class_names", *names)):
            raise ValueError(
                f"checkpoint {self.options.ckpt_path} names no classes: it is not of "
                f"{'an' if self.task[0] in 'aeiou' else 'a'} {self.task} task"
            )
        return checkpoint

    def scores(self) -> dict[str, Any]:
        r"""The scores of the tested task, in plain containers."""
        from tgst.train.recognition_report import recognition_scores

        return recognition_scores(self.model, str(self.options.ckpt_path))

    def after_test(self) -> None:
        r"""Prints and writes the scores."""
        from tgst.train.recognition_report import recognition_table, write_recognition_scores

        if self.trainer.is_global_zero:
            scores = self.scores()
            print(recognition_table(scores, self.model.items))
            write_recognition_scores(self.model, self.run_folder, scores)
