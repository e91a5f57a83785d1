import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.utils import is_undirected

from tests.datasets.frames import clock, write_frame
from tgst.data import gaps
from tgst.datasets import MetrLA, metr_la
from tgst.datasets.download import RemoteFile
from tgst.transforms import GaussianKernel

IDS = ["773869", "5", "41"]
# Row i holds the ways that begin at sensor i; not symmetric, unlike the real one.
MATRIX = "0,1,2\n0.0,1500.5,0.0\n0.0,0.0,2500.0\n30.0,0.0,0.0\n"
DISTANCES = "from,to,cost\n773869,773869,0.0\n5,773869,700.5\n41,5,90\n41,1234,10\n1234,5,20\n"
# Not in the order of graph_sensor_ids.txt.
LOCATIONS = "index,sensor_id,latitude,longitude\n0,41,3,-3\n1,773869,1,-1\n2,5,2,-2\n"
FILES = {
    "W_metrla.csv": MATRIX,
    "distances_la_2012.csv": DISTANCES,
    "graph_sensor_ids.txt": ",".join(IDS),
    "graph_sensor_locations.csv": LOCATIONS,
}
NUM_STEPS = 300


def readings(num_nodes=3):
    values = 1.0 + np.arange(NUM_STEPS * num_nodes).reshape(NUM_STEPS, num_nodes)
    values[7, 1] = 0  # not observed
    return values


