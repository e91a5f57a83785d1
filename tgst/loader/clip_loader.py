r"""Loads clips of one skeleton as batches of a static graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import Data

from tgst.loader.clip_views import ClipViews
from tgst.loader.epoch_shuffle import EpochShuffle
from tgst.loader.pad_time import extended
from tgst.loader.resumable_loader import ResumableLoader


class ClipBatch(NamedTuple):
    r"""A batch of clips of one graph; with several views of each clip, those of a clip follow one
    another.

    Args:
        x (torch.Tensor): The joints; with :math:`M` persons :math:`N = M V` nodes, person-major.
        mask (torch.Tensor): :obj:`True` where a joint was observed, :obj:`False` on padding.
        y (torch.Tensor): The class of each clip, -1 if unknown.
        clip (torch.Tensor): The number of each clip in the loader's data.

    Shapes:
        - **x:** :math:`(N, B \cdot \text{views}, T, C)`
        - **mask:** :math:`(N, B \cdot \text{views}, T)` boolean
        - **y, clip:** :math:`(B)` long
    """

    x: Tensor
    mask: Tensor
    y: Tensor
    clip: Tensor


class ClipLoader(ResumableLoader):
    r"""Batches of clips :math:`[N, B, T, C]` that all have the same graph, which they leave out.

    A batch is stacked along a dimension of its own instead of becoming a
    :class:`torch_geometric.data.Batch`: the graph is not repeated for each clip, so that its edges
    are sorted once and for all. Shorter clips are padded with unobserved zeros to the longest of
    their batch.

    The order of an epoch and the views in it follow from :obj:`seed` and the number of the epoch
    alone. :meth:`state_dict` holds epoch and position, so that a resumed run sees what an
    uninterrupted run sees.

    Args:
        dataset (ClipViews): The clips.
        batch_size (int, optional): Clips in a batch. (default: :obj:`32`)
        shuffle (bool, optional): Random order. (default: :obj:`False`)
        seed (int, optional): Seed of the order. (default: :obj:`0`)
        **kwargs (optional): Further arguments of :class:`torch.utils.data.DataLoader`, such as
            :obj:`num_workers` or :obj:`drop_last`.

    Raises:
        ValueError: If the clips of a batch have different numbers of nodes or channels, or
            :obj:`persistent_workers` is set: workers learn the epoch when they start.
    """

    def __init__(
        self,
        dataset: ClipViews,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        # kept under their own names: trainers build a loader again from these attributes, with a
        # distributed sampler
        self.shuffle, self.seed = shuffle, seed
        kwargs.pop("collate_fn", None)
        if kwargs.get("persistent_workers"):
            raise ValueError(
                "persistent_workers: expected False, for workers that stay would repeat the random "
                "views of the first epoch, got True"
            )
        if kwargs.get("batch_sampler") is not None:
            batch_size = 1  # what DataLoader demands beside a batch sampler
        elif shuffle and kwargs.get("sampler") is None:
            kwargs["sampler"] = EpochShuffle(dataset, seed)
        if kwargs.get("generator") is None:  # DataLoader seeds its workers from it
            kwargs["generator"] = torch.Generator().manual_seed(seed)
        super().__init__(dataset, batch_size, collate_fn=stack_clips, **kwargs)

    def start_epoch(self, epoch: int) -> None:
        r"""Tells the views which epoch it is, before workers get their copy of them."""
        self.dataset.epoch = epoch  # type: ignore[attr-defined]


def stack_clips(views: Sequence[Sequence[Data]]) -> ClipBatch:
    r"""Stacks views of clips along a new dimension behind the nodes.

    Args:
        views (sequence of sequence of torch_geometric.data.Data): For each clip its views, each
            with :obj:`x` :math:`(N, T, C)`, :obj:`clip`, and perhaps :obj:`mask` :math:`(N, T)`
            and :obj:`y`.

    Raises:
        ValueError: If they have different numbers of nodes or channels.
    """
    clips = [view for each in views for view in each]
    x = [clip["x"] for clip in clips]
    mask = [_mask(clip) for clip in clips]
    nodes, _, channels = x[0].shape
    for value in x:
        if (value.size(0), value.size(2)) != (nodes, channels):
            raise ValueError(
                f"clips of a batch must have the same nodes and channels, got x of shapes "
                f"{tuple(x[0].shape)} and {tuple(value.shape)}"
            )
    length = max(value.size(1) for value in x)
    if any(value.size(1) != length for value in x):
        x = [extended(value, length - value.size(1), 0.0, dim=1) for value in x]
        mask = [extended(value, length - value.size(1), 0.0, dim=1) for value in mask]
    first = [each[0] for each in views]
    y = [int(clip["y"]) if clip.get("y") is not None else -1 for clip in first]
    number = [int(clip["clip"]) for clip in first]
    return ClipBatch(torch.stack(x, 1), torch.stack(mask, 1), torch.tensor(y), torch.tensor(number))


def _mask(clip: Data) -> Tensor:
    x = clip["x"]
    mask = clip.get("mask")
    return x.new_ones(x.shape[:-1], dtype=torch.bool) if mask is None else mask
