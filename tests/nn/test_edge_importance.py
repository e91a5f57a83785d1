"""EdgeImportance: starts at one, follows e_id, refuses what does not fit."""

import pytest
import torch

from tgst.nn import EdgeImportance


def test_starts_at_one_and_multiplies():
    importance = EdgeImportance(3)
    assert torch.equal(importance(), torch.ones(3))
    importance.weight.data = torch.tensor([2.0, 3.0, 5.0])
    weight = torch.tensor([1.0, 10.0, 100.0])
    assert torch.equal(importance(weight), torch.tensor([2.0, 30.0, 500.0]))


def test_follows_e_id():
    importance = EdgeImportance(4)
    importance.weight.data = torch.tensor([2.0, 3.0, 5.0, 7.0])
    e_id = torch.tensor([3, 1, 1])
    out = importance(torch.tensor([1.0, 1.0, 10.0]), e_id)
    assert torch.equal(out, torch.tensor([7.0, 3.0, 30.0]))
    out.sum().backward()
    assert torch.equal(importance.weight.grad, torch.tensor([0.0, 11.0, 0.0, 1.0]))


def test_layers_are_apart():
    importance = EdgeImportance(2, num_layers=2)
    importance.weight.data = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert torch.equal(importance(layer=1), torch.tensor([3.0, 4.0]))
    assert torch.equal(importance(None, torch.tensor([1]), 0), torch.tensor([2.0]))
    assert str(importance) == "EdgeImportance(2, num_layers=2)"
    importance.reset_parameters()
    assert torch.equal(importance.weight, torch.ones(2, 2))


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"layer": 0}, "layer: got 0 with num_layers=None"),
        ({"e_id": torch.tensor([0, 3])}, r"e_id: expected ids in \[0, 3\), got \[0, 3\]"),
        ({"e_id": torch.tensor([-1])}, r"e_id: expected ids in \[0, 3\), got \[-1, -1\]"),
        ({"e_id": torch.tensor([0.5])}, "e_id: expected a long tensor"),
        ({"edge_weight": torch.ones(2)}, r"edge_weight: expected shape \[3\]"),
    ],
)
def test_errors(kwargs, message):
    with pytest.raises(ValueError, match=message):
        EdgeImportance(3)(**kwargs)


def test_layer_errors():
    with pytest.raises(ValueError, match="layer: got None with num_layers=2"):
        EdgeImportance(3, num_layers=2)()
    with pytest.raises(ValueError, match="layer: expected 0 <= layer < 2, got 2"):
        EdgeImportance(3, num_layers=2)(layer=2)
    with pytest.raises(ValueError, match="num_edges, num_layers"):
        EdgeImportance(-1)
