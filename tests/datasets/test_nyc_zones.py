import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tgst.datasets import NYCZones
from tgst.loader import WindowLoader

HOURS = 17_544
# The rows of the table are not in the order of the graph; not symmetric, unlike the real one.
ZONES = 'zone_id,graph_id,zone_name\n12,1,"Park, Battery"\n4,0,Alphabet City\n24,2,Bloomingdale\n'
ADJACENCY = "0,1,2\n0,1,0\n0,0,0\n0,1,0\n"
NAMES = ["W_adj_matrix.csv", "bike_60min_inoutflow.npz", "manhattan_zones.csv"]


def flow() -> np.ndarray:
    r"""Hour, zone and channel can be read off every entry."""
    hour, zone, channel = np.ogrid[:HOURS, :3, :2]
    return hour + 0.25 * zone + 0.125 * channel


def write(folder: Path, adjacency: str = ADJACENCY, zones: str = ZONES, mode: str = "bike") -> Path:
    np.savez(folder / f"{mode}_60min_inoutflow.npz", flow())
    (folder / "W_adj_matrix.csv").write_bytes(adjacency.encode())
    (folder / "manhattan_zones.csv").write_bytes(zones.encode())
    return folder


def real_root() -> Path:
    if "TGST_DATA" not in os.environ:
        pytest.skip("TGST_DATA (the folder that holds nyc_zones/) is not set")
    root = Path(os.environ["TGST_DATA"]) / "nyc_zones"
    if not root.is_dir():
        pytest.skip(f"{root} does not exist")
    return root


def test_graph(tmp_path):
    dataset = NYCZones(write(tmp_path))
    assert len(dataset) == 1
    data = dataset[0]
    assert data.node_id == ["4", "12", "24"]
    assert data.zone_name == ["Alphabet City", "Park, Battery", "Bloomingdale"]
    # Row i of the file holds what zone i receives.
    assert data.edge_index.tolist() == [[1, 1], [0, 2]]
    assert data.edge_weight.tolist() == [1, 1]
    assert data.e_id.tolist() == [0, 1]
    assert data.num_nodes == 3


def test_series(tmp_path):
    series = NYCZones(write(tmp_path), year=None).series
    assert series.values.shape == (3, HOURS, 2)
    assert series.values.dtype == torch.float32
    assert series.values[2, 5].tolist() == [5.5, 5.625]
    assert series.channels == ("inflow", "outflow")
    assert series.node_id == ["4", "12", "24"]
    assert series.mask is None
    assert str(series.timestamps[0]) == "2019-01-01T00:00:00"
    assert str(series.timestamps[-1]) == "2020-12-31T23:00:00"
    assert (np.diff(series.timestamps) == np.timedelta64(1, "h")).all()


@pytest.mark.parametrize(
    ("year", "first", "steps"), [(2019, 0, 8760), (2020, 8760, 8784), (None, 0, 17_544)]
)
def test_year(tmp_path, year, first, steps):
    series = NYCZones(write(tmp_path), year=year).series
    assert series.num_steps == steps
    assert series.values[0, 0, 0] == first
    assert {str(stamp)[:4] for stamp in series.timestamps} == (
        {str(year)} if year else {"2019", "2020"}
    )


def test_the_default_year_is_before_the_shift(tmp_path):
    assert NYCZones(write(tmp_path)).year == 2019


def test_mode_names_the_file(tmp_path):
    write(tmp_path, mode="taxi")
    assert NYCZones(tmp_path, "taxi").series.num_nodes == 3
    with pytest.raises(FileNotFoundError, match=r"got no bike_60min_inoutflow.npz"):
        NYCZones(tmp_path, "bike")


def test_nothing_is_written(tmp_path):
    _ = NYCZones(str(write(tmp_path)))[0]
    assert sorted(path.name for path in tmp_path.rglob("*")) == NAMES


def test_line_ends_of_the_published_file(tmp_path):
    root = write(tmp_path, ADJACENCY.replace("\n", "\r\r\n"), "\ufeff" + ZONES)
    data = NYCZones(root, transform=lambda data: data)[0]
    assert data.edge_index.tolist() == [[1, 1], [0, 2]]
    assert data.node_id == ["4", "12", "24"]


