r"""Which of the bodies in a recording are the persons of its clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Bodies(NamedTuple):
    r"""Bodies in a recording.

    Args:
        positions (numpy.ndarray): Coordinates :math:`(M, T, V, C)`.
        observed (numpy.ndarray): :obj:`True` where a joint was seen, :math:`(M, T, V)`.
        names (list of str): What each body is called in its source.
    """

    positions: np.ndarray
    observed: np.ndarray
    names: list[str]

    def take(self, order: Sequence[int] | np.ndarray) -> Bodies:
        r"""Some of the bodies, in the order given."""
        index = np.asarray(order, dtype=np.int64)
        return Bodies(
            self.positions[index], self.observed[index], [self.names[body] for body in index]
        )


def motion_energy(positions: np.ndarray, observed: np.ndarray) -> np.ndarray:
    r"""Returns how much each body is spread over space and time.

    The preprocessing of `"Two-Stream Adaptive Graph Convolutional Networks for Skeleton-Based
    Action Recognition" <https://arxiv.org/abs/1805.07694>`_ ranks bodies by

    .. math::
        E_m = \sum_{c} \operatorname{std}_{t, v} \, \mathbf{x}_{m, t, v, c},

    where :math:`t, v` run over the joints that were seen. A body that was never seen has 0.

    Args:
        positions (numpy.ndarray): Coordinates.
        observed (numpy.ndarray): :obj:`True` where a joint was seen.

    Shapes:
        - **positions:** :math:`(M, T, V, C)`, coordinates only, without a confidence
        - **observed:** :math:`(M, T, V)`
        - **returns:** :math:`(M)`, float64, in the unit of the positions
    """
    energy = np.zeros(len(positions))
    for body, (joints, seen) in enumerate(zip(positions, observed, strict=True)):
        if seen.any():
            energy[body] = joints[seen].std(axis=0, dtype=np.float64).sum()
    return energy


def is_noise(
    positions: np.ndarray,
    observed: np.ndarray,
    *,
    min_frames: int = 12,
    spread: float = 0.8,
    share: float = 0.69754,
) -> np.ndarray:
    r"""Returns which bodies are likely to be furniture or other wrong detections, by the two rules
    of the preprocessing of `"Channel-wise Topology Refinement Graph Convolution for Skeleton-Based
    Action Recognition" <https://arxiv.org/abs/2107.12213>`_: a body that is seen in fewer than
    :obj:`min_frames` frames, or whose joints extend over more than :obj:`spread` times as much
    width as height in at least the :obj:`share` of its frames. A body is kept in any case if none
    would be left: the one that is seen in most frames.

    Args:
        positions (numpy.ndarray): Coordinates, x (sideways) and y (up or down) first.
        observed (numpy.ndarray): :obj:`True` where a joint was seen.
        min_frames (int, optional): Frames that a person is seen in. (default: :obj:`12`)
        spread (float, optional): Largest ratio of width and height. (default: :obj:`0.8`)
        share (float, optional): Share of the frames that are too wide. (default: :obj:`0.69754`)

    Shapes:
        - **positions:** :math:`(M, T, V, C)`
        - **observed:** :math:`(M, T, V)`
        - **returns:** :math:`(M)`, boolean
    """
    frames = observed.any(axis=-1)
    extent = _extent(positions[..., 0], observed), _extent(positions[..., 1], observed)
    wide = (extent[0] > spread * extent[1]) & frames
    length = frames.sum(axis=-1)
    noise = (length < min_frames) | (wide.sum(axis=-1) >= share * np.maximum(length, 1))
    if noise.all():
        noise[length.argmax()] = False
    return noise


def join_bodies(bodies: Bodies) -> Bodies:
    r"""Returns bodies of which those that are never seen together are one: a person who is lost
    and found again under another name.

    Each body, in their order, joins the first one before it that shares no frame with it. Whether
    they are the same person is not looked at.

    Args:
        bodies (Bodies): The bodies, the most important ones first.
    """
    members: list[list[int]] = []
    frames = np.asarray(bodies.observed.any(axis=-1))
    taken: list[np.ndarray] = []
    for body in range(len(frames)):
        seen = frames[body]
        free = next((place for place, used in enumerate(taken) if not (used & seen).any()), None)
        if free is None:
            members.append([body])
            taken.append(seen.copy())
        else:
            members[free].append(body)
            taken[free] |= seen
    observed = np.stack([bodies.observed[group].any(axis=0) for group in members])
    positions = np.stack(
        [
            np.where(bodies.observed[group][..., None], bodies.positions[group], 0).sum(axis=0)
            for group in members
        ]
    )
    names = ["+".join(bodies.names[body] for body in group) for group in members]
    return Bodies(positions.astype(bodies.positions.dtype, copy=False), observed, names)


def sort_by_energy(bodies: Bodies) -> Bodies:
    r"""Returns the bodies with the largest :func:`motion_energy` first; equal ones keep their
    order.
    """
    energy = motion_energy(bodies.positions, bodies.observed)
    return bodies.take(np.argsort(-energy, kind="stable"))


def sort_by_score(bodies: Bodies, score: int = -1) -> Bodies:
    r"""Returns the bodies with the largest mean confidence in the clip first; equal ones keep
    their order. The mean is over **all** frames and joints: one that was not seen counts as 0, so
    that a short detection does not win.

    Args:
        bodies (Bodies): The bodies.
        score (int, optional): The channel of the confidence. (default: :obj:`-1`)
    """
    scores = np.where(bodies.observed, bodies.positions[..., score], 0)
    return bodies.take(np.argsort(-scores.mean(axis=(1, 2), dtype=np.float64), kind="stable"))


def sort_frames_by_score(bodies: Bodies, score: int = -1) -> Bodies:
    r"""Returns, in every frame by itself, the bodies with the largest sum of confidences first, as
    the feeder of `ST-GCN <https://arxiv.org/abs/1801.07455>`_ does. Person :math:`m` of one frame
    may be another one in the next.

    Args:
        bodies (Bodies): The bodies.
        score (int, optional): The channel of the confidence. (default: :obj:`-1`)
    """
    total = np.where(bodies.observed, bodies.positions[..., score], 0).sum(axis=-1)
    order = np.argsort(-total, axis=0, kind="stable")[..., None]
    observed = np.take_along_axis(bodies.observed, order, axis=0)
    positions = np.take_along_axis(bodies.positions, order[..., None], axis=0)
    return Bodies(positions, observed, [str(rank) for rank in range(len(bodies.names))])


def _extent(values: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Largest minus smallest value over the joints that were seen; 0 where none was."""
    top = np.where(observed, values, -np.inf).max(axis=-1)
    bottom = np.where(observed, values, np.inf).min(axis=-1)
    return np.where(observed.any(axis=-1), top - bottom, 0)
