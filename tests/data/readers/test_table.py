import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch_geometric.data import Data

from tgst.data import Series, gaps, read_table, window_starts
from tgst.datasets import LosLoop


def write(folder: Path, times, columns=("a", "b", "c")) -> Path:
    readings = np.arange(len(times) * len(columns), dtype=float).reshape(len(times), -1)
    pd.DataFrame(readings, index=times, columns=columns).to_csv(folder / "speed.csv")
    return folder / "speed.csv"


def regular(periods: int = 4):
    return pd.date_range("2024-03-04", periods=periods, freq="5min")


@pytest.mark.parametrize("node_id", [[5, 6, 7], ["5", "6", "7"], torch.tensor([5, 6, 7])])
def test_order_of_the_graph(tmp_path, node_id):
    path = write(tmp_path, regular(), columns=(7, 5, 6))
    series = read_table(path, graph=Data(node_id=node_id, num_nodes=3))
    assert series.node_id == ["5", "6", "7"]
    assert series.values[:, 0, 0].tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("node_id", "message"),
    [
        (
            ["a", "b"],
            r"graph \(2 nodes\) .* series \(3\): none without readings, 'c' not in the gr",
        ),
        (["a", "b", "x"], "'x' without readings, 'c' not in the graph"),
        (None, "`graph` must have `node_id`"),
    ],
)
def test_ids_that_do_not_match_the_graph(tmp_path, node_id, message):
    graph = Data(num_nodes=3) if node_id is None else Data(node_id=node_id)
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path, regular()), graph=graph)


def test_columns_without_names_are_in_the_order_of_the_graph(tmp_path):
    np.savez(tmp_path / "flow.npz", np.arange(6).reshape(3, 2))
    arguments = {"start": "2024-03-04", "step": "1h"}
    series = read_table(tmp_path / "flow.npz", graph=Data(node_id=["x", "y"]), **arguments)
    assert series.node_id == ["x", "y"]
    assert series.values[..., 0].tolist() == [[0, 2, 4], [1, 3, 5]]
    with pytest.raises(ValueError, match="`node_id` must hold 2 ids, one per node, got 3"):
        read_table(tmp_path / "flow.npz", graph=Data(node_id=["x", "y", "z"]), **arguments)


def test_irregular_interval_is_kept(tmp_path):
    times = regular(20).delete([7, 8])
    series = read_table(write(tmp_path, times))
    assert (series.timestamps == times.to_numpy()).all()
    (gap,) = gaps(series)
    assert (gap.row, gap.missing) == (7, 2)
    starts = window_starts(series, 3, 2)
    assert starts.tolist() == [0, 1, 2, *range(7, 14)]
    for start in starts:
        assert (np.diff(times[start : start + 5]) == np.timedelta64(300, "s")).all()


def test_sensor_that_was_never_observed(tmp_path):
    path = tmp_path / "speed.csv"
    path.write_text("time,a,b\n2024-03-04,1,\n2024-03-05,2,\n")
    series = read_table(path)
    assert series.node_id == ["a", "b"]
    assert series.mask.tolist() == [[True, True], [False, False]]


def local(zone: str, first: str, periods: int) -> pd.DatetimeIndex:
    r"""What a local clock shows every 30 minutes."""
    times = pd.date_range(first, periods=periods, freq="30min", tz="UTC")
    return times.tz_convert(zone).tz_localize(None)


def test_hour_that_a_local_clock_repeats(tmp_path):
    path = write(tmp_path, local("America/New_York", "2024-11-03 04:00", 8))
    message = (
        r"speed\.csv must have strictly increasing timestamps, got 2024-11-03T01:00:00\S* at row 4 "
        r"after 2024-11-03T01:30:00\S*; .*daylight saving ends: read a table in UTC, or give tz="
    )
    with pytest.raises(ValueError, match=message):
        read_table(path)
    series = read_table(path, tz="America/New_York")
    expected = np.datetime64("2024-11-03T04:00", "s") + np.timedelta64(1800, "s") * np.arange(8)
    assert (series.timestamps == expected).all()


def test_hour_that_a_local_clock_skips(tmp_path):
    path = write(tmp_path, local("America/New_York", "2024-03-10 05:00", 8))
    (gap,) = gaps(read_table(path))
    assert (str(gap.before), str(gap.after)) == ("2024-03-10T01:30:00", "2024-03-10T03:00:00")
    series = read_table(path, tz="America/New_York")
    assert gaps(series) == []
    assert str(series.timestamps[0]) == "2024-03-10T05:00:00"


