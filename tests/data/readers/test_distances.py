from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.data.readers.real import real_file
from tgst.data import read_distances
from tgst.transforms import GaussianKernel

LIST = "400001,400001,0.0\n400017,400001,2500.5\n400001,400030,1200\n400030,400017,0\n"
MATRIX = "0,3,0,8\n2,0,0,inf\n1,0,0,4\n9,0,0,5\n"


def write(folder: Path, text: str) -> Path:
    (folder / "d.csv").write_bytes(text.encode())
    return folder / "d.csv"


def edges(data) -> dict[tuple[str, str], float]:
    ends = ((data.node_id[a], data.node_id[b]) for a, b in data.edge_index.T.tolist())
    return dict(zip(ends, data.edge_length.tolist(), strict=True))


@pytest.mark.parametrize("header", ["", "from,to,cost\n", "FROM,To,distance\n"])
def test_list(tmp_path: Path, header: str) -> None:
    data = read_distances(write(tmp_path, header + LIST))
    assert data.node_id == ["400001", "400017", "400030"]  # in the order of the lines
    assert data.edge_index.tolist() == [[0, 1, 0], [0, 0, 2]]
    assert data.edge_length.tolist() == [0, 2500.5, 1200]
    assert data.e_id.tolist() == [0, 1, 2]
    assert data.num_nodes == 3
    assert set(data.keys()) == {"edge_index", "edge_length", "e_id", "node_id", "num_nodes"}


def test_zeros_of_a_list(tmp_path: Path) -> None:
    path = write(tmp_path, LIST)
    assert ("400030", "400017") not in edges(read_distances(path))
    assert edges(read_distances(path, zero="distance"))["400030", "400017"] == 0
    weights = GaussianKernel(sigma=1.0)(read_distances(path)).edge_weight
    assert weights.tolist() == [1.0]  # the self loop: the unrecorded path has no weight
    with pytest.raises(ValueError, match=r"zero: expected one of \('no_path', .*, got 0"):
        read_distances(path, zero=0)


def test_given_ids(tmp_path: Path) -> None:
    path = write(tmp_path, LIST)
    data = read_distances(path, node_id=[7, 400030, 400001])
    assert data.node_id == ["7", "400030", "400001"]
    assert edges(data) == {("400001", "400001"): 0, ("400001", "400030"): 1200}
    assert data.num_nodes == 3
    with pytest.raises(
        ValueError, match=r"node_id: expected ids of .*d\.csv such as '400001', got"
    ):
        read_distances(path, node_id=["773869", "767541"])
    with pytest.raises(ValueError, match=r"node_id: expected every id once, got '7' twice"):
        read_distances(path, node_id=["7", 7])


@pytest.mark.parametrize(("unit", "metres"), [("km", 1000), ("ft", 0.3048), ("mi", 1609.344)])
def test_units(tmp_path: Path, unit: str, metres: float) -> None:
    listed = read_distances(write(tmp_path, LIST), unit=unit)
    assert listed.edge_length.tolist() == pytest.approx([0, 2500.5 * metres, 1200 * metres])
    matrix = read_distances(write(tmp_path, MATRIX), unit=unit)
    assert matrix.edge_length[0] == pytest.approx(3 * metres)
    with pytest.raises(ValueError, match=r"unit: expected one of .*, got 'miles'"):
        read_distances(write(tmp_path, LIST), unit="miles")


@pytest.mark.parametrize("header", ["", "0,1,2,3\n", "a,b,c,d\n"])
def test_matrix(tmp_path: Path, header: str) -> None:
    path = write(tmp_path, header + MATRIX)
    data = read_distances(path, node_id="wxyz")
    recorded = {"wx": 3, "wz": 8, "xw": 2, "yw": 1, "yz": 4, "zw": 9, "zz": 5}
    assert edges(data) == {tuple(pair): length for pair, length in recorded.items()}
    data = read_distances(path, node_id="wxyz", zero="distance")
    zeros = dict.fromkeys(("wy", "xy", "yx", "zx", "zy"), 0)
    assert edges(data) == {tuple(pair): length for pair, length in (recorded | zeros).items()}
    names = header.strip().split(",") if header else ["0", "1", "2", "3"]
    assert read_distances(path).node_id == names


