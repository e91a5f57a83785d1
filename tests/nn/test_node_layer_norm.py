"""NodeLayerNorm by hand."""

import torch

from tgst.nn import NodeLayerNorm


def test_values():
    torch.manual_seed(0)
    norm = NodeLayerNorm(3, 2, eps=1e-3).double()
    norm.weight.data.normal_()
    norm.bias.data.normal_()
    x = torch.randn(3, 4, 5, 2, dtype=torch.float64)
    mean = x.mean((0, 3), keepdim=True)
    variance = x.var((0, 3), correction=0, keepdim=True)
    expected = (x - mean) / (variance + 1e-3).sqrt()
    expected = expected * norm.weight.view(3, 1, 1, 2) + norm.bias.view(3, 1, 1, 2)
    torch.testing.assert_close(norm(x), expected)
    assert str(norm) == "NodeLayerNorm(3, 2, eps=0.001)"
