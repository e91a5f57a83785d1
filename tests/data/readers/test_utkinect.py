from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from tests.data.readers.real import real_file
from tgst.data import read_utkinect

RNG = np.random.default_rng(0)


def cells(shape: tuple[int, ...] = (2, 3, 2)) -> np.ndarray:
    content = np.empty(shape, object)
    for place in np.ndindex(shape):
        content[place] = RNG.normal(size=(3, 20, 4 + sum(place)))
    return content


def write(folder: Path, content: np.ndarray, name: str = "data") -> Path:
    scipy.io.savemat(folder / "x.mat", {name: content}, do_compression=True)
    return folder / "x.mat"


def test_cells(tmp_path: Path) -> None:
    content = cells()
    content[1, 0, 1] = np.zeros((3, 20, 0))
    content[0, 1, 0][:, 7, 2] = 0
    content[0, 2, 0][0, 7, 2] = 0
    clips = read_utkinect(write(tmp_path, content))
    assert [clip.name for clip in clips] == [
        f"a{a}_s{s}_e{e}"
        for a in ("01", "02")
        for s in ("01", "02", "03")
        for e in ("01", "02")
        if (a, s, e) != ("02", "01", "02")
    ]
    last = clips[-1]
    assert (last.label, last.info) == (1, {"subject": 3, "repetition": 2})
    np.testing.assert_array_equal(
        last.positions[0], content[1, 2, 1].transpose(2, 1, 0).astype("f4")
    )
    assert clips[2].name == "a01_s02_e01"
    assert np.argwhere(~clips[2].observed).tolist() == [[0, 2, 7]]
    assert clips[4].observed.all()


def test_dimensions_that_matlab_drops(tmp_path: Path) -> None:
    content = cells((2, 3))
    content[1, 1] = content[1, 1][:, :, 0]
    clips = read_utkinect(write(tmp_path, content, "joints"), variable="joints")
    assert [clip.info["repetition"] for clip in clips] == [1] * 6
    assert clips[4].positions.shape == (1, 1, 20, 3)
    np.testing.assert_array_equal(clips[4].positions[0, 0], content[1, 1].T.astype("f4"))


def changed(place: tuple[int, ...], value: object) -> np.ndarray:
    content = cells()
    content[place] = value
    return content


NAN = RNG.normal(size=(3, 20, 5))
NAN[1, 4, 2] = np.nan


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((3, 20, 5)), r"x\.mat data: expected a cell array .*got float64 of \(3, 20, 5\)"),
        (cells((2, 2, 2, 2)), r"got object of \(2, 2, 2, 2\)"),
        (
            changed((0, 0, 0), np.zeros((2, 20, 5))),
            r"data\{1, 1, 1\}: expected numbers of the shap",
        ),
        (changed((0, 1, 0), np.ones((3, 15, 5))), r"data\{1, 2, 1\}: expected 20 joints .*got 15"),
        (changed((1, 1, 1), "walk"), r"data\{2, 2, 2\}: expected numbers of .*got <U4"),
        (changed((1, 0, 0), NAN), r"data\{2, 1, 1\}: .*got nan in frame 3, joint 5"),
    ],
)
def test_other_contents(tmp_path: Path, content: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_utkinect(write(tmp_path, content))


def test_no_clips(tmp_path: Path) -> None:
    content = np.empty((1, 2), object)
    content[0, 0] = content[0, 1] = np.zeros((0, 0))
    with pytest.raises(ValueError, match=r"x\.mat data: expected clips, got empty cells only"):
        read_utkinect(write(tmp_path, content))
    with pytest.raises(ValueError, match=r"x\.mat other: .*got no such variable"):
        read_utkinect(write(tmp_path, cells()), variable="other")
    with pytest.raises(FileNotFoundError, match=r"y\.mat: expected a file, found none"):
        read_utkinect(tmp_path / "y.mat")


def test_broken_file(tmp_path: Path) -> None:
    path = write(tmp_path, cells())
    content = path.read_bytes()
    for number in (0, 3, 100, 130, 200, len(content) // 2, len(content) - 9):
        path.write_bytes(content[:number])
        with pytest.raises(ValueError, match=r"x\.mat"):
            read_utkinect(path)
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(
        ValueError, match=r"x\.mat: expected a MATLAB file of a version before 7\.3"
    ):
        read_utkinect(path)


def test_real_clips() -> None:
    clips = read_utkinect(real_file("utkinect/UTKinect_Skeletons.mat"))
    assert len(clips) == 199
    frames = [clip.num_frames for clip in clips]
    assert (min(frames), max(frames)) == (5, 110)
    assert "a05_s10_e02" not in [clip.name for clip in clips]
    assert {clip.label for clip in clips} == set(range(10))
    assert {clip.info["subject"] for clip in clips} == set(range(1, 11))
    assert all(clip.observed.all() for clip in clips)
    first = clips[0]
    assert first.positions.shape == (1, 44, 20, 3)
    assert first.positions[0, 0, :2].tolist() == [
        pytest.approx([0.746392, -0.11803, 2.015845]),
        pytest.approx([0.758814, -0.051289, 2.006003]),
    ]
