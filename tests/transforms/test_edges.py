from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data, HeteroData

from tgst.transforms.edges import (
    check_edge_ids,
    checked_edge_values,
    checked_graph,
    checked_int,
    edge_strength,
    replace_edges,
)

EDGES = torch.tensor([[0, 1, 2, 0], [1, 2, 0, 2]])


def test_checked_graph_returns_a_plain_tensor() -> None:
    data = Data(edge_index=EdgeIndex(EDGES, sparse_size=(5, 5)))
    edge_index, num_nodes = checked_graph(data)
    assert type(edge_index) is torch.Tensor
    assert torch.equal(edge_index, EDGES)
    assert num_nodes == 5


def test_checked_graph_takes_one_homogeneous_graph() -> None:
    data = Data(edge_index=EDGES, num_nodes=3)
    with pytest.raises(TypeError, match=r"data: expected one .*Data.*got HeteroData"):
        checked_graph(HeteroData())
    with pytest.raises(TypeError, match=r"before batching them.*got DataBatch"):
        checked_graph(Batch.from_data_list([data, data]))


@pytest.mark.parametrize(
    ("edge_index", "message"),
    [
        (None, r"data\.edge_index: expected a tensor \[2, E\], got None"),
        (EDGES.T, r"expected shape \[2, E\] and dtype torch.int64, got \[4, 2\] and torch.int64"),
        (EDGES.int(), r"got \[2, 4\] and torch.int32"),
        (torch.tensor([[0, 4], [1, 0]]), r"expected nodes in 0\.\.3, got edge 1 \(4 -> 0\)"),
        (torch.tensor([[0, 1], [1, -1]]), r"expected nodes in 0\.\.3, got edge 1 \(1 -> -1\)"),
    ],
)
def test_checked_graph_errors(edge_index: torch.Tensor | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked_graph(Data(edge_index=edge_index, num_nodes=4))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (torch.ones(3), r"data\.edge_length: expected shape \[4\], got \[3\]"),
        (torch.ones(4, 1), r"expected shape \[4\], got \[4, 1\]"),
        ([1.0, 1.0, 1.0, 1.0], r"expected shape \[4\], got list"),
        (torch.ones(4).long(), r"expected a floating point dtype, got torch.int64"),
        (torch.tensor([1.0, 1.0, -2.0, 1.0]), r"got -2\.0 at edge 2 \(2 -> 0\)"),
        (torch.tensor([1.0, 1.0, 1.0, np.nan]), r"got nan at edge 3 \(0 -> 2\)"),
    ],
)
def test_checked_edge_values_errors(values: object, message: str) -> None:
    data = Data(edge_index=EDGES, edge_length=values)
    with pytest.raises(ValueError, match=message):
        checked_edge_values(data, "edge_length", EDGES)


def test_checked_int() -> None:
    for value in (3, np.int64(3), np.uint8(3)):
        assert type(checked_int("max_hop", value)) is int
        assert checked_int("max_hop", value) == 3


@pytest.mark.parametrize(
    ("value", "came"),
    [
        (3.0, r"3\.0 \(float\)"),
        (True, r"True \(bool\)"),
        (torch.tensor(3), r"tensor\(3\) \(Tensor\)"),
        ("3", r"'3' \(str\)"),
        (None, r"None \(NoneType\)"),
    ],
)
def test_checked_int_errors(value: object, came: str) -> None:
    with pytest.raises(TypeError, match=f"max_hop: expected an int, got {came}"):
        checked_int("max_hop", value)


def test_edge_strength_is_one_in_the_dtype_of_x() -> None:
    data = Data(x=torch.zeros(3, 2, dtype=torch.float64), edge_index=EDGES)
    assert torch.equal(edge_strength(data, EDGES), torch.ones(4, dtype=torch.float64))
    assert edge_strength(Data(edge_index=EDGES), EDGES).dtype == torch.float32
    data.edge_weight = torch.tensor([1.0, 2.0, torch.inf, 0.0])
    with pytest.raises(ValueError, match=r"data\.edge_weight: .*got inf at edge 2 \(2 -> 0\)"):
        edge_strength(data, EDGES)


