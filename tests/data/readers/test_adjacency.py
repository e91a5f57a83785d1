from __future__ import annotations

from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import scipy.sparse
import torch

from tests.data.readers.real import real_file
from tgst.data import read_adjacency

MATRIX = np.array([[1, 0.5, 0], [0, 0, 0.25], [0.125, 0, 2]])
TEXT = "1,0.5,0\n0,0,0.25\n0.125,0,2\n"


def write(folder: Path, text: str, name: str = "w.csv") -> Path:
    (folder / name).write_bytes(text.encode())
    return folder / name


def dense(data) -> np.ndarray:
    matrix = np.zeros((data.num_nodes, data.num_nodes))
    matrix[data.edge_index[0], data.edge_index[1]] = data.edge_weight
    return matrix


@pytest.mark.parametrize("text", [TEXT, "0,1,2\n" + TEXT, TEXT.replace("\n", "\r\r\n"), TEXT[:-1]])
def test_rows_are_sources(tmp_path: Path, text: str) -> None:
    data = read_adjacency(write(tmp_path, text))
    assert data.edge_index.tolist() == [[0, 0, 1, 2, 2], [0, 1, 2, 0, 2]]
    assert data.edge_weight.tolist() == [1, 0.5, 0.25, 0.125, 2]
    assert data.e_id.tolist() == [0, 1, 2, 3, 4]
    assert data.node_id == ["0", "1", "2"]
    assert data.num_nodes == 3
    graph = nx.from_numpy_array(MATRIX, create_using=nx.DiGraph)
    assert list(zip(*data.edge_index.tolist(), strict=True)) == list(graph.edges)


def test_rows_as_targets(tmp_path: Path) -> None:
    data = read_adjacency(write(tmp_path, TEXT), rows="target")
    assert (dense(data) == MATRIX.T).all()
    with pytest.raises(ValueError, match="rows: expected 'source' or 'target', got 'row'"):
        read_adjacency(write(tmp_path, TEXT), rows="row")


def test_names(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b,c\n" + TEXT)
    assert read_adjacency(path).node_id == ["a", "b", "c"]
    assert read_adjacency(path, node_id=[7, 8, 9]).node_id == ["7", "8", "9"]
    with pytest.raises(ValueError, match="node_id: expected 3 ids, one per node, got 2"):
        read_adjacency(path, node_id=[7, 8])
    with pytest.raises(ValueError, match="node_id: expected every id once, got '7' twice"):
        read_adjacency(path, node_id=[7, 8, "7"])
    with pytest.raises(ValueError, match=r"w\.csv line 1: expected every id once, got 'a' twice"):
        read_adjacency(write(tmp_path, "a,b,a\n" + TEXT))


def test_header_of_numbers(tmp_path: Path) -> None:
    line = write(tmp_path, "0,1,2\n1,0,1\n2,1,0\n")  # a matrix, though its first row counts
    assert read_adjacency(line).num_edges == 6
    assert read_adjacency(write(tmp_path, "0,1\n1,0\n")).num_edges == 2
    assert read_adjacency(write(tmp_path, "0,1\n0,1\n1,0\n")).num_edges == 2
    assert read_adjacency(write(tmp_path, "773869,767541\n0,1\n1,0\n")).node_id[1] == "767541"
    with pytest.raises(ValueError, match=r"got 2 lines below the header of 3 cells; .*line 3\?"):
        read_adjacency(write(tmp_path, "0,1,2\n1,0,1\n2,1,0\n"), header=True)
    with pytest.raises(ValueError, match=r"got 2 lines below the header of 3 cells; .*line 3\?"):
        read_adjacency(write(tmp_path, "0,1,2\n0,5,1\n2,0,6\n"))  # the last line is missing
    with pytest.raises(ValueError, match="got 4 lines of 3 cells"):
        read_adjacency(write(tmp_path, "0,1,2\n" + TEXT), header=False)
    with pytest.raises(ValueError, match="header: expected 'auto', True or False, got 'no'"):
        read_adjacency(write(tmp_path, TEXT), header="no")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT.replace("0.25", "near"), r"line 2, column 3: expected a number, got 'near'"),
        (TEXT.replace("0.25", "nan"), r"line 2, column 3: expected a number, got 'nan'"),
        (TEXT.replace("0.25", ""), r"line 2, column 3: expected a number, got ''"),
        (TEXT.replace("0.25", "1_0"), r"line 2, column 3: expected a number, got '1_0'"),
        (TEXT.replace("0.25", "-1"), r"line 2, column 3: expected a finite number >= 0, got -1"),
        ("x,y,z\n" + TEXT.replace("0.25", "inf"), r"line 3, column 3: expected a finite .*got inf"),
        (TEXT + "0,0", r"line 4: expected 3 cells as in line 1, got 2; is the file cut off"),
        (TEXT[:16], r"expected a square matrix, got 2 lines of 3 cells; .*cut off after line 2"),
        (TEXT + TEXT, r"expected a square matrix, got 6 lines of 3 cells"),
        ("", r"expected text, got an empty file"),
    ],
)
def test_bad_text(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"w\.csv.*{message}"):
        read_adjacency(write(tmp_path, text))