@pytest.mark.parametrize("name", NAMES)
def test_missing_file(tmp_path, name):
    (write(tmp_path) / name).unlink()
    wanted = r"`root` must hold bike_.*npz, W_adj_matrix.csv and manhattan_zones.csv"
    with pytest.raises(FileNotFoundError, match=f"{wanted}, got no {name} in"):
        NYCZones(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "bus"}, "`mode` must be 'bike' or 'taxi', got 'bus'"),
        ({"year": 2021}, r"`year` must be 2019, 2020 or None \(both\), got 2021"),
    ],
)
def test_bad_argument(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        NYCZones(write(tmp_path), **arguments)


@pytest.mark.parametrize(
    ("adjacency", "message"),
    [
        ("0,1\n0,1\n1,0\n", "W_adj_matrix.csv must hold 3 x 3 entries, one row .* got 2 x 2"),
        (ADJACENCY[:-3], "W_adj_matrix.csv line 4: expected 3 cells"),
        (ADJACENCY.replace("0,1,0", "0,0.5,0"), "W_adj_matrix.csv must hold zeros and ones"),
        (ADJACENCY.replace("0,1,0", "0,x,0"), "W_adj_matrix.csv line 2, column 2: .* got 'x'"),
    ],
)
def test_bad_adjacency(tmp_path, adjacency, message):
    with pytest.raises(ValueError, match=message):
        NYCZones(write(tmp_path, adjacency))


@pytest.mark.parametrize(
    ("zones", "message"),
    [
        ("a,b\n1,2\n", "manhattan_zones.csv line 1 must name .*'zone_id', 'graph_id'"),
        ("", "manhattan_zones.csv: expected text, got an empty file"),
        (ZONES + "25,2,Another\n", "manhattan_zones.csv must .* each once, got 0, 1, 2, 2 "),
        (ZONES.replace(",2,", ",3,"), "manhattan_zones.csv must number its zones 0, 1, "),
        (ZONES.splitlines()[0] + "\n", "manhattan_zones.csv must number its zones .* got no line"),
    ],
)
def test_bad_zones(tmp_path, zones, message):
    with pytest.raises(ValueError, match=message):
        NYCZones(write(tmp_path, zones=zones))


def test_bad_flow(tmp_path):
    path = write(tmp_path) / "bike_60min_inoutflow.npz"
    np.savez(path, flow()[:-1])
    with pytest.raises(ValueError, match=r"must hold numbers of the shape \(17544, 3, 2\)"):
        NYCZones(tmp_path)
    np.savez(path, counts=flow())
    with pytest.raises(ValueError, match="must be a NumPy archive with an array arr_0"):
        NYCZones(tmp_path)
    np.savez_compressed(path, flow())
    damaged = bytearray(path.read_bytes())
    damaged[60] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="must be a NumPy archive with an array arr_0"):
        NYCZones(tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match="must be a NumPy archive with an array arr_0"):
        NYCZones(tmp_path)


def test_a_pickle_is_not_read(tmp_path):
    path = write(tmp_path) / "bike_60min_inoutflow.npz"
    np.savez(path, np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="must be a NumPy archive with an array arr_0"):
        NYCZones(tmp_path)


def test_real_data():
    dataset = NYCZones(real_root(), "taxi")
    data, series = dataset[0], dataset.series
    assert data.edge_index.shape == (2, 332)
    assert data.is_undirected()
    assert not data.has_self_loops()
    assert data.num_nodes == 69
    degree = torch.bincount(data.edge_index[0], minlength=69)
    alone = [data.node_id[node] for node in (degree == 0).nonzero().flatten()]
    assert alone == ["103", "104", "153"]
    assert data.zone_name[data.node_id.index("230")] == "Times Sq/Theatre District"
    assert series.values.shape == (69, 8760, 2)
    assert NYCZones(real_root(), "taxi", None).series.values.max() == 2267
    assert series.aligned_to(data.node_id) is series


@pytest.mark.parametrize(
    ("mode", "absolute", "squared"), [("bike", 8.11, 17.74), ("taxi", 25.87, 47.49)]
)
def test_last_value_on_real_data(mode, absolute, squared):
    r"""Known errors of the forecasts made within the last 20 % of 2019, one hour ahead."""
    values = NYCZones(real_root(), mode).series.values.double()
    first = int(8760 * 0.8)
    error = values[:, first + 1 :] - values[:, first:-1]
    assert error.abs().mean().item() == pytest.approx(absolute, abs=0.005)
    assert error.square().mean().sqrt().item() == pytest.approx(squared, abs=0.005)


def test_clock_changes_of_real_data():
    r"""The hour that the clock skips holds no trip, the one that it repeats holds both."""
    series = NYCZones(real_root(), "taxi").series
    trips = dict(zip(series.timestamps.astype(str), series.values.sum(dim=(0, 2)), strict=True))
    assert trips["2019-03-10T02:00:00"] == 0
    assert trips["2019-11-03T01:00:00"] > 1.5 * trips["2019-11-03T00:00:00"]


def test_windows_of_real_data():
    loader = WindowLoader(NYCZones(real_root()).series, history=24, horizon=1, part="test")
    assert len(loader.starts) == 1752
    assert next(iter(loader)).x.shape == (69, 32, 24, 2)
