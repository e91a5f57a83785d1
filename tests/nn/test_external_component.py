"""ExternalComponent: the formula, the activation, its arguments."""

import pytest
import torch

from tgst.nn import ExternalComponent


def component(**options):
    torch.manual_seed(0)
    layer = ExternalComponent(3, 4, 2, 5, 6, **options).double()
    for linear in (layer.hidden, layer.out):
        linear.bias.data.normal_()
    return layer


def test_formula():
    both, first = component(), component(activation="first")
    external = torch.randn(7, 3, dtype=torch.float64)
    hidden = (external @ both.hidden.weight.T + both.hidden.bias).clamp(min=0)
    flat = hidden @ both.out.weight.T + both.out.bias
    out = first(external)
    assert out.shape == (7, 2, 5, 6)
    for c in range(2):
        for i in range(5):
            for j in range(6):
                torch.testing.assert_close(out[:, c, i, j], flat[:, c * 30 + i * 6 + j])
    assert out.min() < 0
    torch.testing.assert_close(both(external), out.clamp(min=0))


def test_reset():
    layer = component()
    for linear, width in ((layer.hidden, 3 + 4), (layer.out, 4 + 60)):
        before = linear.weight.detach().clone()
        layer.reset_parameters()
        assert not torch.equal(linear.weight, before)
        assert linear.bias.abs().max() == 0
        assert linear.weight.abs().max() <= (6 / width) ** 0.5


def test_arguments():
    with pytest.raises(
        ValueError, match="external_activation: expected 'both' or 'first', got 'relu'"
    ):
        component(activation="relu")
    with pytest.raises(ValueError, match=r"hidden_channels, .*at least 1, got \(3, 0, 2, 5, 6\)"):
        ExternalComponent(3, 0, 2, 5, 6)
    for shape in ((7, 4), (3,), (7, 1, 3)):
        with pytest.raises(ValueError, match=r"external: expected \[B, 3\] .*got \["):
            component()(torch.zeros(shape).double())
