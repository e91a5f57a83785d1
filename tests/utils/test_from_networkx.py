from __future__ import annotations

import math

import networkx as nx
import numpy as np
import pytest
import torch

from tgst.transforms import DirectionPartition, GaussianKernel
from tgst.utils import from_networkx


@pytest.fixture
def roads() -> nx.DiGraph:
    graph = nx.DiGraph(name="roads", created="today")
    graph.add_node("c", x=1.0, y=2.0, speed=50)
    graph.add_node("a", x=3.0, y=4.0, speed=60)
    graph.add_node((0, 1), x=5.0, y=6.0, speed=70)
    graph.add_node("alone", x=7.0, y=8.0, speed=80)
    graph.add_edge("a", "c", length=100, cost=0.5, lanes=2, oneway=True, name="Main Street")
    graph.add_edge("c", (0, 1), length=250.5, cost=1.5, lanes=1, oneway=False)
    graph.add_edge("c", "a", length=120, cost=2.5, lanes=3, oneway=True)
    return graph


def test_directed_graph(roads: nx.DiGraph) -> None:
    data = from_networkx(
        roads,
        x="speed",
        pos=("x", "y"),
        length="length",
        weight="cost",
        edge_attrs=["lanes", "oneway"],
    )
    assert data.node_id == ["c", "a", (0, 1), "alone"]
    assert data.num_nodes == 4
    assert data.edge_index.tolist() == [[0, 0, 1], [2, 1, 0]]  # the order of G.edges()
    assert data.e_id.tolist() == [0, 1, 2]
    assert torch.equal(data.edge_length, torch.tensor([250.5, 120, 100]))
    assert torch.equal(data.edge_weight, torch.tensor([1.5, 2.5, 0.5]))
    assert torch.equal(data.edge_lanes, torch.tensor([1, 3, 2]))
    assert torch.equal(data.edge_oneway, torch.tensor([False, True, True]))
    assert torch.equal(data.x, torch.tensor([[50.0], [60], [70], [80]]))
    pos = torch.tensor([[1, 2], [3, 4], [5, 6], [7, 8]], dtype=torch.float64)
    torch.testing.assert_close(data.pos, pos, rtol=0, atol=0)


def test_nothing_is_taken_unasked(roads: nx.DiGraph) -> None:
    assert set(from_networkx(roads).keys()) == {"edge_index", "e_id", "node_id", "num_nodes"}


def test_undirected_graph_has_both_directions() -> None:
    graph = nx.Graph()
    graph.add_edge(7, 3, length=1.0)
    graph.add_edge(3, 3, length=2.0)
    graph.add_edge(3, 5, length=3.0)
    data = from_networkx(graph, length="length")
    assert data.node_id == [7, 3, 5]
    assert data.edge_index.tolist() == [[0, 1, 1, 1, 2], [1, 1, 2, 0, 1]]
    assert data.edge_length.tolist() == [1, 2, 3, 1, 3]
    assert data.e_id.tolist() == [0, 1, 2, 3, 4]


def test_arrays_on_nodes() -> None:
    graph = nx.path_graph(3)
    for node in graph:
        graph.nodes[node]["history"] = np.full((4, 2), node)
        graph.nodes[node]["place"] = (node, -node)
    data = from_networkx(graph, x="history", pos="place")
    assert torch.equal(data.x, torch.arange(3.0)[:, None, None].expand(3, 4, 2))
    assert data.pos.tolist() == [[0, 0], [1, -1], [2, -2]]
    both = from_networkx(graph, x=["level"], defaults={"level": 4})
    assert both.x.tolist() == [[4], [4], [4]]


def test_defaults_and_numbers_in_strings(roads: nx.DiGraph) -> None:
    roads.edges["a", "c"]["lanes"] = None
    roads.edges["c", "a"]["lanes"] = "3"
    del roads.edges["c", (0, 1)]["length"]
    roads.nodes["a"]["speed"] = "65.5"
    defaults = {"lanes": 1, "length": 30.0}
    data = from_networkx(roads, x="speed", length="length", edge_attrs=["lanes"], defaults=defaults)
    assert data.edge_lanes.tolist() == [1, 3, 1]
    assert data.edge_length.tolist() == [30, 120, 100]
    assert data.x.tolist() == [[50], [65.5], [70], [80]]


