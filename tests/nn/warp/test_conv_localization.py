import pytest
import torch
import torch.nn.functional as F

from tests.nn.warp.families import assert_same
from tgst.nn.warp import ConvLocalization


def count(net):
    return sum(p.numel() for p in net.parameters())


def test_is_convolutions_pooling_and_two_linear_layers():
    torch.manual_seed(0)
    net = ConvLocalization(2, 6, (16, 20), (3, 4), 5, 7, downsample=2)
    x = torch.randn(3, 2, 16, 20)
    h = F.avg_pool2d(x, 2)
    for conv in net.convs:
        h = F.relu(F.max_pool2d(F.conv2d(h, conv.weight, conv.bias, padding=2), 2))
    expected = net.out(F.relu(net.hidden(h.flatten(1))))
    assert_same(net(x), expected, 1e-6)
    assert net.hidden.in_features == 4 * 2 * 2


def test_size_of_the_paper():
    """Two 5 x 5 convolutions with 20 channels and 20 hidden units, on a halved 42 x 42 image."""
    net = ConvLocalization(1, 6, 42, downsample=2)
    convs = 20 * 25 + 20 + 20 * 20 * 25 + 20
    assert count(net) == convs + 20 * 5 * 5 * 20 + 20 + 20 * 6 + 6


def test_volumes():
    net = ConvLocalization(1, 12, (8, 9, 10), (2, 3), 3, 4, downsample=2)
    assert net(torch.randn(2, 1, 8, 9, 10)).shape == (2, 12)
    assert net.hidden.in_features == 3 * 1 * 1 * 1


def test_reset_draws_new_weights():
    net = ConvLocalization(1, 6, 8, (2,), 3, 4)
    before = [p.clone() for p in net.parameters()]
    net.reset_parameters()
    assert not any(torch.equal(p, q) for p, q in zip(net.parameters(), before, strict=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": (4,)}, r"image_size: expected 2 or 3 sizes, got \(4,\)"),
        ({"image_size": (0, 4)}, r"image_size: expected 2 sizes \(height, width\)"),
        ({"image_size": 3}, r"image_size: \(3, 3\) has nothing left after downsample=1 and 2 pool"),
        ({"kernel_size": 4}, "expected at least 1 and an odd kernel_size"),
        ({"hidden": 0}, "expected at least 1 and an odd kernel_size"),
        ({"num_params": 0}, "num_params"),
    ],
)
def test_options(options, message):
    with pytest.raises(ValueError, match=message):
        ConvLocalization(**({"in_channels": 1, "num_params": 6, "image_size": 8} | options))


def test_images_of_another_shape():
    net = ConvLocalization(1, 6, (8, 9))
    for shape in ([2, 8, 9, 1], [2, 1, 9, 8], [2, 1, 8], [2, 3, 8, 9]):
        with pytest.raises(
            ValueError, match=r"x: expected \[B, C, H, W\] with shape \[B, 1, 8, 9\]"
        ):
            net(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"\[B, C, D, H, W\] with shape \[B, 1, 4, 4, 5\]"):
        ConvLocalization(1, 12, (4, 4, 5))(torch.zeros(1, 1, 4, 5, 4))


def test_repr():
    expected = "ConvLocalization(1, 6, image_size=(8, 8), downsample=1)"
    assert repr(ConvLocalization(1, 6, 8)) == expected