def test_three_sensors(tmp_path: Path) -> None:
    matrix = write(tmp_path, "0,1,2\n1,0,1\n2,1,0\n")
    with pytest.raises(ValueError, match=r"form: expected 'list' or 'matrix' for .*could be both"):
        read_distances(matrix)
    assert read_distances(matrix, form="matrix").num_edges == 6
    assert read_distances(matrix, form="list").edge_length.tolist() == [2, 1]
    three = write(tmp_path, "from,to,cost\n0,0,0\n1,0,5\n2,2,0\n")
    assert read_distances(three).edge_length.tolist() == [0, 5, 0]
    with pytest.raises(ValueError, match=r"expected 3 cells .from, to, distance., got 4"):
        read_distances(write(tmp_path, MATRIX), form="list")


def test_ids_are_text(tmp_path: Path) -> None:
    data = read_distances(write(tmp_path, '\ufeff"from","to","cost"\r\n"007", 7 ,1.5e3\r\n'))
    assert edges(data) == {("007", "7"): 1500}


def test_empty_list(tmp_path: Path) -> None:
    data = read_distances(write(tmp_path, "from,to,cost\n"), node_id=["a"])
    assert (data.num_nodes, data.num_edges) == (1, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LIST + "400017,400001,1\n", r" line 5: expected every pair once, .*first in line 2"),
        ("400001,400030,near\n" + LIST, r" line 1, column 3: expected a distance, got 'near'"),
        (LIST.replace("1200", "near"), r" line 3, column 3: expected a distance, got 'near'"),
        (LIST.replace("1200", "nan"), r" line 3, column 3: expected a distance, got 'nan'"),
        (LIST.replace("1200", "-5"), r" line 3, column 3: expected a distance >= 0, got -5"),
        (LIST + ",400017,5\n", r" line 5, column 1: expected an id, got an empty cell"),
        (LIST + "400017,,5\n", r" line 5, column 2: expected an id, got an empty cell"),
        (",from,to,cost\n0,a,b,5\n", r" line 1, column 1: .* in front of its rows .*index=False"),
        (LIST + "400017,40", r" line 5: expected 3 cells as in line 1, got 2; is the file cut"),
        (MATRIX.replace("8", "x"), r" line 1, column 4: expected a number, got 'x'"),
        ("a,b,c,d\n" + MATRIX.replace("4", "-4"), r" line 4, column 4: expected a dist.*got -4"),
        (MATRIX[:-8], r": expected a square matrix, got 3 lines of 4 cells; .* line 3\?"),
    ],
)
def test_bad_text(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"d\.csv{message}"):
        read_distances(write(tmp_path, text))


def test_pemsd7m() -> None:
    path = real_file("pemsd7m_graph/W_228.csv")
    data = read_distances(path, zero="distance")
    assert data.num_edges == 228 * 227
    weighted = GaussianKernel(formula="stgcn")(data)
    assert weighted.num_edges == 1664  # as the authors' code
    distance = np.loadtxt(path, delimiter=",", skiprows=1) / 10_000
    expected = np.exp(-(distance**2) / 0.1) * (1 - np.eye(228))
    expected[expected < 0.5] = 0
    source, target = weighted.edge_index.numpy()
    np.testing.assert_allclose(weighted.edge_weight, expected[source, target], rtol=1e-6)
    assert GaussianKernel(formula="stgcn")(read_distances(path)).num_edges == 1630  # 34 lost


def test_pems_bay() -> None:
    data = read_distances(real_file("pemsbay_graph/distances_bay_2017.csv"))
    assert (data.num_nodes, data.num_edges) == (325, 8358)
    assert GaussianKernel()(data).num_edges == 2694  # as the authors' code


def test_metr_la() -> None:
    data = read_distances(real_file("metrla_graph/W_metrla.csv"))
    assert (data.num_nodes, data.num_edges) == (207, 14_736)
    assert not data.has_self_loops()
    ids = real_file("metrla_graph/graph_sensor_ids.txt").read_text().strip().split(",")
    data = read_distances(real_file("metrla_graph/W_metrla.csv"), node_id=ids)
    assert data.node_id[0] == "773869"
    weights = GaussianKernel(sigma=1e9, threshold=0.0)(data).edge_weight
    assert len(weights) == 14_736  # no pair without a path has weight 1