def write(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in FILES.items():
        (folder / name).write_text(text)
    # The columns are not in the order of the graph.
    stamps = clock("2012-03-01", NUM_STEPS)
    write_frame(folder / "metr-la.h5", "df", ["5", "41", "773869"], stamps, readings())
    return folder


def real_root() -> Path:
    if "TGST_DATA" not in os.environ:
        pytest.skip("TGST_DATA (the folder that holds metrla_graph/) is not set")
    root = Path(os.environ["TGST_DATA"]) / "metrla_graph"
    if not root.is_dir():
        pytest.skip(f"{root} does not exist")
    return root


def ways(data):
    return {
        (source.item(), target.item()): length.item()
        for source, target, length in zip(*data.edge_index, data.edge_length, strict=True)
    }


def test_graph_of_the_matrix(tmp_path):
    data = MetrLA(write(tmp_path))[0]
    assert ways(data) == {(0, 1): 1500.5, (1, 2): 2500, (2, 0): 30}  # 0 is no path: no edge
    assert data.node_id == IDS
    assert data.pos.tolist() == [[-1, 1], [-2, 2], [-3, 3]]
    assert data.pos.dtype == torch.float64
    assert data.e_id.tolist() == [0, 1, 2]
    assert data.num_nodes == 3
    assert "edge_weight" not in data


def test_zero_never_becomes_weight_one(tmp_path):
    data = MetrLA(write(tmp_path), transform=GaussianKernel(sigma=1e5, threshold=0))[0]
    assert data.num_edges == 3
    assert (data.edge_weight < 1).all()


def test_graph_of_the_distances(tmp_path):
    data = MetrLA(write(tmp_path), graph="distances")[0]
    # Sensors without readings are left out; 0 is a distance.
    assert ways(data) == {(0, 0): 0, (1, 0): 700.5, (2, 1): 90}
    assert data.node_id == IDS


def test_series(tmp_path):
    series = MetrLA(write(tmp_path)).series
    assert series.node_id == IDS
    assert series.channels == ("speed",)
    assert series.values.shape == (3, NUM_STEPS, 1)
    assert series.values.dtype == torch.float32
    assert series.values[:, 0, 0].tolist() == [3, 1, 2]
    assert str(series.timestamps[-1]) == "2012-03-02T00:55:00"
    assert gaps(series.timestamps) == []
    assert (~series.mask).nonzero().tolist() == [[2, 7]]
    assert series.values[2, 7] == 0


def test_readings_as_csv(tmp_path):
    root = write(tmp_path)
    whole = MetrLA(root).series
    (root / "metr-la.h5").unlink()
    lines = [",5,41,773869"]
    for stamp, row in zip(clock("2012-03-01", NUM_STEPS), readings(), strict=True):
        lines.append(",".join([str(stamp).replace("T", " "), *map(str, row)]))
    (root / "METR-LA.csv").write_text("\n".join(lines) + "\n")
    series = MetrLA(root).series
    assert series.node_id == whole.node_id
    assert torch.equal(series.values, whole.values)
    assert torch.equal(series.mask, whole.mask)
    assert (series.timestamps == whole.timestamps).all()


def test_without_readings(tmp_path):
    (write(tmp_path) / "metr-la.h5").unlink()
    dataset = MetrLA(tmp_path, readings=False)
    assert dataset[0].num_edges == 3
    assert dataset.num_nodes == 3  # what PyG looks up on the graph is still found
    with pytest.raises(AttributeError, match=r"MetrLA was made with readings=False and has no ser"):
        _ = dataset.series
    with pytest.raises(AttributeError, match="no attribute 'serie'"):
        _ = dataset.serie


@pytest.mark.parametrize(
    ("name", "graph"),
    [
        ("metr-la.h5", "matrix"),
        ("W_metrla.csv", "matrix"),
        ("distances_la_2012.csv", "distances"),
        ("graph_sensor_ids.txt", "matrix"),
        ("graph_sensor_locations.csv", "matrix"),
    ],
)
def test_missing_file(tmp_path, name, graph):
    (write(tmp_path) / name).unlink()
    message = rf"`root` must hold metr-la.h5, .*got no {name} .*DCRNN.*; download=True fetches it"
    with pytest.raises(FileNotFoundError, match=message):
        MetrLA(tmp_path, graph=graph)


def test_nothing_is_written(tmp_path):
    _ = MetrLA(str(write(tmp_path)))[0]
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted([*FILES, "metr-la.h5"])


def test_bad_graph(tmp_path):
    message = r"`graph` must be one of \['distances', 'matrix'\], got 'los'"
    with pytest.raises(ValueError, match=message):
        MetrLA(write(tmp_path), graph="los")


def test_files_of_different_networks(tmp_path):
    root = write(tmp_path)
    (root / "graph_sensor_locations.csv").write_text(LOCATIONS.replace("773869", "8"))
    with pytest.raises(ValueError, match=r"location of every sensor, got none for 1, .*'773869'"):
        MetrLA(root)
    root = write(tmp_path)
    stamps = clock("2012-03-01", NUM_STEPS)
    write_frame(root / "metr-la.h5", "df", ["5", "41", "9"], stamps, readings())
    with pytest.raises(ValueError, match="'773869' without readings, '9' not in the graph"):
        MetrLA(root)
    root = write(tmp_path)
    (root / "W_metrla.csv").write_text("0,1\n0,1\n1,0\n")
    with pytest.raises(ValueError, match=r"W_metrla.csv must have a row .* the 3 sensors, got 2"):
        MetrLA(root)


def test_download(tmp_path, monkeypatch):
    published = write(tmp_path / "published")

    def here(file: RemoteFile) -> RemoteFile:
        assert file.url.endswith(f"/{file.name}")
        address = (published / file.name).as_uri()
        return RemoteFile(file.name, address, other_names=file.other_names)

    monkeypatch.setattr(metr_la, "READINGS", here(metr_la.READINGS))
    graphs = {name: here(file) for name, file in metr_la.GRAPHS.items()}
    monkeypatch.setattr(metr_la, "GRAPHS", graphs)
    monkeypatch.setattr(metr_la, "SENSORS", [here(file) for file in metr_la.SENSORS])
    root = tmp_path / "root"
    assert MetrLA(root, download=True).series.num_steps == NUM_STEPS
    assert not (root / "distances_la_2012.csv").exists()  # not asked for
    assert MetrLA(root, "distances", download=True)[0].num_edges == 3


def test_real_graph(tmp_path):
    dataset = MetrLA(real_root(), readings=False)
    data = dataset[0]
    assert data.num_nodes == 207
    assert data.edge_index.shape == (2, 14_736)
    assert data.edge_length.min() == pytest.approx(55.2)
    assert data.edge_index[:, 0].tolist() == [0, 10]
    assert data.edge_length[0] == 8761.5
    assert is_undirected(data.edge_index, data.edge_length)
    assert data.pos[0].tolist() == [-118.31829, 34.15497]
    assert (
        GaussianKernel(formula="dcrnn")(data).num_edges == 234
    )  # of the longer ways, few are left
    with pytest.raises(FileNotFoundError, match=r"got no metr-la.h5 \(or METR-LA.csv\) in"):
        MetrLA(real_root())


def test_real_graph_with_made_up_readings(tmp_path):
    for path in real_root().iterdir():
        (tmp_path / path.name).symlink_to(path)
    node_id = MetrLA(tmp_path, readings=False)[0].node_id
    stamps = clock("2012-03-01", NUM_STEPS)
    write_frame(tmp_path / "metr-la.h5", "df", node_id, stamps, readings(207))
    dataset = MetrLA(tmp_path)
    assert dataset.series.values.shape == (207, NUM_STEPS, 1)
    assert dataset.series.node_id == dataset[0].node_id == node_id
    assert dataset.series.values[206, 0] == 207


@pytest.mark.parametrize("file", [metr_la.GRAPHS["matrix"], *metr_la.SENSORS])
def test_checksums_of_real_data(file):
    content = (real_root() / file.name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == file.sha256
