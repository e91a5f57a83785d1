from __future__ import annotations

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F

from tgst.nn import SpatialTransformer
from tgst.nn.models import ImageClassifier
from tgst.nn.warp import Affine, Attention, ConvLocalization, ParallelTransformers

SIZE = 12


def images(batch=3, channels=1, size=SIZE):
    return torch.rand(batch, channels, size, size, generator=torch.Generator().manual_seed(0))


def classifier(**kwargs):
    torch.manual_seed(0)
    defaults = {"in_channels": 1, "num_classes": 4, "image_size": SIZE, "channels": (3, 5)}
    return ImageClassifier(**(defaults | {"hidden": 6} | kwargs))


def transformer(output_size=8, warp=None, seed=1):
    r"""One that does not stay at the identity."""
    torch.manual_seed(seed)
    warp = Affine() if warp is None else warp
    localization = ConvLocalization(1, warp.num_params, SIZE, channels=(2,), hidden=4)
    layer = SpatialTransformer(localization, warp, output_size=output_size)
    torch.nn.init.normal_(localization.out.weight, std=0.1)
    return layer


def test_plain_network_by_hand():
    model = classifier(batch_norm=False, dropout=0.5).eval()
    x = images()
    first, second = (m for m in model.features if isinstance(m, torch.nn.Conv2d))
    one, two = (m for m in model.classifier if isinstance(m, torch.nn.Linear))
    h = F.max_pool2d(F.relu(F.conv2d(x, first.weight, first.bias, padding=1)), 2)
    h = F.max_pool2d(F.relu(F.conv2d(h, second.weight, second.bias, padding=1)), 2)
    expected = F.linear(F.relu(F.linear(h.flatten(1), one.weight, one.bias)), two.weight, two.bias)
    torch.testing.assert_close(model(x), expected)


def test_dropout_comes_before_each_linear_layer():
    layers = list(classifier(dropout=0.3).classifier)
    before = [layers[i - 1] for i, layer in enumerate(layers) if isinstance(layer, torch.nn.Linear)]
    assert [layer.p for layer in before] == [0.3, 0.3]


def test_normalised_network_by_hand():
    model = classifier(channels=[3], kernel_size=5, pool="average", head="average", hidden=0)
    x, (conv, norm, *_), last = images(), model.features, model.classifier[-1]
    h = F.conv2d(x, conv.weight, padding=2)
    h = (h - h.mean((0, 2, 3), keepdim=True)) / (
        h.var((0, 2, 3), unbiased=False, keepdim=True) + norm.eps
    ).sqrt()
    expected = F.linear(F.avg_pool2d(h.relu(), 2).mean((2, 3)), last.weight, last.bias)
    torch.testing.assert_close(model.train()(x), expected, atol=1e-5, rtol=1e-4)
    assert conv.bias is None


@pytest.mark.parametrize(
    ("arguments", "parameters"),
    [
        # convolutions 9 * 1 * 3 and 9 * 3 * 5, hidden 5 * 9 * 6, last 6 * 4
        ({"batch_norm": False}, 27 + 3 + 135 + 5 + 270 + 6 + 24 + 4),
        ({}, 27 + 6 + 135 + 10 + 270 + 12 + 24 + 4),
        ({"convs_per_stage": 2, "batch_norm": False}, 27 + 3 + 81 + 3 + 135 + 5 + 225 + 5 + 304),
        ({"head": "average", "hidden": 0, "batch_norm": False}, 27 + 3 + 135 + 5 + 20 + 4),
        ({"kernel_size": [5, 1], "batch_norm": False}, 75 + 3 + 15 + 5 + 304),
        ({"downsample": 3, "batch_norm": False}, 27 + 3 + 135 + 5 + 30 + 6 + 24 + 4),
        ({"image_size": [12, 16], "batch_norm": False}, 27 + 3 + 135 + 5 + 5 * 12 * 6 + 6 + 28),
    ],
)
def test_parameter_counts(arguments, parameters):
    assert sum(p.numel() for p in classifier(**arguments).parameters()) == parameters


def test_downsampling_averages_first():
    small = classifier(image_size=6).eval()
    large = classifier(image_size=12, downsample=2).eval()
    weights = dict(zip(large.state_dict(), small.state_dict().values(), strict=True))
    large.load_state_dict(weights)
    x = images()
    torch.testing.assert_close(large(x), small(F.avg_pool2d(x, 2)))


