r"""Which clips are trained on, by who acts in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

SPLITS = ("train", "val", "test", None)


def split_subjects(
    split: str | None,
    train: Collection[int],
    everyone: Collection[int],
    validation: Sequence[int] = (),
    subjects: Sequence[int] | None = None,
) -> frozenset[int]:
    r"""The subjects of a part of a cross-subject protocol.

    Args:
        split (str, optional): :obj:`"train"` (the training subjects but those held out),
            :obj:`"val"` (those held out), :obj:`"test"` (who is no training subject) or
            :obj:`None` (everyone).
        train (collection of int): The training subjects of the protocol.
        everyone (collection of int): All subjects.
        validation (sequence of int, optional): Training subjects that are held out for validation.
            (default: :obj:`()`)
        subjects (sequence of int, optional): Subjects to take in place of the protocol's.
            (default: :obj:`None`)

    Raises:
        ValueError: If :obj:`split` is another one, validation names no training subjects, all of
            them, or nobody for :obj:`split="val"`, or there is no such subject.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {SPLITS}, got {split!r}")
    _check_known("subjects", subjects or (), everyone)
    _check_known("validation_subjects", validation, train)
    if subjects is not None:
        return frozenset(subjects)
    if split == "val" and not validation:
        raise ValueError(
            f"validation_subjects: expected some of the training subjects {sorted(train)} for "
            "split='val', got none"
        )
    parts = {
        "train": frozenset(train) - frozenset(validation),
        "val": frozenset(validation),
        "test": frozenset(everyone) - frozenset(train),
        None: frozenset(everyone),
    }
    if not parts["train"]:
        raise ValueError("validation_subjects: expected to leave some to train on, got all of them")
    return parts[split]


def _check_known(name: str, subjects: Collection[int], known: Collection[int]) -> None:
    strangers = sorted(set(subjects) - set(known))
    if strangers:
        raise ValueError(f"{name}: expected some of {sorted(known)}, got {strangers}")
