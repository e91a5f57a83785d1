import hashlib
import os
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tgst.data import gaps
from tgst.datasets import PemsD7M, pems_d7m
from tgst.loader import WindowLoader
from tgst.transforms import GaussianKernel

STEPS = 12_672
STATIONS = (
    ",ID,Fwy,Dir,District,Latitude,Longitude\n0,70,5,S,7,34.04,-118.2\n1,80,5,N,7,34.0,-118.1\n"
)
# Two stations at the same place: a distance of 0 that is one.
MATRIX = "0.0,0.0\n0.0,0.0\n"


def write(folder: Path, prefix: str = "PeMSD7_", matrix: str = MATRIX) -> Path:
    folder.mkdir(exist_ok=True)
    row = np.arange(STEPS) / 8
    np.savetxt(folder / f"{prefix}V_228.csv", np.stack([row, -row], axis=1), "%g", ",")
    (folder / f"{prefix}W_228.csv").write_text(matrix)
    (folder / "PeMSD7_M_Station_Info.csv").write_text(STATIONS)
    return folder


def real_root() -> Path:
    if "TGST_DATA" not in os.environ:
        pytest.skip("TGST_DATA (the folder that holds pemsd7m_graph/) is not set")
    root = Path(os.environ["TGST_DATA"]) / "pemsd7m_graph"
    if not root.is_dir():
        pytest.skip(f"{root} does not exist")
    return root


@pytest.mark.parametrize("matrix", [MATRIX, "0,1\n" + MATRIX])
def test_graph(tmp_path, matrix):
    data = PemsD7M(write(tmp_path, matrix=matrix))[0]
    assert data.edge_index.tolist() == [[0, 1], [1, 0]]
    assert data.edge_length.tolist() == [0, 0]
    assert data.node_id == ["70", "80"]
    assert data.pos.tolist() == [[-118.2, 34.04], [-118.1, 34.0]]


def test_stations_at_one_place_are_neighbours(tmp_path):
    data = PemsD7M(write(tmp_path), transform=GaussianKernel(formula="stgcn"))[0]
    assert data.edge_index.tolist() == [[0, 1], [1, 0]]
    assert data.edge_weight.tolist() == [1, 1]


def test_series(tmp_path):
    series = PemsD7M(write(tmp_path)).series
    assert series.values.shape == (2, STEPS, 1)
    assert series.values.dtype == torch.float32
    assert series.values[1, :3, 0].tolist() == [0, -0.125, -0.25]
    assert series.channels == ("speed",)
    assert series.mask is None


def test_timestamps(tmp_path):
    stamps = PemsD7M(write(tmp_path)).series.timestamps
    days = np.unique(stamps.astype("datetime64[D]"))
    assert len(days) == 44
    assert np.is_busday(days).all()
    assert np.datetime64("2012-05-28") in days  # Memorial Day
    assert str(stamps[0]) == "2012-05-01T00:00:00"
    assert str(stamps[-1]) == "2012-06-29T23:55:00"
    assert str(stamps[4 * 288 - 1]) == "2012-05-04T23:55:00"
    assert str(stamps[4 * 288]) == "2012-05-07T00:00:00"
    assert len(gaps(stamps)) == 8  # the weekends between


def test_windows_of_the_paper(tmp_path):
    series = PemsD7M(write(tmp_path)).series
    loader = WindowLoader(series, history=12, horizon=9, within_day=True)
    assert len(loader.starts) == 44 * 268


def test_other_names(tmp_path):
    assert PemsD7M(write(tmp_path, prefix="")).series.num_steps == STEPS


def test_without_readings(tmp_path):
    (write(tmp_path) / "PeMSD7_V_228.csv").unlink()
    dataset = PemsD7M(tmp_path, readings=False)
    assert dataset[0].num_edges == 2
    with pytest.raises(AttributeError, match="PemsD7M was made with readings=False"):
        _ = dataset.series
    message = r"got no PeMSD7_V_228.csv \(or V_228.csv\) in .*STGCN_IJCAI-18.*download=True"
    with pytest.raises(FileNotFoundError, match=message):
        PemsD7M(tmp_path)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["1,2"] * (STEPS - 1), r"must hold 12672 lines \(44 days of 288\) of 2 speeds"),
        (["1,2,3"] * STEPS, r"must hold 12672 lines .* got \(12672, 3\)"),
        (["1,2"] * STEPS + ["1"], "PeMSD7_V_228.csv must hold lines of 2 speeds"),
        (["1,fast"] * STEPS, "PeMSD7_V_228.csv must hold lines of 2 speeds"),
    ],
)
def test_bad_readings(tmp_path, lines, message):
    (write(tmp_path) / "PeMSD7_V_228.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=message):
        PemsD7M(tmp_path)


def test_download(tmp_path, monkeypatch):
    published = write(tmp_path / "published")
    with zipfile.ZipFile(published / "PeMSD7_Full.zip", "w") as archive:
        for name in ("PeMSD7_V_228.csv", "PeMSD7_W_228.csv"):
            archive.write(published / name, name)

    def here(file):
        address = published / file.url.rsplit("/", 1)[1]
        return replace(file, url=address.as_uri(), sha256=None)

    monkeypatch.setattr(pems_d7m, "READINGS", here(pems_d7m.READINGS))
    monkeypatch.setattr(pems_d7m, "FILES", [here(file) for file in pems_d7m.FILES])
    root = tmp_path / "root"
    assert PemsD7M(root, download=True).series.num_steps == STEPS
    names = ["PeMSD7_M_Station_Info.csv", "PeMSD7_V_228.csv", "PeMSD7_W_228.csv"]
    assert sorted(path.name for path in root.iterdir()) == names


def test_real_graph():
    data = PemsD7M(real_root(), readings=False)[0]
    assert data.num_nodes == 228
    assert data.edge_index.shape == (2, 228 * 227)
    assert int((data.edge_length == 0).sum()) == 34
    assert data.node_id[0] == "716939"
    weighted = GaussianKernel(formula="stgcn")(data)
    assert weighted.num_edges == 1664
    assert weighted.is_undirected()


def test_checksum_of_real_data():
    file = pems_d7m.FILES[1]
    content = (real_root() / file.name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == file.sha256