def test_a_transformer_before_it():
    layer = transformer()
    model = classifier(transformer=layer).eval()
    x = images()
    logits, theta = model(x, return_transform=True)
    seen, expected = layer(x, return_transform=True)
    assert seen.shape == (3, 1, 8, 8)
    assert not torch.allclose(theta, layer.warp.identity().expand(3, -1))
    torch.testing.assert_close(theta, expected)
    torch.testing.assert_close(model.transform(x), expected)
    torch.testing.assert_close(logits, model.classifier(model.features(seen).flatten(1)))
    torch.testing.assert_close(logits, model(x))
    logits.sum().backward()
    assert float(layer.localization.hidden.weight.grad.abs().sum()) > 0


def test_parallel_transformers_give_channels():
    torch.manual_seed(0)
    localization = ConvLocalization(1, 6, SIZE, channels=(2,), hidden=4)
    model = classifier(
        transformer=ParallelTransformers(localization, 2, Attention(), output_size=8)
    )
    assert model.features[0].in_channels == 2
    assert model.transform(images()).shape == (3, 2, 3)


def test_it_may_be_a_localisation_net():
    localization = classifier(num_classes=6)
    layer = SpatialTransformer(localization, Affine(), output_size=5)
    x = images()
    _, theta = layer(x, return_transform=True)
    torch.testing.assert_close(theta, layer.warp.identity().expand(3, -1))
    torch.testing.assert_close(layer.localization.classifier[-1].bias, layer.warp.identity())


def test_making_it_leaves_a_transformer_as_it_is():
    net = classifier(num_classes=6)
    layer = SpatialTransformer(net, Affine(), output_size=8).train()
    net.features.eval()
    before = copy.deepcopy(layer.state_dict())
    classifier(transformer=layer)
    assert layer.training
    assert net.training
    assert not any(module.training for module in net.features.modules())
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_a_batch_equals_its_images():
    model = classifier(transformer=transformer()).eval()
    x = images(4)
    torch.testing.assert_close(model(x), torch.cat([model(each[None]) for each in x]))


def test_round_trips_and_no_unused_parameters():
    model = classifier(transformer=transformer())
    x = images()
    model(x).sum().backward()
    assert all(p.grad is not None for p in model.parameters())
    model.eval()
    other = classifier(transformer=transformer(seed=2)).eval()
    other.load_state_dict(model.state_dict())
    for one in (other, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert torch.equal(one(x), model(x))


def test_gradients():
    model = classifier(transformer=transformer()).eval().double()
    x = images(2).double().requires_grad_()
    assert torch.autograd.gradcheck(model, (x,))


def test_it_compiles_whole():
    model = classifier(transformer=transformer()).eval()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    x = images()
    torch.testing.assert_close(compiled(x), model(x))


def test_repr():
    assert repr(classifier()) == "ImageClassifier(1, 4, channels=(3, 5))"
    assert repr(classifier(transformer=transformer())).endswith("with a transformer)")


class Flat(torch.nn.Module):
    def forward(self, x):
        return x.flatten(1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": 0}, "in_channels: expected at least 1, got 0"),
        ({"num_classes": 0}, "num_classes: expected at least 1, got 0"),
        ({"channels": ()}, "channels: expected at least 1, got 0"),
        ({"convs_per_stage": 0}, "convs_per_stage: expected at least 1, got 0"),
        ({"downsample": 0}, "downsample: expected at least 1, got 0"),
        ({"hidden": -1}, "hidden: expected at least 0, got -1"),
        ({"kernel_size": 4}, "kernel_size: expected odd numbers, got 4"),
        ({"kernel_size": [3]}, r"kernel_size: expected one for each of 2 stages, got \[3\]"),
        ({"pool": "sum"}, "pool: expected one of max, average, got 'sum'"),
        ({"head": "last"}, "head: expected one of flatten, average, got 'last'"),
        ({"image_size": [3, 3, 3]}, r"image_size: expected a number of pixels or \[height, width"),
        ({"image_size": 3}, r"2 stages halve the side to nothing, expected at least 4 pixels, got"),
        ({"transformer": Flat()}, r"transformer: expected one that gives images \[B, C, H, W\]"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        classifier(**arguments)


@pytest.mark.parametrize("shape", [(3, 12, 12), (3, 12, 12, 1), (3, 1, 12, 11), (3, 2, 12, 12)])
def test_other_inputs_are_refused(shape):
    model = classifier(transformer=transformer())
    expected = r"x: expected shape \[B, 1, 12, 12\] \(batch, channels, height, width\), got \["
    with pytest.raises(ValueError, match=expected):
        model(torch.zeros(shape))
    with pytest.raises(ValueError, match=expected):
        model.transform(torch.zeros(shape))


def test_there_is_no_transform_without_a_transformer():
    with pytest.raises(ValueError, match="transformer: expected one, got None"):
        classifier().transform(images())
