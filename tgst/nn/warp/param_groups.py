r"""Smaller steps for localisation nets."""

from __future__ import annotations

from typing import Any

import torch


def param_groups(
    model: torch.nn.Module, learning_rate: float, localization_scale: float = 0.1
) -> list[dict[str, Any]]:
    r"""Groups for an optimizer in which the localisation nets of a model learn more slowly.

    A small change of a warp changes all pixels. The paper takes a tenth of the base learning rate
    on house numbers and a ten-thousandth on birds.

    Args:
        model (torch.nn.Module): A model with a :class:`~tgst.nn.SpatialTransformer` or
            :class:`ParallelTransformers` anywhere in it.
        learning_rate (float): Of all other parameters.
        localization_scale (float, optional): Factor on it for localisation nets.
            (default: :obj:`0.1`)

    Returns:
        list: One or two dictionaries with :obj:`"params"` and :obj:`"lr"`, without parameters
        that need no gradient. A parameter that a localisation net shares is in its group.
    """
    from tgst.nn.warp.parallel_transformers import ParallelTransformers
    from tgst.nn.warp.spatial_transformer import SpatialTransformer

    kinds = (SpatialTransformer, ParallelTransformers)
    found = [m.localization for m in model.modules() if isinstance(m, kinds)]
    local = {id(p) for net in found for p in net.parameters()}
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if id(p) not in local], "lr": learning_rate},
        {
            "params": [p for p in trained if id(p) in local],
            "lr": learning_rate * localization_scale,
        },
    ]
    return [group for group in groups if group["params"]]