def test_replace_edges_carries_every_kind_of_attribute() -> None:
    data = Data(x=torch.zeros(3, 2), edge_index=EDGES)
    data.edge_attr = torch.arange(8.0).view(4, 2)
    data.lanes = torch.arange(4)  # PyG knows edge attributes by their length
    data.edge_toll = torch.tensor([True, False, True, False])
    data.edge_names = ["a", "b", "c", "d"]
    data.edge_pair = ("a", "b", "c", "d")
    data.edge_year = np.arange(4)
    data.turn_index = torch.arange(8).view(2, 4)  # "index": concatenated along the last dimension
    data.edge_unit = "metres"
    data.edge_label_index = torch.zeros(2, 7, dtype=torch.long)
    data.neg_edge_index = EDGES.flip(0)
    data.y = torch.arange(3)
    new = torch.tensor([[2, 0, 1], [2, 2, 1]])
    out = replace_edges(data, new, torch.tensor([2, -1, 0]), fill_value=1.0)
    assert torch.equal(out.edge_index, new)
    assert torch.equal(out.e_id, torch.arange(3))
    assert out.edge_attr.tolist() == [[4, 5], [1, 1], [0, 1]]
    assert out.lanes.tolist() == [2, 1, 0]
    assert out.edge_toll.tolist() == [True, True, True]
    assert out.edge_names == ["c", None, "a"]
    assert out.edge_pair == ("c", None, "a")
    assert isinstance(out.edge_year, np.ndarray)
    assert out.edge_year.tolist() == [2, 1, 0]
    assert out.turn_index.tolist() == [[2, 1, 0], [6, 1, 4]]
    assert out.edge_unit == "metres"
    assert out.edge_label_index.shape == (2, 7)
    assert torch.equal(out.neg_edge_index, EDGES.flip(0))
    assert out.y.tolist() == [0, 1, 2]


def test_replace_edges_leaves_node_attributes_where_their_number_equals_that_of_edges() -> None:
    data = Data(x=torch.zeros(4, 2), edge_index=EDGES, node_id=["a", "b", "c", "d"])
    data.speed = torch.arange(4)
    data.edge_lanes = torch.arange(4)
    out = replace_edges(data, EDGES[:, :2], torch.tensor([0, 1]))
    assert out.node_id == ["a", "b", "c", "d"]
    assert out.speed.tolist() == [0, 1, 2, 3]
    assert out.edge_lanes.tolist() == [0, 1]


def test_replace_edges_keeps_the_number_of_nodes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no warning of its own
        data = replace_edges(Data(edge_index=EDGES), EDGES[:, :1], torch.tensor([0]))
        assert data.num_nodes == 3
        data = replace_edges(Data(x=torch.zeros(3, 1), edge_index=EDGES), EDGES, torch.arange(4))
        assert "num_nodes" not in data


@pytest.mark.parametrize("name", ["edge_attr", "edge_names", "e_id"])
def test_replace_edges_refuses_attributes_that_lost_their_edges(name: str) -> None:
    data = Data(x=torch.zeros(3, 2), edge_index=EDGES)
    data[name] = [1, 2, 3, 4, 5] if name == "edge_names" else torch.arange(5)
    message = rf"data\.{name}: expected one entry for each of the 4 edges, got 5"
    with pytest.raises(ValueError, match=message):
        replace_edges(data, EDGES, torch.arange(4))


def test_replace_edges_from_and_to_no_edges() -> None:
    empty = torch.zeros(2, 0, dtype=torch.long)
    data = Data(x=torch.zeros(3, 2), edge_index=empty, edge_attr=torch.zeros(0, 2))
    out = replace_edges(data, EDGES, torch.full((4,), -1), fill_value=3.0)
    assert torch.equal(out.edge_attr, torch.full((4, 2), 3.0))
    out = replace_edges(out, empty, empty[0])
    assert out.edge_attr.shape == (0, 2)


def loops_first() -> Data:
    """Every node has a self loop of label 0, one edge in between."""
    data = Data(edge_index=torch.tensor([[0, 0, 1, 2], [0, 1, 1, 2]]), num_nodes=3)
    data.edge_type = torch.tensor([0, 1, 0, 0])
    data.edge_weight = torch.rand(4)
    data.e_id = torch.tensor([7, 3, 5, 4])
    return data


