r"""Whether a checkpoint of a classifier fits the classes and the settings of a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tgst.train.agreement import setting_differences
from tgst.train.recognition_optimizer import OPTIMIZER_SETTINGS

__all__ = ["check_classes", "check_fit_resumable"]


def check_classes(checkpoint: Mapping[str, Any], own: Sequence[str], name: str, kind: str) -> None:
    r"""Refuses a checkpoint of other classes.

    Args:
        checkpoint: What was saved.
        own: The classes here.
        name: How messages call the checkpoint.
        kind: What it has to be of, for messages.

    Raises:
        ValueError: If the checkpoint has no classes or others.
    """
    saved = checkpoint.get("class_names")
    if saved is None:
        raise ValueError(f"{name} names no classes: it is not of {kind}")
    if list(saved) != list(own):
        raise ValueError(
            f"{name} was trained on other classes: {_listed(saved)} there, {_listed(own)} here"
        )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"{len(names)} ({shown})"


def check_fit_resumable(
    task: Any, checkpoint: Mapping[str, Any], name: str, max_epochs: int | None
) -> None:
    r"""Refuses to resume a fit with settings that the checkpoint would override, or with other
    training data.

    Args:
        task: A :class:`tgst.train.ClassificationTask` that knows its data.
        checkpoint: What was saved.
        name: How messages call it.
        max_epochs: Epochs of the resumed fit.

    Raises:
        ValueError: If the optimizer, its schedule or what is trained on differ; names the setting.
    """
    theirs, ours = checkpoint.get("trained_on"), task.trained_on
    if None not in (theirs, ours) and theirs != ours:
        raise ValueError(
            f"{name} is of a fit to {theirs}, but the data set and the part held out for "
            f"validation give {ours} here; keep them or start a new fit"
        )
    saved = checkpoint.get("hyper_parameters", {})
    differences = setting_differences(_settings(saved), _settings(task.hparams))
    if differences:
        raise ValueError(
            f"{name} cannot be resumed with another optimizer: {'; '.join(differences)}; keep the "
            "setting or start a new fit"
        )
    given = "T_max" in (task.hparams["scheduler_args"] or {})
    for planned in _planned_epochs(checkpoint, task.hparams["warmup_epochs"]):
        if not given and planned != max_epochs:
            raise ValueError(
                f"{name} is of a fit planned for {planned} epochs, which set its cosine schedule: "
                f"trainer.max_epochs must be {planned} to resume it, got {max_epochs}; for another "
                "number start a new fit"
            )


def _settings(options: Mapping[str, Any]) -> dict[str, Any]:
    given = {f"model.{name}": options[name] for name in OPTIMIZER_SETTINGS if name in options}
    # no arguments, said in two ways
    return {name: None if value == {} else value for name, value in given.items()}


def _planned_epochs(checkpoint: Mapping[str, Any], warmup: int) -> list[int]:
    """The number of epochs that a cosine schedule was made for, alone or after a warm-up."""
    found = []
    for schedule in checkpoint.get("lr_schedulers", ()):
        for part in (schedule, *schedule.get("_schedulers", ())):
            if part.get("T_max") is not None:
                found.append(part["T_max"] + warmup)
    return found
