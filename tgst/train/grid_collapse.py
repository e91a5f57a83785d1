r"""Whether the training of a grid model has collapsed, and what to change then."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from tgst.train.grid_metrics import FlowVariation

__all__ = ["CollapseWatch", "collapse_of", "remedies"]

LEAST_SHARE = 0.02  # of the deviation of the targets
LEAST_ROOT_SHARE = 0.1  # of that of their roots, which a few extreme flows do not decide
LEAST_WINDOWS = 16  # to tell a deviation over time
STEPS_PER_LOOK = 50  # training steps that are judged together
UNTRAINED_STEPS = 100  # before which a network need not have learnt anything
NO_CHANGE = 1e-3  # relative, of an error from one validation to the next
NOT_FINITE = "the forecasts are not finite"

Deviations = Mapping[str, tuple[float, float]]


def collapse_of(flows: Deviations, roots: Deviations) -> str | None:
    r"""Says whether forecasts are as good as constant.

    A network has collapsed if its forecasts are not finite, or if their standard deviation over
    time, or over the cells of a frame, is less than 2 % of that of the targets, and that of their
    square roots less than 10 %.

    Args:
        flows: What :class:`tgst.train.grid_metrics.FlowVariation` gave of them.
        roots: What it gave of their square roots.

    Returns:
        A part of a sentence, or None if there is nothing to complain about.
    """
    kinds = {"time": "from one window to the next", "cells": "from cell to cell"}
    for name, text in kinds.items():
        (forecast, target), (root, target_root) = flows[name], roots[name]
        if not math.isfinite(forecast):
            return NOT_FINITE
        if forecast < LEAST_SHARE * target and root < LEAST_ROOT_SHARE * target_root:
            return (
                f"the forecasts hardly vary {text} (standard deviation {forecast:.4g} against "
                f"{target:.4g} of the targets)"
            )
    return None


class _Variations(torch.nn.Module):
    """Deviations of flows and of their roots."""

    def __init__(self, size: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.flows, self.roots = FlowVariation(size), FlowVariation(size)

    def reset(self) -> None:
        self.flows.reset()
        self.roots.reset()

    def update(self, prediction: Tensor, target: Tensor) -> None:
        self.flows.update(prediction, target)
        self.roots.update(_root(prediction), _root(target))

    @property
    def windows(self) -> int:
        return int(self.flows.count)

    def verdict(self) -> str | None:
        if self.windows < LEAST_WINDOWS:
            return None
        return collapse_of(self.flows.compute(), self.roots.compute())


def _root(flows: Tensor) -> Tensor:
    flows = flows.detach()
    return flows.sign() * flows.abs().sqrt()


class CollapseWatch(torch.nn.Module):
    r"""Watches forecasts and targets for a collapse: in the validation part, and every 50 steps of
    the first epoch.

    Beside constant forecasts (:func:`collapse_of`) it finds a network that stays as bad: an RMSE
    that from one validation to the next does not change by a thousandth and, of flows and of their
    roots, is not below that of the best single number.

    Args:
        size: Steps, channels, height and width of a forecast.
    """

    def __init__(self, size: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.evaluated, self.trained = _Variations(size), _Variations(size)
        self.before: float | None = None
        self.told = False

    @property
    def windows(self) -> int:
        r"""Number of windows that were added since the last reset."""
        return self.evaluated.windows

    def reset(self) -> None:
        r"""Forgets the windows of the last validation."""
        self.evaluated.reset()

    def update(self, prediction: Tensor, target: Tensor) -> None:
        r"""Adds windows of the validation; arguments as of :class:`FlowVariation`."""
        self.evaluated.update(prediction, target)

    def verdict(self) -> str | None:
        r"""What is wrong with the forecasts that were added, if something is."""
        return self.evaluated.verdict()

    def after_validation(self, step: int) -> str | None:
        r"""What is wrong after a validation, if something is: after 100 steps of training, or at
        once if forecasts are not finite.

        Args:
            step: Steps of the optimizer so far.
        """
        kinds = self.evaluated.flows.compute(), self.evaluated.roots.compute()
        rmse, constant = kinds[0]["error"]
        before, self.before = self.before, rmse
        if not math.isfinite(rmse):
            return NOT_FINITE
        if step < UNTRAINED_STEPS or self.windows < LEAST_WINDOWS:
            return None
        problem = self.verdict()
        stays = before is not None and abs(rmse - before) < NO_CHANGE * before
        blind = all(kind["error"][0] > (1 - NO_CHANGE) * kind["error"][1] > 0 for kind in kinds)
        if problem is None and stays and blind:
            problem = (
                f"the RMSE stays at {rmse:.4g}, which the same number in every cell at any time "
                f"reaches as well ({constant:.4g})"
            )
        return problem

    def after_training_step(self, step: int, prediction: Tensor, target: Tensor) -> str | None:
        r"""What is wrong in the first epoch, if something is; said once.

        Args:
            step: Steps of the optimizer so far.
            prediction: Forecasts of the batch.
            target: Its targets.
        """
        if step < UNTRAINED_STEPS or self.told:
            return None
        self.trained.update(prediction, target)
        if (step + 1) % STEPS_PER_LOOK or self.trained.windows < LEAST_WINDOWS:
            return None
        problem = self.trained.verdict()
        self.trained.reset()
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
