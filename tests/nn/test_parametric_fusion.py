"""ParametricFusion: cell by cell, its weights, its arguments."""

import pytest
import torch

from tgst.nn import ParametricFusion


def test_every_cell_weighs_for_itself():
    torch.manual_seed(0)
    layer = ParametricFusion(3, 2, 4, 5).double()
    branches = [torch.randn(2, 2, 4, 5, dtype=torch.float64) for _ in range(3)]
    out = layer(branches)
    for b in range(2):
        for c in range(2):
            for i in range(4):
                for j in range(5):
                    expected = sum(
                        layer.weight[k, c, i, j] * branches[k][b, c, i, j] for k in (0, 1, 2)
                    )
                    torch.testing.assert_close(out[b, c, i, j], expected)
    layer.weight.data.fill_(1)
    torch.testing.assert_close(layer(branches), branches[0] + branches[1] + branches[2])


def test_derivatives():
    torch.manual_seed(0)
    layer = ParametricFusion(2, 1, 2, 3).double()
    branches = [torch.randn(2, 1, 2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2)]

    def call(weight, *given):
        return torch.func.functional_call(layer, {"weight": weight}, (given,))

    assert torch.autograd.gradcheck(call, (layer.weight, *branches))
    assert torch.autograd.gradgradcheck(call, (layer.weight, *branches))


def test_starts_between_zero_and_one():
    torch.manual_seed(0)
    layer = ParametricFusion(3, 2, 32, 32)
    for _ in range(2):
        assert layer.weight.min() >= 0
        assert layer.weight.max() < 1
        assert abs(layer.weight.mean() - 0.5) < 0.02
        before = layer.weight.detach().clone()
        layer.reset_parameters()
        assert not torch.equal(layer.weight, before)
    assert repr(layer) == "ParametricFusion(3, 2, 32, 32)"


@pytest.mark.parametrize(
    "shapes",
    [
        [(2, 2, 4, 5)],
        [(2, 2, 4, 5)] * 3,
        [(2, 2, 4, 5), (2, 2, 5, 4)],
        [(2, 2, 4, 5), (2, 4, 5)],
        [(2, 2, 4, 5), (2, 1, 4, 5)],
    ],
)
def test_branches(shapes):
    layer = ParametricFusion(2, 2, 4, 5)
    with pytest.raises(ValueError, match=r"branches: expected 2 tensors \[B, 2, 4, 5\].* got \[\["):
        layer([torch.zeros(shape) for shape in shapes])


def test_sizes():
    with pytest.raises(ValueError, match=r"expected at least 1, got \(2, 2, 0, 5\)"):
        ParametricFusion(2, 2, 0, 5)
