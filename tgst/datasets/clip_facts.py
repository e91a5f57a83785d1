r"""What a dataset knows of its clips without holding them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from tgst.data.check_clip import check_clip
from tgst.data.clip_store import ClipStore
from tgst.data.readers.stgcn_feeder import FeederClips
from tgst.data.skeleton_clip import SkeletonClip
from tgst.utils.skeleton import Skeleton

Empty = Literal["drop", "keep", "raise"]
# What a Data has already, or gets in a dataset or a Batch.
RESERVED = frozenset(
    ("x", "y", "mask", "person", "name", "batch", "ptr", "pos", "time", "clip", "num_nodes")
)
# PyG reads a meaning into these: to an "index" it adds the number of nodes before.
MEANINGFUL = ("index", "edge", "face", "node", "adj")


class ClipFacts(NamedTuple):
    r"""What is known of a clip.

    Args:
        row (int): Its number in the sequence of clips.
        name (str): Its name.
        label (int, optional): Its class.
        info (mapping): Subject, camera and the like.
        empty (bool): Whether nothing was ever observed in it.
    """

    row: int
    name: str
    label: int | None
    info: Mapping[str, Any]
    empty: bool


def clip_facts(
    clips: Sequence[SkeletonClip],
    rows: Iterable[int],
    skeletons: Sequence[Skeleton],
    num_classes: int | None,
    find_empty: bool = True,
) -> Iterator[ClipFacts]:
    r"""Reads and checks clips one after another; those of a store were checked when they were
    stored, and are not read.

    Args:
        clips (sequence of SkeletonClip): The clips.
        rows (iterable of int): Numbers of those to look at.
        skeletons (sequence of Skeleton): Layout of each clip.
        num_classes (int, optional): Number of classes.
        find_empty (bool, optional): Whether empty clips have to be known. If not, those of a feeder
            file, which is one array, are not read but for the first. (default: :obj:`True`)

    Raises:
        ValueError: If a clip does not fit (:func:`tgst.data.check_clip.check_clip`).
    """
    if isinstance(clips, ClipStore):
        for row in rows:
            record = clips.records[row]
            yield ClipFacts(row, record.name, record.label, record.info, record.observed == 0)
        return
    if isinstance(clips, FeederClips) and not find_empty:
        yield from _facts_of_array(clips, list(rows), skeletons, num_classes)
        return
    channels = None
    for row in rows:
        clip = check_clip(clips[row], skeletons[row], channels, num_classes)
        channels = clip.num_channels
        yield ClipFacts(row, clip.name, clip.label, clip.info, not clip.observed.any())


def _facts_of_array(
    clips: FeederClips, rows: list[int], skeletons: Sequence[Skeleton], num_classes: int | None
) -> Iterator[ClipFacts]:
    names, labels = clips.names, clips.labels
    for row in rows[:1]:
        check_clip(clips[row], skeletons[row], None, num_classes)
    for row in rows:
        yield ClipFacts(row, names[row], None if labels is None else labels[row], {}, False)


def without_empty(facts: list[ClipFacts], empty: Empty) -> tuple[list[ClipFacts], list[str]]:
    r"""Returns the clips to keep, and the names of those to drop.

    Args:
        facts (list of ClipFacts): All clips.
        empty (str): :obj:`"drop"`, :obj:`"keep"` or :obj:`"raise"`.

    Raises:
        ValueError: If there are empty ones and that is to be refused, or no clip is left.
    """
    names = [fact.name for fact in facts if fact.empty]
    if names and empty == "raise":
        raise ValueError(f"clips: expected something to see in each, got nothing in {names}")
    kept = facts if empty == "keep" else [fact for fact in facts if not fact.empty]
    if not kept:
        raise ValueError(f"clips: expected at least one, got none ({len(names)} empty)")
    return kept, [] if empty == "keep" else names


def label_tensor(facts: Sequence[ClipFacts], num_classes: int | None) -> Tensor | None:
    r"""Returns the labels; :obj:`None` if no clip has one.

    Args:
        facts (sequence of ClipFacts): The clips.
        num_classes (int, optional): Number of classes.

    Raises:
        ValueError: If only some have one, or one is outside of the classes.
    """
    missing = [fact.name for fact in facts if fact.label is None]
    if missing and len(missing) < len(facts):
        raise ValueError(f"label: expected one for every clip or for none, got none for {missing}")
    if missing:
        return None
    labels = torch.tensor([fact.label for fact in facts])
    # Of a store or a feeder file: not checked above.
    if labels.min() < 0:
        fact = facts[int(labels.argmin())]
        raise ValueError(f"clip {fact.name!r}: expected a label >= 0, got {fact.label}")
    if num_classes is not None and labels.max() >= num_classes:
        fact = facts[int(labels.argmax())]
        raise ValueError(
            f"clip {fact.name!r}: expected a label in 0..{num_classes - 1}, got {fact.label}"
        )
    return labels


def check_info(facts: Sequence[ClipFacts], keys: Sequence[str]) -> tuple[str, ...]:
    r"""Returns entries of the info that a graph is to hold.

    Args:
        facts (sequence of ClipFacts): The clips.
        keys (sequence of str): The entries.

    Raises:
        ValueError: If a clip lacks one.
    """
    for fact in facts:
        lacking = [key for key in keys if key not in fact.info]
        if lacking:
            raise ValueError(
                f"info: expected entries that all clips have, got {lacking}, which clip "
                f"{fact.name!r} lacks; it has {list(fact.info)}"
            )
    return tuple(keys)


def shared_integers(facts: Sequence[ClipFacts]) -> tuple[str, ...]:
    r"""Returns which entries of the info a batch can hold: integers that all clips have, under
    names that PyG neither has nor reads a meaning into.

    Args:
        facts (sequence of ClipFacts): The clips.
    """
    shared = [
        key
        for key in facts[0].info
        if key not in RESERVED and not any(word in key for word in MEANINGFUL)
    ]
    for fact in facts:
        shared = [key for key in shared if isinstance(fact.info.get(key), int)]
    return tuple(shared)
