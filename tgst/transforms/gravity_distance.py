"""Distances of the joints from the gravity centre of a body."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch_geometric.data import Data


def gravity_distance(clips: Iterable[Data | Tensor], num_coordinates: int | None = None) -> Tensor:
    r"""Returns the mean distance of each joint from the gravity centre over all frames of a
    training set, for the spatial partition in the form of `"Spatial Temporal Graph Convolutional
    Networks for Skeleton-Based Action Recognition" <https://arxiv.org/abs/1801.07455>`_:
    :obj:`SpatialPartition(distance=gravity_distance(clips))`.

    .. math::
        r_i = \frac{1}{T} \sum_{t=1}^{T} \Big\| x_{t,i} - \frac{1}{V} \sum_{j=1}^{V} x_{t,j}
        \Big\|

    where :math:`t` runs over the frames of all clips and persons. Joints that are not observed
    count neither for the centre nor for their own mean.

    Args:
        clips (iterable of torch_geometric.data.Data or torch.Tensor): The training clips, places of
            joints; one at a time is in memory. A :class:`~torch_geometric.data.Data` may have
            :obj:`mask`, and with :obj:`person` hold several persons one after the other
            (:func:`~tgst.utils.repeat_graph`).
        num_coordinates (int, optional): How many of the channels are coordinates, the first ones.
            (default: all)

    Shapes:
        - **x**: :math:`(V, *, T, C)`, any unit of length
        - **mask**: :math:`(V, *, T)`, bool
        - **output**: :math:`(V)`, float64, in that unit

    Raises:
        ValueError: If there is no clip, the numbers of joints differ, an observed place is not
            finite, or a joint is observed in no frame.
    """
    total = count = torch.zeros(0, dtype=torch.float64)
    for number, clip in enumerate(clips):
        x, seen = _joints_first(clip)
        if number == 0:
            total = count = torch.zeros(x.size(0), dtype=torch.float64, device=x.device)
        if x.size(0) != total.numel():
            raise ValueError(
                f"clips[{number}]: expected {total.numel()} joints as in the first, got {x.size(0)}"
            )
        x = torch.where(seen.unsqueeze(-1), x[..., :num_coordinates].double(), 0.0)
        if not x.isfinite().all():
            raise ValueError(f"clips[{number}]: expected finite places of observed joints")
        middle = x.sum(0) / seen.sum(0).clamp(min=1).unsqueeze(-1)
        away = torch.where(seen, (x - middle).norm(dim=-1), 0.0)
        total, count = total + away.sum(1), count + seen.sum(1)
    never = (count == 0).nonzero()
    if count.numel() == 0 or never.numel() > 0:
        which = f"joint {int(never[0])} never" if never.numel() > 0 else "no clips"
        raise ValueError(f"clips: expected every joint to be observed somewhere, got {which}")
    return total / count


def _joints_first(clip: Data | Tensor) -> tuple[Tensor, Tensor]:
    """Places [V, frames of all persons, C] and which of them are observed."""
    x = clip.x if isinstance(clip, Data) else clip
    if not isinstance(x, Tensor) or x.dim() < 3:
        came = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"clips: expected x of shape [V, *, T, C], got {came}")
    mask = clip.get("mask") if isinstance(clip, Data) else None
    seen = torch.ones(x.shape[:-1], dtype=torch.bool, device=x.device) if mask is None else mask
    if seen.shape != x.shape[:-1]:
        raise ValueError(f"mask: expected shape {list(x.shape[:-1])}, got {list(seen.shape)}")
    person = clip.get("person") if isinstance(clip, Data) else None
    if isinstance(person, Tensor) and person.numel() > 0:
        persons = int(person.max()) + 1
        x = x.unflatten(0, (persons, -1)).transpose(0, 1)
        seen = seen.unflatten(0, (persons, -1)).transpose(0, 1)
    return x.flatten(1, -2), seen.flatten(1)
