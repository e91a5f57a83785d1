r"""A moving skeleton, with what a model makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from torch import Tensor

from tgst.utils.skeleton import Skeleton, as_skeleton
from tgst.visualize.arguments import as_array

# Colour-blind safe, apart also in print: left, right and the middle of the body.
LEFT, RIGHT, MIDDLE = "#0072B2", "#D55E00", "0.35"
LARGEST = 320.0  # area of a joint with the largest response, in points^2
WIDEST = 7.0  # width of a bone of the largest importance, in points


def animate_skeleton(
    x: Tensor | np.ndarray,
    skeleton: str | Skeleton,
    *,
    mask: Tensor | np.ndarray | None = None,
    response: Tensor | np.ndarray | None = None,
    importance: Tensor | np.ndarray | None = None,
    edge_index: Tensor | np.ndarray | None = None,
    up: str = "y",
    turn: float = 0.0,
    frames_per_second: float = 30.0,
    title: str | Sequence[str] | None = None,
    path: str | Path | None = None,
) -> FuncAnimation:
    r"""Animates the persons of a clip, with the response of the joints and the importance of the
    bones drawn on them.

    Left limbs are blue, right ones orange. A joint that is not observed is not drawn, nor are its
    bones. The area of a joint is proportional to its :obj:`response` in that moment, the width of a
    bone to the mean size of the :obj:`importance` of its edges; both are relative to the largest
    one of the clip.

    Convention: 3-D joints are seen along the horizontal axis that is not drawn, after a turn about
    the vertical; in images :math:`y` grows downwards, which is :obj:`up="-y"`.

    Args:
        x (torch.Tensor or numpy.ndarray): The joints of all persons, one person after the other, in
            two or three dimensions; of more channels the first three are taken. Give
            :obj:`x[..., :2]` where the third one is a confidence.
        skeleton (str or Skeleton): Its layout.
        mask (torch.Tensor or numpy.ndarray, optional): Which joints are observed; those whose
            numbers are all finite if not given. (default: :obj:`None`)
        response (torch.Tensor or numpy.ndarray, optional): How strongly a model responds to each
            joint, such as the size of the features of
            :meth:`tgst.nn.models.SkeletonSTGCN.extract_feature`. It may have fewer frames: each
            then stands for as many frames of the clip. (default: :obj:`None`)
        importance (torch.Tensor or numpy.ndarray, optional): The importance of the edges of one
            person, such as :obj:`model.blocks[0].importance.weight`; needs :obj:`edge_index`.
            (default: :obj:`None`)
        edge_index (torch.Tensor or numpy.ndarray, optional): The edges of one person that
            :obj:`importance` belongs to. Self loops and edges that are no bones are left out.
            (default: :obj:`None`)
        up (str, optional): The channel that points upwards: :obj:`"x"`, :obj:`"y"`, :obj:`"z"`, or
            one of them after a minus. (default: :obj:`"y"`)
        turn (float, optional): By how many degrees a 3-D clip is turned about the vertical.
            (default: :obj:`0.0`)
        frames_per_second (float, optional): The rate of the animation. (default: :obj:`30.0`)
        title (str or sequence of str, optional): One for all frames or one for each.
            (default: :obj:`None`)
        path (str or Path, optional): Where to write a GIF. (default: :obj:`None`)

    Returns:
        matplotlib.animation.FuncAnimation: The animation; :obj:`.to_jshtml()` shows it in a
        notebook.

    Shapes:
        - **x**: :math:`(M V, T, C)`, any unit
        - **mask**: :math:`(M V, T)`, bool
        - **response**: :math:`(M V, T')` with :math:`T' \leq T`, at least 0
        - **importance**: :math:`(|\mathcal{E}|)`
        - **edge_index**: :math:`(2, |\mathcal{E}|)`

    Raises:
        ValueError: If a shape does not fit, the clip has no frame or no observed joint, or
            :obj:`up` or :obj:`frames_per_second` is impossible.
    """
    skeleton = as_skeleton(skeleton)
    position, seen = _clip(x, mask, skeleton)
    place = _projected(position, up, turn)
    area = _areas(response, seen)
    width = _widths(importance, edge_index, skeleton)
    titles = _titles(title, len(place))
    if not 0 < frames_per_second < np.inf:
        raise ValueError(f"frames_per_second: expected a number > 0, got {frames_per_second}")
    figure, axes = _figure(place[seen.T])
    bones = _bones(skeleton, place.shape[1] // skeleton.num_joints)
    lines = LineCollection([], colors=[], capstyle="round", zorder=1)
    axes.add_collection(lines)
    joints = axes.scatter([], [], c="white", edgecolors="0.15", linewidths=1.0, zorder=2)
    heading = axes.set_title(titles[0])
    colors = np.array([_color(skeleton, bone % skeleton.num_joints) for bone in bones])
    widths = np.tile(width, len(bones) // max(1, len(skeleton.edges)))

    def draw(frame: int) -> list[Any]:
        drawn = seen[bones, frame].all(axis=1)
        lines.set_segments(list(place[frame][bones[drawn]]))
        lines.set_color(list(colors[drawn]))
        lines.set_linewidth(widths[drawn])
        joints.set_offsets(place[frame][seen[:, frame]])
        joints.set_sizes(area[seen[:, frame], frame])
        heading.set_text(titles[frame])
        return [lines, joints, heading]

    milliseconds = 1000 / frames_per_second
    animation = FuncAnimation(figure, draw, frames=len(place), interval=milliseconds, blit=False)
    draw(0)
    if path is not None:
        animation.save(path, writer=PillowWriter(frames_per_second), dpi=80)  # type: ignore[arg-type]
    return animation


def _clip(
    x: Tensor | np.ndarray, mask: Tensor | np.ndarray | None, skeleton: Skeleton
) -> tuple[np.ndarray, np.ndarray]:
    r"""Positions :math:`(M V, T, 2 \text{ or } 3)` and which of them are observed."""
    position = as_array("x", x, (None, None, None)).astype(float)[..., :3]
    rows, frames, channels = position.shape
    if rows == 0 or rows % skeleton.num_joints:
        skeleton.check(rows)
    if frames == 0 or channels < 2:
        raise ValueError(
            f"x: expected at least one frame and two channels, got {frames} and {channels}"
        )
    seen = np.isfinite(position).all(axis=-1)
    if mask is not None:
        seen &= as_array("mask", mask, (rows, frames)).astype(bool)
    if not seen.any():
        raise ValueError("x: expected an observed joint in some frame, got none")
    return position, seen


def _projected(position: np.ndarray, up: str, turn: float) -> np.ndarray:
    r"""Places on the sheet :math:`(T, M V, 2)`: to the right, and up."""
    names = "xyz"[: position.shape[-1]]
    if up.removeprefix("-") not in tuple(names):
        raise ValueError(f"up: expected one of {', '.join(names)}, or -x ..., got {up!r}")
    vertical = names.index(up[-1])
    horizontal = [channel for channel in range(len(names)) if channel != vertical]
    right = position[..., horizontal[0]]
    if len(horizontal) == 2:
        angle = np.deg2rad(turn)
        right = right * np.cos(angle) + position[..., horizontal[1]] * np.sin(angle)
    height = position[..., vertical] * (-1 if up.startswith("-") else 1)
    return np.stack([right, height], axis=-1).swapaxes(0, 1)


def _areas(response: Tensor | np.ndarray | None, seen: np.ndarray) -> np.ndarray:
    r"""The area of each joint in each frame."""
    if response is None:
        return np.full(seen.shape, 14.0)
    value = as_array("response", response, (len(seen), None)).astype(float)
    if not 1 <= value.shape[1] <= seen.shape[1]:
        raise ValueError(
            f"response: expected 1 to {seen.shape[1]} frames as in x, got {value.shape[1]}"
        )
    if not (np.isfinite(value) & (value >= 0)).all():
        raise ValueError("response: expected finite numbers >= 0, got others")
    # A network with strides gives every second or fourth frame.
    frames = np.arange(seen.shape[1]) * value.shape[1] // seen.shape[1]
    return 4 + LARGEST * value[:, frames] / max(float(value.max()), 1e-12)


def _widths(
    importance: Tensor | np.ndarray | None,
    edge_index: Tensor | np.ndarray | None,
    skeleton: Skeleton,
) -> np.ndarray:
    r"""The width of each bone of one person."""
    if importance is None:
        return np.full(len(skeleton.edges), 2.0)
    if edge_index is None:
        raise ValueError("edge_index: expected the edges that importance belongs to, got None")
    edges = as_array("edge_index", edge_index, (2, None))
    size = np.abs(as_array("importance", importance, (edges.shape[1],)).astype(float))
    both: dict[frozenset[int], list[float]] = {frozenset(bone): [] for bone in skeleton.edges}
    for (source, target), value in zip(edges.T.tolist(), size, strict=True):
        both.get(frozenset((source, target)), []).append(value)
    mean = np.array([np.mean(values) if values else 0.0 for values in both.values()])
    return 0.3 + WIDEST * mean / max(float(mean.max(initial=0)), 1e-12)


def _titles(title: str | Sequence[str] | None, frames: int) -> list[str]:
    if title is None or isinstance(title, str):
        return [title or ""] * frames
    if len(title) != frames:
        raise ValueError(f"title: expected one for each of the {frames} frames, got {len(title)}")
    return list(title)


def _figure(places: np.ndarray) -> tuple[Figure, Axes]:
    r"""Axes that hold the whole clip, so that nothing jumps."""
    low, high = places.min(axis=0), places.max(axis=0)
    extent = max(float((high - low).max()), 1e-6)
    width, height = np.clip((high - low) / extent, 0.45, 1.0)
    figure = Figure(figsize=(4.5 * width + 0.5, 4.5 * height + 0.7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    margin = 0.08 * extent
    axes.set_xlim(low[0] - margin, high[0] + margin)
    axes.set_ylim(low[1] - margin, high[1] + margin)
    axes.set_aspect("equal")
    axes.set_axis_off()
    return figure, axes


def _bones(skeleton: Skeleton, persons: int) -> np.ndarray:
    r"""The two joints of every bone of all persons."""
    bones = np.array(skeleton.edges, dtype=int).reshape(1, -1, 2)
    first = skeleton.num_joints * np.arange(persons).reshape(-1, 1, 1)
    return (bones + first).reshape(-1, 2)


def _color(skeleton: Skeleton, bone: np.ndarray) -> tuple[float, float, float, float]:
    left, right = ({pair[side] for pair in skeleton.pairs} for side in (0, 1))
    # A bone between the middle and a side, such as the collar bone, belongs to the side.
    if left & set(bone.tolist()) and not right & set(bone.tolist()):
        return to_rgba(LEFT)
    if right & set(bone.tolist()) and not left & set(bone.tolist()):
        return to_rgba(RIGHT)
    return to_rgba(MIDDLE)
