"""ResidualGridNet: the formula, the skip, frames, reach, its arguments."""

import pytest
import torch

from tgst.nn.models import ResidualGridNet


def net(*args, **options):
    torch.manual_seed(0)
    made = ResidualGridNet(*args, **{"hidden_channels": 6, **options}).double()
    for name, parameter in made.named_parameters():
        if name.endswith("bias"):
            parameter.data.normal_()
    return made.eval()


def by_hand(model, x):
    out = model.conv_in(x)
    for unit in model.units:
        out = out + unit.convs[1](torch.relu(unit.convs[0](torch.relu(out))))
    return model.conv_out(torch.relu(out))


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
@pytest.mark.parametrize("size", [(1, 1), (2, 9), (6, 5)])
def test_formula_and_any_grid(kernel_size, size):
    model = net(4, 2, 3, kernel_size=kernel_size)
    x = torch.randn(2, 4, *size, dtype=torch.float64)
    out = model(x)
    assert out.shape == (2, 2, *size)
    torch.testing.assert_close(out, by_hand(model, x) + x[:, :2])
    model.skip = False
    torch.testing.assert_close(model(x), by_hand(model, x))


def test_skip():
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    same = net(3, 3, 1)
    assert same.align is None
    torch.testing.assert_close(same(x), by_hand(same, x) + x)
    wider = net(3, 5, 1)  # starts as a copy and zeros, and is learnt
    added = wider(x) - by_hand(wider, x)
    torch.testing.assert_close(added, torch.cat([x, torch.zeros_like(x[:, :2])], dim=1))
    wider.align.weight.data.normal_()
    added = wider(x) - by_hand(wider, x)
    expected = torch.einsum("oi,bihw->bohw", wider.align.weight[..., 0, 0], x)
    torch.testing.assert_close(added, expected)
    wider(x).square().sum().backward()
    assert wider.align.weight.grad.abs().min() > 0
    wider.reset_parameters()
    assert torch.equal(wider.align.weight[..., 0, 0], torch.eye(5, 3, dtype=torch.float64))
    assert net(3, 5, 1, skip=False).align is None


def test_starts_near_persistence_of_the_most_recent_frame():
    """The documented stacking of a clip: with a silent stack, the last frame comes out."""
    model = net(4 * 2, 2, 1)
    model.conv_out.weight.data.zero_()
    model.conv_out.bias.data.zero_()
    clip = torch.randn(3, 4, 2, 5, 6, dtype=torch.float64)  # B, T, C, H, W in order of time
    torch.testing.assert_close(model(clip.flip(1).flatten(1, 2)), clip[:, -1])


@pytest.mark.parametrize(("blocks", "convs", "kernel_size"), [(1, 2, 3), (2, 1, 3), (1, 2, 5)])
def test_reach_and_translation(blocks, convs, kernel_size):
    reach = (2 + blocks * convs) * (kernel_size // 2)
    model = net(2, 2, blocks, convs_per_unit=convs, kernel_size=kernel_size)
    side = 2 * reach + 7
    x = torch.randn(1, 2, side, side, dtype=torch.float64, requires_grad=True)
    middle = side // 2
    model(x)[0, :, middle, middle].sum().backward()
    touched = x.grad[0].abs().sum(0).nonzero()
    assert touched.amin(0).tolist() == [middle - reach] * 2
    assert touched.amax(0).tolist() == [middle + reach] * 2
    # A moved picture gives the moved output, except near the border, where zeros are seen.
    moved = torch.roll(x.detach(), (1, 2), dims=(2, 3))
    expected, actual = torch.roll(model(x), (1, 2), dims=(2, 3)), model(moved)
    inner = (..., slice(reach + 1, -reach), slice(reach + 2, -reach))
    torch.testing.assert_close(actual[inner], expected[inner])
    assert (actual - expected)[..., :reach, :].abs().max() > 1e-3


def test_units_take_the_options():
    model = net(2, 2, 2, batch_norm=True, dropout=0.25, convs_per_unit=3, residual=False)
    for unit in model.units:
        assert (len(unit.convs), unit.dropout, unit.residual) == (3, 0.25, False)
        assert all(isinstance(norm, torch.nn.BatchNorm2d) for norm in unit.norms)
    assert sum(p.numel() for p in ResidualGridNet(3, 64, 5, skip=False).parameters()) == 408_000


@pytest.mark.parametrize("shape", [(2, 4, 5), (2, 5, 6, 4), (2, 2, 2, 5, 6), (2, 3, 5, 6)])
def test_input(shape):
    message = r"x: expected \[B, 4, H, W\] \(batch, frames times channels, height, width\), got \["
    with pytest.raises(ValueError, match=message):
        net(4, 2, 1)(torch.zeros(shape).double())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_blocks": 0}, r"num_blocks, convs_per_unit: expected at least 1, got \(0, 2\)"),
        ({"kernel_size": 2}, "kernel_size: expected an odd number .*got 2"),
        ({"in_channels": 0}, "channels: expected at least 1 in and out, got 0 and 64"),
        ({"convs_per_unit": 0}, r"num_blocks, convs_per_unit: expected at least 1, got \(1, 0\)"),
    ],
)
def test_options(options, message):
    with pytest.raises(ValueError, match=message):
        ResidualGridNet(**{"in_channels": 4, "out_channels": 2, "num_blocks": 1, **options})
