"""CellLinear: each cell has a matrix of its own."""

import pytest
import torch

from tgst.nn import CellLinear


def test_each_cell_has_its_matrix():
    torch.manual_seed(0)
    layer = CellLinear(3, 2, height=4, width=5).double()
    x = torch.randn(6, 3, 4, 5, dtype=torch.float64)
    assert not layer(x).any()  # it starts at zero
    torch.nn.init.normal_(layer.weight)
    out = layer(x)
    for row in range(4):
        for column in range(5):
            matrix = layer.weight[:, :, row, column]
            torch.testing.assert_close(out[:, :, row, column], x[:, :, row, column] @ matrix.T)
    layer.reset_parameters()
    assert not layer.weight.any()


def test_derivatives():
    layer = CellLinear(2, 2, height=2, width=3).double()
    torch.nn.init.normal_(layer.weight)
    x = torch.randn(2, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))


def test_messages():
    with pytest.raises(ValueError, match=r"out_channels, height, width: .* got \(3, 0, 4, 5\)"):
        CellLinear(3, 0, 4, 5)
    layer = CellLinear(3, 2, 4, 5)
    assert repr(layer) == "CellLinear(3, 2, height=4, width=5)"
    for shape in ((2, 3, 5, 4), (3, 4, 5), (2, 2, 4, 5)):
        with pytest.raises(ValueError, match=r"x: expected \[B, 3, 4, 5\] \(batch, chan"):
            layer(torch.zeros(shape))
