import pytest
import torch

from tests.nn.warp.families import assert_same, image
from tgst.nn import warp as w
from tgst.nn.warp import ParallelTransformers


def net(num_params, channels=2):
    return w.ConvLocalization(channels, num_params, (6, 8), (3,), 3, 4)


def test_views_start_apart_and_tile_the_image():
    layer = ParallelTransformers(
        net(8), 4, w.Attention(scale=0.5), output_size=(3, 4), combine="stack"
    ).double()
    x = image(w.Affine(), (6, 8))
    out, theta = layer(x, return_transform=True)
    assert out.shape == (3, 4, 2, 3, 4)
    assert theta[0].tolist() == [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]
    rows = [torch.cat([out[:, 2 * i], out[:, 2 * i + 1]], dim=-1) for i in (0, 1)]
    assert_same(torch.cat(rows, dim=-2), x)


def test_views_are_those_of_single_transformers():
    torch.manual_seed(0)
    layer = ParallelTransformers(net(12), 2, output_size=5).double()
    torch.nn.init.normal_(layer.localization[0].out.weight, std=0.1)
    x = image(w.Affine(), (6, 8))
    out, theta = layer(x, return_transform=True)
    assert theta.shape == (3, 2, 6)
    assert_same(theta.flatten(1), layer.localization[0](x), 0.0)
    single = w.Resample(output_size=5)
    views = [single(x, theta[:, i]) for i in (0, 1)]
    assert_same(out, torch.cat(views, dim=1), 0.0)
    assert out.shape == (3, 4, 5, 5)


def test_a_net_for_each():
    torch.manual_seed(0)
    starts = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5]]
    layer = ParallelTransformers([net(3), net(3)], 2, w.Attention(), starts=starts).double()
    x = image(w.Affine(), (6, 8))
    out, theta = layer(x, return_transform=True)
    assert theta.tolist() == [starts] * 3
    assert_same(out[:, :2], x)
    out[:, :2].sum().backward()
    one, two = (each.out.weight.grad for each in layer.localization)
    assert one.abs().max() > 0
    assert two is None or not two.any()


def test_reset_starts_again():
    layer = ParallelTransformers(net(4), 2, w.Translation())
    torch.nn.init.ones_(layer.localization[0].out.bias)
    torch.nn.init.ones_(layer.localization[0].out.weight)
    layer.reset_parameters()
    assert layer.localization[0].out.bias.tolist() == [-0.5, 0, 0.5, 0]
    assert not layer.localization[0].out.weight.any()


def test_identity_penalty_is_the_distance_from_the_starts():
    layer = ParallelTransformers(net(4), 2, w.Translation())
    theta = torch.tensor([[[-0.5, 0], [0.5, 3]]])
    assert layer.identity_penalty(theta).item() == 9 / 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_transformers": 0}, "num_transformers: expected at least 1, got 0"),
        ({"combine": "sum"}, "combine: expected 'channels' or 'stack', got 'sum'"),
        ({"starts": [[0.0, 1.0], [0.0, 1.0]]}, "starts: expected distinct ones"),
        ({"starts": [[0.0, 1.0]]}, "starts: expected 2 lists of 2 numbers"),
        ({"starts": [[0.0], [1.0]]}, "starts: expected 2 lists of 2 numbers"),
        ({"localization": [net(2)]}, "localization: expected one net or 2, got 1"),
        ({"localization": net(2)}, "a last torch.nn.Linear with 4 outputs, .* got 2"),
        ({"output_size": ()}, "output_size: expected 2 sizes"),
    ],
)
def test_options(options, message):
    given = {"localization": net(4), "num_transformers": 2, "warp": w.Translation()} | options
    with pytest.raises(ValueError, match=message):
        ParallelTransformers(**given)


def test_one_net_for_two_maps():
    one = net(2)
    with pytest.raises(ValueError, match="localization: expected distinct nets, got one of them t"):
        ParallelTransformers([one, one], 2, w.Translation())


def test_made_without_memory():
    for warp, width in ((w.Attention, 3), (lambda: w.ThinPlateSpline(2), 8)):
        layer = ParallelTransformers(net(2 * width), 2, warp())
        with torch.device("meta"):
            late = ParallelTransformers(net(2 * width), 2, warp())
        assert late.localization[0].out.bias.is_meta
        late.to_empty(device="cpu").reset_parameters()
        x = torch.rand(3, 2, 6, 8)
        assert_same(late(x), layer(x), 1e-6)


def test_inputs_that_do_not_fit():
    layer = ParallelTransformers(net(4), 2, w.Translation())
    with pytest.raises(ValueError, match=r"x: expected \[B, C, H, W\] \(channels first\)"):
        layer(torch.zeros(2, 6, 8))
    layer.localization[0].out = torch.nn.Linear(4, 3)
    with pytest.raises(ValueError, match=r"localization: expected 4 numbers per image, got \[2, 3"):
        layer(torch.zeros(2, 2, 6, 8))


def test_repr():
    layer = ParallelTransformers(net(4), 2, w.Translation(), combine="stack")
    assert "num_transformers=2, combine='stack'" in repr(layer)
