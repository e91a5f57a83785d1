r"""The names that the options of a task may have, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim import lr_scheduler

from tgst.metrics import masked_huber, masked_mae, masked_mse

if TYPE_CHECKING:
    from lightning.pytorch.utilities.types import OptimizerLRScheduler

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "SCHEDULERS",
    "check_name",
    "check_options",
    "make_optimizer",
    "make_scheduler",
]

LOSSES: dict[str, Callable[..., Tensor]] = {
    "mae": masked_mae,
    "mse": masked_mse,
    "huber": masked_huber,
}
OPTIMIZERS: dict[str, Any] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
# no scheduler that waits for a metric: its last step is lost when a run is resumed
SCHEDULERS: dict[str, Any] = {
    "step": lr_scheduler.StepLR,
    "multistep": lr_scheduler.MultiStepLR,
    "exponential": lr_scheduler.ExponentialLR,
    "cosine": lr_scheduler.CosineAnnealingLR,
}


def check_options(model: torch.nn.Module, options: Mapping[str, Any]) -> None:
    r"""Checks the arguments of a task that can be told without data.

    Args:
        model: The model.
        options: The other arguments.

    Raises:
        ValueError: If one is not possible; names it.
    """
    check_name("loss", options["loss"], LOSSES)
    check_name("optimizer", options["optimizer"], OPTIMIZERS)
    check_name("fill", options["fill"], ("mean", "last"))
    if options["scheduler"] is not None:
        check_name("scheduler", options["scheduler"], SCHEDULERS)
    average = options["average"]
    if average is not None and not 0 < average < 1:
        raise ValueError(f"average must be between 0 and 1, got {average}")
    if options["report_steps"] is not None and not options["report_steps"]:
        raise ValueError("report_steps must hold at least one step or be None, got []")
    if options["rollout_steps"] is not None and not hasattr(model, "rollout"):
        raise ValueError(f"rollout_steps needs a model with rollout, got {type(model).__name__}")


def check_name(name: str, value: str, known: Collection[str]) -> None:
    r"""Checks that a name is one of those that there are.

    Args:
        name: The argument.
        value: What was given.
        known: The names that there are.

    Raises:
        ValueError: If it is not; lists them.
    """
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")


def make_optimizer(
    model: torch.nn.Module, options: Mapping[str, Any], epochs: int | None
) -> OptimizerLRScheduler:
    r"""Makes the optimizer of a model and, if one is set, its scheduler.

    Args:
        model: The model.
        options: The arguments of the task.
        epochs: Number of epochs of the fit.

    Raises:
        ValueError: As :func:`make_scheduler`.
    """
    optimizer = OPTIMIZERS[options["optimizer"]](
        model.parameters(), lr=options["learning_rate"], weight_decay=options["weight_decay"]
    )
    name, arguments = options["scheduler"], options["scheduler_args"] or {}
    if name is None:
        return optimizer
    return [optimizer], [make_scheduler(name, optimizer, arguments, epochs)]


def make_scheduler(
    name: str, optimizer: torch.optim.Optimizer, arguments: Mapping[str, Any], epochs: int | None
) -> lr_scheduler.LRScheduler:
    r"""Makes a scheduler that steps once per epoch.

    Args:
        name: Of :obj:`SCHEDULERS`.
        optimizer: Whose learning rate it sets.
        arguments: Of the scheduler.
        epochs: Number of epochs, for the ``T_max`` of ``"cosine"`` if it is not given.

    Raises:
        ValueError: If the scheduler does not take the arguments, or the number of epochs is
            needed and there is none.
    """
    given = dict(arguments)
    if name == "cosine" and "T_max" not in given:
        if epochs is None or epochs < 0:
            raise ValueError(
                "model.scheduler_args must give T_max to the scheduler 'cosine' of a fit without "
                f"a number of epochs, got trainer.max_epochs {epochs}"
            )
        given["T_max"] = epochs
    try:
        scheduler: lr_scheduler.LRScheduler = SCHEDULERS[name](optimizer, **given)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"model.scheduler_args do not fit the scheduler {name!r} ({error}), got "
            f"{dict(arguments)}"
        ) from error
    return scheduler
