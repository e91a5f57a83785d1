from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from tests.data.readers.real import real_file
from tgst.data import read_msr_action3d

RNG = np.random.default_rng(0)
FRAMES = RNG.normal(size=(3, 20, 4)).round(6)
FRAMES[..., 3] = 0.5
FRAMES[1] = 0  # a lost frame


def text(frames: np.ndarray = FRAMES) -> str:
    return "".join(
        " ".join(f"{value:.6f}" for value in row) + "\n" for row in frames.reshape(-1, 4)
    )


def write(folder: Path, content: str, name: str = "a02_s03_e01_skeleton3D.txt") -> Path:
    (folder / "deep").mkdir(exist_ok=True)
    (folder / "deep" / name).write_text(content)
    return folder


def test_folder_and_archive(tmp_path: Path) -> None:
    write(tmp_path, text())
    write(tmp_path, text(-FRAMES[:1]), "a01_s10_e03_skeleton3D.txt")
    write(tmp_path, "not of the data", "readme.txt")
    with ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in sorted(tmp_path.glob("deep/*"), reverse=True):
            archive.write(path, f"Real3D/{path.name}")
        archive.writestr("__MACOSX/Real3D/._a02_s03_e01_skeleton3D.txt", b"\x00\x05\xff")
    for source in (tmp_path, tmp_path / "all.zip"):
        first, second = read_msr_action3d(source)
        assert (first.name, first.label) == ("a01_s10_e03", 0)
        assert first.info == {"subject": 10, "example": 3}
        assert (second.name, second.label) == ("a02_s03_e01", 1)
        np.testing.assert_array_equal(first.positions[0], -FRAMES[:1, :, :3].astype("f4"))
        np.testing.assert_array_equal(second.positions[0], FRAMES[..., :3].astype("f4"))
        assert second.observed.tolist() == [[[True] * 20, [False] * 20, [True] * 20]]


def test_confidence(tmp_path: Path) -> None:
    clip = read_msr_action3d(write(tmp_path, text()), confidence=True)[0]
    np.testing.assert_array_equal(clip.positions[0], FRAMES.astype("f4"))


def test_joints_of_no_confidence_are_observed(tmp_path: Path) -> None:
    frames = FRAMES.copy()
    frames[..., 3] = 0
    clip = read_msr_action3d(write(tmp_path, text(frames)))[0]
    assert clip.observed[0].all(axis=1).tolist() == [True, False, True]


def line(number: int, content: str) -> str:
    lines = text().split("\n")
    lines[number - 1] = content
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (line(7, "1 2 3"), r"e01_skeleton3D\.txt line 7: expected 4 cells .*, got 3"),
        (line(7, "1 2 3 4 5"), "line 7: expected 4 cells"),
        (line(8, "1 2 x 4"), "line 8, column 3: expected a number, got 'x'"),
        (line(8, "1 1_0 3 4"), "line 8, column 2: expected a number, got '1_0'"),
        (line(8, "1.5.5 2 3 4"), "line 8, column 1: expected a number, got '1.5.5'"),
        (line(9, "nan 2 3 4"), "line 9, column 1: expected a number, got 'nan'"),
        (line(9, "1 2 -inf 4"), "line 9, column 3: expected a finite number, got '-inf'"),
        (line(60, ""), "line 59: expected 20 lines for every frame, got 19 in the last one"),
        (text()[:-20], "line 60: expected 4 cells .*; is the file cut off"),
        ("", r"e01_skeleton3D\.txt: expected text, got an empty file"),
    ],
)
def test_broken_text(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_msr_action3d(write(tmp_path, content))


def test_broken_members(tmp_path: Path) -> None:
    def archive(content: bytes) -> Path:
        with ZipFile(tmp_path / "x.zip", "w") as file:
            file.writestr("Real3D/a02_s03_e01.txt", content)
        return tmp_path / "x.zip"

    with pytest.raises(ValueError, match=r"x\.zip/Real3D/a02_s03_e01\.txt: expected lines of 4 n"):
        read_msr_action3d(archive(b" \n"))
    with pytest.raises(ValueError, match=r"e01\.txt line 2: expected text, got the byte 0xff"):
        read_msr_action3d(archive(b"1 2 3 4\n\xff"))
    content = archive(text().encode()).read_bytes()
    for number in range(0, len(content), 97):
        (tmp_path / "x.zip").write_bytes(content[:number])
        with pytest.raises(ValueError, match=r"x\.zip: .*; is the archive cut off or another file"):
            read_msr_action3d(tmp_path / "x.zip")


def test_names(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected files such as a01_s01_e01\*\.txt"):
        read_msr_action3d(tmp_path)
    with pytest.raises(FileNotFoundError, match="expected a zip archive or a folder, found none"):
        read_msr_action3d(tmp_path / "none.zip")
    with pytest.raises(ValueError, match="expected actions that are counted from 1, got 00"):
        read_msr_action3d(write(tmp_path, text(), "a00_s01_e01.txt"))
    (tmp_path / "deep" / "a00_s01_e01.txt").unlink()
    write(tmp_path, text(), "a01_s01_e01.txt")
    write(tmp_path, text(), "a01_s01_e01_screen.txt")
    with pytest.raises(ValueError, match="expected every clip once, got a01_s01_e01 again"):
        read_msr_action3d(tmp_path)


def test_real_clips() -> None:
    clips = read_msr_action3d(real_file("msr_action3d/msr_action3d_real3d.zip"))
    assert len(clips) == 567
    frames = [clip.num_frames for clip in clips]
    assert (min(frames), max(frames)) == (13, 936)
    assert [clip.name for clip in clips if clip.num_frames == 936] == ["a13_s09_e03"]
    assert [clip.name for clip in clips if not clip.observed.any()] == ["a13_s09_e02"]
    assert {clip.label for clip in clips} == set(range(20))
    assert {clip.info["subject"] for clip in clips} == set(range(1, 11))
    named = {clip.name: clip for clip in clips}
    first = named["a03_s06_e02"]
    assert first.positions[0, 0, 0].tolist() == pytest.approx([-0.346852, 0.272970, 2.657643])
    assert (first.label, first.info) == (2, {"subject": 6, "example": 2})
    assert sum(not clip.observed.all() for clip in clips) == 20
