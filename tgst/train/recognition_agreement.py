r"""Whether classifier, data and checkpoint belong together, told before anything is changed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch

from tgst.train.agreement import (
    model_differences,
    state_part,
)
from tgst.train.classification_agreement import check_classes
from tgst.utils.skeleton import Skeleton

__all__ = [
    "check_checkpoint_fits",
    "check_recognises",
    "described_skeleton",
    "skeleton_of",
]


def check_recognises(model: torch.nn.Module, data: Any) -> None:
    r"""Compares what a model says of itself with the data.

    Args:
        model: Its attributes ``in_channels``, ``num_classes``, ``num_partitions``, ``num_edges``
            and ``num_joints`` are compared if they are numbers.
        data: A :class:`tgst.train.SkeletonData` that was set up.

    Raises:
        ValueError: If one differs; names the argument and both values.
    """
    expected = {
        "in_channels": (data.num_channels, "channels"),
        "num_classes": (len(data.class_names), "classes"),
        "num_partitions": (data.num_partitions, "partitions"),
        "num_edges": (data.graph.num_edges, "edges"),
        "num_joints": (data.graph.num_nodes, "joints"),
    }
    for name, (given, what) in expected.items():
        found = getattr(model, name, None)
        if isinstance(found, int) and found != given:
            raise ValueError(
                f"{name}: the data give {given} {what}, the model has {found}; set "
                f"model.model.init_args.{name} to {given}"
            )


def described_skeleton(skeleton: Skeleton) -> dict[str, Any]:
    r"""A layout in plain containers, as checkpoints hold it.

    Args:
        skeleton: The layout.
    """
    return dataclasses.asdict(skeleton)


def skeleton_of(description: Mapping[str, Any]) -> Skeleton:
    r"""The layout that :func:`described_skeleton` described.

    Args:
        description: What it gave.
    """
    return Skeleton(**{name: _as_tuple(value) for name, value in description.items()})


def _as_tuple(value: Any) -> Any:
    return tuple(_as_tuple(item) for item in value) if isinstance(value, (list, tuple)) else value


def check_checkpoint_fits(task: Any, checkpoint: Mapping[str, Any], name: str) -> None:
    r"""Refuses a checkpoint that does not belong to a task.

    Args:
        task: A :class:`tgst.train.RecognitionTask`.
        checkpoint: What was saved.
        name: How messages call it.

    Raises:
        ValueError: If model, weight averaging, classes, layout or graph differ; names how.
    """
    if task.class_names:
        check_classes(checkpoint, task.class_names, name, "a recognition task")
        _check_graph(task, checkpoint, name)
    sentences = model_differences(task, checkpoint)
    if sentences:
        raise ValueError(f"{name} does not fit the model: {'; '.join(sentences)}")


def _check_graph(task: Any, checkpoint: Mapping[str, Any], name: str) -> None:
    saved, own = checkpoint.get("skeleton", {}).get("name"), task.skeleton["name"]
    difference = task.graph.difference(state_part(checkpoint["state_dict"], "graph."))
    if saved != own:
        difference = f"its skeleton is {saved!r}, that of the data {own!r}"
    if difference is not None:
        raise ValueError(f"{name} was trained on another graph: {difference}")
