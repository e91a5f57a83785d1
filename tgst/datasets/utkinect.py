r"""UTKinect-Action3D: everyday actions in front of a depth camera."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from tgst.data.readers.utkinect import read_utkinect
from tgst.data.subject_split import split_subjects
from tgst.datasets.clip_facts import Empty
from tgst.datasets.skeleton_clips import SkeletonClips
from tgst.datasets.skeleton_graphs import PartitionLike

FILE = "UTKinect_Skeletons.mat"
SUBJECTS = range(1, 11)
TRAIN_SUBJECTS = (1, 3, 5, 7, 9)
CLASS_NAMES = (
    "walk",
    "sit down",
    "stand up",
    "pick up",
    "carry",
    "throw",
    "push",
    "pull",
    "wave hands",
    "clap hands",
)


class UTKinect(SkeletonClips):
    r"""UTKinect-Action3D of `"View Invariant Human Action Recognition Using Histograms of 3D
    Joints" <https://doi.org/10.1109/CVPRW.2012.6239233>`_ (Xia et al., 2012): 199 clips of 10
    actions by 10 subjects, each twice, 20 joints of the first Kinect in metres.

    The protocol is cross-subject: subjects 1, 3, 5, 7 and 9 train, the others test. To choose
    anything, hold training subjects out:

    .. code-block:: python

        train = UTKinect(root, split="train", validation_subjects=(7, 9))
        val = UTKinect(root, split="val", validation_subjects=(7, 9))

    See :class:`tgst.datasets.SkeletonClips` for what the dataset gives; its graphs hold the
    :obj:`subject` as well.

    Args:
        root (str or Path): The folder of ``UTKinect_Skeletons.mat`` (a MATLAB cell of 10 actions,
            10 subjects and 2 repetitions), or the file itself. No publisher's address is known: it
            has to be there.
        split (str, optional): :obj:`"train"`, :obj:`"val"`, :obj:`"test"` or :obj:`None` for
            everyone. (default: :obj:`"train"`)
        validation_subjects (sequence of int, optional): Training subjects that make up
            :obj:`split="val"` and are missing from :obj:`split="train"`. (default: :obj:`()`)
        subjects (sequence of int, optional): The clips of these subjects, whatever
            :obj:`split` says. (default: :obj:`None`)
        partition, num_persons, empty, transform: See :class:`tgst.datasets.SkeletonClips`.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file is damaged, or the split and the subjects do not fit.
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
        path = Path(root).expanduser()
        path = path if path.is_file() else path / FILE
        if not path.is_file():
            raise FileNotFoundError(f"`root` must hold {FILE}, got no such file in {path.parent}")
        super().__init__(
            [clip for clip in read_utkinect(path) if clip.info["subject"] in wanted],
            "kinect-20",
            class_names=CLASS_NAMES,
            partition=partition,
            num_persons=num_persons,
            empty=empty,
            info=("subject",),
            transform=transform,
            root=str(root),
        )
