import hashlib
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.frames import clock, write_frame
from tgst.data import gaps
from tgst.datasets import PemsBay, pems_bay
from tgst.loader import WindowLoader
from tgst.transforms import GaussianKernel

DISTANCES = "7,7,0.0\n7,9,5108.4\n9,7,2525.0\n8,8,0.0\n"
LOCATIONS = "7,37.3,-121.9\n8,37.2,-121.8\n9,37.1,-121.7\n"
NUM_STEPS = 60


def stamps() -> np.ndarray:
    r"""Five minutes apart, from midnight on, but for the hour that the clock skips."""
    moments = clock("2017-03-12", NUM_STEPS)
    moments[24:] += np.timedelta64(3600, "s")
    return moments


def readings() -> np.ndarray:
    values = 1.0 + np.arange(NUM_STEPS * 3).reshape(NUM_STEPS, 3)
    values[10, 2] = 0
    return values


def write(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "distances_bay_2017.csv").write_text(DISTANCES)
    (folder / "graph_sensor_locations_bay.csv").write_text(LOCATIONS)
    write_frame(folder / "pems-bay.h5", "speed", [9, 8, 7], stamps(), readings())
    return folder


def real_root() -> Path:
    if "TGST_DATA" not in os.environ:
        pytest.skip("TGST_DATA (the folder that holds pemsbay_graph/) is not set")
    root = Path(os.environ["TGST_DATA"]) / "pemsbay_graph"
    if not root.is_dir():
        pytest.skip(f"{root} does not exist")
    return root


def test_graph(tmp_path):
    data = PemsBay(write(tmp_path))[0]
    ways = dict(zip(zip(*data.edge_index.tolist(), strict=True), data.edge_length, strict=True))
    assert {way: round(length.item(), 1) for way, length in ways.items()} == {
        (0, 0): 0,
        (0, 2): 5108.4,
        (2, 0): 2525,
        (1, 1): 0,
    }
    assert data.node_id == ["7", "8", "9"]
    assert data.pos.tolist() == [[-121.9, 37.3], [-121.8, 37.2], [-121.7, 37.1]]
    assert data.e_id.tolist() == [0, 1, 2, 3]


def test_series(tmp_path):
    series = PemsBay(write(tmp_path)).series
    assert series.node_id == ["7", "8", "9"]
    assert series.channels == ("speed",)
    assert series.values[:, 0, 0].tolist() == [3, 2, 1]
    assert (~series.mask).nonzero().tolist() == [[0, 10]]


def test_the_hour_that_the_clock_skips_is_a_gap(tmp_path):
    series = PemsBay(write(tmp_path)).series
    assert len(gaps(series.timestamps)) == 1
    assert str(series.timestamps[23]) == "2017-03-12T01:55:00"
    assert str(series.timestamps[24]) == "2017-03-12T03:00:00"
    starts = WindowLoader(series, history=4, horizon=2).starts.tolist()
    assert starts == [*range(24 - 6 + 1), *range(24, NUM_STEPS - 6 + 1)]


def test_without_readings(tmp_path):
    (write(tmp_path) / "pems-bay.h5").unlink()
    dataset = PemsBay(tmp_path, readings=False)
    assert dataset[0].num_edges == 4
    with pytest.raises(AttributeError, match="PemsBay was made with readings=False"):
        _ = dataset.series
    message = r"got no pems-bay.h5 \(or PEMS-BAY.csv\) in .*DCRNN.*download=True"
    with pytest.raises(FileNotFoundError, match=message):
        PemsBay(tmp_path)


def test_download(tmp_path, monkeypatch):
    published = write(tmp_path / "published")
    with zipfile.ZipFile(published / "pems-bay.zip", "w") as archive:
        archive.write(published / "pems-bay.h5", "pems-bay.h5")

    def here(file):
        address = published / file.url.rsplit("/", 1)[1]
        return replace(file, url=address.as_uri(), sha256=None)

    monkeypatch.setattr(pems_bay, "READINGS", here(pems_bay.READINGS))
    monkeypatch.setattr(pems_bay, "FILES", [here(file) for file in pems_bay.FILES])
    root = tmp_path / "root"
    assert PemsBay(root, download=True).series.num_steps == NUM_STEPS
    names = ["distances_bay_2017.csv", "graph_sensor_locations_bay.csv", "pems-bay.h5"]
    assert sorted(path.name for path in root.iterdir()) == names


def test_real_graph():
    data = PemsBay(real_root(), readings=False)[0]
    assert data.num_nodes == 325
    assert data.edge_index.shape == (2, 8358)
    assert int((data.edge_length == 0).sum()) == 325
    assert not data.is_undirected()
    weighted = GaussianKernel(formula="dcrnn")(data)
    assert weighted.num_edges == 2694  # as many as the authors have, self loops included


@pytest.mark.parametrize("file", pems_bay.FILES)
def test_checksums_of_real_data(file):
    content = (real_root() / file.name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == file.sha256
