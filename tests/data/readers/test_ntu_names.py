from __future__ import annotations

from pathlib import Path

import pytest

from tgst.data import NTUName, ntu_split, read_missing_names

NAME = "S001C002P003R002A013"


@pytest.mark.parametrize(
    "text",
    [
        NAME,
        NAME.lower(),
        f"{NAME}.skeleton",
        f"raw/{NAME}.skeleton",
        Path(f"S009C001P001R001A001/{NAME}.npy"),
        f"{NAME}_rgb.avi",
    ],
)
def test_name(text: str | Path) -> None:
    name = NTUName.parse(text)
    assert name == (1, 2, 3, 2, 13)
    assert (name.setup, name.camera, name.performer) == (1, 2, 3)
    assert (name.replication, name.action, name.label) == (2, 13, 12)
    assert str(name) == NAME


@pytest.mark.parametrize("text", ["", "S001C002P003R002", "walk.skeleton", f"x{NAME}", f"{NAME}4"])
def test_other_names(text: str) -> None:
    with pytest.raises(ValueError, match="name: expected one such as 'S001C002P003R002A013', got"):
        NTUName.parse(text)
    with pytest.raises(ValueError, match="name: expected one such as"):
        ntu_split(text, "xsub")


def test_numbers_count_from_one() -> None:
    with pytest.raises(ValueError, match="counted from 1, got 'S001C002P003R002A000'"):
        NTUName.parse("S001C002P003R002A000")


def performers(protocol: str, count: int) -> list[int]:
    return [
        number
        for number in range(1, count + 1)
        if ntu_split(NTUName(1, 1, number, 1, 1), protocol) == "train"
    ]


def test_subjects() -> None:
    assert performers("xsub", 40) == [
        *(1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38)
    ]
    assert performers("xsub120", 106) == [
        *(1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38, 45, 46, 47),
        *(49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91),
        *(92, 93, 94, 95, 97, 98, 100, 103),
    ]
    assert len(performers("xsub120", 106)) == 53


def test_cameras_and_setups() -> None:
    views = [ntu_split(f"S001C00{camera}P003R002A013", "xview") for camera in (1, 2, 3)]
    assert views == ["test", "train", "train"]
    sets = [ntu_split(f"S0{setup}C001P003R002A013", "xset") for setup in (17, 18, 31, 32)]
    assert sets == ["test", "train", "test", "train"]


def test_protocols() -> None:
    with pytest.raises(ValueError, match=r"protocol: expected one of \('xsub', .*, got 'cs'"):
        ntu_split(NAME, "cs")
    for name in ("S018C001P008R001A001", "S001C001P008R001A061"):
        with pytest.raises(ValueError, match=f"expected 'xsub120' or 'xset' for {name}, .*'xview'"):
            ntu_split(name, "xview")
        assert ntu_split(name, "xsub120") == "train"


def test_missing_names(tmp_path: Path) -> None:
    path = tmp_path / "missing.txt"
    header = '2 of the captured samples in "NTU RGB+D" are missing.\nIgnore these files.\n\n'
    path.write_text(f"{header}{NAME}\nS017C003P020R001A059\r\n\n")
    assert read_missing_names(path) == {NAME, "S017C003P020R001A059"}
    path.write_text(f"{NAME}.skeleton\n")
    assert read_missing_names(path) == {NAME}
    path.write_text(f"{header}{NAME}\nS017C003P020\n")
    with pytest.raises(ValueError, match=r"missing\.txt line 5: .*got 'S017C003P020'"):
        read_missing_names(path)
    path.write_text(header)
    with pytest.raises(ValueError, match=r"missing\.txt: expected names such as"):
        read_missing_names(path)
