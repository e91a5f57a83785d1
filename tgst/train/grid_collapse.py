r"""Whether the training of a grid model has collapsed, and what to change then."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from tgst.train.grid_metrics import FlowVariation

__all__ = ["CollapseWatch", "collapse_of", "remedies"]

LEAST_SHARE = 0.02  # of the deviation of the targets
LEAST_WINDOWS = 16  # to tell a deviation over time
STEPS_PER_LOOK = 50  # training steps that are judged together
UNTRAINED_STEPS = 100  # before which a network need not have learnt anything
NO_CHANGE = 1e-3  # relative, of an error from one validation to the next


def collapse_of(variation: Mapping[str, tuple[float, float]]) -> str | None:
    r"""Says whether forecasts are as good as constant.

    A network has collapsed if its forecasts are not finite, or if their standard deviation over
    time, or over the cells of a frame, is less than 2 % of that of the targets.

    Args:
        variation: What :class:`tgst.train.grid_metrics.FlowVariation` gave.

    Returns:
        A part of a sentence, or None if there is nothing to complain about.
    """
    kinds = {"time": "from one window to the next", "cells": "from cell to cell"}
    for name, text in kinds.items():
        forecast, target = variation[name]
        if not math.isfinite(forecast):
            return "the forecasts are not finite"
        if forecast < LEAST_SHARE * target:
            return (
                f"the forecasts hardly vary {text} (standard deviation {forecast:.4g} against "
                f"{target:.4g} of the targets)"
            )
    return None


class CollapseWatch(torch.nn.Module):
    r"""Watches forecasts and targets for a collapse: in the validation part, and every 50 steps of
    the first epoch.

    Beside constant forecasts (:func:`collapse_of`) it finds a network that stays as bad: an RMSE
    that two validations long does not change by a thousandth and is not below that of the best
    single number.

    Args:
        size: Steps, channels, height and width of a forecast.
    """

    def __init__(self, size: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.variation = FlowVariation(size)
        self.training_variation = FlowVariation(size)
        self.before: float | None = None
        self.told = False

    def reset(self) -> None:
        r"""Forgets the windows of the last validation."""
        self.variation.reset()

    def update(self, prediction: Tensor, target: Tensor) -> None:
        r"""Adds windows of the validation; arguments as of :class:`FlowVariation`."""
        self.variation.update(prediction, target)

    def verdict(self) -> str | None:
        r"""What is wrong with the forecasts that were added, if something is."""
        if int(self.variation.count) < LEAST_WINDOWS:
            return None
        return collapse_of(self.variation.compute())

    def after_validation(self, step: int, rmse: float) -> str | None:
        r"""What is wrong after a validation, if something is.

        Args:
            step: Steps of the optimizer so far.
            rmse: The error of all windows.
        """
        before, self.before = self.before, rmse
        if step < UNTRAINED_STEPS or int(self.variation.count) < LEAST_WINDOWS:
            return None
        constant = self.variation.compute()["all"][1]
        stuck = before is not None and abs(rmse - before) < NO_CHANGE * before
        if stuck and rmse > (1 - NO_CHANGE) * constant > 0:
            return (
                f"the RMSE stays at {rmse:.4g}, which the same number in every cell at any time "
                f"reaches as well ({constant:.4g})"
            )
        return self.verdict()

    def after_training_step(self, step: int, prediction: Tensor, target: Tensor) -> str | None:
        r"""What is wrong in the first epoch, if something is; said once.

        Args:
            step: Steps of the optimizer so far.
            prediction: Forecasts of the batch.
            target: Its targets.
        """
        if step < UNTRAINED_STEPS or self.told:
            return None
        self.training_variation.update(prediction, target)
        if (step + 1) % STEPS_PER_LOOK or int(self.training_variation.count) < LEAST_WINDOWS:
            return None
        variation = self.training_variation.compute()
        self.training_variation.reset()
        problem = collapse_of(variation)
        self.told = problem is not None
        return problem


def remedies(settings: Mapping[str, object], output_activation: object) -> str:
    r"""What to change after a collapse, as far as it is not set so already.

    Args:
        settings: ``scaling`` and ``reference`` of the data.
        output_activation: That of the model.
    """
    found = []
    scaling = settings.get("scaling")
    if isinstance(scaling, Mapping) and scaling.get("method", "min_max") == "min_max":
        found.append(
            "scale heavy-tailed flows by data.scaling {method: standard, per: cell, power: 0.5} "
            "instead of min_max"
        )
    if output_activation is not None:
        found.append(
            "set model.model.init_args.output_activation to null, for the bounds of "
            f"{output_activation!r} let no gradient through"
        )
    if settings.get("reference", "none") == "none":
        found.append("forecast the change by data.reference week")
    found.append("lower model.learning_rate")
    return f"{'; '.join(found)}; model.on_collapse warn goes on all the same"
