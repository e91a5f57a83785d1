"""MSR-Action3D, a text file for every clip."""

from __future__ import annotations

import lzma
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

import numpy as np

from tgst.data.readers.number_rows import number_rows
from tgst.data.readers.text import read_text
from tgst.data.skeleton_clip import SkeletonClip

NUM_JOINTS = 20
# What zipfile was seen to raise for archives that are cut off or changed, or documents.
_BROKEN = (
    BadZipFile,
    EOFError,
    LookupError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    lzma.LZMAError,
    struct.error,
    zlib.error,
)
_NAME = re.compile(r"(a(\d+)_s(\d+)_e(\d+)).*\.txt", re.IGNORECASE)


def read_msr_action3d(path: str | Path, *, confidence: bool = False) -> list[SkeletonClip]:
    r"""Reads the skeletons of MSR-Action3D, `"Action Recognition Based on A Bag of 3D Points"
    <https://doi.org/10.1109/CVPRW.2010.5543273>`_ (Li et al., 2010).

    A file ``aAA_sSS_eEE_skeleton3D.txt`` is a clip of action ``AA`` (from 1) by subject ``SS``,
    its ``EE``-th example. A line is a joint: x, y, z in metres and a confidence in 0..1; 20 lines
    are a frame.

    Frames that the tracker lost are zero and come as unobserved; in ``a13_s09_e02`` all are. Joints
    of low confidence are inferred ones, not missing, and count as observed.

    Args:
        path (str or Path): The zip archive, or a folder with the files (at any depth).
        confidence (bool, optional): Whether the confidence is a fourth channel.
            (default: :obj:`False`)

    Returns:
        Clips of one person in the order of their names such as ``a01_s01_e01``; the label is the
        action, counted from 0; :obj:`info` holds :obj:`"subject"` and :obj:`"example"`.

    Shapes:
        - **positions:** :math:`(1, T, 20, 3)`, metres, or :math:`(1, T, 20, 4)`

    Raises:
        FileNotFoundError: If there is no such archive or folder, or no such file in it.
        ValueError: If the archive is broken, or a file has a line that is not four numbers, or
            lines of an incomplete frame; the message names file and line.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: expected a zip archive or a folder, found none")
    clips: dict[str, SkeletonClip] = {}
    for place, text in _folder_texts(path) if path.is_dir() else _archive_texts(path):
        clip = _clip(place, text, confidence)
        if clip.name in clips:
            raise ValueError(f"{place}: expected every clip once, got {clip.name} again")
        clips[clip.name] = clip
    if not clips:
        raise FileNotFoundError(f"{path}: expected files such as a01_s01_e01*.txt, found none")
    return [clips[name] for name in sorted(clips)]


def _folder_texts(folder: Path) -> Iterator[tuple[Path, str]]:
    for place in sorted(folder.rglob("*.txt")):
        if _NAME.fullmatch(place.name):
            yield place, read_text(place)


def _archive_texts(path: Path) -> Iterator[tuple[Path, str]]:
    try:
        with ZipFile(path) as archive:
            contents = {
                path / member: archive.read(member)
                for member in archive.namelist()
                if _NAME.fullmatch(PurePosixPath(member).name)
            }
    except _BROKEN as error:
        raise ValueError(f"{path}: {error!r}; is the archive cut off or another file?") from error
    for place, content in contents.items():
        yield place, _decoded(place, content)


def _decoded(place: Path, content: bytes) -> str:
    try:
        return content.decode("ascii")
    except UnicodeDecodeError as error:
        number = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{place} line {number}: expected text, got the byte {content[error.start]:#04x}"
        ) from error


def _clip(place: Path, text: str, confidence: bool) -> SkeletonClip:
    rows = number_rows(place, text, 4, "x, y, z and confidence")
    if len(rows) % NUM_JOINTS:
        raise ValueError(
            f"{place} line {len(text.rstrip().splitlines())}: expected {NUM_JOINTS} lines for every"
            f" frame, got {len(rows) % NUM_JOINTS} in the last one; is the file cut off?"
        )
    joints = rows.reshape(1, -1, NUM_JOINTS, 4)
    name, action, subject, example = _NAME.fullmatch(place.name).groups()  # type: ignore[union-attr]
    if int(action) == 0:
        raise ValueError(f"{place}: expected actions that are counted from 1, got {action}")
    return SkeletonClip(
        joints if confidence else np.ascontiguousarray(joints[..., :3]),
        (joints[..., :3] != 0).any(axis=-1),
        int(action) - 1,
        name.lower(),
        {"subject": int(subject), "example": int(example)},
    )
