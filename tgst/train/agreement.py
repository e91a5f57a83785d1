r"""Whether model, data and checkpoint belong together, told before anything is changed."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from tgst.train.checkpoint import model_difference

__all__ = [
    "check_fits_data",
    "check_resumable",
    "class_name",
    "constructor_arguments",
    "model_differences",
    "setting_differences",
    "state_part",
]

# change how a model is trained or computed, not what its weights mean
_FREE = ("p", "dropout", "inplace", "backend", "steps_per_call", "device", "dtype")
_OF_THE_GRAPH = ("num_nodes", "num_edges")  # compared with the graph itself
# the optimizer's and scheduler's state in a checkpoint would silently win over these
_OF_THE_OPTIMIZER = ("optimizer", "learning_rate", "weight_decay", "scheduler", "scheduler_args")


def check_fits_data(
    model: torch.nn.Module,
    data: Any,
    rollout_steps: int | None,
    future_covariates: bool = False,
) -> None:
    r"""Compares what a model says of itself with the data.

    Args:
        model: Its attributes ``history``, ``horizon``, ``in_channels``, ``out_channels``,
            ``residual``, ``skip`` and ``num_nodes`` (this one of its parts as well) are compared
            if it has them.
        data: A :class:`tgst.train.ForecastData` that was set up.
        rollout_steps: Steps of the recursive forecast; None if there is none.
        future_covariates: Whether the covariates of the horizon join the input channels.

    Raises:
        ValueError: If they do not agree; names the argument and both values.
    """
    _check_steps(model, "history", data.history)
    _check_steps(model, "horizon", data.horizon if rollout_steps is None else 1)
    if rollout_steps not in (None, data.horizon):
        raise ValueError(
            f"rollout_steps must be the data's horizon {data.horizon}, got {rollout_steps}"
        )
    _check_nodes(model, data.series.num_nodes)
    _check_channels(model, data, future_covariates)
    _check_targets_come_first(model, data, rollout_steps)


def _check_steps(model: torch.nn.Module, name: str, expected: int) -> None:
    steps = getattr(model, name, expected)
    if steps != expected:
        raise ValueError(f"{name}: the data give {expected} steps, the model has {steps}")


def _check_nodes(model: torch.nn.Module, expected: int) -> None:
    for module in model.modules():
        nodes = getattr(module, "num_nodes", None)
        if isinstance(nodes, int) and nodes != expected:
            raise ValueError(
                f"num_nodes: the data give {expected} nodes, the model has {nodes}; set "
                f"model.model.init_args.num_nodes to {expected}"
            )


def _check_channels(model: torch.nn.Module, data: Any, future_covariates: bool) -> None:
    moments = 1 + data.horizon if future_covariates else 1
    series = list(data.series.channels)
    covariates = {name: moments * number for name, number in data.covariate_channels.items()}
    found = getattr(model, "in_channels", None)
    expected = len(series) + sum(covariates.values())
    if isinstance(found, int) and found != expected:
        of_each = " and ".join(f"{number} of data.{name}" for name, number in covariates.items())
        raise ValueError(
            f"in_channels: the data give {expected} channels ({', '.join(series)}; {of_each}), "
            f"the model has {found}"
        )
    found, expected = getattr(model, "out_channels", None), len(data.target_index)
    if isinstance(found, int) and found != expected:
        raise ValueError(
            f"out_channels: data.target_channels gives {expected} channels to predict "
            f"({', '.join(data.target_names)}), the model has {found}"
        )


def _check_targets_come_first(model: torch.nn.Module, data: Any, rollout_steps: int | None) -> None:
    series = list(data.series.channels)
    if rollout_steps is not None and data.target_names != series:
        raise ValueError(
            "data.target_channels: rollout_steps feeds predictions back as input, so all channels "
            f"{series} must be predicted in this order, got {data.target_names}; leave it unset"
        )
    first = series[: len(data.target_names)]
    for option, does in (("residual", "corrects"), ("skip", "looks again at")):
        if getattr(model, option, False) is True and data.target_names != first:
            raise ValueError(
                f"data.target_channels: a model with {option} {does} the first channels of its "
                f"input, {first}, got {data.target_names}; predict those, or set "
                f"model.model.init_args.{option} to false"
            )


def constructor_arguments(model: torch.nn.Module) -> dict[str, Any]:
    r"""The arguments that a model and its parts were made with, as far as they are kept as
    attributes of the same name and are plain values.

    Args:
        model: The model.

    Returns:
        Value by dotted name, such as ``blocks.0.first.gate``.
    """
    found = {}
    for part, module in model.named_modules():
        for name in inspect.signature(type(module).__init__).parameters:
            value = vars(module).get(name, module)
            if name not in (*_FREE, *_OF_THE_GRAPH) and _is_plain(value):
                found[f"{part}.{name}" if part else name] = value
    return found


def _is_plain(value: Any) -> bool:
    if type(value) in (list, tuple):
        return all(_is_plain(item) for item in value)
    return value is None or type(value) in (bool, int, float, str)


def setting_differences(
    saved: Mapping[str, Any], own: Mapping[str, Any], limit: int = 3
) -> list[str]:
    r"""Says which of the settings that both sides have differ.

    Args:
        saved: The checkpoint's.
        own: Those here.
        limit: At most this many.
    """
    sentences = [
        f"{name} is {saved[name]!r} in the checkpoint and {value!r} here"
        for name, value in own.items()
        if name in saved and _as_list(saved[name]) != _as_list(value)
    ]
    return sentences[:limit]


def _as_list(value: Any) -> Any:
    return [_as_list(item) for item in value] if isinstance(value, (list, tuple)) else value


def model_differences(task: Any, checkpoint: Mapping[str, Any]) -> list[str]:
    r"""Says how the model of a checkpoint differs from that of a task.

    Args:
        task: A task with ``model`` and ``averaged``.
        checkpoint: What was saved.

    Returns:
        Sentences; none if the checkpoint fits.
    """
    state, own_class = checkpoint["state_dict"], class_name(task.model)
    saved_class = checkpoint.get("model_class", own_class)
    if saved_class != own_class:
        return [f"its model is {saved_class}, not {own_class}"]
    if state_part(state, "averaged.") and task.averaged is None:
        return ["it has averaged weights, but average is None here"]
    if task.averaged is not None and not state_part(state, "averaged."):
        return ["it has no averaged weights, but average is set here"]
    own = task.model.state_dict()
    return model_difference(own, state_part(state, "model.")) or setting_differences(
        checkpoint.get("model_arguments", {}), constructor_arguments(task.model)
    )


def class_name(model: torch.nn.Module) -> str:
    r"""Where the class of a model comes from, as checkpoints hold it.

    Args:
        model: The model.
    """
    return f"{type(model).__module__}.{type(model).__qualname__}"


def state_part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    r"""The entries of a ``state_dict`` that belong to one module, without its name.

    Args:
        state: The ``state_dict``.
        prefix: The name of the module and a dot.
    """
    return {n.removeprefix(prefix): value for n, value in state.items() if n.startswith(prefix)}


def check_resumable(
    name: str,
    checkpoint: Mapping[str, Any],
    settings: Mapping[str, Any],
    max_epochs: int | None,
    trained_on: str | None = None,
    rows_from: str = "data.split",
) -> None:
    r"""Refuses to resume a fit with settings that the checkpoint would override, or with training
    rows that it may have been validated on.

    Args:
        name: How messages call the checkpoint.
        checkpoint: What was saved.
        settings: The arguments of the task here.
        max_epochs: Epochs of the trainer here.
        trained_on: First and last moment of the training rows here.
        rows_from: The settings that decide about them.

    Raises:
        ValueError: If the optimizer, its schedule or the training rows differ; names the setting.
    """
    rows = checkpoint.get("trained_on")
    if None not in (rows, trained_on) and rows != trained_on:
        raise ValueError(
            f"{name} is of a fit to the readings from {rows}, but {rows_from} and the data set "
            f"give {trained_on} here; keep them or start a new fit"
        )
    saved = checkpoint.get("hyper_parameters", {})
    own = {f"model.{n}": _as_setting(settings[n]) for n in _OF_THE_OPTIMIZER}
    theirs = {f"model.{n}": _as_setting(saved[n]) for n in _OF_THE_OPTIMIZER if n in saved}
    differences = setting_differences(theirs, own)
    if differences:
        raise ValueError(
            f"{name} cannot be resumed with another optimizer: {'; '.join(differences)}; keep the "
            "setting or start a new fit"
        )
    for scheduler in checkpoint.get("lr_schedulers", ()):
        planned = scheduler.get("T_max")
        given = "T_max" in (settings["scheduler_args"] or {})
        if planned is not None and not given and planned != max_epochs:
            raise ValueError(
                f"{name} is of a fit planned for {planned} epochs, which set its cosine schedule: "
                f"trainer.max_epochs must be {planned} to resume it, got {max_epochs}; for another "
                "number start a new fit"
            )


def _as_setting(value: Any) -> Any:
    return None if value == {} else value  # no arguments, said in two ways
