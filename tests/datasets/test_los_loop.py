import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.utils import is_undirected

from tgst.datasets import LosLoop, los_loop
from tgst.datasets.download import RemoteFile
from tgst.loader import WindowLoader

SPEED = "11,22,33\n60.5,50,40\n61,51.25,41\n62,52,42\n63,53,43\n"
# Not symmetric, unlike the real one, so that a swapped direction shows.
ADJACENCY = "1,0.5,0\n0,1,0.25\n0.125,0,1\n"


def write(folder: Path, speed: str = SPEED, adjacency: str = ADJACENCY) -> Path:
    (folder / "los_speed.csv").write_bytes(speed.encode())
    (folder / "los_adj.csv").write_bytes(adjacency.encode())
    return folder


def real_root() -> Path:
    if "TGST_DATA" not in os.environ:
        pytest.skip("TGST_DATA (the folder that holds losloop/) is not set")
    root = Path(os.environ["TGST_DATA"]) / "losloop"
    if not root.is_dir():
        pytest.skip(f"{root} does not exist")
    return root


def test_graph(tmp_path):
    dataset = LosLoop(write(tmp_path))
    assert len(dataset) == 1
    data = dataset[0]
    assert data.num_nodes == 3
    assert data.node_id == ["11", "22", "33"]
    assert data.e_id.tolist() == [0, 1, 2, 3, 4, 5]
    weights = {
        (source.item(), target.item()): weight.item()
        for source, target, weight in zip(*data.edge_index, data.edge_weight, strict=True)
    }
    # Row i of the file holds what node i receives: w[0, 1] is the edge 1 -> 0.
    assert weights == {(0, 0): 1, (1, 0): 0.5, (1, 1): 1, (2, 1): 0.25, (0, 2): 0.125, (2, 2): 1}
    assert data.edge_index.dtype == data.e_id.dtype == torch.long
    assert data.edge_weight.dtype == torch.float32


def test_series(tmp_path):
    series = LosLoop(write(tmp_path)).series
    assert series.values[..., 0].tolist() == [
        [60.5, 61, 62, 63],
        [50, 51.25, 52, 53],
        [40, 41, 42, 43],
    ]
    assert series.values.dtype == torch.float32
    assert series.mask is None
    assert series.channels == ("speed",)
    assert series.node_id == ["11", "22", "33"]
    moments = ["2012-03-01T00:00", "2012-03-01T00:05", "2012-03-01T00:10", "2012-03-01T00:15"]
    assert (series.timestamps == np.array(moments, "M8[s]")).all()


def test_nothing_is_written(tmp_path):
    dataset = LosLoop(str(write(tmp_path)))
    _ = dataset[0]
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["los_adj.csv", "los_speed.csv"]


def test_transform_and_access(tmp_path):
    def double(data):
        data.edge_weight = 2 * data.edge_weight
        return data

    dataset = LosLoop(write(tmp_path), transform=double)
    assert dataset[0].edge_weight.max() == 2
    assert dataset[0].edge_weight.max() == 2  # every access starts from the stored graph


def test_other_line_ends_and_byte_order_mark(tmp_path):
    root = write(tmp_path, "\ufeff" + SPEED.replace("\n", "\r\n"), ADJACENCY.replace("\n", "\r\n"))
    dataset = LosLoop(root)
    assert dataset.series.node_id == ["11", "22", "33"]
    assert dataset.series.values[2, 3, 0] == 43
    assert dataset[0].num_edges == 6


@pytest.mark.parametrize("name", ["los_speed.csv", "los_adj.csv"])
def test_missing_file(tmp_path, name):
    (write(tmp_path) / name).unlink()
    message = rf"`root` must hold los_speed.csv and los_adj.csv, got no {name} in .*T-GCN"
    with pytest.raises(FileNotFoundError, match=message):
        LosLoop(tmp_path)


