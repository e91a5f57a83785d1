r"""Annotation files of PYSKL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tgst.data.readers.pyskl_annotations import read_pyskl
from tgst.data.skeleton_clip import SkeletonClip
from tgst.datasets.clip_facts import Empty
from tgst.datasets.skeleton_clips import SkeletonClips
from tgst.datasets.skeleton_graphs import PartitionLike
from tgst.utils.skeleton import Skeleton

LAYOUTS = {17: "coco-17-pyskl", 21: "hand-21-pyskl", 25: "ntu-25-pyskl"}


class PYSKL(SkeletonClips):
    r"""Clips in an annotation file of `"PYSKL: Towards Good Practices for Skeleton Action
    Recognition" <https://arxiv.org/abs/2205.09443>`_ (Duan et al., 2022), which mmaction2 reads as
    well: the form in which skeletons of many video data sets are published.

    The file is a pickle. It is read by an unpickler that admits arrays and plain containers and
    nothing else (:func:`tgst.data.read_pyskl`), and kept in memory as it is. See
    :class:`tgst.datasets.SkeletonClips` for what the dataset gives.

    Args:
        path (str or Path): The ``.pkl`` file.
        split (str, optional): A split of the file, such as :obj:`"xsub_train"`; :obj:`None` for all
            clips. :obj:`dataset.splits` names those that there are. (default: :obj:`None`)
        skeleton (str or Skeleton, optional): Layout; :obj:`None` takes PYSKL's one for the number
            of joints (17: COCO, 21: hands, 25: NTU RGB+D). (default: :obj:`None`)
        class_names (sequence of str, optional): Name of each class. (default: :obj:`None`)
        num_classes (int, optional): Number of classes; :obj:`None` takes the largest label of the
            **file** plus one, whatever the split. (default: :obj:`None`)
        partition, num_persons, empty, transform: See :class:`tgst.datasets.SkeletonClips`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file holds something else, there is no such split or no known layout.
    """

    def __init__(
        self,
        path: str | Path,
        split: str | None = None,
        skeleton: str | Skeleton | None = None,
        class_names: Sequence[str] | None = None,
        num_classes: int | None = None,
        partition: PartitionLike | None = None,
        num_persons: int | None = None,
        empty: Empty = "drop",
        transform: Callable | None = None,
    ) -> None:
        clips, splits = read_pyskl(path)
        self.splits = list(splits)
        if split is not None and split not in splits:
            raise ValueError(f"split: expected one of {self.splits} in {path}, got {split!r}")
        wanted = frozenset(clips.names if split is None else splits[split])
        if class_names is None and num_classes is None:
            labels = [label for label in clips.labels if label is not None]
            num_classes = 1 + max(labels, default=-1)
        super().__init__(
            clips,
            _layout(clips, path) if skeleton is None else skeleton,
            class_names=class_names,
            num_classes=num_classes,
            partition=partition,
            num_persons=num_persons,
            empty=empty,
            transform=transform,
            root=str(Path(path).parent),
            only=[row for row, name in enumerate(clips.names) if name in wanted],
        )


def _layout(clips: Sequence[SkeletonClip], path: str | Path) -> str:
    joints = clips[0].num_joints if clips else 0
    if clips and joints not in LAYOUTS:
        raise ValueError(
            f"skeleton: expected a layout for the {joints} joints in {path}; known are {LAYOUTS}"
        )
    return LAYOUTS.get(joints, LAYOUTS[17])
