import gzip

import numpy as np
import pytest

from tgst.data import read_table

TABLE = "time,101,102\n2024-03-04 00:00:00,1.5,2\n2024-03-04 00:05:00,,4\n2024-03-04 00:10:00,5,6\n"


def write(folder, text, name="speed.csv"):
    path = folder / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["speed.csv", "speed.csv.gz"])
def test_table(tmp_path, name):
    series = read_table(write(tmp_path, TABLE, name), channel="speed")
    assert series.node_id == ["101", "102"]
    assert series.channels == ("speed",)
    assert series.values[..., 0].tolist() == [[1.5, 0, 5], [2, 4, 6]]
    assert series.mask.tolist() == [[True, False, True], [True, True, True]]
    expected = np.datetime64("2024-03-04", "s") + np.timedelta64(300, "s") * np.arange(3)
    assert (series.timestamps == expected).all()


def test_no_timestamps_are_made_up(tmp_path):
    path = write(tmp_path, "101,102\n1,2\n3,4\n")
    message = r"speed.csv has no timestamps: give `start`.* and `step`.* got start=None, step=None"
    with pytest.raises(ValueError, match=message):
        read_table(path)
    with pytest.raises(ValueError, match="got start='2024-03-04', step=None"):
        read_table(path, start="2024-03-04")
    series = read_table(path, start="2024-03-04 06:00", step="1h")
    assert series.values[..., 0].tolist() == [[1, 3], [2, 4]]
    assert series.timestamps.astype(str).tolist() == ["2024-03-04T06:00:00", "2024-03-04T07:00:00"]


def test_first_column_begins_with_missing_readings(tmp_path):
    series = read_table(write(tmp_path, "a,b\n,2\nNaN,3\n1,4\n"), start="2024", step="1h")
    assert series.mask.tolist() == [[False, False, True], [True, True, True]]


def test_timestamps_in_another_column(tmp_path):
    path = write(tmp_path, "a,when,b\n1,2024-03-04,2\n3,2024-03-05,4\n")
    series = read_table(path, timestamps="when")
    assert series.node_id == ["a", "b"]
    assert series.values[..., 0].tolist() == [[1, 3], [2, 4]]
    with pytest.raises(ValueError, match=r"`timestamps` must name a column of .* got 'time'"):
        read_table(path, timestamps="time")


@pytest.mark.parametrize("zone", ["Z", "+00:00", "-05:00"])
def test_time_zone_in_the_texts_becomes_utc(tmp_path, zone):
    path = write(tmp_path, f"time,a\n2024-03-04T22:00{zone},1\n2024-03-04T23:00{zone},2\n")
    first = "2024-03-05T03:00:00" if zone == "-05:00" else "2024-03-04T22:00:00"
    assert str(read_table(path).timestamps[0]) == first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"begin with a line of node ids, got an empty file"),
        ("time,a\n", "a line of readings, got a header only"),
        ("time\n2024-03-04\n", "a column of readings, got only timestamps"),
        ("time,a,b\n2024-03-04,1,2\n2024-03-05,3\n", "Row #3: Expected 3 columns, got 2"),
        ("time,a,b\n2024-03-04,1,2\n2024-03-05,x,3\n", "Row #3: .* invalid value 'x'"),
        (",a\n0,1\n1,2\n", "line 1 must name every .* got no name in column 1; were row numbers"),
        ("time,a,\n2024-03-04,1,2\n", "must name every column .* got no name in column 3"),
        ("time,a,a\n2024-03-04,1,2\n", "`node_id` must not repeat an id, got 'a'"),
        ("time,a\nmorning,1\n", "ISO 8601 timestamps .* got 'morning' at row 0"),
        ("time,a\n2024-03-04,1\n,2\n", "column 'time' of .* got '' at row 1"),
        ("time,a\n2024-03-04T01:00Z,1\n2024-03-04T02:00,2\n", "everywhere or nowhere.* at row 1"),
        ("time,a\n2024-03-05,1\n2024-03-03,2\n", "strictly increasing.* at row 1, which is earl"),
    ],
)
def test_bad_tables(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path, text))


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "speed.csv"
    path.write_bytes(b"\xff\xfe,a\n1,2\n")
    with pytest.raises(ValueError, match=r"speed\.csv must be UTF-8 text"):
        read_table(path)


@pytest.mark.parametrize("kept", [30, 2000])
def test_packed_file_that_is_cut_off(tmp_path, kept):
    rng = np.random.default_rng(0)
    lines = [f"2024-03-04 {row // 60:02}:{row % 60:02},{rng.random()}\n" for row in range(1000)]
    path = write(tmp_path, "time,a\n" + "".join(lines), "speed.csv.gz")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"speed\.csv\.gz cannot be read: "):
        read_table(path)
