from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data

from tgst.train import StaticGraph


def make_data(**kwargs):
    values = {
        "edge_index": torch.tensor([[0, 1, 2], [1, 2, 0]]),
        "edge_weight": torch.tensor([0.5, 1.0, 2.0]),
        "e_id": torch.arange(3),
        "num_nodes": 4,
    }
    return Data(**(values | kwargs))


def test_holds_copies_of_what_the_graph_has():
    data = make_data()
    graph = StaticGraph.from_data(data)
    data.edge_weight.zero_()
    assert set(graph.attributes()) == {"edge_weight", "e_id"}
    assert graph.attributes()["edge_weight"].tolist() == [0.5, 1.0, 2.0]
    assert graph.edge_index.tolist() == [[0, 1, 2], [1, 2, 0]]
    assert int(graph.num_nodes) == 4  # node 3 is isolated


def test_buffers_are_in_the_state_and_come_back():
    state = StaticGraph.from_data(make_data(edge_type=torch.tensor([0, 1, 0]))).state_dict()
    assert set(state) == {"edge_index", "num_nodes", "edge_type", "edge_weight", "e_id"}
    again = StaticGraph.from_state(state)
    assert all(torch.equal(state[name], value) for name, value in again.state_dict().items())
    assert again.difference(state) is None


def test_weights_may_differ_in_the_last_digits():
    graph = StaticGraph.from_data(make_data())
    near = StaticGraph.from_data(make_data(edge_weight=torch.tensor([0.500001, 1.0, 2.0])))
    assert graph.difference(near.state_dict()) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_nodes": 5}, "checkpoint's graph has 5 nodes, the data's graph 4"),
        (
            {
                "edge_index": torch.tensor([[0], [1]]),
                "edge_weight": torch.ones(1),
                "e_id": torch.arange(1),
            },
            "checkpoint's graph has 1 edges, the data's graph 3",
        ),
        ({"edge_index": torch.tensor([[0, 1, 2], [1, 2, 1]])}, "^edge_index of the checkpoint's"),
        ({"edge_weight": torch.tensor([0.5, 1.0, 2.1])}, "^edge_weight of the checkpoint's"),
        ({"e_id": torch.tensor([2, 1, 0])}, "^e_id of the checkpoint's"),
        ({"edge_weight": None}, "only the data's graph has edge_weight"),
        ({"edge_type": torch.zeros(3).long()}, "only the checkpoint's graph has edge_type"),
    ],
)
def test_names_the_difference(change, message):
    graph = StaticGraph.from_data(make_data())
    difference = graph.difference(StaticGraph.from_data(make_data(**change)).state_dict())
    assert difference is not None
    with pytest.raises(ValueError, match=message):
        raise ValueError(difference)
