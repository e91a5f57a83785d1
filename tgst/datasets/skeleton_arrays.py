r"""Clips of skeletons from arrays."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
from torch import Tensor

from tgst.data.skeleton_clip import SkeletonClip
from tgst.datasets.clip_facts import Empty
from tgst.datasets.skeleton_clips import SkeletonClips
from tgst.datasets.skeleton_graphs import PartitionLike
from tgst.utils.skeleton import Skeleton

Array = np.ndarray | Tensor
Zeros = Literal["frames", "joints"]
Numberless = Literal["raise", "unobserved"]


class SkeletonArrays(SkeletonClips):
    r"""Clips of skeletons from arrays of one's own: see :class:`tgst.datasets.SkeletonClips` for
    what the dataset gives.

    Convention:
        Arrays are persons, frames, joints, channels. Which joints were seen is read off the
        positions unless :obj:`observed` says so: published files write zeros for what was not
        seen. By default a frame of a person counts as not seen if **all** its joints are zero; a
        single joint at zero may well be there (a root that every frame is centred on).

    Args:
        clips (sequence of array): Positions :math:`(M, T, V, C)` of each clip, or
            :math:`(T, V, C)` of a single person; arrays or tensors. Persons, frames and layouts
            may differ from clip to clip, channels may not.
        labels (sequence of int, optional): Class of each clip; :obj:`None` if they are to be
            predicted. (default: :obj:`None`)
        skeleton (str or Skeleton or sequence of them): Layout of all clips, or of each.
        class_names (sequence of str, optional): Name of each class. (default: :obj:`None`)
        num_classes (int, optional): Number of classes. (default: :obj:`None`)
        names (sequence of str, optional): Name of each clip; its number without.
            (default: :obj:`None`)
        subjects (sequence of int, optional): Who acts in each clip. (default: :obj:`None`)
        observed (sequence of array, optional): Which joints were seen, :math:`(M, T, V)` or
            :math:`(T, V)`, boolean, of each clip. (default: :obj:`None`)
        zeros (str, optional): Which zeros were not seen, without :obj:`observed`:
            :obj:`"frames"` of a person that are zero altogether, all :obj:`"joints"` at zero, or
            :obj:`None`. (default: :obj:`"frames"`)
        nan (str, optional): :obj:`"raise"` on joints that are not finite, or take them as
            :obj:`"unobserved"`, as motion capture writes gaps. (default: :obj:`"raise"`)
        partition, num_persons, empty, transform: See :class:`tgst.datasets.SkeletonClips`.

    Raises:
        ValueError: If an array has another shape, there are not as many labels, names, subjects or
            masks as clips, or for the reasons of :class:`tgst.datasets.SkeletonClips`.
    """

    def __init__(
        self,
        clips: Sequence[Array],
        labels: Sequence[int] | Array | None = None,
        *,
        skeleton: str | Skeleton | Sequence[str | Skeleton],
        class_names: Sequence[str] | None = None,
        num_classes: int | None = None,
        names: Sequence[str] | None = None,
        subjects: Sequence[int] | Array | None = None,
        observed: Sequence[Array] | None = None,
        zeros: Zeros | None = "frames",
        nan: Numberless = "raise",
        partition: PartitionLike | Mapping[str, PartitionLike] | None = None,
        num_persons: int | None = None,
        empty: Empty = "drop",
        transform: Callable | None = None,
    ) -> None:
        if zeros not in (*get_args(Zeros), None):
            raise ValueError(f"zeros: expected one of {(*get_args(Zeros), None)}, got {zeros!r}")
        if nan not in get_args(Numberless):
            raise ValueError(f"nan: expected one of {get_args(Numberless)}, got {nan!r}")
        number = len(clips)
        label = _integers("labels", labels, number)
        name = _entries("names", names, number)
        subject = _integers("subjects", subjects, number)
        masks = _entries("observed", observed, number)
        made = []
        for index, values in enumerate(clips):
            title = str(index) if name[index] is None else str(name[index])
            positions = _positions(values, title)
            mask = _observed(positions, masks[index], title, zeros, nan)
            who = subject[index]
            made.append(
                SkeletonClip(
                    positions,
                    mask,
                    label[index],
                    title,
                    {} if who is None else {"subject": who},
                )
            )
        super().__init__(
            made,
            skeleton,
            class_names=class_names,
            num_classes=num_classes,
            partition=partition,
            num_persons=num_persons,
            empty=empty,
            transform=transform,
        )


def _entries(name: str, values: Any, number: int) -> Any:
    if values is None:
        return [None] * number
    if len(values) != number:
        raise ValueError(f"{name}: expected one for each of the {number} clips, got {len(values)}")
    return values


def _integers(name: str, values: Any, number: int) -> list[int | None]:
    listed = values.tolist() if isinstance(values, (np.ndarray, Tensor)) else values
    entries = []
    for index, value in enumerate(_entries(name, listed, number)):
        entry = value.item() if isinstance(value, (np.generic, Tensor)) else value
        if entry is not None and type(entry) is not int:
            raise ValueError(f"{name}[{index}]: expected an integer, got {entry!r}")
        entries.append(entry)
    return entries


def _array(values: Array) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _positions(values: Array, title: str) -> np.ndarray:
    array = _array(values)
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4 or array.dtype.kind not in "iuf":
        raise ValueError(
            f"clip {title!r}: expected numbers of the shape (persons, frames, joints, channels) or "
            f"(frames, joints, channels), got {array.dtype} of {tuple(np.shape(values))}"
        )
    return array.astype(np.float32, copy=False)


def _observed(
    positions: np.ndarray, mask: Array | None, title: str, zeros: Zeros | None, nan: Numberless
) -> np.ndarray:
    shape = positions.shape[:-1]
    finite = np.isfinite(positions).all(axis=-1)
    if mask is not None:
        seen = _array(mask)
        if seen.dtype != bool or seen.shape not in (shape, shape[1:]):
            raise ValueError(
                f"observed: expected booleans of the shape {shape} for clip {title!r}, got "
                f"{seen.dtype} of {seen.shape}"
            )
        seen = seen.reshape(shape)
    elif zeros is None:
        seen = np.ones(shape, dtype=bool)
    else:
        seen = (np.nan_to_num(positions) != 0).any(axis=-1)
        if zeros == "frames":
            seen = np.broadcast_to(seen.any(axis=-1, keepdims=True), shape)
        seen = seen | ~finite  # no zero: refused as a number below, if it is not to be left out
    return seen & finite if nan == "unobserved" else seen
