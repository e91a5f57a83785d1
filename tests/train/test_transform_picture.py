from __future__ import annotations

import pytest
import torch

from tests.train.tiny_images import image_model, with_transformer
from tgst.nn import SpatialTransformer
from tgst.nn.warp import (
    Affine,
    Attention,
    ConvLocalization,
    ParallelTransformers,
    Projective,
    SerialTransformers,
    ThinPlateSpline,
)
from tgst.train.transform_picture import write_transforms

pytest.importorskip("matplotlib")


def net(num_params):
    return ConvLocalization(1, num_params, 40, channels=(2,), hidden=3, downsample=4)


def one(warp, output_size=None, **options):
    return SpatialTransformer(net(warp.num_params), warp, output_size, **options)


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    r"""Draws a model, and what was given to the plot then."""
    calls = []

    def plot(x, theta, warp):
        from tgst.visualize import plot_warp

        calls.append((theta, warp))
        return plot_warp(x, theta, warp)

    monkeypatch.setattr("tgst.visualize.warp.plot_warp", plot)

    def draw(model):
        path = write_transforms(model.eval(), torch.rand(3, 1, 40, 40), tmp_path / "a.png")
        assert (path is None) == (not calls)
        if path is not None:
            assert path.read_bytes().startswith(b"\x89PNG")
        return calls.pop() if calls else None

    return draw


def test_a_transformer_says_how_it_samples(drawn):
    model = with_transformer()
    theta, layer = drawn(model)
    assert layer is model.transformer
    torch.testing.assert_close(theta, torch.tensor([[1.0, 0, 0]] * 3))


def test_transformers_side_by_side(drawn):
    layer = ParallelTransformers(net(6), 2, Attention(), output_size=20)
    theta, given = drawn(image_model(transformer=layer))
    assert given is layer
    assert len(theta) == 2
    torch.testing.assert_close(theta[1], layer.warp.tiles(2)[1].expand(3, -1))


@pytest.mark.parametrize(("warp", "family"), [(Attention(), Affine), (Projective(), Projective)])
def test_transformers_in_series_are_drawn_as_one(drawn, warp, family):
    options = {"padding": "border", "align_corners": True}
    layer = SerialTransformers([one(Affine(), **options), one(warp, 20, **options)])
    theta, given = drawn(image_model(transformer=layer))
    assert isinstance(given.warp, family)
    assert given.output_size == (20, 20)
    assert (given.padding, given.align_corners) == ("border", True)
    torch.testing.assert_close(theta[0], torch.eye(3)[: theta.size(1)])


@pytest.mark.parametrize(
    "layer",
    [None, SerialTransformers([one(ThinPlateSpline()), one(Attention(), 20)]), torch.nn.Identity()],
)
def test_nothing_is_drawn_where_there_is_nothing_to_draw(drawn, layer):
    model = image_model() if layer is None else image_model(transformer=layer)
    assert drawn(model) is None
    assert drawn(torch.nn.Flatten()) is None
