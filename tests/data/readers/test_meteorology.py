import h5py
import numpy as np
import pytest

from tests.data.flow_files import slot_stamps, write_meteorology
from tgst.data import read_meteorology

STAMPS = slot_stamps("2013-07-01", "2013-07-02", 48, 1)


def test_values(tmp_path):
    weather = read_meteorology(write_meteorology(tmp_path / "m.h5", STAMPS), 48)
    assert str(weather.timestamps[3]) == "2013-07-01T01:30:00"
    assert weather.weather.shape == (96, 17)
    assert weather.weather.dtype == np.float32
    assert weather.weather.argmax(1).tolist() == [record % 17 for record in range(96)]
    assert weather.wind_speed.tolist() == list(range(96))
    assert weather.temperature.tolist() == [20 - record / 2 for record in range(96)]


def test_any_order_and_repeated(tmp_path):
    path = write_meteorology(tmp_path / "m.h5", [*STAMPS[::-1], STAMPS[5]])
    weather = read_meteorology(path, 48)
    assert (np.diff(weather.timestamps) == np.timedelta64(1800, "s")).all()
    assert weather.wind_speed.tolist() == list(range(95, -1, -1))
    assert weather.weather[0].argmax() == 95 % 17


def change(path, **arrays):
    with h5py.File(path, "r+") as file:
        for name, array in arrays.items():
            del file[name]
            if array is not None:
                file[name] = array
    return path


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"WindSpeed": None}, r"m.h5: expected the arrays date, Weather, WindSpeed, Temperature, "
         r"got no WindSpeed but Temperature \(96,\), Weather \(96, 17\), date \(96,\)"),
        ({"Weather": np.zeros(96)}, r"Weather: expected \[n, kinds\] with n = 96 .*shape \[96\]"),
        ({"Temperature": np.zeros(95)}, r"Temperature: expected \[n\] with n = 96 .*shape \[95\]"),
        ({"WindSpeed": np.full(96, np.inf)}, r"WindSpeed\[0\]: expected a finite .*, got inf"),
        ({"date": 2013070101}, r"got no date but .*date \(\)"),
        ({"date": np.array(STAMPS)[:, None]}, r"date: expected \[n\] .*shape \[96, 1\]"),
        ({"date": np.array([*STAMPS[:95], b"2013-07-02"])}, r"date\[95\]: .*got '2013-07-02'"),
    ],
)  # fmt: skip
def test_bad_file(tmp_path, arrays, message):
    path = change(write_meteorology(tmp_path / "m.h5", STAMPS), **arrays)
    with pytest.raises(ValueError, match=message):
        read_meteorology(path, 48)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"m.h5: expected a file, found none"):
        read_meteorology(tmp_path / "m.h5", 48)