def test_check_edge_ids_accepts() -> None:
    check_edge_ids(loops_first())
    check_edge_ids(Data(edge_index=EDGES, num_nodes=3))  # nothing to check
    check_edge_ids(Data(edge_index=EDGES, e_id=torch.tensor([3, 9, 0, 1]), num_nodes=3))
    data = loops_first()
    data.edge_type = torch.tensor([0, 0, 0, 0])  # one label for all
    check_edge_ids(data)
    data.edge_type = torch.tensor([1, 0, 2, 0])  # other labels than 0 for some self loops
    check_edge_ids(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"e_id": torch.tensor([7, 3, 3, 7])},
            r"data\.e_id: expected another id for every edge, got 3 at edge 1 \(0 -> 1\) and "
            r"edge 2 \(1 -> 1\); apply transforms .*\(ToUndirected, AddSelfLoops\) before",
        ),
        ({"e_id": torch.arange(3)}, r"data\.e_id: expected one entry for each of the 4 edges"),
        (
            {"edge_type": torch.arange(5)},
            r"data\.edge_type: expected one entry for each of the 4 edges, got shape \[5\]",
        ),
        ({"edge_weight": torch.ones(6)}, r"data\.edge_weight: expected one entry .*\[6\]"),
        (
            {"edge_type": torch.tensor([0, 0, 1, 0])},
            r"data\.edge_type: expected label 0 on the self loops alone, got it at edge 1 "
            r"\(0 -> 1\); apply",
        ),
    ],
)
def test_check_edge_ids_errors(change: dict, message: str) -> None:
    data = loops_first()
    for name, value in change.items():
        data[name] = value
    with pytest.raises(ValueError, match=message):
        check_edge_ids(data)
    if "edge_weight" not in change:  # which transforms may replace
        with pytest.raises(ValueError, match=message):
            checked_graph(data)
    batch = Batch.from_data_list([data, data])
    with pytest.raises(TypeError, match="before batching"):
        check_edge_ids(batch)


def test_check_edge_ids_needs_no_labels() -> None:
    data = Data(edge_index=EDGES, e_id=torch.tensor([0, 1, 1, 2]), num_nodes=3)
    with pytest.raises(ValueError, match=r"delete e_id if they are neither labelled"):
        check_edge_ids(data)
    checked_graph(data)  # a graph without labels may be labelled: its ids are written anew


def test_check_edge_ids_against_the_full_graph() -> None:
    full = loops_first()
    full.e_id = torch.arange(4)
    order = torch.tensor([2, 0, 3, 1])
    data = full.clone()
    for name in ("edge_type", "edge_weight", "e_id"):
        data[name] = data[name][order]
    data.edge_index = data.edge_index[:, order]
    check_edge_ids(data, full)
    part = Data(edge_index=torch.tensor([[1, 1], [0, 1]]), num_nodes=2, n_id=torch.tensor([1, 0]))
    part.e_id = torch.tensor([1, 0])  # 0 -> 1 and 0 -> 0 of the full graph
    check_edge_ids(part, full)
    part.e_id = torch.tensor([2, 0])
    message = (
        r"data\.e_id: expected that edge 0 \(0 -> 1\) and edge 2 \(1 -> 1\) of full, which have "
        "one id, are the same edge with the same label; apply"
    )
    with pytest.raises(ValueError, match=message):
        check_edge_ids(part, full)
    data.edge_type = torch.tensor([0, 0, 0, 2])
    with pytest.raises(ValueError, match=r"edge 3 \(0 -> 1\) and edge 1 \(0 -> 1\) of full"):
        check_edge_ids(data, full)


@pytest.mark.parametrize("e_id", [None, torch.tensor([0, 1, 2, 4]), torch.tensor([-1, 1, 2, 3])])
def test_check_edge_ids_against_the_full_graph_needs_its_ids(e_id: torch.Tensor | None) -> None:
    full = Data(edge_index=EDGES, e_id=torch.arange(4), num_nodes=3)
    with pytest.raises(ValueError, match=r"data\.e_id: expected ids of full, got"):
        check_edge_ids(Data(edge_index=EDGES, e_id=e_id, num_nodes=3), full)
    full.e_id = e_id
    with pytest.raises(ValueError, match=r"full\.e_id: expected 0, 1, \.\.\., 3, got"):
        check_edge_ids(Data(edge_index=EDGES, e_id=torch.arange(4), num_nodes=3), full)
