r"""MSR-Action3D: gestures and sports in front of a depth camera."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from tgst.data.readers.msr_action3d import read_msr_action3d
from tgst.data.subject_split import split_subjects
from tgst.datasets.clip_facts import Empty
from tgst.datasets.skeleton_clips import SkeletonClips
from tgst.datasets.skeleton_graphs import PartitionLike

ARCHIVE = "msr_action3d_real3d.zip"
SUBJECTS = range(1, 11)
TRAIN_SUBJECTS = (1, 3, 5, 7, 9)
CLASS_NAMES = (
    "high arm wave",
    "horizontal arm wave",
    "hammer",
    "hand catch",
    "forward punch",
    "high throw",
    "draw x",
    "draw tick",
    "draw circle",
    "hand clap",
    "two hand wave",
    "side boxing",
    "bend",
    "forward kick",
    "side kick",
    "jogging",
    "tennis swing",
    "tennis serve",
    "golf swing",
    "pick up and throw",
)


class MSRAction3D(SkeletonClips):
    r"""MSR-Action3D of `"Action Recognition Based on A Bag of 3D Points"
    <https://doi.org/10.1109/CVPRW.2010.5543273>`_ (Li et al., 2010): 567 clips of 20 actions by 10
    subjects, each two or three times, 20 joints in metres.

    The protocol is the cross-subject one on all 20 classes: subjects 1, 3, 5, 7 and 9 train, the
    others test. To choose anything, hold training subjects out:

    .. code-block:: python

        train = MSRAction3D(root, split="train", validation_subjects=(7, 9))
        val = MSRAction3D(root, split="val", validation_subjects=(7, 9))

    The clip ``a13_s09_e02`` holds nothing but zeros; it is dropped unless :obj:`empty` says
    otherwise, and :obj:`dataset.dropped` names it. See :class:`tgst.datasets.SkeletonClips` for
    what the dataset gives; its graphs hold the :obj:`subject` as well.

    Args:
        root (str or Path): The folder of ``msr_action3d_real3d.zip`` or of the text files in it,
            or the archive itself. No publisher's address is known: they have to be there.
        split (str, optional): :obj:`"train"`, :obj:`"val"`, :obj:`"test"` or :obj:`None` for
            everyone. (default: :obj:`"train"`)
        validation_subjects (sequence of int, optional): Training subjects that make up
            :obj:`split="val"` and are missing from :obj:`split="train"`. (default: :obj:`()`)
        subjects (sequence of int, optional): The clips of these subjects, whatever
            :obj:`split` says. (default: :obj:`None`)
        partition, num_persons, empty, transform: See :class:`tgst.datasets.SkeletonClips`.

    Raises:
        FileNotFoundError: If there are no such files.
        ValueError: If a file is damaged (the message names it and the line), or the split and the
            subjects do not fit.
    """

    def __init__(
        self,
        root: str | Path,
        split: Literal["train", "val", "test"] | None = "train",
        validation_subjects: Sequence[int] = (),
        subjects: Sequence[int] | None = None,
        partition: PartitionLike | None = None,
        num_persons: int | None = None,
        empty: Empty = "drop",
        transform: Callable | None = None,
    ) -> None:
        wanted = split_subjects(split, TRAIN_SUBJECTS, SUBJECTS, validation_subjects, subjects)
        clips = [clip for clip in read_msr_action3d(_path(root)) if clip.info["subject"] in wanted]
        super().__init__(
            clips,
            "msr-20",
            class_names=CLASS_NAMES,
            partition=partition,
            num_persons=num_persons,
            empty=empty,
            info=("subject",),
            transform=transform,
            root=str(root),
        )


def _path(root: str | Path) -> Path:
    r"""The archive, or the folder of the files."""
    path = Path(root).expanduser()
    if (path / ARCHIVE).is_file():
        return path / ARCHIVE
    if path.is_file() or any(path.rglob("a*_s*_e*.txt")):
        return path
    raise FileNotFoundError(
        f"`root` must hold {ARCHIVE} or its text files aAA_sSS_eEE*.txt, got none in {path}"
    )
