r"""Building a network from released tensors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch_geometric.data import Data

from tgst.nn.models.convert.alignment import aligned_edges
from tgst.nn.models.convert.converted_checkpoint import ConvertedCheckpoint
from tgst.nn.models.convert.published import (
    Published,
    check_tensors,
    inferred_sizes,
    published_tensors,
    to_own,
)
from tgst.nn.models.skeleton_stgcn import SkeletonSTGCN
from tgst.utils.skeleton import Skeleton


def build_network(
    published: Published,
    family: str,
    strides: Sequence[int] | None = None,
    graph: Data | Skeleton | str | None = None,
    dtype: torch.dtype = torch.float32,
    **options,
) -> ConvertedCheckpoint:
    r"""Builds the network that the tensors belong to and fills it.

    Args:
        published (Published): The tensors under the released names.
        family (str): Where they come from.
        strides (sequence, optional): Strides of the blocks. (default: :obj:`None`)
        graph (Data or Skeleton or str, optional): The graph that the checkpoint must belong to.
            (default: :obj:`None`)
        dtype (torch.dtype, optional): Precision of the model. (default: :obj:`torch.float32`)
        **options (optional): Further arguments of :class:`~tgst.nn.models.SkeletonSTGCN`.

    Returns:
        ConvertedCheckpoint: Model and graph.

    Raises:
        ValueError: If tensors or graph do not fit.
    """
    adjacency = checked_adjacency(published.adjacency).to(dtype)
    edges = aligned_edges(adjacency, graph)
    sizes = inferred_sizes(published, None if strides is None else tuple(strides))
    importances = _importances(published, sizes, adjacency)
    if importances is not None:
        sizes["num_edges"] = edges.label.numel()
    model = SkeletonSTGCN(**{**sizes, "readout": "mean", **options}).to(dtype)
    check_tensors(published_tensors(model), published)
    own = dict(to_own(name, value, sizes["num_partitions"]) for name, value in _items(published))
    for i, importance in enumerate(importances or []):
        own[f"blocks.{i}.importance.weight"] = edges.on_edges(importance.to(dtype))
    # A counter that an old file lacks stays at zero; everything else was checked above.
    model.load_state_dict({**model.state_dict(), **own})
    return ConvertedCheckpoint(
        model=model.eval(),
        edge_index=edges.index,
        edge_type=edges.label,
        edge_weight=edges.weight,
        e_id=edges.e_id,
        num_partitions=sizes["num_partitions"],
        num_joints=sizes["num_joints"],
        family=family,
    )


def checked_adjacency(adjacency: Tensor) -> Tensor:
    r"""Checks that a tensor is one square matrix per partition.

    Args:
        adjacency (Tensor): The checkpoint's :obj:`A`.

    Raises:
        ValueError: If it is not, or has entries that are not finite.
    """
    fits = adjacency.dim() == 3 and adjacency.size(1) == adjacency.size(2)
    if not fits or not adjacency.isfinite().all():
        raise ValueError(
            "state_dict: expected A with one finite joints x joints matrix per partition, got "
            f"shape {list(adjacency.shape)}"
        )
    return adjacency


def _items(published: Published):
    return published.tensors.items()


def _importances(published: Published, sizes: dict, adjacency: Tensor) -> list[Tensor] | None:
    importances = published.importances
    if importances is None:
        return None
    if len(importances) != len(sizes["channels"]):
        raise ValueError(
            f"state_dict: expected an edge importance for each of {len(sizes['channels'])} "
            f"blocks, got {len(importances)}"
        )
    for importance in importances:
        if importance.shape != adjacency.shape:
            raise ValueError(
                f"state_dict: expected an edge importance of A's shape {list(adjacency.shape)}, "
                f"got {list(importance.shape)}"
            )
    return importances
