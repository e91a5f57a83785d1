"""Skeleton files of NTU RGB+D."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from tgst.data.body_selection import Bodies, is_noise, join_bodies, sort_by_energy
from tgst.data.readers.ntu_names import NTUName
from tgst.data.readers.text import read_text
from tgst.data.skeleton_clip import SkeletonClip

NUM_JOINTS = 25
BODY_CELLS = 10  # its id, seven flags and states of the hands, two of leaning, tracking state
JOINT_CELLS = 12  # x y z, depth x y, color x y, orientation w x y z, tracking state

Selection = Literal["energy", "file_order", "all"]


class _Records(NamedTuple):
    """The bodies of all frames, one after another."""

    num_frames: int
    frames: list[int]  # frame of each
    slots: list[int]  # place of each among those of its frame
    ids: list[int]
    places: list[int]  # line of each, from 0
    joints: list[str]  # lines of all joints
    joint_places: list[int]  # line of each body's first joint, from 0


def read_ntu_skeleton(
    path: str | Path,
    bodies: Selection = "energy",
    num_bodies: int = 2,
    *,
    denoise: bool = False,
    join: bool = False,
) -> SkeletonClip:
    r"""Reads a ``.skeleton`` file of `"NTU RGB+D: A Large Scale Dataset for 3D Human Activity
    Analysis" <https://arxiv.org/abs/1604.02808>`_ (Shahroudy et al., 2016).

    The file is text: the number of frames; per frame the number of bodies; per body a line of ten
    fields that begins with its id, the number of joints, and a line per joint: x, y, z in metres
    (x sideways, y up, z away from the sensor), then its pixels in the depth and the color image,
    its orientation and its tracking state, which are not read. Ids are integers of up to 64 bits,
    which floating point confuses.

    A body keeps the frames it was seen in, also one that is lost and comes back. Joints at zero in
    all three coordinates or without a number count as not observed. If no body was ever seen, the
    clip is one person who was never observed.

    Args:
        path (str or Path): The file. A name such as ``S001C002P003R002A013`` gives label and
            :obj:`info`; any other one gives none.
        bodies (str, optional): Who the persons are: the :obj:`num_bodies` bodies of the largest
            energy, largest first (:obj:`"energy"`: the sum over the axes of the standard deviation
            over all joints and frames in which they were seen, as in `2s-AGCN
            <https://arxiv.org/abs/1805.07694>`_); the first :obj:`num_bodies` of each frame in the
            order of the file, whatever their ids, as `ST-GCN <https://arxiv.org/abs/1801.07455>`_
            reads them (:obj:`"file_order"`); or all in the order in which they appear
            (:obj:`"all"`). (default: :obj:`"energy"`)
        num_bodies (int, optional): Most persons of a clip; there may be fewer.
            (default: :obj:`2`)
        denoise (bool, optional): Whether to leave out bodies that are seen in fewer than 12 frames,
            or are wider than 0.8 of their height in 70 % of them, by the rules of `CTR-GCN
            <https://arxiv.org/abs/2107.12213>`_; not with :obj:`bodies="file_order"`.
            (default: :obj:`False`)
        join (bool, optional): Whether bodies that are never seen together are one person: each, by
            falling energy, joins the first one before it that shares no frame with it; only with
            :obj:`bodies="energy"`. (default: :obj:`False`)

    Returns:
        The clip; :obj:`info` holds :obj:`"setup"`, :obj:`"camera"`, :obj:`"subject"` (the
        performer), :obj:`"replication"`, :obj:`"action"` (all from 1), and :obj:`"body_ids"`: the
        ids of the persons as text, between blanks (of :obj:`"file_order"` those of all bodies).

    Shapes:
        - **positions:** :math:`(M, T, 25, 3)`, metres

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is empty, cut off, longer than it says or otherwise broken; the
            message names the line.
    """
    if bodies not in get_args(Selection):
        raise ValueError(f"bodies: expected one of {get_args(Selection)}, got {bodies!r}")
    if num_bodies < 1:
        raise ValueError(f"num_bodies: expected at least 1, got {num_bodies}")
    if (denoise and bodies == "file_order") or (join and bodies != "energy"):
        raise ValueError(
            f"denoise, join: expected bodies='energy' (or 'all' to denoise), got {bodies!r}"
        )
    path = Path(path)
    records = _walk(path, read_text(path))
    chosen = _choose(_tracks(path, records, bodies), bodies, num_bodies, denoise, join)
    ids = chosen.names if bodies != "file_order" else list(dict.fromkeys(map(str, records.ids)))
    label, info = _facts(path)
    info["body_ids"] = " ".join(ids)
    return SkeletonClip(chosen.positions, chosen.observed, label, path.stem, info)


def _choose(tracks: Bodies, bodies: str, num_bodies: int, denoise: bool, join: bool) -> Bodies:
    if denoise:
        tracks = tracks.take(np.flatnonzero(~is_noise(tracks.positions, tracks.observed)))
    if bodies == "energy":
        tracks = sort_by_energy(tracks)
    if join:
        tracks = join_bodies(tracks)
    return tracks if bodies == "all" else tracks.take(range(min(num_bodies, len(tracks.names))))


def _facts(path: Path) -> tuple[int | None, dict[str, int | float | str]]:
    """Label and info by the name of a file."""
    try:
        name = NTUName.parse(path)
    except ValueError:
        return None, {}
    facts = name._asdict()
    facts["subject"] = facts.pop("performer")
    return name.label, facts


def _tracks(path: Path, records: _Records, bodies: str) -> Bodies:
    """Bodies by their ids, or by their places in the frames."""
    keys = records.slots if bodies == "file_order" else records.ids
    number = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    shape = (max(len(number), 1), records.num_frames, NUM_JOINTS)
    positions = np.zeros((*shape, 3), np.float32)
    person = [number[key] for key in keys]
    met: set[tuple[int, int]] = set()
    for place, pair in zip(records.places, zip(person, records.frames, strict=True), strict=True):
        if pair in met:
            raise ValueError(
                f"{path} line {place + 1}: expected every body once in a frame, got "
                f"{keys[records.places.index(place)]} again"
            )
        met.add(pair)
    if person:
        coordinates = _coordinates(path, records).reshape(-1, NUM_JOINTS, 3)
        positions[person, records.frames] = coordinates
    observed = np.isfinite(positions).all(axis=-1) & (positions != 0).any(axis=-1)
    names = list(map(str, number)) or [""]  # nobody: one person who was never observed
    return Bodies(np.where(observed[..., None], positions, np.float32(0)), observed, names)


def _walk(path: Path, text: str) -> _Records:
    """Where the bodies are: everything but their coordinates is checked."""
    lines = text.rstrip().replace("\r", "").split("\n")
    num_frames = _integer(path, lines, 0, "the number of frames")
    if num_frames < 1:
        raise ValueError(f"{path} line 1: expected at least one frame, got {num_frames}")
    records = _Records(num_frames, [], [], [], [], [], [])
    place = 1
    for frame in range(num_frames):
        count = _integer(path, lines, place, f"the number of bodies of frame {frame + 1}")
        place += 1
        for slot in range(count):
            _add_body(path, lines, place, records)
            records.frames.append(frame)
            records.slots.append(slot)
            place += 2 + NUM_JOINTS
    if place < len(lines):
        raise ValueError(
            f"{path} line {place + 1}: expected the end of the file after {num_frames} frames, got "
            f"{lines[place].strip()!r}"
        )
    return records


def _add_body(path: Path, lines: list[str], place: int, records: _Records) -> None:
    cells = _cells(path, lines, place, BODY_CELLS, "a body")
    records.ids.append(_parsed(path, place, cells[0], "the id of a body"))
    joints = _integer(path, lines, place + 1, "the number of joints")
    if joints != NUM_JOINTS:
        raise ValueError(f"{path} line {place + 2}: expected {NUM_JOINTS} joints, got {joints}")
    found = lines[place + 2 : place + 2 + NUM_JOINTS]
    if len(found) < NUM_JOINTS:
        _cells(path, lines, len(lines), JOINT_CELLS, "a joint")
    records.places.append(place)
    records.joint_places.append(place + 2)
    records.joints.extend(found)


def _coordinates(path: Path, records: _Records) -> np.ndarray:
    """x, y and z of all joints, one after another."""
    lines = records.joints
    if _is_regular(lines):
        cells = [cell for line in lines for cell in line.split(" ", 3)[:3]]
        try:
            return np.fromiter(map(float, cells), np.float64, len(cells))
        except ValueError:
            pass  # the loop below knows the line
    values = []
    for index, line in enumerate(lines):
        body, joint = divmod(index, NUM_JOINTS)
        place = records.joint_places[body] + joint
        cells = _cells(path, {place: line}, place, JOINT_CELLS, "a joint")
        values.append([_number(path, place, cell) for cell in cells[:3]])
    return np.array(values)


def _is_regular(lines: list[str]) -> bool:
    """Whether every line has all its cells, with one blank between them, and nothing that
    :obj:`float` takes for a number but is none; many times as fast as to split the lines.
    """
    text = "\n".join(lines) + "\n"
    if "_" in text or not text.isascii():
        return False
    letters = np.frombuffer(text.encode(), np.uint8)
    ends = np.flatnonzero(letters <= ord(" "))
    if len(ends) % JOINT_CELLS or (np.diff(ends, prepend=-1) == 1).any():
        return False
    wanted = np.array([ord(" ")] * (JOINT_CELLS - 1) + [ord("\n")], np.uint8)
    return bool((letters[ends].reshape(-1, JOINT_CELLS) == wanted).all())


def _cells(
    path: Path, lines: list[str] | dict[int, str], place: int, count: int, name: str
) -> list[str]:
    """The cells of a line, from 0, which has to be there."""
    if isinstance(lines, list) and place >= len(lines):
        raise ValueError(
            f"{path} line {len(lines) + 1}: expected {name}, got the end of the file; is the file "
            "cut off?"
        )
    cells = lines[place].split()
    if len(cells) != count:
        raise ValueError(
            f"{path} line {place + 1}: expected {name} ({count} cells), got {len(cells)} cells; is "
            "the file cut off?"
        )
    return cells


def _integer(path: Path, lines: list[str], place: int, name: str) -> int:
    return _parsed(path, place, _cells(path, lines, place, 1, name)[0], name)


def _parsed(path: Path, place: int, cell: str, name: str) -> int:
    if not (cell.isascii() and cell.isdigit() and len(cell) <= 20):  # 64 bits
        came = cell if len(cell) <= 40 else cell[:37] + "..."
        raise ValueError(f"{path} line {place + 1}: expected {name}, got {came!r}")
    return int(cell)


def _number(path: Path, place: int, cell: str) -> float:
    try:
        if "_" not in cell and cell.isascii():
            return float(cell)
    except ValueError:
        pass
    raise ValueError(f"{path} line {place + 1}: expected a coordinate, got {cell!r}")