@pytest.mark.parametrize(
    ("speed", "message"),
    [
        (SPEED[:-4], "los_speed.csv line 5 must have 3 cells, got 2; is the file cut off"),
        (SPEED[:-1], "los_speed.csv line 5 must end with a line break; is the file cut off"),
        (SPEED[:-7], "los_speed.csv line 5 must have 3 cells, got 1"),
        (SPEED.replace("51.25,", ""), "los_speed.csv line 3 must have 3 cells, got 2"),
        (SPEED.replace("52", "52,52"), "los_speed.csv line 4 must have 3 cells, got 4"),
        (SPEED.replace("51.25", "fast"), "los_speed.csv line 3, column 2 must be .* got 'fast'"),
        (SPEED.replace("51.25", ""), "los_speed.csv line 3, column 2 must be .* got ''"),
        (SPEED.replace("51.25", "nan"), "los_speed.csv line 3, column 2 must be .* got 'nan'"),
        (SPEED.replace("51.25", "5_1"), "los_speed.csv line 3, column 2 must be .* got '5_1'"),
        (SPEED.replace("22", "11"), "los_speed.csv line 1 must name every sensor once"),
        (SPEED.replace("22", ""), "los_speed.csv line 1 must name every sensor once"),
        ("11,22,33\n", "los_speed.csv must have rows of 3 numbers, got none after line 1"),
        ("", "los_speed.csv: expected text, got an empty file"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_bad_speed(tmp_path, speed, message):
    with pytest.raises(ValueError, match=message):
        LosLoop(write(tmp_path, speed=speed))


@pytest.mark.parametrize(
    ("adjacency", "message"),
    [
        ("1,0.5,0\n0,1,0.25\n", "los_adj.csv must have 3 lines, .* header of los_speed.csv, got 2"),
        (ADJACENCY + "0,0,0\n", "los_adj.csv must have 3 lines, .*, got 4"),
        ("1,0\n0,1\n", "los_adj.csv line 1 must have 3 cells, got 2"),
        (ADJACENCY[:-3], "los_adj.csv line 3 must have 3 cells, got 2"),
        (ADJACENCY[:-1], "los_adj.csv line 3 must end with a line break"),
        (ADJACENCY.replace("0.25", "-0.25"), "los_adj.csv line 2, column 3 must not be negative"),
        (ADJACENCY.replace("0.25", "x"), "los_adj.csv line 2, column 3 must be .* number, got 'x'"),
        ("", "los_adj.csv: expected text, got an empty file"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_bad_adjacency(tmp_path, adjacency, message):
    with pytest.raises(ValueError, match=message):
        LosLoop(write(tmp_path, adjacency=adjacency))


# Row i of the file holds the ways that begin at sensor i.
DISTANCES = "0,1,2\n0,1500.5,0\n0,0,2500\n30,0,0\n"


def write_distances(folder: Path, distances: str = DISTANCES, sensors: str = "11,22,33") -> Path:
    (folder / "W_metrla.csv").write_text(distances)
    (folder / "graph_sensor_ids.txt").write_text(sensors)
    return folder / "W_metrla.csv"


def test_distances(tmp_path):
    (write(tmp_path) / "los_adj.csv").unlink()
    dataset = LosLoop(tmp_path, distances=write_distances(tmp_path))
    data = dataset[0]
    assert data.edge_index.tolist() == [[0, 1, 2], [1, 2, 0]]
    assert data.edge_length.tolist() == [1500.5, 2500, 30]
    assert data.edge_length.dtype == torch.float32
    assert "edge_weight" not in data
    assert data.e_id.tolist() == [0, 1, 2]
    assert data.node_id == dataset.series.node_id == ["11", "22", "33"]
    assert data.num_nodes == 3
    (tmp_path / "graph_sensor_ids.txt").unlink()  # only a check: it may be absent
    assert LosLoop(tmp_path, distances=str(tmp_path / "W_metrla.csv"))[0].num_edges == 3


@pytest.mark.parametrize(
    ("distances", "message"),
    [
        (DISTANCES.replace("2500", "-1"), "W_metrla.csv line 3, column 3: expected a distance"),
        (DISTANCES.replace("2500", "far"), "W_metrla.csv line 3, column 3: .* got 'far'"),
        ("0,1\n1,0\n", "W_metrla.csv must have a row and .* of the 3 sensors, got 2"),
        ("", "W_metrla.csv: expected text, got an empty file"),
    ],
)
def test_bad_distances(tmp_path, distances, message):
    with pytest.raises(ValueError, match=message):
        LosLoop(write(tmp_path), distances=write_distances(tmp_path, distances))


def test_distances_of_other_sensors(tmp_path):
    path = write_distances(write(tmp_path), sensors="11,33,22")
    with pytest.raises(ValueError, match=r"graph_sensor_ids.txt must name the sensors of los_"):
        LosLoop(tmp_path, distances=path)


def test_missing_distances(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`distances` must be the file W_metrla.csv, got"):
        LosLoop(write(tmp_path), distances=tmp_path / "W_metrla.csv")


def test_download(tmp_path, monkeypatch):
    r"""The addresses of the publisher are replaced by those of files on this machine."""
    published = tmp_path / "published"
    published.mkdir()
    write(published)
    for name in ("SPEED", "ADJACENCY"):
        file = getattr(los_loop, name)
        assert file.url.endswith(f"/T-GCN/raw/master/data/{file.name}")
        assert len(file.sha256) == 64
        address = (published / file.name).as_uri()
        monkeypatch.setattr(los_loop, name, RemoteFile(file.name, address))
    root = tmp_path / "root"
    with pytest.raises(FileNotFoundError, match="download=True fetches it from file"):
        LosLoop(root)
    assert LosLoop(root, download=True)[0].num_edges == 6
    assert sorted(path.name for path in root.iterdir()) == ["los_adj.csv", "los_speed.csv"]


def test_speed_cut_off_between_two_lines(tmp_path):
    header = ",".join(str(sensor) for sensor in range(207)) + "\n"
    line = ",".join(["60"] * 207) + "\n"
    root = write(tmp_path, header + line * 100, ADJACENCY)
    message = r"must have 2016 lines of speeds for the 207 sensors .* got 100; .* line 101"
    with pytest.raises(ValueError, match=message):
        LosLoop(root)


def test_more_lines_than_were_published(tmp_path):
    header = ",".join(str(sensor) for sensor in range(207)) + "\n"
    root = write(tmp_path, header + (",".join(["60"] * 207) + "\n") * 2017, ADJACENCY)
    with pytest.raises(ValueError, match=r"must have 2016 lines of speeds .* got 2017; these are"):
        LosLoop(root)


@pytest.mark.parametrize("name", ["los_speed.csv", "los_adj.csv"])
def test_bytes_that_are_no_text(tmp_path, name):
    path = write(tmp_path) / name
    path.write_bytes(path.read_bytes() + b"1,\xff,2\n")
    line = path.read_bytes().count(b"\n")
    message = rf"{name} line {line}: expected UTF-8 text, got the byte 0xff"
    with pytest.raises(ValueError, match=message):
        LosLoop(tmp_path)


def test_real_data():
    dataset = LosLoop(real_root())
    data, series = dataset[0], dataset.series
    assert data.edge_index.shape == (2, 2833)
    assert data.is_undirected()
    assert int((data.edge_index[0] == data.edge_index[1]).sum()) == data.num_nodes == 207
    assert data.edge_weight.min() >= 0.1
    assert data.edge_weight.max() == 1
    assert data.node_id[:2] == ["773869", "767541"]
    assert series.values.shape == (207, 2016, 1)
    assert (series.values.min(), series.values.max()) == (1, 70)
    assert str(series.timestamps[-1]) == "2012-03-07T23:55:00"
    assert series.aligned_to(data.node_id) is series


def test_distances_of_real_data():
    root = real_root()
    path = root.parent / "metrla_graph" / "W_metrla.csv"
    if not path.is_file():
        pytest.skip(f"{path} does not exist")
    data = LosLoop(root, distances=path)[0]
    assert data.edge_length.shape == (14736,)
    assert data.edge_length.min() == pytest.approx(55.2)
    assert data.edge_index[:, 0].tolist() == [0, 10]
    assert data.edge_length[0] == 8761.5
    assert is_undirected(data.edge_index, data.edge_length)  # one number for both ways


@pytest.mark.parametrize("file", [los_loop.SPEED, los_loop.ADJACENCY])
def test_checksums_of_real_data(file):
    content = (real_root() / file.name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == file.sha256


@pytest.mark.parametrize(
    ("horizon", "absolute", "squared"), [(3, 3.54, 6.40), (6, 4.34, 8.17), (12, 5.77, 10.86)]
)
def test_last_value_on_real_data(horizon, absolute, squared):
    r"""Published errors: forecasts made within the last 20 % of the rows."""
    values = LosLoop(real_root()).series.values[..., 0].double()
    first = int(2016 * 0.8)
    error = values[:, first + horizon :] - values[:, first:-horizon]
    assert error.abs().mean().item() == pytest.approx(absolute, abs=0.005)
    assert error.square().mean().sqrt().item() == pytest.approx(squared, abs=0.005)


def test_last_value_on_test_windows():
    loader = WindowLoader(LosLoop(real_root()).series, part="test")
    assert len(loader.starts) == 393
    error = torch.cat([batch.y - batch.x[:, :, -1:] for batch in loader], dim=1)
    mean = error.abs().double().mean(dim=(0, 1, 3))
    assert mean[[2, 5, 11]].tolist() == pytest.approx([3.562, 4.367, 5.765], abs=5e-4)
