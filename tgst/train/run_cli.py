r"""What the command lines of all tasks share: runs and their folders, checkpoints, logs."""

from __future__ import annotations

import logging
import re
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only

from tgst.train.checkpoint import AtomicCheckpointIO
from tgst.train.config_files import with_config_paths
from tgst.train.random_state import RandomState
from tgst.train.run_checkpoint import RunCheckpoint

__all__ = ["RunCLI", "best_or_last", "checkpoint_callbacks", "keep_metrics", "rank_zero_print"]

rank_zero_print = rank_zero_only(print)


class RunCLI(LightningCLI):
    r"""``tgst fit|validate|test|predict``, whatever the task.

    Beyond :class:`lightning.pytorch.cli.LightningCLI`:

    * ``--config`` finds shipped configurations by name; ``--root`` stands for ``--data.root``.
    * A fit goes to ``RUNS/NAME/version_k`` (``--runs``, ``--name``) with ``config.yaml``, CSV and
      TensorBoard logs, and ``checkpoints/best.ckpt`` (by :attr:`monitor`) and ``last.ckpt``, which
      are written atomically. A resumed fit continues in its folder.
    * ``--ckpt_path best`` and ``last`` mean the newest run that has such a file; the other
      commands take ``best`` if nothing is given.
    * ``--data.seed`` is that of ``--seed_everything`` unless it is set.
    * The settings come from the configuration and the command line alone; a checkpoint that does
      not fit them is refused before anything is written.

    Args:
        arguments: What follows ``tgst``.

    Attributes:
        run_folder: Where the run keeps its files.
        task: What configurations call the task.
        task_class: The Lightning module.
        data_class: The data module.
        monitor: The metric that the best checkpoint is chosen by, and its direction.
        output_name: The file that ``predict`` writes in the run's folder if none is given.
    """

    task: ClassVar[str]
    task_class: ClassVar[type[LightningModule]]
    data_class: ClassVar[type[LightningDataModule]]
    monitor: ClassVar[tuple[str, Literal["min", "max"]]]
    output_name: ClassVar[str]
    run_folder: Path
    _kept_metrics: Path | None = None

    def __init__(self, arguments: Sequence[str]) -> None:
        _quiet()
        super().__init__(
            self.task_class,
            self.data_class,
            save_config_callback=_SaveConfig,
            save_config_kwargs={"overwrite": True},  # a resumed fit writes its own again
            seed_everything_default=0,
            parser_kwargs={"prog": "tgst"},
            args=with_config_paths(arguments),
            auto_configure_optimizers=False,
            # it would store a name in the checkpoint that is imported and called on loading
            load_from_checkpoint_support=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        r"""Adds the options that Lightning does not have."""
        parser.add_argument(
            "--task",
            type=Literal["forecast", "recognition", "grid", "image"],
            default=self.task,
            help="what is learnt; decides which settings there are",
        )
        parser.add_argument("--root", type=str | None, help="folder of the data set's files")
        parser.add_argument("--runs", type=str, default="runs", help="folder of all runs")
        parser.add_argument(
            "--name", type=str | None, help="name of the run; the config's if unset"
        )
        parser.add_argument(
            "--output",
            type=str | None,
            help=f"predict: .csv or .parquet file; {self.output_name} in the run's folder if unset",
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        r"""Parses the given arguments, whatever the process was started with."""
        self.config = parser.parse_args(args)

    def _parse_ckpt_path(self) -> None:
        # Lightning would replace the model's settings by those in the checkpoint, in silence.
        pass

    @property
    def options(self) -> Any:
        r"""The parsed settings of the subcommand."""
        return self.config[str(self.subcommand)]

    @property
    def output(self) -> Path:
        r"""The file of the predictions."""
        return Path(self.options.output or self.run_folder / self.output_name)

    def before_instantiate_classes(self) -> None:
        r"""Finds the checkpoint and the run's folder."""
        options = self.options
        if options.root is not None:
            # Moved, so that a saved config does not outvote --data.root.
            options.data.root, options.root = options.root, None
        if options.name is None:
            options.name = Path(str(options.config[-1])).stem if options.config else "run"
        fits = self.subcommand == "fit"
        runs = Path(options.runs) / options.name
        wanted = options.ckpt_path or (None if fits else self.default_checkpoint(runs))
        options.ckpt_path = _checkpoint(wanted, runs)
        if options.ckpt_path is not None:
            self.run_folder = _run_folder(Path(options.ckpt_path))
        else:
            self.run_folder = runs / f"version_{1 + max(run_versions(runs), default=-1)}"
        if not fits:
            self.save_config_callback = None

    def default_checkpoint(self, runs: Path) -> str:
        r"""What a command other than ``fit`` takes if no checkpoint is given.

        Args:
            runs: Folder of the runs of this name.
        """
        return "best"

    def monitored(self) -> tuple[str, Literal["min", "max"]] | None:
        r"""The metric that chooses ``best.ckpt``; None if the fit does not validate."""
        return self.monitor

    @abstractmethod
    def writer(self) -> Callback:
        r"""The callback that writes what ``predict`` gives."""

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        r"""Adds checkpoints, loggers and the atomic file access to the configured trainer."""
        trainer = self.config_init[str(self.subcommand)].trainer
        plugins = trainer.plugins or []
        plugins = plugins if isinstance(plugins, list) else [plugins]
        kwargs["plugins"] = [*plugins, AtomicCheckpointIO()]
        kwargs["callbacks"] = [*(trainer.callbacks or []), *self._callbacks()]
        if trainer.default_root_dir is None:
            kwargs["default_root_dir"] = str(self.run_folder)
        if trainer.logger is None:
            kwargs["logger"] = self._loggers() if self.subcommand == "fit" else False
        if self.subcommand != "fit":
            kwargs["enable_checkpointing"] = False
        return super().instantiate_trainer(**kwargs)

    def after_instantiate_classes(self) -> None:
        r"""Gives the loaders the seed of the run unless they have their own."""
        if self.datamodule.seed is None:
            seed = self.options.seed_everything
            self.datamodule.seed = 0 if isinstance(seed, bool) else seed

    def before_fit(self) -> None:
        r"""Checks the checkpoint to resume from before the run's folder is touched."""
        path = self.options.ckpt_path
        if path is not None:
            checkpoint = self.trainer.strategy.checkpoint_io.load_checkpoint(path)
            self.datamodule.setup("fit")
            self.model.use_data(self.datamodule)
            name = f"checkpoint {path}"
            self.model.check_checkpoint(checkpoint, name, True, self.trainer.max_epochs)
        if not getattr(self.trainer, "fast_dev_run", False):
            self._kept_metrics = keep_metrics(self.run_folder)

    def _callbacks(self) -> list[Callback]:
        if self.subcommand == "predict":
            return [self.writer()]
        if self.subcommand != "fit":
            return []
        folder = self.run_folder / "checkpoints"
        return [RandomState(), *checkpoint_callbacks(folder, self.monitored())]

    def _loggers(self) -> list[Logger]:
        folder = self.run_folder.absolute()
        number = re.fullmatch(r"version_(\d+)", folder.name)
        place: dict[str, Any] = {
            "save_dir": str(folder.parent.parent),
            "name": folder.parent.name,
            "version": int(number[1]) if number else folder.name,
        }
        return [CSVLogger(**place), TensorBoardLogger(**place)]

    def _prepare_subcommand_kwargs(self, subcommand: str) -> dict[str, Any]:
        kwargs = super()._prepare_subcommand_kwargs(subcommand)
        if subcommand == "predict":
            kwargs["return_predictions"] = False  # they go to the file batch by batch
        if subcommand == "test":
            kwargs["verbose"] = False  # our own table says more
        return kwargs

    def after_fit(self) -> None:
        r"""Says where the results are."""
        kept = self._kept_metrics
        metrics = self.run_folder / "metrics.csv"
        if kept is not None and not metrics.exists():  # no epoch was left to run
            kept.rename(metrics)
        best = self.trainer.checkpoint_callback
        if isinstance(best, ModelCheckpoint) and best.best_model_score is not None:
            score = f"{best.monitor} {best.best_model_score:.4f}"
            rank_zero_print(f"best checkpoint: {best.best_model_path} ({score})")
        rank_zero_print(f"run folder: {self.run_folder}")


class _SaveConfig(SaveConfigCallback):
    """Leaves the checkpoint of a resumed fit out: other commands would take it for theirs."""

    def __init__(self, parser: LightningArgumentParser, config: Any, **kwargs: Any) -> None:
        config = config.clone()
        config.ckpt_path = None
        super().__init__(parser, config, **kwargs)


def _quiet() -> None:
    """Hides what Lightning says about its own code and products."""
    for message in (
        ".*isinstance.treespec, LeafSpec.*",
        # test and predict need no callbacks of the fit
        "Be aware that when using `ckpt_path`, callbacks used to create the checkpoint",
        # the folder of a resumed run; keep_metrics has saved the log
        "Experiment logs directory .* exists and is not empty",
        "Checkpoint directory .* exists and is not empty",
    ):
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_is_no_advertisement)


def _is_no_advertisement(record: logging.LogRecord) -> bool:
    return "Tip:" not in record.getMessage()


def checkpoint_callbacks(
    folder: Path, monitor: tuple[str, Literal["min", "max"]] | None = ("val/mae", "min")
) -> list[Callback]:
    r"""Keeps the best checkpoint and the one of the last epoch, each in one file.

    Args:
        folder: Where ``best.ckpt`` and ``last.ckpt`` go.
        monitor: The metric that the best one is chosen by and its direction; None if there is
            none to choose by, and no ``best.ckpt``.
    """
    shared: dict[str, Any] = {"dirpath": str(folder), "enable_version_counter": False}
    last = RunCheckpoint(filename="last", **shared)
    if monitor is None:
        return [last]
    name, mode = monitor
    return [RunCheckpoint(filename="best", monitor=name, mode=mode, **shared), last]


@rank_zero_only
def keep_metrics(run_folder: Path) -> Path | None:
    r"""Renames the ``metrics.csv`` of a run that is resumed; the logger would delete it.

    Args:
        run_folder: Folder of the run.

    Returns:
        The new name; None if there was nothing to rename.
    """
    metrics = run_folder / "metrics.csv"
    if not metrics.is_file():
        return None
    part = 1
    while (run_folder / f"metrics_part_{part}.csv").exists():
        part += 1
    return metrics.rename(run_folder / f"metrics_part_{part}.csv")


def _checkpoint(name: str | Path | None, runs: Path) -> str | None:
    """The file that a checkpoint's path or word means."""
    if name is None:
        return None
    if str(name) not in ("best", "last"):
        if not Path(name).is_file():
            raise FileNotFoundError(f"ckpt_path: there is no file {name}")
        return str(name)
    for version in sorted(run_versions(runs), reverse=True):
        path = runs / f"version_{version}" / "checkpoints" / f"{name}.ckpt"
        if path.is_file():
            return str(path)
    raise FileNotFoundError(
        f"ckpt_path: no run in {runs} has a checkpoint {name!r}; run `tgst fit` first or give "
        "the path of one"
    )


def run_versions(runs: Path) -> list[int]:
    r"""The numbers of the runs in a folder.

    Args:
        runs: Folder of ``version_<k>`` folders.
    """
    matches = [re.fullmatch(r"version_(\d+)", path.name) for path in runs.glob("version_*")]
    return [int(match[1]) for match in matches if match]


def best_or_last(runs: Path) -> str:
    r"""The best checkpoint of the newest run, or its last one if it had nothing to choose by.

    Args:
        runs: Folder of ``version_<k>`` folders.
    """
    for version in sorted(run_versions(runs), reverse=True):
        folder = runs / f"version_{version}" / "checkpoints"
        for name in ("best", "last"):
            if (folder / f"{name}.ckpt").is_file():
                return str(folder / f"{name}.ckpt")
    return "best"


def _run_folder(checkpoint: Path) -> Path:
    folder = checkpoint.parent
    if not folder.name:  # a file of the working directory
        folder = checkpoint.absolute().parent
    return folder.parent if folder.name == "checkpoints" else folder
