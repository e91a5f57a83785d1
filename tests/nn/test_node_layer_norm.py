"""NodeLayerNorm by hand."""

import pytest
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


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-5), (torch.bfloat16, 3e-2)]
)
def test_compiled_as_eager(dtype, tolerance):
    torch.manual_seed(0)
    norm = NodeLayerNorm(5, 4).to(dtype)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    torch._dynamo.reset()
    compiled = torch.compile(norm, fullgraph=True, backend="aot_eager")
    x = (3 + torch.randn(5, 3, 2, 4)).to(dtype).requires_grad_()
    grad = torch.randn(5, 3, 2, 4).to(dtype)
    inputs = (x, norm.weight, norm.bias)
    out, expected = compiled(x), norm(x)
    assert out.dtype == expected.dtype == dtype
    torch.testing.assert_close(out, expected, rtol=tolerance, atol=tolerance)
    found = torch.autograd.grad(out, inputs, grad)
    for ours, eager in zip(found, torch.autograd.grad(expected, inputs, grad), strict=True):
        torch.testing.assert_close(ours, eager, rtol=5 * tolerance, atol=5 * tolerance)
    with torch.autocast("cpu", torch.bfloat16):
        assert compiled(x.detach()).dtype == norm(x.detach()).dtype
