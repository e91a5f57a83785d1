"""UTKinect-Action3D, a MATLAB cell array."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from tgst.data.skeleton_clip import SkeletonClip

# What scipy was seen to raise for files that are cut off or changed.
_BROKEN = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OSError,
    OverflowError,
    TypeError,
    ValueError,
    zlib.error,
)


def read_utkinect(path: str | Path, *, variable: str = "data") -> list[SkeletonClip]:
    r"""Reads skeletons from a MATLAB file, as those of UTKinect-Action3D, `"View Invariant Human
    Action Recognition Using Histograms of 3D Joints"
    <https://doi.org/10.1109/CVPRW.2012.6239233>`_ (Xia et al., 2012), are handed on.

    The file holds a cell array of actions, subjects and repetitions (10, 10 and 2). A cell is the
    array :math:`(3, V, T)` of a clip, in metres; empty cells (one in UTKinect) are no clips. Joints
    at zero in all three coordinates count as not observed.

    Args:
        path (str or Path): The ``.mat`` file, of a version before 7.3.
        variable (str, optional): Name of the cell array. (default: :obj:`"data"`)

    Returns:
        Clips of one person by action, subject and repetition, with names such as ``a01_s01_e01``;
        the label is the action, counted from 0; :obj:`info` holds :obj:`"subject"` and
        :obj:`"repetition"`, counted from 1.

    Shapes:
        - **positions:** :math:`(1, T, V, 3)`, metres

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no MATLAB file or cut off, there is no such cell array, or a cell is
            no array of finite numbers :math:`(3, V, T)` with the same :math:`V` as the others.
    """
    cells = _cells(Path(path), variable)
    clips: list[SkeletonClip] = []
    for action, subject, repetition in np.ndindex(cells.shape):
        values = np.asarray(cells[action, subject, repetition])
        if values.size == 0:
            continue
        if values.ndim == 2:  # MATLAB knows no third dimension of one frame
            values = values[:, :, None]
        place = f"{path} {variable}{{{action + 1}, {subject + 1}, {repetition + 1}}}"
        joints = clips[0].num_joints if clips else None
        _check_cell(place, values, joints)
        clips.append(
            SkeletonClip.from_positions(
                np.ascontiguousarray(values.transpose(2, 1, 0)),
                label=action,
                name=f"a{action + 1:02d}_s{subject + 1:02d}_e{repetition + 1:02d}",
                info={"subject": subject + 1, "repetition": repetition + 1},
            )
        )
    if not clips:
        raise ValueError(f"{path} {variable}: expected clips, got empty cells only")
    return clips


def _cells(path: Path, variable: str) -> np.ndarray:
    import scipy.io
    import scipy.io.matlab

    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a file, found none")
    try:
        content = scipy.io.loadmat(path, variable_names=[variable])
    except (*_BROKEN, scipy.io.matlab.MatReadError) as error:
        raise ValueError(
            f"{path}: expected a MATLAB file of a version before 7.3, got one with {error!r}; is it"
            " cut off or another file?"
        ) from error
    cells: Any = content.get(variable)
    if not isinstance(cells, np.ndarray) or cells.dtype != object or not 2 <= cells.ndim <= 3:
        came = "no such variable" if cells is None else f"{cells.dtype} of {cells.shape}"
        raise ValueError(
            f"{path} {variable}: expected a cell array of actions, subjects and repetitions, got "
            f"{came}"
        )
    return cells.reshape(*cells.shape, 1) if cells.ndim == 2 else cells


def _check_cell(place: str, values: np.ndarray, joints: int | None) -> None:
    if values.ndim == 3 and values.dtype.kind in "iuf" and len(values) == 3:
        if joints not in (None, values.shape[1]):
            raise ValueError(
                f"{place}: expected {joints} joints as in the first clip, got {values.shape[1]}"
            )
        if np.isfinite(values).all():
            return
        axis, joint, frame = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"{place}: expected finite numbers, got {values[axis, joint, frame]} in frame "
            f"{frame + 1}, joint {joint + 1}"
        )
    raise ValueError(
        f"{place}: expected numbers of the shape (3, joints, frames), got {values.dtype} of "
        f"{values.shape}"
    )
