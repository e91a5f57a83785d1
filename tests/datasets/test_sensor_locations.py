import pytest
import torch

from tgst.datasets.sensor_locations import order_of, read_locations, read_sensor_ids

COLUMNS = ("sensor_id", "latitude", "longitude")
TABLE = "index,sensor_id,latitude,longitude\n0,773869,34.15497,-118.31829\n1,5,34.1,-118.2\n"


def write(path, text):
    path.write_bytes(text.encode())
    return path


def test_with_header(tmp_path):
    node_id, pos = read_locations(write(tmp_path / "a.csv", TABLE), COLUMNS)
    assert node_id == ["773869", "5"]
    assert pos.tolist() == [[-118.31829, 34.15497], [-118.2, 34.1]]  # longitude first
    assert pos.dtype == torch.float64


def test_without_header(tmp_path):
    text = "\ufeff400001,37.364085,-121.901149\r\n400017, 37.25 ,-121.94\r\n\r\n"
    node_id, pos = read_locations(write(tmp_path / "a.csv", text))
    assert node_id == ["400001", "400017"]
    assert pos.tolist() == [[-121.901149, 37.364085], [-121.94, 37.25]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TABLE.replace("latitude", "lat"), r"a.csv line 1 must name the columns .*'latitude'"),
        ("", "a.csv: expected text, got an empty file"),
        (TABLE.replace(",-118.2\n", "\n"), "a.csv line 3 must hold an id, a latitude and a long"),
        (TABLE.replace("34.1,", "north,"), "a.csv line 3 must hold an id, a latitude and a long"),
        (TABLE.replace("34.1,", "91,"), r"a.csv line 3 must hold degrees .*got \(91.0, -118.2\)"),
        (TABLE.replace("34.1,", "nan,"), "a.csv line 3 must hold degrees"),
        (TABLE.replace("773869", "5"), "must have one line per sensor, got 2 lines for 1 sensors"),
        (TABLE.splitlines()[0], "must have one line per sensor, got 0 lines for 0 sensors"),
    ],
)
def test_bad_locations(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_locations(write(tmp_path / "a.csv", text), COLUMNS)


def test_sensor_ids(tmp_path):
    assert read_sensor_ids(write(tmp_path / "ids.txt", "11, 22,33\n")) == ["11", "22", "33"]


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(TABLE.encode() + b"\xff,1,2\n")
    with pytest.raises(ValueError, match=r"a\.csv line 4: expected UTF-8 text"):
        read_locations(path, COLUMNS)
    path.write_bytes(b"11,\xff\n")
    with pytest.raises(ValueError, match=r"a\.csv line 1: expected UTF-8 text"):
        read_sensor_ids(path)


@pytest.mark.parametrize("text", ["11,22,11", "11,,22"])
def test_bad_sensor_ids(tmp_path, text):
    with pytest.raises(ValueError, match=r"ids.txt must name every sensor once"):
        read_sensor_ids(write(tmp_path / "ids.txt", text))


def test_order(tmp_path):
    assert order_of(["b", "a"], ["a", "c", "b"], tmp_path) == [2, 0]
    with pytest.raises(ValueError, match=r"location of every sensor, got none for 2, .* is 'x'"):
        order_of(["x", "a", "y"], ["a"], tmp_path)
