r"""Optimizers and schedules of classification tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch.optim import lr_scheduler

from tgst.train.options import SCHEDULERS, check_name, make_scheduler

__all__ = ["OPTIMIZER_SETTINGS", "check_recognition_options", "optimizer_and_schedule"]

OPTIMIZERS: dict[str, Any] = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
}
# the state of optimizer and schedule in a checkpoint would silently win over these
OPTIMIZER_SETTINGS = (
    "optimizer",
    "learning_rate",
    "momentum",
    "nesterov",
    "weight_decay",
    "weight_decay_on",
    "localization_scale",
    "scheduler",
    "scheduler_args",
    "warmup_epochs",
)


def check_recognition_options(options: Mapping[str, Any]) -> None:
    r"""Checks the arguments of a task that can be told without data.

    Args:
        options: The arguments.

    Raises:
        ValueError: If one is not possible; names it.
    """
    check_name("optimizer", options["optimizer"], OPTIMIZERS)
    check_name("weight_decay_on", options["weight_decay_on"], ("all", "weights"))
    if options["scheduler"] is not None:
        check_name("scheduler", options["scheduler"], SCHEDULERS)
    average = options["average"]
    if average is not None and not 0 < average < 1:
        raise ValueError(f"average must be between 0 and 1, got {average}")
    if not 0 <= options["label_smoothing"] < 1:
        raise ValueError(f"label_smoothing must be in [0, 1), got {options['label_smoothing']}")
    for name, least in (("warmup_epochs", 0), ("mixup", 0), ("top_k", 1)):
        if options[name] < least:
            raise ValueError(f"{name} must be at least {least}, got {options[name]}")


def optimizer_and_schedule(
    model: torch.nn.Module, options: Mapping[str, Any], epochs: int | None
) -> OptimizerLRScheduler:
    r"""The optimizer of a model and its schedule.

    Args:
        model: The model.
        options: The arguments of the task.
        epochs: Number of epochs of the fit.

    Raises:
        ValueError: If optimizer or scheduler do not take the arguments, or the warm-up leaves no
            epoch.
    """
    kwargs = {"lr": options["learning_rate"]}
    if options["optimizer"] == "sgd":
        kwargs |= {"momentum": options["momentum"], "nesterov": options["nesterov"]}
    rate, scale = options["learning_rate"], options.get("localization_scale", 1.0)
    decay, on = options["weight_decay"], options["weight_decay_on"]
    groups = parameter_groups(model, decay, on, rates_of(model, rate, scale))
    optimizer = OPTIMIZERS[options["optimizer"]](groups, **kwargs)
    warmup = options["warmup_epochs"]
    if options["scheduler"] is None and not warmup:
        return optimizer
    return [optimizer], [_schedule(optimizer, options, epochs, warmup)]


def parameter_groups(
    model: torch.nn.Module,
    decay: float,
    on: str = "all",
    rates: Mapping[torch.nn.Parameter, float] | None = None,
) -> list[dict[str, Any]]:
    r"""The parameters with the decay and the step size that each takes.

    Args:
        model: The model.
        decay: Weight decay.
        on: ``"all"`` or ``"weights"``: those with two or more dimensions that are no biases.
        rates: Step sizes of parameters that do not have the optimizer's.
    """
    groups: dict[tuple[bool, float | None], list[torch.nn.Parameter]] = {}
    for name, value in model.named_parameters():
        if value.requires_grad:
            weighs = value.dim() > 1 and name.rpartition(".")[2] != "bias"
            key = on == "all" or weighs, (rates or {}).get(value)
            groups.setdefault(key, []).append(value)
    # decayed ones first, those with a rate of their own last: whatever the order of the layers
    order = sorted(groups, key=lambda key: (key[1] is not None, key[1] or 0.0, not key[0]))
    return [
        {"params": groups[key], "weight_decay": decay if key[0] else 0.0}
        | ({} if key[1] is None else {"lr": key[1]})
        for key in order
    ]


def rates_of(
    model: torch.nn.Module, learning_rate: float, localization_scale: float
) -> dict[torch.nn.Parameter, float]:
    r"""The step sizes of the localisation networks of a model's spatial transformers.

    Args:
        model: The model.
        learning_rate: Step size of the others.
        localization_scale: What it is multiplied by; with 1 no parameter has a rate of its own.
    """
    if localization_scale == 1:
        return {}
    from tgst.nn.warp import param_groups

    groups = param_groups(model, learning_rate, localization_scale)
    return {
        value: group["lr"]
        for group in groups
        for value in group["params"]
        if group["lr"] != learning_rate
    }


def _schedule(
    optimizer: torch.optim.Optimizer, options: Mapping[str, Any], epochs: int | None, warmup: int
) -> lr_scheduler.LRScheduler:
    left = None if epochs is None or epochs < 0 else epochs - warmup
    if warmup and left is not None and left < 1:
        raise ValueError(
            f"model.warmup_epochs must leave at least one of the {epochs} epochs of "
            f"trainer.max_epochs, got {warmup}"
        )
    # made first: it notes the full step size, which the warm-up changes at once
    arguments = options["scheduler_args"] or {}
    main = (
        lr_scheduler.LambdaLR(optimizer, _one)
        if options["scheduler"] is None
        else make_scheduler(options["scheduler"], optimizer, arguments, left)
    )
    if not warmup:
        return main
    rise = lr_scheduler.LinearLR(optimizer, 1 / (warmup + 1), 1.0, total_iters=warmup)
    return lr_scheduler.SequentialLR(optimizer, [rise, main], milestones=[warmup])


def _one(epoch: int) -> float:
    return 1.0
