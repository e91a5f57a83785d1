"""TemporalConv beside torch's own convolution; gates and residuals are in the golden files."""

import pytest
import torch
import torch.nn.functional as F

from tgst.nn import TemporalConv


@pytest.mark.parametrize("kernel_size", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("stride", [1, 2])
def test_equals_conv1d(kernel_size, dilation, stride):
    torch.manual_seed(0)
    x = torch.randn(4, 2, 9, 3, dtype=torch.float64)
    series = x.reshape(8, 9, 3).transpose(1, 2)
    reach = (kernel_size - 1) * dilation
    left = {"valid": 0, "causal": reach, "same": dilation * ((kernel_size - 1) // 2)}
    for padding, before in left.items():
        layer = TemporalConv(3, 5, kernel_size, stride, dilation, padding).double()
        after = 0 if padding == "valid" else reach - before
        expected = F.conv1d(
            F.pad(series, (before, after)), layer.weight, layer.bias, stride, dilation=dilation
        )
        expected = expected.transpose(1, 2).reshape(4, 2, -1, 5)
        torch.testing.assert_close(layer(x), expected)


def test_kernel_over_all_steps_equals_conv1d():
    torch.manual_seed(0)
    layer = TemporalConv(3, 5, 4, padding="valid").double()
    x = torch.randn(6, 4, 3, dtype=torch.float64)
    expected = F.conv1d(x.transpose(1, 2), layer.weight, layer.bias).transpose(1, 2)
    torch.testing.assert_close(layer(x), expected)


def test_takes_views():
    torch.manual_seed(0)
    layer = TemporalConv(3, 5, 3)
    x = torch.randn(3, 9, 2, 4).permute(3, 2, 1, 0)
    torch.testing.assert_close(layer(x), layer(x.contiguous()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"padding": "full"}, "padding: expected 'same', 'causal' or 'valid', got 'full'"),
        ({"gate": "relu"}, "gate: expected None, 'glu' or 'gtu', got 'relu'"),
        ({"stride": 0}, "expected at least 1"),
    ],
)
def test_options(options, message):
    with pytest.raises(ValueError, match=message):
        TemporalConv(1, 1, 3, **options)


def test_bad_input():
    layer = TemporalConv(2, 1, 3, dilation=2, padding="valid")
    with pytest.raises(ValueError, match=r"x: expected at least 5 time steps .* got 4"):
        layer(torch.zeros(3, 4, 2))
    with pytest.raises(ValueError, match=r"x: expected \[num_nodes, \*, time, channels\]"):
        layer(torch.zeros(3, 2))
    with pytest.raises(ValueError, match=r"x: expected \[num_nodes, \*, 2\]"):
        layer(torch.zeros(3, 6, 4))
