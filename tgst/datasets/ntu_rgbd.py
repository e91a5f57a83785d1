r"""NTU RGB+D: daily, medical and mutual actions of one or two persons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

from tgst.data.build_clip_store import OnError, build_clip_store
from tgst.data.clip_store import HEADER, ClipStore
from tgst.data.readers.ntu_names import (
    NUM_ACTIONS_60,
    NUM_SETUPS_60,
    XSUB120_TRAIN,
    XSUB_TRAIN,
    NTUName,
    NTUProtocol,
    ntu_split,
    read_missing_names,
)
from tgst.data.readers.ntu_skeleton import Selection, read_ntu_skeleton
from tgst.datasets.clip_facts import Empty
from tgst.datasets.ntu_class_names import CLASS_NAMES
from tgst.datasets.skeleton_clips import SkeletonClips
from tgst.datasets.skeleton_graphs import PartitionLike
from tgst.utils.skeleton import Skeleton, as_skeleton

# Protocols by their names in the literature and the number of classes.
PROTOCOLS: dict[tuple[str, int], NTUProtocol] = {
    ("xsub", 60): "xsub",
    ("xview", 60): "xview",
    ("xsub", 120): "xsub120",
    ("xset", 120): "xset",
}
SPLITS = ("train", "val", "test", None)


class NTURGBD(SkeletonClips):
    r"""`"NTU RGB+D" <https://arxiv.org/abs/1604.02808>`_ (Shahroudy et al., 2016; 60 classes) and
    `"NTU RGB+D 120" <https://arxiv.org/abs/1905.04757>`_ (Liu et al., 2019): up to 114,480 clips of
    one or two persons, 25 joints of the second Kinect in metres.

    The ``.skeleton`` files are read once into a :class:`tgst.data.ClipStore` below
    :obj:`processed`, which all protocols and splits share; positions are mapped from there. A call
    that was interrupted goes on when it is made again. The store keeps what reading depends on in
    its name, so that another selection of bodies makes another one. When it is complete, the
    ``.skeleton`` files are not needed any more. The data are distributed by their authors, upon
    registration.

    The published protocols leave 56,578 of the clips (40,091 train by subject, 37,646 by view) and
    113,945 of all 120 classes (63,026 by subject, 54,468 by setup) if the list of missing samples
    is given. See :class:`tgst.datasets.SkeletonClips` for what the dataset gives; its graphs hold
    :obj:`setup`, :obj:`camera`, :obj:`subject`, :obj:`replication` and :obj:`action` as well,
    counted from 1 as in the names of the files.

    Args:
        root (str or Path): Folder with the ``.skeleton`` files, at any depth.
        protocol (str, optional): :obj:`"xsub"` (subjects), :obj:`"xview"` (cameras, 60 classes) or
            :obj:`"xset"` (setups, 120 classes). (default: :obj:`"xsub"`)
        split (str, optional): :obj:`"train"`, :obj:`"val"`, :obj:`"test"` or :obj:`None` for all.
            (default: :obj:`"train"`)
        classes (int, optional): :obj:`60` or :obj:`120`; :obj:`None` takes those of the protocol,
            60 for :obj:`"xsub"`. (default: :obj:`None`)
        missing (str or Path, optional): The publishers' list of samples whose skeletons are
            missing or incomplete (:func:`tgst.data.read_missing_names`); they are left out.
            (default: :obj:`None`)
        validation_subjects (sequence of int, optional): Subjects whose training clips make up
            :obj:`split="val"` and are missing from :obj:`split="train"`. (default: :obj:`()`)
        bodies, num_bodies, denoise, join: Who the persons are, see
            :func:`tgst.data.read_ntu_skeleton`.
        skeleton (str or Skeleton, optional): :obj:`"ntu-25"`, or :obj:`"ntu-25-pyskl"`, whose hands
            have other edges. (default: :obj:`"ntu-25"`)
        processed (str or Path, optional): Folder of the stores; :obj:`None` takes ``processed`` in
            :obj:`root`. (default: :obj:`None`)
        half (bool, optional): Store positions in half precision: two millimetres off at most,
            up to eight metres away.
            (default: :obj:`False`)
        on_error (str, optional): :obj:`"raise"` on a damaged file, or :obj:`"skip"` it;
            :obj:`dataset.failed` names those that were skipped and says why.
            (default: :obj:`"raise"`)
        num_workers (int, optional): Processes that read the files. (default: :obj:`0`)
        progress (bool, optional): Show a progress bar. (default: :obj:`True`)
        partition, num_persons, empty, transform: See :class:`tgst.datasets.SkeletonClips`.

    Raises:
        FileNotFoundError: If there is neither a ``.skeleton`` file nor a store.
        ValueError: If a file is damaged (the message names it and the line) or has another name,
            or the arguments do not fit.
    """

    def __init__(
        self,
        root: str | Path,
        protocol: Literal["xsub", "xview", "xset"] = "xsub",
        split: Literal["train", "val", "test"] | None = "train",
        classes: Literal[60, 120] | None = None,
        missing: str | Path | None = None,
        validation_subjects: Sequence[int] = (),
        bodies: Selection = "energy",
        num_bodies: int = 2,
        denoise: bool = False,
        join: bool = False,
        skeleton: str | Skeleton = "ntu-25",
        processed: str | Path | None = None,
        half: bool = False,
        on_error: OnError = "raise",
        num_workers: int = 0,
        progress: bool = True,
        partition: PartitionLike | None = None,
        num_persons: int | None = None,
        empty: Empty = "drop",
        transform: Callable | None = None,
    ) -> None:
        rules = _protocol(protocol, classes)
        number = 60 if rules in ("xsub", "xview") else 120
        _check_validation(rules, split, validation_subjects)
        left_out = frozenset() if missing is None else read_missing_names(missing)
        sources = _sources(Path(root).expanduser(), number, left_out)
        reading: dict[str, Any] = {
            "bodies": bodies,
            "num_bodies": num_bodies,
            "denoise": denoise,
            "join": join,
        }
        folder = Path(root, "processed") if processed is None else Path(processed)
        folder = folder.expanduser() / _store_name(reading, half)
        if not sources and not (folder / HEADER).is_file():
            raise FileNotFoundError(
                f"`root` must hold .skeleton files of NTU RGB+D, got none in {root} and no store "
                f"in {folder}"
            )
        store = build_clip_store(
            folder,
            sources,
            partial(read_ntu_skeleton, **reading),
            reading,
            as_skeleton("ntu-25"),
            len(CLASS_NAMES),
            on_error,
            half,
            num_workers=num_workers,
            progress=progress,
        )
        held_out = frozenset(validation_subjects)
        super().__init__(
            store,
            skeleton,
            class_names=CLASS_NAMES[:number],
            partition=partition,
            num_persons=num_persons,
            empty=empty,
            transform=transform,
            root=str(root),
            only=_selected(store, rules, number, split, held_out, left_out),
        )
        self.failed = store.failed


def _protocol(protocol: str, classes: int | None) -> NTUProtocol:
    wanted = (120 if protocol == "xset" else 60) if classes is None else classes
    if (protocol, wanted) not in PROTOCOLS:
        raise ValueError(
            f"protocol, classes: expected one of {list(PROTOCOLS)}, got {(protocol, wanted)}"
        )
    return PROTOCOLS[protocol, wanted]


def _check_validation(rules: str, split: str | None, subjects: Sequence[int]) -> None:
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {SPLITS}, got {split!r}")
    if split == "val" and not subjects:
        raise ValueError(
            "validation_subjects: expected training subjects for split='val', got none"
        )
    train = {"xsub": XSUB_TRAIN, "xsub120": XSUB120_TRAIN}.get(rules)
    strangers = sorted(set(subjects) - train) if train is not None else []
    if strangers:
        raise ValueError(f"validation_subjects: expected training subjects, got {strangers}")


def _is_of(sample: NTUName, number: int) -> bool:
    r"""Whether a sample is one of the 60 classes, or of the 120."""
    return number == 120 or (sample.setup <= NUM_SETUPS_60 and sample.action <= NUM_ACTIONS_60)


def _sources(root: Path, number: int, left_out: frozenset[str]) -> dict[str, Path]:
    r"""The files to read, in the order of their names."""
    sources: dict[str, Path] = {}
    for path in sorted(root.rglob("*.skeleton"), key=lambda path: path.name):
        try:
            sample = NTUName.parse(path)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        name = str(sample)
        if name in sources:
            raise ValueError(f"{path}: expected every sample once, got {sources[name]} as well")
        if name not in left_out and _is_of(sample, number):
            sources[name] = path
    return sources


def _store_name(reading: dict[str, Any], half: bool) -> str:
    flags = [key for key, value in reading.items() if value is True]
    parts = ["ntu", reading["bodies"], str(reading["num_bodies"]), *flags]
    return "-".join([*parts, *(["half"] if half else [])])


def _selected(
    store: ClipStore,
    rules: NTUProtocol,
    number: int,
    split: str | None,
    held_out: frozenset[int],
    left_out: frozenset[str],
) -> list[int]:
    r"""The clips of a split, in the order of their names."""
    chosen = []
    for index, record in enumerate(store.records):
        sample = NTUName.parse(record.name)
        if str(sample) in left_out or not _is_of(sample, number):
            continue
        part: str = ntu_split(sample, rules)
        if part == "train" and sample.performer in held_out:
            part = "val"
        if split in (None, part):
            chosen.append((record.name, index))
    return [index for _, index in sorted(chosen)]
