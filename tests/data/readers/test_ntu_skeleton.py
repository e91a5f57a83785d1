from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tgst.data import read_ntu_skeleton

FIRST, SECOND, THIRD = 72057594037931101, 72057594037931104, 72057594037931368
RNG = np.random.default_rng(0)

Frame = Sequence[tuple[int, np.ndarray]]


def text(frames: Sequence[Frame], newline: str = "\r\n") -> str:
    """A file with the bodies (id and positions) of each frame."""
    lines = [str(len(frames))]
    for frame in frames:
        lines.append(str(len(frame)))
        for body, joints in frame:
            lines += [f"{body} 0 1 1 1 1 0 0.02764709 0.05745083 2", "25"]
            lines += [
                f"{x:.7g} {y:.7g} {z:.7g} 277.419 191.8218 1036.233 519.1677 -0.2 0.05 0.97 -0.1 2"
                for x, y, z in joints
            ]
    return newline.join(lines) + newline


def write(folder: Path, content: str, name: str = "S001C002P003R002A013") -> Path:
    path = folder / f"{name}.skeleton"
    path.write_bytes(content.encode())
    return path


def joints(scale: float = 1.0) -> np.ndarray:
    return (RNG.normal(size=(25, 3)) * scale).round(5)


A, B, C = (np.stack([joints(scale) for _ in range(6)]) for scale in (1.0, 3.0, 2.0))
ALONE = [[(FIRST, A[0])], [(FIRST, A[1])]]


@pytest.mark.parametrize("newline", ["\r\n", "\n"])
def test_one_body(tmp_path: Path, newline: str) -> None:
    clip = read_ntu_skeleton(write(tmp_path, text(ALONE, newline)))
    assert clip.positions.shape == (1, 2, 25, 3)
    np.testing.assert_array_equal(clip.positions[0], A[:2].astype("f4"))
    assert clip.observed.all()
    assert (clip.name, clip.label) == ("S001C002P003R002A013", 12)
    assert clip.info == {
        "setup": 1,
        "camera": 2,
        "subject": 3,
        "replication": 2,
        "action": 13,
        "body_ids": str(FIRST),  # ...101: in double precision it is ...104
    }


def test_other_name(tmp_path: Path) -> None:
    clip = read_ntu_skeleton(write(tmp_path, text(ALONE), "me"))
    assert (clip.name, clip.label, clip.info) == ("me", None, {"body_ids": str(FIRST)})


MANY = [
    [(FIRST, A[0]), (SECOND, B[0])],
    [(SECOND, B[1])],
    [],
    [(SECOND, B[3]), (THIRD, C[3]), (FIRST, A[3])],  # the first body comes back
]


def test_bodies_keep_their_frames(tmp_path: Path) -> None:
    clip = read_ntu_skeleton(write(tmp_path, text(MANY)), bodies="all")
    assert clip.info["body_ids"] == f"{FIRST} {SECOND} {THIRD}"
    seen = clip.observed.all(axis=-1)
    np.testing.assert_array_equal(seen, clip.observed.any(axis=-1))
    assert seen.tolist() == [
        [True, False, False, True],
        [True, True, False, True],
        [False, False, False, True],
    ]
    np.testing.assert_array_equal(clip.positions[0, [0, 3]], A[[0, 3]].astype("f4"))
    np.testing.assert_array_equal(clip.positions[1, [0, 1, 3]], B[[0, 1, 3]].astype("f4"))
    np.testing.assert_array_equal(clip.positions[2, 3], C[3].astype("f4"))
    assert not clip.positions[0, 1:3].any()


def test_bodies_of_most_energy(tmp_path: Path) -> None:
    path = write(tmp_path, text(MANY))
    clip = read_ntu_skeleton(path)
    assert clip.info["body_ids"] == f"{SECOND} {THIRD}"
    np.testing.assert_array_equal(clip.positions[0, 0], B[0].astype("f4"))
    assert read_ntu_skeleton(path, num_bodies=9).info["body_ids"] == f"{SECOND} {THIRD} {FIRST}"
    assert read_ntu_skeleton(path, num_bodies=1).num_persons == 1


def test_bodies_in_the_order_of_the_file(tmp_path: Path) -> None:
    clip = read_ntu_skeleton(write(tmp_path, text(MANY)), bodies="file_order")
    assert clip.num_persons == 2
    np.testing.assert_array_equal(
        clip.positions[0], np.stack([A[0], B[1], 0 * A[2], B[3]]).astype("f4")
    )
    np.testing.assert_array_equal(clip.positions[1, [0, 3]], np.stack([B[0], C[3]]).astype("f4"))
    assert clip.observed[..., 0].tolist() == [[True, True, False, True], [True, False, False, True]]


def test_ids_that_floating_point_confuses(tmp_path: Path) -> None:
    assert float(FIRST) == float(SECOND)
    clip = read_ntu_skeleton(write(tmp_path, text([[(FIRST, A[0]), (SECOND, A[1])]])))
    assert clip.num_persons == 2


def test_nobody(tmp_path: Path) -> None:
    for bodies in ("energy", "file_order", "all"):
        clip = read_ntu_skeleton(write(tmp_path, text([[], [], []])), bodies=bodies)
        assert clip.positions.shape == (1, 3, 25, 3)
        assert not clip.observed.any()


