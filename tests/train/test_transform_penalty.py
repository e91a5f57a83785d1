from __future__ import annotations

import pytest
import torch

from tgst.nn import SpatialTransformer
from tgst.nn.warp import Affine, Attention, ConvLocalization, ParallelTransformers
from tgst.train.transform_penalty import TransformPenalty


def net(num_params):
    return ConvLocalization(1, num_params, 8, channels=(2,), hidden=3)


def moved(layer, by):
    with torch.no_grad():
        layer.localization.out.bias += torch.tensor(by)
    return layer


def test_all_transformers_of_a_model_are_found():
    first = moved(SpatialTransformer(net(3), Attention()), [0.5, 0.0, 0.0])
    second = moved(SpatialTransformer(net(6), Affine()), [0.0, 0.2, 0.0, 0.0, 0.0, 0.1])
    model = torch.nn.Sequential(first, torch.nn.Conv2d(1, 1, 1), torch.nn.Sequential(second))
    penalty = TransformPenalty(model)
    with penalty.recorded():
        model(torch.rand(4, 1, 8, 8))
    assert penalty().item() == pytest.approx(0.25 + 0.04 + 0.01)


def test_transformers_side_by_side():
    layer = ParallelTransformers(net(6), 2, Attention())
    with torch.no_grad():
        layer.localization[0].out.bias += torch.tensor([0.1, 0.0, 0.0, 0.0, 0.0, 0.3])
    penalty = TransformPenalty(layer)
    with penalty.recorded():
        layer(torch.rand(5, 1, 8, 8))
    assert penalty().item() == pytest.approx((0.01 + 0.09) / 2)


def test_transformers_that_are_called_several_times():
    x = torch.rand(3, 1, 8, 8)
    dark, light = 0 * x[:1], torch.ones_like(x)
    for layer in (
        SpatialTransformer(net(3), Attention()),
        ParallelTransformers(net(6), 2, Attention()),
    ):
        for parameter in layer.localization.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        penalty = TransformPenalty(layer)
        with penalty.recorded():
            layer(dark)
            layer(light)
        theta = layer.parameters_for(torch.cat([dark, light]))
        assert theta[0].sub(theta[1]).abs().max() > 1e-3
        torch.testing.assert_close(penalty(), layer.identity_penalty(theta))


def test_it_reaches_the_localisation_net_and_records_nothing_outside():
    layer = moved(SpatialTransformer(net(3), Attention()), [0.5, 0.0, 0.0])
    penalty = TransformPenalty(layer)
    x = torch.rand(2, 1, 8, 8)
    with penalty.recorded():
        layer(x)
    layer(x)
    penalty().backward()
    grad = layer.localization.out.bias.grad
    torch.testing.assert_close(grad, torch.tensor([1.0, 0.0, 0.0]))
    assert len(layer.resample._forward_pre_hooks) == 0


def test_a_model_without_a_transformer_is_refused():
    message = "identity_penalty needs a model with a SpatialTransformer, got Linear without one"
    with pytest.raises(ValueError, match=message):
        TransformPenalty(torch.nn.Linear(2, 2))