def test_dtype_is_the_default_one(roads: nx.DiGraph) -> None:
    assert from_networkx(roads, length="length").edge_length.dtype == torch.float32
    torch.set_default_dtype(torch.float64)
    try:
        assert from_networkx(roads, length="length").edge_length.dtype == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_names_of_edge_attributes(roads: nx.DiGraph) -> None:
    nx.set_edge_attributes(roads, 5.0, "edge_speed")
    assert from_networkx(roads, edge_attrs="edge_speed").edge_speed.tolist() == [5, 5, 5]
    for name in ("index", "edge_label", "weight", "length", "type"):
        with pytest.raises(ValueError, match=f"edge_attrs: .*got '{name}' for data.edge_"):
            from_networkx(roads, edge_attrs=[name])
    with pytest.raises(ValueError, match="edge_type holds the labels of the partition transforms"):
        from_networkx(roads, edge_attrs=["type"])
    with pytest.raises(ValueError, match=r"edge_attrs: .*got 'lanes' for data\.edge_lanes"):
        from_networkx(roads, edge_attrs=["lanes", "edge_lanes"])


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph])
def test_empty_graphs(kind: type) -> None:
    empty = from_networkx(kind(), x="x", length="length", edge_attrs=["lanes"])
    assert empty.edge_index.shape == (2, 0)
    assert empty.num_nodes == 0
    assert empty.x.shape == (0, 1)
    assert empty.edge_length.shape == empty.edge_lanes.shape == (0,)
    assert from_networkx(nx.empty_graph(3, create_using=kind)).num_nodes == 3


@pytest.mark.parametrize("value", ["fast", [1, 2], math.nan, {"a": 1}, None])
@pytest.mark.parametrize("argument", ["length", "weight", "edge_attrs"])
def test_bad_edge_attributes(roads: nx.DiGraph, argument: str, value: object) -> None:
    roads.edges["c", "a"]["cost"] = value
    came = "none" if value is None else repr(value).replace("[", r"\[")
    with pytest.raises(ValueError, match=rf"edge \('c', 'a'\), attribute 'cost': .*, got {came}"):
        from_networkx(roads, **{argument: "cost"})


@pytest.mark.parametrize("value", ["fast", [1, 2], [[1], [1, 2]], math.nan, None])
@pytest.mark.parametrize("name", ["speed", ["x", "speed"]])
def test_bad_node_attributes(roads: nx.DiGraph, name: str | list[str], value: object) -> None:
    roads.nodes["a"]["speed"] = value
    with pytest.raises(ValueError, match=r"node 'a', attribute 'speed': expected "):
        from_networkx(roads, x=name)
    with pytest.raises(ValueError, match=r"node 'a', attribute 'speed': expected "):
        from_networkx(roads, pos=name)


@pytest.mark.parametrize("value", [2**63, np.uint64(2**63), 2**64, -(2**63) - 1])
@pytest.mark.parametrize("other", [1, -1])
def test_integers_that_do_not_fit(roads: nx.DiGraph, value: int, other: int) -> None:
    nx.set_edge_attributes(roads, other, "osmid")
    roads.edges["c", "a"]["osmid"] = value
    message = (
        rf"edge \('c', 'a'\), attribute 'osmid': expected an integer of 64 bits, got .*{value}"
    )
    with pytest.raises(ValueError, match=message):
        from_networkx(roads, edge_attrs=["osmid"])
    roads.edges["c", "a"]["osmid"] = 2**63 - 1
    data = from_networkx(roads, edge_attrs=["osmid"])
    assert data.edge_osmid.tolist() == [other, 2**63 - 1, other]
    roads.edges["c", "a"]["osmid"] = 2.0**63  # no integer, and no loss
    assert from_networkx(roads, edge_attrs=["osmid"]).edge_osmid.tolist() == [other, 2.0**63, other]