@pytest.mark.parametrize(
    ("times", "tz", "message"),
    [
        (["2024-03-10 02:30"], "America/New_York", "local times of the table.*2024-03-10 02:30"),
        (["2024-11-03 01:30"], "America/New_York", "got 'America/New_York': .*2024-11-03 01:30"),
        (["2024-11-03 01:30"], "Mars/Olympus", "`tz` must name a time zone, got 'Mars/Olympus'"),
    ],
)
def test_bad_local_times(tmp_path, times, tz, message):
    with pytest.raises(ValueError, match=message):
        read_table(write(tmp_path, pd.DatetimeIndex(times)), tz=tz)


@pytest.mark.parametrize("missing", [(-99.9,), np.array([-99.9]), [np.float64(-99.9)]])
def test_values_that_mean_missing_are_compared_in_single_precision(tmp_path, missing):
    (tmp_path / "speed.csv").write_text("a,b\n-99.9,2\n3,4\n")
    series = read_table(tmp_path / "speed.csv", start="2024", step="1h", missing=missing)
    assert series.mask.tolist() == [[False, True], [True, True]]


@pytest.mark.parametrize(
    ("name", "package"), [("a.csv", "pyarrow"), ("a.parquet", "pyarrow"), ("a.h5", "h5py")]
)
def test_says_what_to_install(tmp_path, monkeypatch, name, package):
    (tmp_path / name).write_text("a,b\n1,2\n")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf'{name} needs {package} to .*"tgst\[data\]"'):
        read_table(tmp_path / name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": "soon", "step": "1h"}, "`start` must be a moment .* got 'soon'"),
        ({"start": "2024", "step": "often"}, "`step` must be a duration .* got 'often'"),
        ({"start": "2024", "step": "-1h"}, "`step` must be positive, got '-1h'"),
        ({"start": "2024", "step": "1h", "tz": "UTC"}, "`tz` needs the local times of a file"),
        ({"start": "2024", "step": "1h", "node_id": ["x"]}, "`node_id` must hold 2 ids"),
        ({"start": "2024", "step": "1h", "missing": 0}, "`missing` must be a sequence .* got 0"),
        ({"start": "2024", "step": "1h", "missing": "0"}, "`missing` must be .* got '0'"),
        ({"start": "2024", "step": "1h", "key": "df"}, "`key` names a table of an HDF5 or NPZ fi"),
    ],
)
def test_bad_arguments(tmp_path, arguments, message):
    (tmp_path / "speed.csv").write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "speed.csv", **arguments)


def test_start_with_a_time_zone(tmp_path):
    (tmp_path / "speed.csv").write_text("a,b\n1,2\n3,4\n")
    series = read_table(tmp_path / "speed.csv", start="2024-03-04T00:00-05:00", step="1h")
    assert str(series.timestamps[0]) == "2024-03-04T05:00:00"


def test_start_of_a_file_with_timestamps(tmp_path):
    with pytest.raises(ValueError, match=r"for files without timestamps, .* got start='2024'"):
        read_table(write(tmp_path, regular()), start="2024")


def test_unknown_format(tmp_path):
    message = r"`path` must end in one of \.csv, .*\.npz, got 'speed\.xlsx'"
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "speed.xlsx")
    with pytest.raises(FileNotFoundError, match=r"`path` must be a file, got .*speed\.csv"):
        read_table(tmp_path / "speed.csv")


def real_root() -> Path:
    if "TGST_DATA" not in os.environ:
        pytest.skip("TGST_DATA (the folder that holds losloop/ and nyc_zones/) is not set")
    return Path(os.environ["TGST_DATA"])


def test_real_csv():
    root = real_root() / "losloop"
    dataset = LosLoop(root)
    series = read_table(
        root / "los_speed.csv",
        channel="speed",
        start="2012-03-01",
        step="5min",
        graph=dataset[0],
    )
    assert isinstance(series, Series)
    assert torch.equal(series.values, dataset.series.values)
    assert series.node_id == dataset.series.node_id
    assert (series.timestamps == dataset.series.timestamps).all()


def test_real_npz():
    path = real_root() / "nyc_zones" / "bike_60min_inoutflow.npz"
    series = read_table(path, start="2019-01-01", step="1h", channels=("in", "out"))
    assert series.values.shape == (69, 17_544, 2)
    assert str(series.timestamps[-1]) == "2020-12-31T23:00:00"
    assert gaps(series) == []
