r"""Whether grid model, data and checkpoint belong together, told before anything is changed."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from tgst.train.agreement import model_differences, setting_differences, state_part
from tgst.train.checkpoint import AtomicCheckpointIO
from tgst.train.options import LOSSES, OPTIMIZERS, SCHEDULERS, check_name

__all__ = [
    "check_fits_grid",
    "check_grid_checkpoint",
    "check_grid_options",
    "check_output",
    "load_weights",
    "warn_if_seen",
]

PLANES = ("position", "time_of_day")  # two channels each


def check_grid_options(options: Mapping[str, Any]) -> None:
    r"""Checks the arguments of a task that can be told without data.

    Args:
        options: The arguments.

    Raises:
        ValueError: If one is not possible; names it.
    """
    check_name("loss", options["loss"], LOSSES)
    check_name("loss_unit", options["loss_unit"], ("scaled", "counts"))
    check_name("optimizer", options["optimizer"], OPTIMIZERS)
    check_name("on_collapse", options["on_collapse"], ("error", "warn", "ignore"))
    if options["scheduler"] is not None:
        check_name("scheduler", options["scheduler"], SCHEDULERS)
    planes = options["planes"] or []
    for plane in planes:
        check_name("planes", plane, PLANES)
    if len(set(planes)) < len(planes):
        raise ValueError(f"planes must be given once each, got {planes}")
    average = options["average"]
    if average is not None and not 0 < average < 1:
        raise ValueError(f"average must be between 0 and 1, got {average}")
    for name in ("huber_threshold", "rmse_factor"):
        if options[name] is not None and not options[name] > 0:
            raise ValueError(f"{name} must be above 0, got {options[name]}")
    if options["report_steps"] is not None and not options["report_steps"]:
        raise ValueError("report_steps must hold at least one step or be None, got []")


def check_fits_grid(task: Any, data: Any) -> None:
    r"""Compares what a model says of itself with the data.

    Args:
        task: A :class:`tgst.train.GridTask`.
        data: A :class:`tgst.train.GridData` that was set up.

    Raises:
        ValueError: If they do not agree; names the argument and both values.
    """
    if not all(1 <= step <= data.horizon for step in task.report_steps or ()):
        raise ValueError(f"report_steps must be of 1 to {data.horizon}, got {task.report_steps}")
    model, (channels, height, width) = task.model, data.frames.shape[1:]
    per_frame = channels * (2 if data.changes else 1) + 2 * len(task.planes)
    external = len(data.external_names)
    expected = {"height": height, "width": width, "horizon": data.horizon}
    if task.by_branch:
        expected |= {"channels": channels, "in_channels": per_frame, "external_channels": external}
    else:
        expected["out_channels"] = data.horizon * channels
        expected["in_channels"] = (
            per_frame * sum(data.num_frames.values()) + data.horizon * external
        )
    given_frames = data.num_frames
    if task.hparams["join"]:
        given_frames = {"closeness": sum(given_frames.values()), "period": 0, "trend": 0}
    frames = getattr(model, "frames", {})
    for name, given in (expected | (given_frames if frames else {})).items():
        found = frames.get(name, getattr(model, name, None))
        if isinstance(found, int) and found != given:
            raise ValueError(
                f"{name}: the data give {given}, the model has {found}; set "
                f"model.model.init_args.{name} to {given}"
            )


def check_output(output: Tensor, target: Tensor) -> None:
    r"""Refuses what a loss would broadcast, or only torch would complain about.

    Args:
        output: What a model gave.
        target: The flows it forecasts, :math:`(B, \text{horizon}, C, H, W)`.

    Raises:
        ValueError: If the output is not :math:`(B, \text{horizon} \cdot C, H, W)`.
    """
    expected = [*target.flatten(1, 2).shape]
    if [*output.shape] != expected:
        raise ValueError(
            f"model: expected an output [B, horizon * channels, height, width] of {expected}, got "
            f"{[*output.shape]}"
        )


def check_grid_checkpoint(task: Any, checkpoint: Mapping[str, Any], name: str) -> None:
    r"""Refuses a checkpoint that does not belong to a task.

    Args:
        task: A :class:`tgst.train.GridTask`.
        checkpoint: What was saved.
        name: How messages call it.

    Raises:
        ValueError: If grid, windows, model or weight averaging differ; names how.
    """
    saved = checkpoint.get("grid")
    if not saved:
        raise ValueError(f"{name} describes no grid: it is not of a grid task")
    differences = setting_differences(saved, task.grid)
    if differences:
        raise ValueError(f"{name} was trained on another grid: {'; '.join(differences)}")
    sentences = model_differences(task, checkpoint) or setting_differences(
        {"planes": checkpoint.get("hyper_parameters", {}).get("planes") or []},
        {"planes": task.planes},
    )
    if sentences:
        raise ValueError(f"{name} does not fit the model: {'; '.join(sentences)}")


def warn_if_seen(checkpoint: Mapping[str, Any], name: str, data: Any, part: str) -> None:
    r"""Warns where a part is about to be scored that the weights were trained on, such as the
    validation part by a second stage.

    Args:
        checkpoint: What was saved.
        name: How messages call it.
        data: A :class:`tgst.train.GridData` that was set up.
        part: ``"val"`` or ``"test"``.
    """
    targets, trained_on = data.parts[part].target, checkpoint.get("trained_on")
    if trained_on is None or not len(targets):
        return
    last, first = trained_on.split(" to ")[1], data.series.timestamps[targets[0, 0]]
    if np.datetime64(last) >= first:
        warnings.warn(
            f"{name} was trained on frames until {last}, but the {part} part begins at {first} "
            "here: its score is of flows that the model has seen",
            stacklevel=2,
        )


def load_weights(task: Any, path: str) -> None:
    r"""Takes weights and scalers of a checkpoint, and nothing of its optimizer.

    Args:
        task: A :class:`tgst.train.GridTask` that knows its data.
        path: The checkpoint.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it does not belong to the task.
    """
    checkpoint = AtomicCheckpointIO().load_checkpoint(path)
    check_grid_checkpoint(task, checkpoint, f"model.start_from {path}")
    for name in ("model", "averaged", "scaling"):
        module = getattr(task, name)
        if module is not None:
            module.load_state_dict(state_part(checkpoint["state_dict"], f"{name}."))
