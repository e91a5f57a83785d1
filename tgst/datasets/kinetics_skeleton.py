r"""Kinetics-skeleton: poses that OpenPose found in the videos of Kinetics."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

from tgst.data.build_clip_store import OnError, build_clip_store
from tgst.data.clip_store import HEADER, ClipStore
from tgst.data.readers.kinetics_skeleton import (
    KineticsLabel,
    Persons,
    read_kinetics_labels,
    read_kinetics_skeleton,
)
from tgst.datasets.clip_facts import Empty
from tgst.datasets.skeleton_clips import SkeletonClips
from tgst.datasets.skeleton_graphs import PartitionLike
from tgst.utils.skeleton import as_skeleton

NUM_CLASSES = 400


class KineticsSkeleton(SkeletonClips):
    r"""Kinetics-skeleton of `"Spatial Temporal Graph Convolutional Networks for Skeleton-Based
    Action Recognition" <https://arxiv.org/abs/1801.07455>`_ (Yan et al., 2018): about 260,000 clips
    of 400 actions, 300 frames each, 18 joints with a confidence.

    The files are read once into a :class:`tgst.data.ClipStore` below :obj:`processed`; a call that
    was interrupted goes on when it is made again, and when the store is complete the files of the
    clips are not needed any more. Clips whose entry says that they have no skeleton are left out.
    See :class:`tgst.datasets.SkeletonClips` for what the dataset gives, and
    :func:`tgst.data.read_kinetics_skeleton` for channels and units.

    Args:
        root (str or Path): Folder as published: ``kinetics_train`` and ``kinetics_val`` with a JSON
            file per clip, and ``kinetics_train_label.json`` and ``kinetics_val_label.json``.
        split (str, optional): :obj:`"train"` or :obj:`"val"`, on which results are published.
            (default: :obj:`"train"`)
        num_bodies (int, optional): Most persons that are kept of a clip. (default: :obj:`2`)
        persons (str, optional): Who they are, :obj:`"frame"`, :obj:`"clip"` or
            :obj:`"file_order"`: see :func:`tgst.data.read_kinetics_skeleton`.
            (default: :obj:`"frame"`)
        processed (str or Path, optional): Folder of the stores; :obj:`None` takes ``processed`` in
            :obj:`root`. (default: :obj:`None`)
        half (bool, optional): Store positions in half precision: a thousandth of the width of the
            picture off at most. (default: :obj:`False`)
        on_error (str, optional): :obj:`"raise"` on a damaged file, or :obj:`"skip"` it;
            :obj:`dataset.failed` names those that were skipped and says why.
            (default: :obj:`"raise"`)
        num_workers (int, optional): Processes that read the files. (default: :obj:`0`)
        progress (bool, optional): Show a progress bar. (default: :obj:`True`)
        partition, num_persons, empty, transform: See :class:`tgst.datasets.SkeletonClips`.

    Raises:
        FileNotFoundError: If the label file is missing, or there is neither a clip nor a store.
        ValueError: If a file is damaged, or a clip and the label file differ; the message names it.
    """

    def __init__(
        self,
        root: str | Path,
        split: Literal["train", "val"] = "train",
        num_bodies: int = 2,
        persons: Persons = "frame",
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
        if split not in ("train", "val"):
            raise ValueError(f"split: expected 'train' or 'val', got {split!r}")
        path = Path(root).expanduser()
        label_path = path / f"kinetics_{split}_label.json"
        if not label_path.is_file():
            raise FileNotFoundError(f"`root` must hold {label_path.name}, got none in {path}")
        labels = _labels(label_path)
        found = sorted((path / f"kinetics_{split}").glob("*.json"))
        sources = {file.stem: file for file in found if file.stem in labels}
        folder = (path / "processed" if processed is None else Path(processed)).expanduser()
        folder = folder / f"kinetics-{split}-{persons}-{num_bodies}{'-half' if half else ''}"
        if not sources and not (folder / HEADER).is_file():
            raise FileNotFoundError(
                f"`root` must hold the clips of {label_path.name} in kinetics_{split}, got none in "
                f"{path} and no store in {folder}"
            )
        store = build_clip_store(
            folder,
            sources,
            partial(read_kinetics_skeleton, num_persons=num_bodies, persons=persons),
            {"split": split, "num_bodies": num_bodies, "persons": persons},
            as_skeleton("openpose-18"),
            NUM_CLASSES,
            on_error,
            half,
            num_workers=num_workers,
            progress=progress,
        )
        super().__init__(
            store,
            "openpose-18",
            class_names=_class_names(labels),
            partition=partition,
            num_persons=num_persons,
            empty=empty,
            transform=transform,
            root=str(root),
            only=_selected(store, labels, label_path),
        )
        self.failed = store.failed


def _labels(path: Path) -> dict[str, KineticsLabel]:
    r"""The entries of the clips that have a skeleton."""
    entries = read_kinetics_labels(path)
    labels = {name: entry for name, entry in entries.items() if entry.has_skeleton}
    wrong = [name for name, each in labels.items() if not 0 <= each.label_index < NUM_CLASSES]
    if wrong:
        raise ValueError(
            f"{path} {wrong[0]}.label_index: expected 0..{NUM_CLASSES - 1}, got "
            f"{labels[wrong[0]].label_index}"
        )
    return labels


def _class_names(labels: Mapping[str, KineticsLabel]) -> list[str]:
    names = {entry.label_index: entry.label for entry in labels.values()}
    return [names.get(index, f"class {index}") for index in range(NUM_CLASSES)]


def _selected(store: ClipStore, labels: Mapping[str, KineticsLabel], path: Path) -> list[int]:
    r"""The clips of the label file, in the order of their names."""
    chosen = []
    for index, record in enumerate(store.records):
        if record.name not in labels:
            continue
        wanted = labels[record.name].label_index
        if record.label != wanted:
            raise ValueError(
                f"clip {record.name!r}: expected the label {wanted} of {path}, got {record.label}"
            )
        chosen.append((record.name, index))
    return [index for _, index in sorted(chosen)]