@pytest.mark.parametrize("value", [10**400, -(10**400)])
def test_integers_beyond_all_floats(roads: nx.DiGraph, value: int) -> None:
    roads.edges["c", "a"]["cost"] = roads.nodes["a"]["speed"] = value
    for argument in ("length", "weight", "edge_attrs"):
        with pytest.raises(ValueError, match=r"edge \('c', 'a'\), attribute 'cost': expected"):
            from_networkx(roads, **{argument: "cost"})
    for name in ("speed", ["speed"]):
        with pytest.raises(ValueError, match="node 'a', attribute 'speed': expected a number, got"):
            from_networkx(roads, x=name)
    roads.nodes["a"]["speed"] = 2**70
    assert from_networkx(roads, x="speed").x.tolist() == [[50], [2.0**70], [70], [80]]


def test_infinity_passes(roads: nx.DiGraph) -> None:
    roads.edges["c", "a"]["length"] = "inf"
    assert from_networkx(roads, length="length").edge_length.tolist() == [250.5, math.inf, 100]


def test_arrays_on_edges(roads: nx.DiGraph) -> None:
    for number, edge in enumerate(roads.edges):
        roads.edges[edge].update(turn=(number, 0.5), sides=[True, number > 0])
    data = from_networkx(roads, edge_attrs=["turn", "sides"])
    assert data.edge_turn.tolist() == [[0, 0.5], [1, 0.5], [2, 0.5]]
    assert data.edge_sides.tolist() == [[True, False], [True, True], [True, True]]
    streets = nx.MultiDiGraph(roads)
    streets.add_edge("a", "c", turn=[10, 20], sides=[False, False])
    data = from_networkx(streets, edge_attrs=["turn", "sides"], parallel="sum")
    assert data.edge_turn.tolist() == [[0, 0.5], [1, 0.5], [12, 20.5]]
    assert data.edge_sides.tolist() == [[True, False], [True, True], [True, True]]
    roads.edges["c", "a"]["turn"] = (1.0, math.nan)
    with pytest.raises(ValueError, match=r"edge \('c', 'a'\), attribute 'turn': expected a number"):
        from_networkx(roads, edge_attrs=["turn"])
    roads.edges["c", "a"]["turn"] = 2.0
    with pytest.raises(ValueError, match=r"edge \('c', \(0, 1\)\), attribute 'turn': expected a n"):
        from_networkx(roads, edge_attrs=["turn"])


def test_labels(roads: nx.DiGraph) -> None:
    for number, edge in enumerate(roads.edges):
        roads.edges[edge]["edge_type"] = number
    data = from_networkx(roads, edge_attrs=["edge_type"])
    assert data.edge_type.tolist() == [0, 1, 2]
    assert data.edge_type.dtype == torch.long
    message = r"edge .*, attribute 'edge_type': expected a label .an integer from 0., got "
    for value in (-1, 0.5, "primary", None, (1, 2)):
        roads.edges["c", "a"]["edge_type"] = value
        with pytest.raises(ValueError, match=r"edge .*, attribute 'edge_type': expected a"):
            from_networkx(roads, edge_attrs=["edge_type"])
    nx.set_edge_attributes(roads, True, "edge_type")
    with pytest.raises(ValueError, match=message + "True"):
        from_networkx(roads, edge_attrs=["edge_type"])
    roads.edges["c", "a"]["edge_type"] = -1
    with pytest.raises(ValueError, match=message.replace(".*", r"\('c', 'a'\)") + "-1"):
        from_networkx(roads, edge_attrs=["edge_type"])
    assert from_networkx(nx.DiGraph(), edge_attrs=["edge_type"]).edge_type.shape == (0,)
    with pytest.raises(ValueError, match=r"parallel: expected 'keep' or 'min' .*, got 'sum'"):
        from_networkx(nx.MultiDiGraph(roads), edge_attrs=["edge_type"], parallel="sum")


def test_bad_value_inside_of_an_array() -> None:
    graph = nx.empty_graph(2)
    graph.nodes[0]["place"] = (0.0, 1.0)
    graph.nodes[1]["place"] = (0.0, math.nan)
    with pytest.raises(ValueError, match=r"node 1, attribute 'place': expected a number, got \(0"):
        from_networkx(graph, pos="place")
    graph.nodes[1]["place"] = (0.0, 1.0, 2.0)
    with pytest.raises(ValueError, match=r"node 1, .*shape \[2\] as on node 0, got \(0.0, 1.0, 2"):
        from_networkx(graph, pos="place")


