r"""A clip of skeletons: where the joints of some persons are in some frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False, repr=False)
class SkeletonClip:
    r"""Positions of :math:`V` joints of :math:`M` persons in :math:`T` frames.

    The record that all readers of skeleton files give and all datasets of skeletons take. What was
    not observed is stored as zero, whatever stood there before. Fields are fixed, but the arrays
    are not copied where they need no change: whoever writes into them writes into the clip.

    Args:
        positions (numpy.ndarray): Coordinates, in the unit of the source, and after them channels
            such as a confidence; stored as float32.
        observed (numpy.ndarray): :obj:`True` where a joint was seen.
        label (int, optional): Class of the clip, counted from 0; :obj:`None` if it is not known.
            (default: :obj:`None`)
        name (str, optional): Name of the clip in its source, such as the file's without its
            ending. (default: :obj:`""`)
        info (mapping, optional): Further facts of the source (:obj:`"subject"`,
            :obj:`"camera"`, ...): text and numbers. (default: :obj:`{}`)

    Shapes:
        - **positions:** :math:`(M, T, V, C)`, at least one of each, :math:`C \geq 2`
        - **observed:** :math:`(M, T, V)`, boolean

    Raises:
        ValueError: If shapes or dtypes do not agree, the label is negative or no integer, or an
            observed joint has a coordinate that is NaN or infinite; the message names the clip,
            and person, frame and joint, counted from 0.
    """

    positions: np.ndarray
    observed: np.ndarray
    label: int | None = None
    name: str = ""
    info: Mapping[str, int | float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        positions = _as_positions(self.positions, self.name)
        observed = _as_observed(self.observed, positions.shape[:-1], self.name)
        object.__setattr__(self, "positions", _cleared(positions, observed, self.name))
        object.__setattr__(self, "observed", observed)
        object.__setattr__(self, "label", _as_label(self.label, self.name))
        object.__setattr__(self, "info", dict(self.info))

    @property
    def num_persons(self) -> int:
        r"""Number of persons :math:`M`."""
        return self.positions.shape[0]

    @property
    def num_frames(self) -> int:
        r"""Number of frames :math:`T`."""
        return self.positions.shape[1]

    @property
    def num_joints(self) -> int:
        r"""Number of joints :math:`V`."""
        return self.positions.shape[2]

    @property
    def num_channels(self) -> int:
        r"""Number of channels :math:`C`."""
        return self.positions.shape[3]

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({self.name!r}, persons={self.num_persons}, "
            f"frames={self.num_frames}, joints={self.num_joints}, channels={self.num_channels}, "
            f"label={self.label})"
        )

    @classmethod
    def from_positions(
        cls,
        positions: np.ndarray,
        observed: np.ndarray | None = None,
        label: int | None = None,
        name: str = "",
        info: Mapping[str, int | float | str] | None = None,
        *,
        zero_is_missing: bool = True,
    ) -> SkeletonClip:
        r"""A clip whose observed joints are read off the positions.

        A joint is not observed where one of its channels is NaN or infinite, and, with
        :obj:`zero_is_missing`, where **all** its channels are exactly zero: published files write
        zeros for what was not seen. Turn that off for positions in which a joint at the origin is
        real, such as clips that are centred on a root joint.

        Args:
            positions (numpy.ndarray): As of the class, or :math:`(T, V, C)` of one person.
            observed (numpy.ndarray, optional): As of the class, or :math:`(T, V)` of one person;
                nothing is read off the positions then. (default: :obj:`None`)
            label (int, optional): As of the class. (default: :obj:`None`)
            name (str, optional): As of the class. (default: :obj:`""`)
            info (mapping, optional): As of the class. (default: :obj:`None`)
            zero_is_missing (bool, optional): Whether a joint at zero was not seen.
                (default: :obj:`True`)

        Raises:
            ValueError: As of the class.
        """
        positions = np.asarray(positions)
        if positions.ndim == 3:
            positions = positions[None]
        positions = _as_positions(positions, name)
        if observed is None:
            observed = np.isfinite(positions).all(axis=-1)
            if zero_is_missing:
                observed &= (positions != 0).any(axis=-1)
        else:
            observed = np.asarray(observed)
            if observed.ndim == 2:
                observed = observed[None]
        return cls(positions, observed, label, name, {} if info is None else info)


def _as_positions(positions: Any, name: str) -> np.ndarray:
    array = np.asarray(positions)
    if array.ndim != 4 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"clip {name!r}: expected positions of the shape (persons, frames, joints, channels), "
            f"numbers, got {array.dtype} of {array.shape}"
        )
    persons, frames, joints, channels = array.shape
    if frames == 0:
        raise ValueError(f"clip {name!r}: expected at least one frame, got none")
    if persons == 0 or joints == 0 or channels < 2:
        raise ValueError(
            f"clip {name!r}: expected at least one person, one joint and two channels, got "
            f"(persons, frames, joints, channels) = {array.shape}"
        )
    with np.errstate(over="ignore"):  # too large for float32: infinite, refused where observed
        return array.astype(np.float32, copy=False)


def _as_observed(observed: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    array = np.asarray(observed)
    if array.dtype != bool or array.shape != shape:
        raise ValueError(
            f"clip {name!r}: expected observed as booleans of the shape {shape} (persons, frames, "
            f"joints) of the positions, got {array.dtype} of {array.shape}"
        )
    return array


def _as_label(label: Any, name: str) -> int | None:
    if label is None:
        return None
    if isinstance(label, (bool, np.bool_)) or not isinstance(label, (int, np.integer)):
        raise ValueError(f"clip {name!r}: expected an integer as label, got {label!r}")
    if label < 0:
        raise ValueError(f"clip {name!r}: expected a label >= 0, got {label}")
    return int(label)


def _cleared(positions: np.ndarray, observed: np.ndarray, name: str) -> np.ndarray:
    """Zeros where nothing was observed; the same array if they are there already."""
    wrong = observed & ~np.isfinite(positions).all(axis=-1)
    if wrong.any():
        person, frame, joint = (int(index) for index in np.argwhere(wrong)[0])
        raise ValueError(
            f"clip {name!r}: expected finite positions, got "
            f"{positions[person, frame, joint].tolist()} at person {person}, frame {frame}, joint "
            f"{joint}; joints that were not seen have to be marked as unobserved"
        )
    if (positions[~observed] == 0).all():  # NaN is not zero
        return positions
    return np.where(observed[..., None], positions, np.float32(0))
