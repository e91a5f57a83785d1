r"""Loads batches of images that lie in one tensor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import Dataset

from tgst.loader.epoch_shuffle import EpochShuffle
from tgst.loader.resumable_loader import ResumableLoader


class ImageBatch(NamedTuple):
    r"""A batch of images.

    Args:
        x (torch.Tensor): The images.
        y (torch.Tensor): The class of each, -1 if unknown.
        image (torch.Tensor): The number of each image in the loader's data.

    Shapes:
        - **x:** :math:`(B, C, H, W)`, or :math:`(B, C, D, H, W)`
        - **y, image:** :math:`(B)` long
    """

    x: Tensor
    y: Tensor
    image: Tensor


class ImageLoader(ResumableLoader):
    r"""Batches of images of one size, each gathered by one index select: no Python per image.

    The order of an epoch follows from :obj:`seed` and the number of the epoch alone.
    :meth:`state_dict` holds epoch and position, so that a resumed run sees what an uninterrupted
    run sees.

    Args:
        images (torch.Tensor): All images.
        labels (torch.Tensor, optional): Their classes. (default: :obj:`None`, unknown)
        batch_size (int, optional): Images in a batch. (default: :obj:`64`)
        shuffle (bool, optional): Random order. (default: :obj:`False`)
        seed (int, optional): Seed of the order. (default: :obj:`0`)
        **kwargs (optional): Further arguments of :class:`torch.utils.data.DataLoader`, such as
            :obj:`drop_last`.

    Shapes:
        - **images:** :math:`(N, C, H, W)`, or :math:`(N, C, D, H, W)` for volumes
        - **labels:** :math:`(N)` long

    Raises:
        ValueError: If there is not one class for each image, or the images have other dimensions.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor | None = None,
        batch_size: int = 64,
        shuffle: bool = False,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        # kept under their own names: trainers build a loader again from these attributes, with a
        # distributed sampler
        self.images, self.labels = images, labels
        self.shuffle, self.seed = shuffle, seed
        for name in ("dataset", "collate_fn"):
            kwargs.pop(name, None)
        dataset = _Images(images, labels)
        if kwargs.get("batch_sampler") is not None:
            batch_size = 1  # what DataLoader demands beside a batch sampler
        elif shuffle and kwargs.get("sampler") is None:
            kwargs["sampler"] = EpochShuffle(dataset, seed)
        if kwargs.get("generator") is None:  # DataLoader seeds its workers from it
            kwargs["generator"] = torch.Generator().manual_seed(seed)
        super().__init__(dataset, batch_size, collate_fn=_as_is, **kwargs)


class _Images(Dataset[ImageBatch]):
    def __init__(self, images: Tensor, labels: Tensor | None) -> None:
        if images.dim() not in (4, 5):
            raise ValueError(
                f"images: expected shape [N, C, H, W] or [N, C, D, H, W], got {list(images.shape)}"
            )
        if labels is None:
            labels = torch.full((len(images),), -1)
        if labels.shape != images.shape[:1] or labels.dtype != torch.long:
            raise ValueError(
                f"labels: expected torch.int64 of shape [{len(images)}], got {labels.dtype} of "
                f"shape {list(labels.shape)}"
            )
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> ImageBatch:
        return self.__getitems__([index])

    def __getitems__(self, indices: Sequence[int]) -> ImageBatch:
        index = torch.as_tensor(indices)
        return ImageBatch(self.images[index], self.labels[index], index)


def _as_is(batch: Any) -> Any:
    r"""The dataset already gives whole batches."""
    return batch