def test_bad_graphs_and_arguments(roads: nx.DiGraph) -> None:
    with pytest.raises(TypeError, match=r"G: expected a networkx graph, got dict"):
        from_networkx({})
    for argument in ("x", "pos"):
        for names in ([], ""):
            message = rf"{argument}: expected one attribute name or more, got "
            with pytest.raises(ValueError, match=message):
                from_networkx(roads, **{argument: names})
    with pytest.raises(ValueError, match=r"defaults: .*among \['length'\], got \['lenght'\]"):
        from_networkx(roads, length="length", defaults={"lenght": 1.0})


def test_parallel(roads: nx.DiGraph) -> None:
    with pytest.raises(ValueError, match=r"parallel: expected one of \('keep', .*got 'max'"):
        from_networkx(roads, parallel="max")
    expected = from_networkx(roads, length="length", edge_attrs=["lanes"]).to_dict()
    for parallel in ("keep", "sum", "min"):
        data = from_networkx(roads, length="length", edge_attrs=["lanes"], parallel=parallel)
        assert data.edge_lanes.tolist() == [1, 3, 2]
        torch.testing.assert_close(data.edge_length, expected["edge_length"], rtol=0, atol=0)
        assert torch.equal(data.edge_index, expected["edge_index"])
        assert set(data.keys()) == set(expected)


def test_from_road_network_to_labelled_edges(roads: nx.DiGraph) -> None:
    data = from_networkx(roads, length="length")
    data = DirectionPartition()(GaussianKernel(sigma=200.0, threshold=0.5)(data))
    # The road of 250.5 m is too long: exp(-1.57) < 0.5.
    assert data.edge_index.tolist() == [[0, 1, 1, 0, 0, 1, 2, 3], [1, 0, 0, 1, 0, 1, 2, 3]]
    assert data.edge_type.tolist() == [1, 1, 2, 2, 0, 0, 0, 0]
    assert data.edge_length.tolist() == [120, 100, 120, 100, 0, 0, 0, 0]
    to_a, to_c = math.exp(-0.36), math.exp(-0.25)
    total = to_a + to_c + 1
    expected = [to_a, to_c, to_a, to_c, 1, 1, total, total]
    torch.testing.assert_close(data.edge_weight, torch.tensor(expected) / total)
    assert data.node_id == ["c", "a", (0, 1), "alone"]
    assert data.num_nodes == 4


def test_isolated_last_node_survives_the_transforms(roads: nx.DiGraph) -> None:
    data = from_networkx(roads, length="length")
    assert GaussianKernel(sigma=1.0)(data).num_nodes == 4


@pytest.fixture
def streets() -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph()
    graph.add_nodes_from("abc")
    graph.add_edge("b", "a", length=5.0, lanes=1, tram=False, cost=0.5)
    graph.add_edge("a", "b", length=30.0, lanes=2, tram=False, cost=1.0)
    graph.add_edge("a", "b", key=7, length=20.0, lanes=3, tram=True, cost=2.0)
    graph.add_edge("a", "a", length=9.0, lanes=4, tram=False, cost=3.0)
    graph.add_edge("a", "b", key=3, length="20", lanes="1", tram=False, cost=4.0)
    graph.add_edge("a", "a", length=8.0, lanes=4, tram=False, cost=5.0)
    return graph


def read(graph: nx.Graph, **arguments: object) -> dict:
    asked = {"length": "length", "weight": "cost", "edge_attrs": ["lanes", "tram"]}
    data = from_networkx(graph, **{**asked, **arguments})
    return {key: value for key, value in data.to_dict().items() if key != "num_nodes"}


def test_parallel_edges_are_kept(streets: nx.MultiDiGraph) -> None:
    data = from_networkx(streets, length="length", edge_attrs=["lanes", "tram"])
    assert data.edge_index.tolist() == [[0, 0, 0, 0, 0, 1], [1, 1, 1, 0, 0, 0]]
    assert data.edge_key.tolist() == [0, 7, 3, 0, 1, 0]
    assert data.edge_length.tolist() == [30, 20, 20, 9, 8, 5]
    assert data.edge_lanes.tolist() == [2, 3, 1, 4, 4, 1]
    assert data.edge_lanes.dtype == data.edge_key.dtype == torch.long
    assert data.edge_tram.tolist() == [False, True, False, False, False, False]
    assert data.num_nodes == 3  # "c" has no edge


