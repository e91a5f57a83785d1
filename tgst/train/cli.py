r"""The command ``tgst``: what can be said without loading PyTorch and Lightning."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Sequence

from tgst.train.config_files import task_of, with_config_paths

__all__ = ["main"]

COMMANDS = {
    "fit": "train a model and keep the best checkpoint",
    "validate": "score a checkpoint on the validation part",
    "test": "score a checkpoint on the test part",
    "predict": "write what a checkpoint predicts to a CSV or Parquet file",
}
# imported when it is needed: they load Lightning
COMMAND_LINES = {
    "forecast": ("forecast_cli", "ForecastCLI"),
    "recognition": ("recognition_cli", "RecognitionCLI"),
    "grid": ("grid_cli", "GridCLI"),
    "image": ("image_cli", "ImageCLI"),
}
EPILOG = """\
examples:
  tgst demo
  tgst fit --config losloop --root DIR
  tgst fit --config losloop --root DIR --ckpt_path last        (resume a stopped run)
  tgst test --config losloop --root DIR                        (of the newest run: --ckpt_path best)
  tgst predict --config losloop --root DIR --output forecasts.parquet
  tgst fit --config skeleton_demo                              (recognition of actions)
  tgst test --config skeleton_demo --ckpt_path last
  tgst predict --config skeleton_utkinect --input DIR --output labels.csv
  tgst fit --config grid_taxinyc --root DIR                    (flows on the cells of a grid)
  tgst fit --config cluttered_mnist_stn --root DIR             (images)

`--config` takes a shipped configuration by name or a YAML file; `tgst fit --help` lists the
settings of forecasting, `tgst fit --task TASK --help` those of recognition, grid or image. Runs are
kept in runs/<config name>/version_<k>. With TGST_DEBUG=1 in the environment an error comes with its
traceback.
"""
REQUIRED = ("lightning", "torchmetrics", "jsonargparse", "tensorboard")


def main(arguments: Sequence[str] | None = None) -> int:
    r"""Runs the command line.

    Args:
        arguments: What follows ``tgst``; by default that of the process.

    Returns:
        The exit status: 0, or 2 after an error of the user, which is told in one line.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(arguments)
    except Exception as error:
        if os.environ.get("TGST_DEBUG") or not _is_mistake(error):
            raise
        print(f"tgst: error: {_one_line(error)}", file=sys.stderr)
        return 2


def _run(arguments: list[str]) -> int:
    if arguments and arguments[0] in COMMANDS:
        _require(REQUIRED, "train")
        _command_line(arguments)
        return 0
    options = _parser().parse_args(arguments)  # ends the program on --help and on mistakes
    _require((*REQUIRED, "matplotlib"), "train,plot")
    from tgst.train.demo import run_demo

    run_demo(options)
    return 0


def _command_line(arguments: list[str]) -> None:
    """Runs the command line of the task that the arguments and configurations name."""
    module, name = COMMAND_LINES[task_of(with_config_paths(arguments))]
    getattr(importlib.import_module(f"tgst.train.{module}"), name)(arguments)


def _parser() -> argparse.ArgumentParser:
    from tgst import __version__

    parser = argparse.ArgumentParser(
        prog="tgst",
        description="Train, test and use models that forecast readings on graphs and grids, or "
        "recognise the actions of skeletons and what images show.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tgst {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    demo = commands.add_parser(
        "demo",
        help="all of it on simulated traffic, in minutes and without a download",
        description="Trains, tests and predicts with a shipped configuration, draws two plots and "
        "prints the scores beside simple baselines.",
    )
    demo.add_argument(
        "--dataset",
        default="simulated",
        choices=("simulated", "losloop"),
        help="default: simulated",
    )
    demo.add_argument("--root", metavar="DIR", help="folder of the data set's files (losloop)")
    demo.add_argument("--out", metavar="DIR", default="runs", help="folder of the results (runs)")
    demo.add_argument("--epochs", type=int, metavar="N", help="default: as configured")
    demo.add_argument("--seed", type=int, default=0, metavar="S", help="random seed (0)")
    for name, text in COMMANDS.items():
        commands.add_parser(name, help=text, add_help=False)
    return parser


def _require(modules: Sequence[str], extra: str) -> None:
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ValueError(f'{", ".join(missing)} not installed: pip install "tgst[{extra}]"')


def _is_mistake(error: Exception) -> bool:
    """Whether checks, a package that lacks or the file system raised it; a fault of ours keeps its
    traceback.
    """
    # Lightning's own exception for settings; not imported, as the help needs no Lightning
    lightnings = type(error).__name__ == "MisconfigurationException"
    return lightnings or type(error) is ImportError or isinstance(error, (ValueError, OSError))


def _one_line(error: Exception) -> str:
    text = str(error)
    if text.startswith("Does not validate against any of the Union subtypes"):
        # jsonargparse on an argument that may be None: what its class said is one of the reasons
        reasons = re.findall(r"^ *- (?!Expected a )(.+(?:\n {3,}.+)*)", text, re.MULTILINE)
        text = "; ".join(reasons) or text
    return " ".join(text.split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