@pytest.mark.parametrize("kind", ["dense", "csr", "coo", "csc", "int"])
def test_npz(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "w.npz"
    matrix = MATRIX
    if kind == "dense":
        np.savez(path, adjacency=MATRIX)
    elif kind == "int":
        matrix = (MATRIX > 0).astype(int)
        np.savez_compressed(path, matrix)
    else:
        entries = scipy.sparse.coo_array(MATRIX)
        row, column = np.r_[entries.row, 0, 1], np.r_[entries.col, 0, 0]  # twice 1, and a zero
        values = np.r_[entries.data / np.r_[2, np.ones(4)], 0.5, 0]
        found = scipy.sparse.coo_array((values, (row, column)), shape=(3, 3))
        scipy.sparse.save_npz(path, found.asformat(kind))
    data = read_adjacency(path)
    assert data.edge_index.tolist() == [[0, 0, 1, 2, 2], [0, 1, 2, 0, 2]]
    assert (dense(data) == matrix).all()
    assert data.edge_weight.dtype == torch.float32
    assert data.node_id == ["0", "1", "2"]
    assert (dense(read_adjacency(path, rows="target")) == matrix.T).all()


def test_bad_npz(tmp_path: Path) -> None:
    path = tmp_path / "w.npz"
    for arrays, message in (
        ({"a": MATRIX, "b": MATRIX}, r"expected one array, .*got \['a', 'b'\]"),
        ({"a": MATRIX[:2]}, r"expected a square matrix of numbers, got shape \[2, 3\]"),
        ({"a": MATRIX.astype(str)}, "expected a square matrix of numbers, got .* dtype <U"),
        ({"a": np.array([[object]])}, r"Object arrays cannot be loaded when allow_pickle=False"),
        ({"a": np.where(MATRIX == 0.25, np.nan, MATRIX)}, r"row 1, column 2: .*>= 0, got nan"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(ValueError, match=rf"w\.npz.*{message}"):
            read_adjacency(path)
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"w\.npz: .*is the file cut off or another one"):
        read_adjacency(path)
    with pytest.raises(FileNotFoundError, match=r"none\.npz: expected a file"):
        read_adjacency(tmp_path / "none.npz")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"data": [1.0, 2.0], "indices": [0, 9], "indptr": [0, 1, 2]}, ""),
        ({"data": [1.0, 2.0], "indices": [0, 1], "indptr": [0, 5, 2]}, ""),
        ({"indices": [0, 1], "indptr": [0, 1, 2]}, ".*data"),
    ],
)
@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_bad_sparse_npz(tmp_path: Path, kind: str, arrays: dict, message: str) -> None:
    np.savez(tmp_path / "w.npz", format=kind, shape=[2, 2], **arrays)
    with pytest.raises(ValueError, match=rf"w\.npz: {message}.*is the file cut off or another one"):
        read_adjacency(tmp_path / "w.npz")


@pytest.mark.parametrize("dtype", [np.float16, bool, np.uint8, np.float32])
def test_dtypes_of_npz(tmp_path: Path, dtype: type) -> None:
    path = tmp_path / "W.NPZ"
    with path.open("wb") as file:
        np.savez(file, np.array([[0, 1], [1, 1]], dtype))
    data = read_adjacency(path)
    assert data.edge_index.tolist() == [[0, 1, 1], [1, 0, 1]]
    assert data.edge_weight.tolist() == [1, 1, 1]


def test_sums_of_bytes_do_not_overflow(tmp_path: Path) -> None:
    twice = np.array([200, 100], np.uint8)
    matrix = scipy.sparse.coo_array((twice, ([0, 0], [1, 1])), shape=(2, 2))
    scipy.sparse.save_npz(tmp_path / "w.npz", matrix)
    assert read_adjacency(tmp_path / "w.npz").edge_weight.tolist() == [300]


def test_byte_order_mark_quotes_and_labels(tmp_path: Path) -> None:
    data = read_adjacency(write(tmp_path, '\ufeff"a","b"\n0,1.5\n2,0\n'))
    assert data.node_id == ["a", "b"]
    assert data.edge_weight.tolist() == [1.5, 2]
    for text in (",a,b\na,0,1\nb,1,0\n", ",0,1\n0,0,1\n1,1,0\n"):  # as pandas writes
        with pytest.raises(ValueError, match=r"line 1, column 1: .* in front of its rows .*empty"):
            read_adjacency(write(tmp_path, text))


def test_real_matrices() -> None:
    zones = read_adjacency(real_file("nyc_zones/W_adj_matrix.csv"))
    assert (zones.num_nodes, zones.num_edges) == (69, 332)
    assert len(set(zones.edge_index.flatten().tolist())) == 66  # three zones are isolated
    speeds = read_adjacency(real_file("losloop/los_adj.csv"))
    assert (speeds.num_nodes, speeds.num_edges) == (207, 2833)
    other = read_adjacency(real_file("losloop/los_adj.csv"), rows="target")
    assert (dense(speeds) == dense(other)).all()  # symmetric