def test_parallel_edges_are_added(streets: nx.MultiDiGraph) -> None:
    data = read(streets, parallel="sum")
    assert data["edge_index"].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert data["edge_length"].tolist() == [20, 8, 5]  # the smallest
    assert data["edge_weight"].tolist() == [7, 8, 0.5]
    assert data["edge_lanes"].tolist() == [6, 8, 1]
    assert data["edge_tram"].tolist() == [True, False, False]
    assert data["e_id"].tolist() == [0, 1, 2]
    assert "edge_key" not in data


def test_shortest_parallel_edge(streets: nx.MultiDiGraph) -> None:
    del streets.edges["a", "b", 0]["lanes"]  # not read: this edge is the longest one
    data = read(streets, parallel="min")
    assert data["edge_index"].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert data["edge_key"].tolist() == [7, 1, 0]  # the first of the two of 20 metres
    assert data["edge_length"].tolist() == [20, 8, 5]
    assert data["edge_weight"].tolist() == [2, 5, 0.5]
    assert data["edge_lanes"].tolist() == [3, 4, 1]
    assert data["edge_tram"].tolist() == [True, False, False]
    streets.edges["a", "b", 0]["lanes"] = 2
    data = read(streets, parallel="min", length=None)
    assert data["edge_weight"].tolist() == [1, 3, 0.5]
    assert data["edge_key"].tolist() == [0, 0, 0]
    message = "parallel: .*neither length nor weight names the attribute .*, got 'min'"
    with pytest.raises(ValueError, match=message):
        from_networkx(streets, parallel="min", edge_attrs=["lanes"])


def test_undirected_multigraph() -> None:
    graph = nx.MultiGraph()
    graph.add_edge(0, 1, length=3.0)
    graph.add_edge(1, 0, length=2.0)
    graph.add_edge(1, 1, length=1.0)
    graph.add_edge(1, 1, length=4.0)
    data = from_networkx(graph, length="length")
    assert data.edge_index.tolist() == [[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]]
    assert data.edge_length.tolist() == [3, 2, 1, 4, 3, 2]
    assert data.edge_key.tolist() == [0, 1, 0, 1, 0, 1]
    data = from_networkx(graph, length="length", parallel="min")
    assert data.edge_index.tolist() == [[0, 1, 1], [1, 1, 0]]
    assert data.edge_length.tolist() == [2, 1, 2]
    assert data.edge_key.tolist() == [1, 0, 1]


@pytest.mark.parametrize("kind", [nx.MultiGraph, nx.MultiDiGraph])
@pytest.mark.parametrize("parallel", ["keep", "sum", "min"])
def test_empty_multigraphs(kind: type, parallel: str) -> None:
    data = read(nx.empty_graph(2, create_using=kind), parallel=parallel)
    assert data["edge_index"].shape == (2, 0)
    assert data["edge_length"].shape == data["edge_lanes"].shape == (0,)


def test_keys_of_other_kinds_are_left_out(streets: nx.MultiDiGraph) -> None:
    streets.add_edge("c", "a", key="bridge")
    assert "edge_key" not in from_networkx(streets)
    with pytest.raises(ValueError, match=r"edge_attrs: .*got 'key' for data\.edge_key"):
        from_networkx(streets, edge_attrs=["key"])


@pytest.mark.parametrize("value", [["2", "3"], "30 mph", "1_0", "", None])
def test_errors_name_the_key_of_parallel_edges(streets: nx.MultiDiGraph, value: object) -> None:
    streets.edges["a", "b", 7]["lanes"] = value
    from_networkx(streets, length="length")  # hurts nobody who does not ask for it
    with pytest.raises(
        ValueError, match=r"edge \('a', 'b', 7\), attribute 'lanes': expected a num"
    ):
        from_networkx(streets, edge_attrs=["lanes"])


