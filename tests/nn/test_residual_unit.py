"""ResidualUnit: against loops over cells, its options, its arguments."""

import pytest
import torch

from tgst.nn import ResidualUnit


def unit(channels=3, **options):
    torch.manual_seed(0)
    made = ResidualUnit(channels, **options).double()
    for conv in made.convs:
        conv.bias.data.normal_()
    return made.eval()


def looped_conv(x, conv):
    """Cross-correlation with zeros outside, cell by cell."""
    out = torch.zeros(x.size(0), conv.out_channels, *x.shape[2:], dtype=x.dtype)
    reach = conv.kernel_size[0] // 2
    for row in range(x.size(2)):
        for column in range(x.size(3)):
            total = conv.bias.expand(x.size(0), -1)
            for i in range(-reach, reach + 1):
                for j in range(-reach, reach + 1):
                    if 0 <= row + i < x.size(2) and 0 <= column + j < x.size(3):
                        tap = conv.weight[:, :, i + reach, j + reach]
                        total = total + x[:, :, row + i, column + j] @ tap.T
            out[:, :, row, column] = total
    return out


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("num_convs", [1, 2, 3])
def test_loops(kernel_size, num_convs):
    layer = unit(kernel_size=kernel_size, num_convs=num_convs)
    assert len(layer.convs) == num_convs
    x = torch.randn(2, 3, 4, 3, dtype=torch.float64)
    expected = x
    for conv in layer.convs:
        expected = looped_conv(expected.clamp(min=0), conv)
    torch.testing.assert_close(layer(x), x + expected)
    layer.residual = False
    torch.testing.assert_close(layer(x), expected)


def test_batch_norm_comes_before_the_activation():
    layer = unit(batch_norm=True)
    for norm in layer.norms:
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 3, 4, 3, dtype=torch.float64)
    out = x
    for norm, conv in zip(layer.norms, layer.convs, strict=True):
        mean, var = (each[:, None, None] for each in (norm.running_mean, norm.running_var))
        out = looped_conv(((out - mean) / (var + 1e-5).sqrt()).clamp(min=0), conv)
    torch.testing.assert_close(layer(x), x + out)
    fresh = unit(batch_norm=True).train()
    fresh(x)
    torch.testing.assert_close(fresh.norms[0].running_mean, 0.1 * x.mean((0, 2, 3)))


def test_dropout_before_the_last_convolution():
    layer = unit(dropout=0.5).train()
    x = torch.randn(2, 3, 40, 30, dtype=torch.float64)
    seen = []
    layer.convs[0].register_forward_hook(lambda module, given, out: seen.extend((given[0], out)))
    layer.convs[1].register_forward_hook(lambda module, given, out: seen.append(given[0]))
    layer(x)
    first, between, last = seen
    torch.testing.assert_close(first, x.clamp(min=0))
    kept = last != 0
    torch.testing.assert_close(last[kept], 2 * between.clamp(min=0)[kept])
    assert 0.45 < kept.sum() / (between > 0).sum() < 0.55
    layer.eval()
    torch.testing.assert_close(layer(x), layer(x), rtol=0, atol=0)


def test_starts_like_keras():
    torch.manual_seed(0)
    layer = ResidualUnit(64)
    bound = (6 / (64 * 9 + 64 * 9)) ** 0.5
    for conv in layer.convs:
        assert 0.99 * bound < conv.weight.abs().max() <= bound
        assert conv.bias.abs().max() == 0
    before = [p.clone() for p in layer.parameters()]
    layer.convs[0].bias.data.fill_(1)
    layer.reset_parameters()
    assert not torch.equal(layer.convs[0].weight, before[0])
    assert layer.convs[0].bias.abs().max() == 0


def test_reset_of_batch_norm():
    layer = unit(batch_norm=True)
    layer.norms[1].running_mean.fill_(3)
    layer.norms[1].weight.data.fill_(3)
    layer.reset_parameters()
    assert layer.norms[1].running_mean.abs().max() == 0
    assert (layer.norms[1].weight == 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_size": 4}, "kernel_size: expected an odd number .*got 4"),
        ({"kernel_size": 0}, "kernel_size: expected an odd number .*got 0"),
        ({"kernel_size": -1}, "kernel_size: expected an odd number .*got -1"),
        ({"num_convs": 0}, "num_convs: expected at least 1, got 0"),
        ({"channels": 0}, "channels: expected at least 1 in and out, got 0 and 0"),
    ],
)
def test_options(options, message):
    with pytest.raises(ValueError, match=message):
        ResidualUnit(**{"channels": 3, **options})
