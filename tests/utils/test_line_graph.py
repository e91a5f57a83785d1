from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from tgst.utils import from_networkx, line_graph, to_networkx


def crossing() -> Data:
    # Four arms around junction 0, each in both directions: east 1, north 2, west 3, south 4.
    arms = torch.arange(1, 5)
    return Data(
        pos=torch.tensor([[0.0, 0], [2, 0], [0, 4], [-6, 0], [0, -8]]),
        edge_index=torch.stack([torch.cat([arms, arms * 0]), torch.cat([arms * 0, arms])]),
        edge_length=torch.tensor([2.0, 4, 6, 8, 2, 4, 6, 8]),
        edge_weight=torch.arange(8.0),
        edge_lanes=torch.arange(8),
        edge_type=torch.arange(8) % 2,
        e_id=torch.arange(8) + 10,
        node_id=["m", "e", "n", "w", "s"],
        num_nodes=5,
    )


def turns_of(line: Data) -> dict[tuple[str, str], int]:
    ends = zip(*line.edge_index.tolist(), line.edge_type.tolist(), strict=True)
    return {(line.node_id[a], line.node_id[b]): label for a, b, label in ends}


def test_turns_at_a_crossing() -> None:
    line = line_graph(crossing())
    turns = turns_of(line)
    from_east = {"m-e": 3, "m-n": 2, "m-w": 0, "m-s": 1}
    assert {out: turns["e-m", out] for out in from_east} == from_east
    from_south = {"m-e": 2, "m-n": 0, "m-w": 1, "m-s": 3}
    assert {out: turns["s-m", out] for out in from_south} == from_south
    assert {out: turns[out, "e-m"] for out in ("m-e",)} == {"m-e": 3}
    assert len(turns) == 20  # 16 at the crossing, 4 at the dead ends


def test_attributes_are_carried() -> None:
    line = line_graph(crossing())
    assert line.num_nodes == 8
    assert line.node_id == ["e-m", "n-m", "w-m", "s-m", "m-e", "m-n", "m-w", "m-s"]
    assert line.length.tolist() == [2, 4, 6, 8, 2, 4, 6, 8]
    assert line.weight.tolist() == list(range(8))
    assert line.lanes.tolist() == list(range(8))
    assert line.segment_type.tolist() == [0, 1] * 4
    assert line.segment_id.tolist() == list(range(10, 18))
    assert line.pos[:4].tolist() == [[1, 0], [0, 2], [-3, 0], [0, -4]]
    assert line.e_id.tolist() == list(range(20))
    assert line.edge_index[:, :4].tolist() == [[0, 0, 0, 0], [4, 5, 6, 7]]
    assert line.edge_length[:4].tolist() == [2, 3, 4, 5]  # half of 2 and half of 2, 4, 6, 8
    assert line.is_node_attr("length")
    assert line.is_edge_attr("edge_length")
    assert line.validate()


@pytest.mark.parametrize("angle", [0, 44.9, 45, 45.1, 90, 135, 179, 180, -45, -45.1, -90, -179])
def test_angles(angle: float) -> None:
    turn = math.radians(30 + angle)
    start = math.radians(30)
    after = (math.cos(turn), math.sin(turn))
    pos = [[-math.cos(start), -math.sin(start)], [0, 0], after]
    data = Data(edge_index=torch.tensor([[0, 1], [1, 2]]), pos=torch.tensor(pos).double())
    expected = 0 if abs(angle) <= 45 else 1 if angle > 0 else 2
    assert line_graph(data).edge_type.tolist() == [expected]


def test_geographic_directions() -> None:
    # At 60 degrees north a degree of longitude is half as long as one of latitude: 53 degrees
    # to the right of north in the plain are 34 on the ground.
    pos = torch.tensor([[0, 59], [0, 60], [1, 60.75]], dtype=torch.float64)
    data = Data(edge_index=torch.tensor([[0, 1], [1, 2]]), pos=pos)
    assert line_graph(data).edge_type.tolist() == [2]
    assert line_graph(data, geographic=True).edge_type.tolist() == [0]


def test_geographic_across_the_antimeridian() -> None:
    # East over the antimeridian, then north, west over it, and south again.
    places = [[179.9, 0], [-179.9, 0], [-179.9, 0.1], [179.9, 0.1], [179.9, 0]]
    data = Data(
        edge_index=torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]]),
        pos=torch.tensor(places, dtype=torch.float64),
    )
    line = line_graph(data, geographic=True)
    assert line.edge_type.tolist() == [1, 1, 1]
    assert line.pos[1::2, 0].tolist() == pytest.approx([-179.9, 179.9])
    assert line.pos[::2, 0].abs().tolist() == pytest.approx([180, 180])
    assert line.pos[:, 1].tolist() == pytest.approx([0, 0.05, 0.1, 0.05])
    assert line_graph(data).edge_type.tolist() == [2, 2, 2]  # in a plane


def test_geographic_positions_in_metres() -> None:
    data = crossing()
    data.pos = data.pos + torch.tensor([566_214.0, 4_186_804.0])
    with pytest.raises(ValueError, match=r"geographic: expected False .*reach 4186808\.0"):
        line_graph(data, geographic=True)


