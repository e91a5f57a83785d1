r"""What is there in a batch of clips, and the mean over it."""

from __future__ import annotations

import torch
from torch import Tensor

from tgst.ops.adjacency import values_are_known


def checked_mask(mask: Tensor, x: Tensor) -> Tensor:
    r"""Returns :obj:`mask`, or raises unless it has a boolean for every entry of :obj:`x`."""
    if not isinstance(mask, Tensor) or mask.shape != x.shape[:-1] or mask.dtype != torch.bool:
        came = f"{list(mask.shape)} {mask.dtype}" if isinstance(mask, Tensor) else repr(mask)
        raise ValueError(
            f"mask: expected shape {list(x.shape[:-1])} (x without channels) and torch.bool, "
            f"got {came}"
        )
    return mask


def checked_nodes(name: str, value: Tensor | None, x: Tensor) -> None:
    r"""Raises unless :obj:`value` is :obj:`None` or holds one long number per node."""
    if value is None:
        return
    if value.shape != x.shape[:1] or value.dtype != torch.long:
        raise ValueError(
            f"{name}: expected a long tensor [{x.size(0)}] (one number per node), got "
            f"{value.dtype} {list(value.shape)}"
        )


def present_frames(mask: Tensor, batch: Tensor | None, person: Tensor | None) -> Tensor:
    r"""Says for each frame whether any joint of the same body is observed.

    A body is the nodes with equal :obj:`batch` and :obj:`person`, in any order; without both, all
    nodes.

    Shapes:
        - **mask**: :math:`(N, *, T)`
        - **output**: :math:`(N, *, T)`, or :math:`(1, *, T)` where all nodes are one body
    """
    bodies = [ids for ids in (batch, person) if ids is not None]
    if not bodies:
        return mask.any(dim=0, keepdim=True)
    if torch.onnx.is_in_onnx_export():
        # A product: sorting has no counterpart there, and sums into shared rows are racy.
        same = torch.stack([ids.unsqueeze(1) == ids for ids in bodies]).all(dim=0)
        return (same.float() @ mask.float().flatten(1)).view(mask.shape) > 0
    body = _numbered(bodies)
    # There are at most as many bodies as nodes: a size that is known without looking at values.
    counts = torch.zeros(mask.shape, device=mask.device).index_add(0, body, mask.float())
    return counts.index_select(0, body) > 0


def _numbered(bodies: list[Tensor]) -> Tensor:
    # The rank of each node's ids among all. Not torch.unique, whose size depends on values.
    order = torch.arange(bodies[0].numel(), device=bodies[0].device)
    for ids in bodies:
        order = order[ids[order].argsort(stable=True)]
    changes = torch.stack([ids[order].diff() != 0 for ids in bodies]).any(dim=0)
    rank = torch.nn.functional.pad(changes.cumsum(0), (1, 0))[: order.numel()]
    return torch.empty_like(rank).index_copy(0, order, rank)


def unless_all(present: Tensor) -> Tensor | None:
    r"""Returns :obj:`None` where it is known that all is there: blocks are cheaper without."""
    # An accelerator would have to wait for the answer, and compiled code may not ask.
    known = values_are_known() and present.device.type == "cpu"
    return None if known and bool(present.all()) else present


def mean_over_clip(
    x: Tensor,
    weight: Tensor | None,
    batch: Tensor | None,
    num_clips: int,
    person_dim: int | None,
) -> Tensor:
    r"""Returns the mean of the features over the nodes, frames and persons of each clip.

    Shapes:
        - **x**: :math:`(N, *, T, C)`
        - **weight**: :math:`(N, *, T)`, boolean; what does not count is left out
        - **output**: :math:`(G, *, C)` with a :obj:`batch` vector, else :math:`(*, C)`
    """
    if weight is None:
        weight = x.new_ones((), dtype=torch.bool).expand(x.shape[:-1])
    weight = weight.to(x.dtype).unsqueeze(-2)
    # An accelerator adds node by node: in half precision, a sum of many would stop to grow.
    wide = torch.promote_types(x.dtype, torch.float32)
    total, count = (weight @ x).squeeze(-2).to(wide), weight.sum(-1, dtype=wide)
    if person_dim is not None:
        total, count = total.sum(person_dim, True), count.sum(person_dim, True)
        total, count = total.squeeze(person_dim), count.squeeze(person_dim)
    if batch is None:
        total, count = total.sum(0), count.sum(0)
    else:
        total = _sum_by_clip(total, batch, num_clips)
        count = _sum_by_clip(count, batch, num_clips)
    return (total / count.clamp(min=1)).to(x.dtype)


def _sum_by_clip(x: Tensor, batch: Tensor, num_clips: int) -> Tensor:
    if torch.onnx.is_in_onnx_export():  # a sum into shared rows is racy there
        own = batch == torch.arange(num_clips, device=batch.device).unsqueeze(1)
        return (own.to(x.dtype) @ x.flatten(1)).view(num_clips, *x.shape[1:])
    return x.new_zeros(num_clips, *x.shape[1:]).index_add(0, batch, x)
