from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from tgst.transforms import DirectionPartition
from tgst.utils import from_networkx, to_networkx


def roads() -> Data:
    return Data(
        x=torch.tensor([[0.5], [1.5], [2.5], [3.5]]),
        pos=torch.tensor([[-122.2476037, 37.8], [1, 2], [3, 4], [5, 6]], dtype=torch.float64),
        edge_index=torch.tensor([[2, 0, 1, 0], [0, 2, 1, 1]]),  # in no order
        edge_length=torch.tensor([1.1, 2, 3, 4]),
        edge_weight=torch.tensor([0.1, 0.2, 0.3, 0.4]),
        edge_lanes=torch.tensor([1, 2, 3, 4]),
        edge_oneway=torch.tensor([True, False, True, False]),
        edge_turn=torch.tensor([[1.0, 2], [3, 4], [5, 6], [7, 8]]),
        edge_type=torch.tensor([0, 1, 2, 1]),
        node_id=["a", ("b", 1), 7, "alone"],
    )


def same(data: Data, other: Data, *names: str) -> None:
    for name in names:
        torch.testing.assert_close(data[name], other[name], rtol=0, atol=0)


def test_attributes() -> None:
    graph = to_networkx(roads())
    assert type(graph) is nx.DiGraph
    assert list(graph) == ["a", ("b", 1), 7, "alone"]
    assert graph.nodes["a"] == {"x": 0.5, "pos": (-122.2476037, 37.8)}
    assert list(graph.edges) == [("a", 7), ("a", ("b", 1)), (("b", 1), ("b", 1)), (7, "a")]
    assert graph.edges["a", 7] == {
        "length": 2.0,
        "weight": pytest.approx(0.2),
        "lanes": 2,
        "oneway": False,
        "turn": (3.0, 4.0),
        "edge_type": 1,
        "e_id": 1,
    }
    assert to_networkx(roads(), node_attrs=(), edge_attrs="lanes").edges["a", 7] == {
        "lanes": 2,
        "e_id": 1,
    }
    assert to_networkx(roads(), node_attrs="x", edge_attrs=["edge_type"]).nodes[7] == {"x": 2.5}


def test_round_trip() -> None:
    data = roads()
    back = from_networkx(
        to_networkx(data),
        x="x",
        pos="pos",
        length="length",
        weight="weight",
        edge_attrs=["lanes", "oneway", "turn", "edge_type"],
    )
    names = set(data.to_dict())
    same(data, back, *(names - {"node_id"}))
    assert set(back.to_dict()) == {*names, "e_id", "num_nodes"}
    assert back.node_id == data.node_id
    assert back.num_nodes == 4


def test_round_trip_of_labels_on_parallel_edges() -> None:
    data = DirectionPartition()(roads())
    back = from_networkx(to_networkx(data), weight="weight", edge_attrs=["edge_type"])
    same(data, back, "edge_index", "edge_weight", "edge_type")


def test_round_trip_of_readings() -> None:
    data = roads()
    data.x = torch.arange(24.0).view(4, 3, 2)
    graph = to_networkx(data)
    assert isinstance(graph.nodes["a"]["x"], np.ndarray)
    same(data, from_networkx(graph, x="x"), "x")
    data.x = torch.arange(12.0).view(4, 3)
    same(data, from_networkx(to_networkx(data), x="x"), "x")


@pytest.mark.parametrize("kind", [nx.MultiDiGraph, nx.MultiGraph])
def test_round_trip_of_multigraphs(kind: type) -> None:
    generator = np.random.default_rng(1)
    graph = kind()
    graph.add_nodes_from("edcbagf")
    for source, target in generator.integers(0, 6, (40, 2)).tolist():
        graph.add_edge("abcdef"[source], "abcdef"[target], length=float(generator.uniform()))
    data = from_networkx(graph, length="length")
    again = to_networkx(data)
    assert type(again) is nx.MultiDiGraph
    back = from_networkx(again, length="length")
    same(data, back, "edge_index", "edge_length", "edge_key", "e_id")
    assert back.node_id == data.node_id
    if kind is nx.MultiDiGraph:
        lengths = nx.get_edge_attributes(graph, "length")
        assert nx.get_edge_attributes(again, "length") == pytest.approx(lengths)


def test_keys_are_numbered_without_edge_key() -> None:
    data = Data(edge_index=torch.tensor([[0, 0, 1, 0], [1, 1, 0, 1]]), num_nodes=2)
    assert list(to_networkx(data).edges) == [(0, 1, 0), (0, 1, 1), (0, 1, 2), (1, 0, 0)]
    data.edge_key = torch.tensor([5, 5, 5, 6])  # does not tell them apart
    assert list(to_networkx(data).edges) == [(0, 1, 0), (0, 1, 1), (0, 1, 2), (1, 0, 0)]
    data.edge_key = torch.tensor([5, 7, 5, 6])
    assert list(to_networkx(data).edges) == [(0, 1, 5), (0, 1, 7), (0, 1, 6), (1, 0, 5)]
    with pytest.raises(ValueError, match=r"multigraph: .*parallel edges .from 0 to 1., got False"):
        to_networkx(data, multigraph=False)


def test_kinds_and_empty_graphs() -> None:
    data = Data(edge_index=torch.tensor([[0], [1]]), num_nodes=3)
    assert list(to_networkx(data, multigraph=True).edges) == [(0, 1, 0)]
    assert type(to_networkx(data, multigraph=False)) is nx.DiGraph
    assert list(to_networkx(data)) == [0, 1, 2]
    data.node_id = torch.tensor([30, 20, 10])
    assert list(to_networkx(data).edges(data=True)) == [(30, 20, {"e_id": 0})]
    empty = Data(edge_index=torch.empty(2, 0, dtype=torch.long), num_nodes=0)
    assert len(to_networkx(empty)) == 0


def test_bad_input() -> None:
    data = roads()
    with pytest.raises(TypeError, match=r"data: expected one .*Data, got DataBatch"):
        to_networkx(Batch.from_data_list([Data(edge_index=data.edge_index, num_nodes=4)]))
    with pytest.raises(ValueError, match=r"edge_index: expected a tensor .*, got None"):
        to_networkx(Data(num_nodes=1))
    with pytest.raises(ValueError, match=r"edge_attrs: .*'edge_lanes'.*, got 'edge_speed'"):
        to_networkx(data, edge_attrs=["speed"])
    with pytest.raises(
        ValueError, match=r"data\.speed: expected a tensor .* 4 nodes, got NoneType"
    ):
        to_networkx(data, node_attrs=["speed"])
    data.node_id = ["a", "b", "a", "c"]
    with pytest.raises(ValueError, match=r"data\.node_id: .*every name once, got 'a' twice"):
        to_networkx(data)
    data.node_id = ["a"]
    with pytest.raises(ValueError, match=r"data\.node_id: expected 4 names, got 1"):
        to_networkx(data)
    data = roads()
    data.edge_lanes = torch.ones(3)
    with pytest.raises(ValueError, match=r"data\.edge_lanes: .*the 4 edges, got shape \[3\]"):
        to_networkx(data)
    data = roads()
    data.edge_index = data.edge_index + 2
    with pytest.raises(ValueError, match="edge_index"):
        to_networkx(data)