def test_height_is_ignored() -> None:
    data = crossing()
    data.pos = torch.cat([data.pos, torch.tensor([[9.0], [1], [-5], [3], [7]])], dim=1)
    line = line_graph(data)
    assert line.edge_type.equal(line_graph(crossing()).edge_type)
    assert line.pos[0].tolist() == [1, 0, 5]


def test_loops_and_parallel_segments() -> None:
    data = Data(
        edge_index=torch.tensor([[0, 0, 1, 0, 1], [1, 1, 0, 0, 1]]),
        pos=torch.tensor([[0.0, 0], [1, 0]]),
        node_id=["a", "b"],
    )
    line = line_graph(data)
    assert line.node_id == ["a-b", "a-b-1", "b-a", "a-a", "b-b"]
    turns = turns_of(line)
    assert turns["a-b", "b-a"] == turns["b-a", "a-b-1"] == 3
    assert turns["a-a", "a-a"] == turns["a-a", "a-b"] == turns["a-b", "b-b"] == 0
    expected = nx.line_graph(to_networkx(data))
    assert line.num_edges == expected.number_of_edges()
    data.node_id = ["a", "b"]
    data.edge_index = torch.tensor([[0, 0, 0], [1, 1, 1]])
    assert line_graph(data).node_id == ["a-b", "a-b-1", "a-b-2"]


def test_names_stay_unique() -> None:
    data = Data(edge_index=torch.tensor([[0, 0, 0], [1, 1, 2]]), node_id=["a", "b", "b-1"])
    data.num_nodes = 3
    assert line_graph(data).node_id == ["a-b", "a-b-2", "a-b-1"]


def test_same_as_networkx_on_random_graphs() -> None:
    for seed in range(5):
        graph = nx.gnp_random_graph(30, 0.1, seed=seed, directed=True)
        graph.add_edge(3, 3)
        data = from_networkx(graph)
        line = line_graph(data)
        ends = [tuple(map(int, name.split("-"))) for name in line.node_id]
        found = {(ends[a], ends[b]) for a, b in zip(*line.edge_index.tolist(), strict=True)}
        assert found == set(nx.line_graph(graph).edges)
        assert line.num_edges == len(found)
        order = line.edge_index[0] * line.num_nodes + line.edge_index[1]
        assert (order.diff() > 0).all()
        assert "edge_type" not in line


def test_same_as_networkx_on_random_multigraphs() -> None:
    for seed in range(5):
        generator = np.random.default_rng(seed)
        graph = nx.MultiDiGraph()
        graph.add_nodes_from(range(8))
        graph.add_edges_from(generator.integers(0, 8, (25, 2)).tolist())
        line = line_graph(from_networkx(graph))
        names = list(graph.edges(keys=True))
        found = [(names[a], names[b]) for a, b in line.edge_index.T.tolist()]
        assert sorted(found) == sorted(nx.line_graph(graph).edges())
        assert len(set(line.node_id)) == len(names)


def test_without_pos_and_without_turns() -> None:
    data = crossing()
    plain = line_graph(data, turns=False)
    assert "edge_type" not in plain
    assert plain.pos.shape == (8, 2)
    data.pos = None
    assert "edge_type" not in line_graph(data)
    with pytest.raises(ValueError, match=r"turns: expected None or False .* without pos"):
        line_graph(data, turns=True)


def test_no_segments_and_no_turns() -> None:
    empty = Data(edge_index=torch.empty(2, 0, dtype=torch.long), pos=torch.zeros(3, 2))
    line = line_graph(empty, turns=True)
    assert line.num_nodes == 0
    assert line.edge_index.shape == (2, 0)
    single = line_graph(Data(edge_index=torch.tensor([[0], [1]]), num_nodes=5))
    assert (single.num_nodes, single.num_edges, single.node_id) == (1, 0, ["0-1"])


def test_disconnected_networks_stay_apart() -> None:
    graph = nx.disjoint_union(nx.DiGraph([(0, 1), (1, 2)]), nx.DiGraph([(0, 1), (1, 0)]))
    line = line_graph(from_networkx(graph))
    assert line.node_id == ["0-1", "1-2", "3-4", "4-3"]
    assert line.edge_index.tolist() == [[0, 2, 3], [1, 3, 2]]


def test_bad_input() -> None:
    data = crossing()
    data.pos = torch.zeros(4, 2)
    with pytest.raises(ValueError, match=r"data\.pos: expected shape \[5, D\], got \[4, 2\]"):
        line_graph(data)
    data.pos = torch.zeros(5, 1)
    with pytest.raises(ValueError, match=r"data\.pos: expected two coordinates or more, got 1"):
        line_graph(data)
    for name in ("edge_pos", "edge_node_id", "edge_num_nodes", "edge_keys", "edge_e_id"):
        data = crossing()
        data[name] = torch.zeros(8)
        with pytest.raises(ValueError, match=rf"data\.{name}: expected .*rename it"):
            line_graph(data)
    with pytest.raises(TypeError, match="data: expected one"):
        line_graph(Batch.from_data_list([Data(edge_index=data.edge_index, num_nodes=5)]))


def test_integer_positions() -> None:
    data = Data(
        edge_index=torch.tensor([[0, 1], [1, 2]]), pos=torch.tensor([[0, 0], [1, 0], [1, 1]])
    )
    line = line_graph(data)
    assert np.allclose(line.pos, [[0.5, 0], [1, 0.5]])
    assert line.edge_type.tolist() == [1]
