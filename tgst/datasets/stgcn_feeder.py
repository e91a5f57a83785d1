r"""The files that the feeder of ST-GCN takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tgst.data.readers.stgcn_feeder import read_stgcn_feeder
from tgst.datasets.clip_facts import Empty
from tgst.datasets.skeleton_clips import SkeletonClips
from tgst.datasets.skeleton_graphs import PartitionLike
from tgst.utils.skeleton import Skeleton


class STGCNFeeder(SkeletonClips):
    r"""Clips as the code of `"Spatial Temporal Graph Convolutional Networks for Skeleton-Based
    Action Recognition" <https://arxiv.org/abs/1801.07455>`_ (Yan et al., 2018) stores them: an
    array of clips, channels, frames, joints and persons, padded with zeros, and a list of labels
    (:func:`tgst.data.read_stgcn_feeder`).

    The array stays on the disk. It is read through once when the dataset is made, to find the clips
    in which nothing was seen; not so with :obj:`empty="keep"`. See
    :class:`tgst.datasets.SkeletonClips` for what the dataset gives.

    Args:
        data_path (str or Path): The ``.npy`` file.
        label_path (str or Path, optional): The labels; clips without are to be predicted.
            (default: :obj:`None`)
        skeleton (str or Skeleton): Layout: :obj:`"openpose-18"` of Kinetics, :obj:`"ntu-25"`.
        class_names (sequence of str, optional): Name of each class. (default: :obj:`None`)
        num_classes (int, optional): Number of classes. (default: :obj:`None`)
        partition, num_persons, empty, transform: See :class:`tgst.datasets.SkeletonClips`.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file holds something else, or they do not fit each other or the layout.
    """

    def __init__(
        self,
        data_path: str | Path,
        label_path: str | Path | None = None,
        *,
        skeleton: str | Skeleton,
        class_names: Sequence[str] | None = None,
        num_classes: int | None = None,
        partition: PartitionLike | None = None,
        num_persons: int | None = None,
        empty: Empty = "drop",
        transform: Callable | None = None,
    ) -> None:
        super().__init__(
            read_stgcn_feeder(data_path, label_path),
            skeleton,
            class_names=class_names,
            num_classes=num_classes,
            partition=partition,
            num_persons=num_persons,
            empty=empty,
            transform=transform,
            root=str(Path(data_path).parent),
        )