def test_same_values_as_networkx_on_random_multigraphs() -> None:
    generator = np.random.default_rng(3)
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(12))
    for source, target in generator.integers(0, 12, (200, 2)).tolist():
        length, lanes = float(generator.uniform(1, 100)), int(generator.integers(1, 5))
        graph.add_edge(source, target, length=length, lanes=lanes)
    expected: dict = {}
    for source, target, row in graph.edges(data=True):
        expected.setdefault((source, target), []).append((row["length"], row["lanes"]))
    for parallel in ("sum", "min"):
        data = from_networkx(graph, length="length", edge_attrs=["lanes"], parallel=parallel)
        assert list(zip(*data.edge_index.tolist(), strict=True)) == list(expected)
        shortest = [min(rows) for rows in expected.values()]
        assert data.edge_length.tolist() == pytest.approx([length for length, _ in shortest])
        totals = [sum(lanes for _, lanes in rows) for rows in expected.values()]
        lanes = totals if parallel == "sum" else [lanes for _, lanes in shortest]
        assert data.edge_lanes.tolist() == lanes


def test_graph_of_osmnx(streets: nx.MultiDiGraph) -> None:
    streets.graph.update(crs="epsg:4326", created_with="OSMnx 2.1.1", simplified=True)
    for number, node in enumerate(streets):
        streets.nodes[node].update(x=-122.2476037 + number, y=37.8262501, street_count=3)
    streets.edges["a", "b", 0].update(osmid=[1, 2], geometry=object(), highway="primary")
    data = from_networkx(streets, length="length", parallel="min")
    keys = {"edge_index", "edge_length", "edge_key", "e_id", "node_id", "num_nodes", "pos"}
    assert set(data.keys()) == keys  # neither x nor y nor crs
    expected = [[-122.2476037, 37.8262501], [-121.2476037, 37.8262501], [-120.2476037, 37.8262501]]
    assert data.pos.tolist() == expected  # exact: double precision
    assert from_networkx(streets, x="x").x.shape == (3, 1)
    assert from_networkx(streets, pos="street_count").pos.tolist() == [[3], [3], [3]]
    streets.nodes["b"]["x"] = "west"
    with pytest.raises(ValueError, match="node 'b', attribute 'x': expected a number, got 'west'"):
        from_networkx(streets)
    del streets.nodes["b"]["x"]
    assert "pos" not in from_networkx(streets)


def test_texts_of_graphml() -> None:
    graph = nx.path_graph(4)
    for edge, (osmid, oneway) in zip(
        graph.edges,
        [("54144630", "True"), (" -7 ", "False"), ("9007199254740993", "True")],
        strict=True,
    ):
        graph.edges[edge].update(osmid=osmid, oneway=oneway)
    data = from_networkx(graph, edge_attrs=["osmid", "oneway"])
    assert data.edge_osmid[:3].tolist() == [54144630, -7, 9007199254740993]
    assert data.edge_oneway[:3].tolist() == [True, False, True]
    assert data.edge_oneway.dtype == torch.bool
    graph.edges[0, 1]["oneway"] = 1
    with pytest.raises(ValueError, match=r"edge \(1, 2\), attribute 'oneway': .*got 'False'"):
        from_networkx(graph, edge_attrs=["oneway"])


def test_disconnected_graph_loses_no_node() -> None:
    graph = nx.disjoint_union(nx.path_graph(3), nx.cycle_graph(3))
    graph.add_node("alone")
    data = from_networkx(graph)
    assert data.num_nodes == 7
    assert data.node_id == [0, 1, 2, 3, 4, 5, "alone"]
    back = nx.Graph(zip(*data.edge_index.tolist(), strict=True))
    assert nx.is_isomorphic(back, graph.subgraph(range(6)))


def test_order_of_e_id() -> None:
    graph = nx.DiGraph()
    graph.add_edge("a", "b", e_id=5)
    graph.add_edge("a", "c", e_id=-1)
    graph.add_edge("c", "a", e_id=2)
    data = from_networkx(graph)
    assert data.edge_index.tolist() == [[0, 2, 0], [2, 0, 1]]
    assert data.e_id.tolist() == [0, 1, 2]
    for value in (5, 1.5, None):  # repeated or no integer: no order
        graph.edges["c", "a"]["e_id"] = value
        assert from_networkx(graph).edge_index.tolist() == [[0, 0, 2], [1, 2, 0]]
