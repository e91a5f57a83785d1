import copy

import pytest
import torch

from tests.nn.golden_skeleton import assert_same
from tgst.nn import ChannelBatchNorm


def norm(**options):
    torch.manual_seed(0)
    layer = ChannelBatchNorm(4, **options).double()
    layer.weight.data.uniform_(0.5, 1.5)
    layer.bias.data.uniform_(-1, 1)
    return layer


def series(*shape):
    return 5 + torch.randn(*shape, 4, dtype=torch.float64, generator=torch.manual_seed(1))


@pytest.mark.parametrize("shape", [(6,), (6, 5), (3, 2, 5)])
@pytest.mark.parametrize("training", [True, False])
def test_equals_batch_norm_of_channels(shape, training):
    layer, x = norm().train(training), series(*shape).requires_grad_()
    torch_layer = torch.nn.BatchNorm1d(4).double().train(training)
    torch_layer.load_state_dict(layer.state_dict())
    out, expected = layer(x), torch_layer(x.reshape(-1, 4)).view(x.shape)
    assert_same(out, expected)
    (grad,) = torch.autograd.grad(out.square().sum(), x)
    (expected,) = torch.autograd.grad(expected.square().sum(), x)
    assert_same(grad, expected)
    for name, buffer in layer.named_buffers():
        assert_same(buffer, torch_layer.get_buffer(name))


@pytest.mark.parametrize("momentum", [0.3, None])
def test_absent_entries_are_left_out(momentum):
    layer, x = norm(momentum=momentum), series(6, 5).requires_grad_()
    alone = copy.deepcopy(layer)
    for step in range(3):
        present = torch.rand(6, 5, 1, generator=torch.manual_seed(step)) > 0.4
        kept = present.squeeze(-1)
        out, expected = layer(x, present)[kept], alone(x[kept])
        assert_same(out, expected)
        (grad,) = torch.autograd.grad(out.square().sum(), x)
        (expected,) = torch.autograd.grad(expected.square().sum(), x)
        assert_same(grad, expected)
        for name, buffer in layer.named_buffers():
            assert_same(buffer, alone.get_buffer(name))


def test_presence_per_channel_and_of_none():
    layer, x = norm(), series(50)
    present = torch.ones(50, 4, dtype=torch.bool)
    present[:20, 1], present[:, 2] = False, False
    out = layer(x, present)
    others = copy.deepcopy(norm())
    for channel in (0, 1, 3):
        kept = x[present[:, channel]]
        expected = others(kept)[:, channel]
        assert_same(out[present[:, channel], channel], expected)
        assert_same(layer.running_mean[channel], 0.1 * kept[:, channel].mean())
    assert layer.running_mean[2] == 0
    assert layer.running_var[2] == 1
    assert out.isfinite().all()


def test_presence_does_not_matter_in_evaluation():
    layer, x = norm().eval(), series(6, 5)
    assert_same(layer(x, torch.zeros(6, 5, 1, dtype=torch.bool)), layer(x), 0.0)


def test_without_statistics():
    layer, x = norm(track_running_stats=False), series(6, 5)
    assert_same(layer(x, torch.ones(6, 5, 1, dtype=torch.bool)), layer(x))
    # All entries of the batch count in evaluation mode too, as in torch.
    assert_same(layer.eval()(x), copy.deepcopy(layer).train()(x))


def test_statistics_in_half_precision_are_those_of_the_parameters():
    layer, x = norm().float(), series(300, 7)
    present = torch.ones(300, 7, 1, dtype=torch.bool)
    out = layer(x.bfloat16(), present)
    assert out.dtype == torch.bfloat16
    rounded = x.bfloat16().float()
    assert_same(out.float(), norm().float()(rounded), 1e-2)
    assert_same(layer.running_mean, 0.1 * rounded.mean((0, 1)), 1e-5)


@pytest.mark.parametrize("precision", ["autocast", "half"])
def test_a_mean_far_from_zero_in_half_precision(precision):
    """The deviation is a sixtieth of the mean."""
    rows = 3 + 0.05 * torch.randn(500, 4, generator=torch.manual_seed(0))
    present, layer = torch.arange(500).view(500, 1) < 400, norm().float()
    if precision == "autocast":
        expected = norm().float()(rows[:400])
        with torch.autocast("cpu", torch.bfloat16):
            out = layer(rows, present)[:400]
        assert_same(out, expected, 1e-4)
        assert_same(layer.running_mean, 0.1 * rows[:400].mean(0), 1e-5)
    else:
        rows, layer = rows.bfloat16(), layer.bfloat16()
        expected = copy.deepcopy(layer).float()(rows[:400].float())
        assert_same(layer(rows, present)[:400].float(), expected, 2e-2)
        assert_same(layer.running_mean.float(), 0.1 * rows[:400].float().mean(0), 1e-2)


def test_without_scales():
    layer, rows = ChannelBatchNorm(4, affine=False).double(), series(6)
    kept = torch.tensor([1, 1, 0, 1, 1, 1]).bool()
    assert_same(layer(rows, kept.unsqueeze(-1))[kept], layer(rows[kept]))


def test_second_derivative():
    layer, x = norm(), series(6).requires_grad_()
    present = torch.tensor([[1], [1], [0], [1], [1], [1]]).bool()
    assert torch.autograd.gradcheck(lambda a: layer(a, present) * present, (x,))
    assert torch.autograd.gradgradcheck(lambda a: layer(a, present) * present, (x,))


def test_errors():
    with pytest.raises(ValueError, match=r"x: expected \[num_nodes, \*, 4\].*got shape \[6, 3\]"):
        norm()(torch.zeros(6, 3).double())
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        norm()(torch.zeros(1, 4).double())