def test_joints_that_are_zero_or_no_number(tmp_path: Path) -> None:
    place = A[0].copy()
    place[7] = 0
    content = text([[(FIRST, place)]]).split("\r\n")
    content[4 + 9] = content[4 + 9].replace(content[4 + 9].split()[1], "NaN")
    # Numbers as Windows writes them stand where they are not read.
    content[4 + 3] = content[4 + 3].replace("277.419", "-1.#IND")
    clip = read_ntu_skeleton(write(tmp_path, "\n".join(content)))
    assert np.argwhere(~clip.observed).tolist() == [[0, 0, 7], [0, 0, 9]]
    place[9] = 0
    np.testing.assert_array_equal(clip.positions[0, 0], place.astype("f4"))


def test_denoise_and_join(tmp_path: Path) -> None:
    tall = np.full((25, 3), 0.05)
    tall[:, 1] = np.linspace(-1, 1, 25)
    chair = tall[:, [1, 0, 2]]  # as wide as the person is tall
    frames = [[(FIRST, tall + 0.1 * t), (SECOND, 5 * chair + 1)] for t in range(15)]
    frames += [[(THIRD, tall + 0.1 * t), (SECOND, 5 * chair + 1)] for t in range(12)]
    path = write(tmp_path, text(frames))
    assert read_ntu_skeleton(path).info["body_ids"] == f"{SECOND} {FIRST}"
    clean = read_ntu_skeleton(path, denoise=True)
    assert clean.info["body_ids"] == f"{FIRST} {THIRD}"
    one = read_ntu_skeleton(path, denoise=True, join=True)
    assert one.info["body_ids"] == f"{FIRST}+{THIRD}"
    assert one.observed.all()
    assert one.positions[0, 14:16, 0, 2].tolist() == pytest.approx([1.45, 0.05])


def lines(*changes: tuple[int, str]) -> str:
    """The file of one body in two frames, with other lines (counted from 1)."""
    content = text(ALONE).split("\r\n")
    for number, line in changes:
        content[number - 1] = line
    return "\r\n".join(content)


JOINT = "1 2 3 4 5 6 7 8 9 10 11 2"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r"A013\.skeleton: expected text, got an empty file"),
        ("0\n", "line 1: expected at least one frame, got 0"),
        (lines((1, "two")), "line 1: expected the number of frames, got 'two'"),
        (lines((1, "3")), "line 58: expected the number of bodies of frame 3, got the end of the"),
        (lines((1, "1")), "line 30: expected the end of the file after 1 frames, got '1'"),
        (lines((2, "-1")), "line 2: expected the number of bodies of frame 1, got '-1'"),
        (lines((3, "7.2e16 0 1 1 1 1 0 0 0 2")), "line 3: expected the id of a body, got '7.2e16'"),
        (lines((3, "72 0 1 1")), r"line 3: expected a body \(10 cells\), got 4 cells; is the file"),
        (
            lines((3, "7" * 5000 + " 0 1 1 1 1 0 0 0 2")),
            r"line 3: expected the id of a body, got '7{37}\.\.\.'",
        ),
        (lines((4, "20")), "line 4: expected 25 joints, got 20"),
        (lines((9, "1 2 3 4 5")), r"line 9: expected a joint \(12 cells\), got 5 cells"),
        (lines((9, f"{JOINT} 7")), "line 9: expected a joint .*, got 13 cells"),
        # One cell too few and one too many are right together.
        (lines((9, f"{JOINT} 7"), (12, JOINT[:-2])), "line 9: expected a joint .*, got 13 cells"),
        (lines((41, JOINT.replace("3", "x"))), "line 41: expected a coordinate, got 'x'"),
        (lines((41, JOINT.replace("3", "1_0"))), "line 41: expected a coordinate, got '1_0'"),
        (lines((41, JOINT.replace("3", "\u0663"))), "line 41: expected a coordinate, got '\u0663'"),
        (lines((41, JOINT.replace("2 3", "2  3")), (42, "1")), "line 42: expected a joint"),
    ],
)
def test_broken_files(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_ntu_skeleton(write(tmp_path, content))


def test_cells_may_be_apart(tmp_path: Path) -> None:
    content = lines((41, f"  {JOINT.replace(' ', '   ')}\t"))
    clip = read_ntu_skeleton(write(tmp_path, content))
    assert clip.positions[0, 1, 41 - 33].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(clip.positions[0, 0], A[0].astype("f4"))


def test_body_twice_in_a_frame(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=f"line 30: expected every body once .*, got {FIRST} again"
    ):
        read_ntu_skeleton(write(tmp_path, text([[(FIRST, A[0]), (FIRST, A[1])]])))


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    content = text(ALONE)
    end = len(content.rstrip())
    for length in [*range(1, end, 61), *range(end - 20, end)]:
        with pytest.raises(ValueError, match=r"A013\.skeleton line \d+: expected"):
            read_ntu_skeleton(write(tmp_path, content[:length]))
    assert read_ntu_skeleton(write(tmp_path, content[:end])).num_frames == 2


def test_arguments(tmp_path: Path) -> None:
    path = write(tmp_path, text(ALONE))
    with pytest.raises(ValueError, match=r"bodies: expected one of \('energy', .*got 'first'"):
        read_ntu_skeleton(path, bodies="first")
    with pytest.raises(ValueError, match="num_bodies: expected at least 1, got 0"):
        read_ntu_skeleton(path, num_bodies=0)
    for options in ({"denoise": True, "bodies": "file_order"}, {"join": True, "bodies": "all"}):
        with pytest.raises(ValueError, match="denoise, join: expected bodies='energy'"):
            read_ntu_skeleton(path, **options)
    with pytest.raises(FileNotFoundError, match=r"none\.skeleton: expected a file, found none"):
        read_ntu_skeleton(tmp_path / "none.skeleton")
