import warnings

import numpy as np
import pandas as pd
import pytest

from tgst.data import read_table

TIMES = pd.date_range("2024-03-04", periods=3, freq="5min")
READINGS = pd.DataFrame({"101": [1.0, np.nan, 3.0], "102": [4, 5, 6]}, index=TIMES)


def write(folder, frame):
    frame.to_parquet(folder / "speed.parquet")
    return folder / "speed.parquet"


def test_days(tmp_path):
    days = pd.date_range("2024-03-04", periods=3)
    frame = pd.DataFrame({"day": days.date, "a": [1.0, 2.0, 3.0]})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        series = read_table(write(tmp_path, frame), timestamps="day")
    assert (series.timestamps == days.to_numpy()).all()


@pytest.mark.parametrize("form", ["index", "column", "text"])
def test_table(tmp_path, form):
    frame, timestamps = READINGS, None
    if form != "index":
        frame, timestamps = READINGS.rename_axis("when").reset_index(), "when"
    if form == "text":
        frame["when"] = frame["when"].astype(str)
    series = read_table(write(tmp_path, frame), timestamps=timestamps)
    assert series.node_id == ["101", "102"]
    assert series.values[..., 0].tolist() == [[1, 0, 3], [4, 5, 6]]
    assert series.mask.tolist() == [[True, False, True], [True, True, True]]
    assert (series.timestamps == TIMES.to_numpy()).all()


def test_name_of_the_index(tmp_path):
    path = write(tmp_path, READINGS.rename_axis("when"))
    assert read_table(path, timestamps="when").node_id == ["101", "102"]


def test_time_zone_of_the_file_becomes_utc(tmp_path):
    path = write(tmp_path, READINGS.tz_localize("America/Los_Angeles"))
    assert str(read_table(path).timestamps[0]) == "2024-03-04T08:00:00"
    with pytest.raises(ValueError, match=r"`tz` is for local times, but .* names a time zone"):
        read_table(path, tz="America/Los_Angeles")


def test_without_timestamps(tmp_path):
    path = write(tmp_path, READINGS.reset_index(drop=True))
    with pytest.raises(ValueError, match=r"speed\.parquet has no timestamps: .* `timestamps`"):
        read_table(path)
    assert read_table(path, start="2024-03-04", step="5min").num_steps == 3


@pytest.mark.parametrize(
    ("frame", "timestamps", "message"),
    [
        (READINGS, "when", "`timestamps` must name a column of .* got 'when'; it has 101, 102"),
        (
            pd.DataFrame({"when": ["2024-03-04", None], "a": [1, 2]}),
            "when",
            "column 'when' of .* got .* at row 1",
        ),
        (READINGS, "102", "a column of timestamps of .* got int64 in '102'"),
        (
            READINGS.rename_axis("when").reset_index(),
            None,
            "numeric columns, got datetime64.* in column 'when'; name a column of timestamps",
        ),
    ],
)
def test_bad_tables(tmp_path, frame, timestamps, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path, frame), timestamps=timestamps)


def test_another_file(tmp_path):
    (tmp_path / "speed.parquet").write_text("time,a\n2024-03-04,1\n")
    with pytest.raises(ValueError, match=r"speed\.parquet must be a Parquet file"):
        read_table(tmp_path / "speed.parquet")


def test_damaged_file(tmp_path):
    path = write(tmp_path, READINGS)
    damaged = bytearray(path.read_bytes())
    damaged[10] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"speed\.parquet must be a Parquet file, got .*snappy"):
        read_table(path)
