"""The plot of a warp: where its outline lies, and what its output shows."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from tgst.nn import SpatialTransformer
from tgst.nn.warp import Affine, Attention, ConvLocalization, ThinPlateSpline

pytest.importorskip("matplotlib")
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba

from tgst.visualize import plot_warp
from tgst.visualize.warp import COLORS
from tgst.visualize.warp_lines import warped_lines


def images(batch=3, channels=1, height=8, width=10):
    return torch.rand(batch, channels, height, width, generator=torch.Generator().manual_seed(0))


def theta(warp, batch=3, seed=0):
    noise = torch.randn(batch, warp.num_params, generator=torch.Generator().manual_seed(seed))
    return warp.identity() + 0.1 * noise


def panels(figure, rows, columns):
    return np.array(figure.axes).reshape(rows, columns)


def drawn(axes):
    r"""The lines of each collection and the image of axes."""
    lines = [each for each in axes.collections if isinstance(each, LineCollection)]
    return [np.stack(each.get_segments()) for each in lines], axes.images[0].get_array()


@pytest.mark.parametrize("warp", [Affine(), ThinPlateSpline(3)])
def test_input_with_the_outline_and_output_beside_it(warp):
    x, given = images(), theta(warp)
    grid = panels(plot_warp(x, given, warp, (5, 6)), 3, 2)
    expected = warped_lines(warp, given, (8, 10))
    output = torch.nn.functional.grid_sample(x, warp.grid(given, (5, 6)), align_corners=False)
    for row in range(3):
        (lines,), image = drawn(grid[row, 0])
        np.testing.assert_allclose(lines, expected[row], rtol=1e-5)
        np.testing.assert_array_equal(image, x[row, 0])
        # the left top corner of the output
        (dot,) = grid[row, 0].lines
        np.testing.assert_allclose(np.ravel(dot.get_data()), expected[row, 0, 0], rtol=1e-5)
        none, image = drawn(grid[row, 1])
        assert none == []
        np.testing.assert_allclose(image, output[row, 0], atol=1e-6)


def test_several_transforms_of_an_image():
    x, warp = images(2), Attention()
    given = [theta(warp, 2, seed) for seed in (1, 2)]
    grid = panels(plot_warp(x, given, warp, 4), 2, 3)
    lines, _ = drawn(grid[1, 0])
    for number in range(2):
        np.testing.assert_allclose(lines[number], warped_lines(warp, given[number], (8, 10))[1])
        output = torch.nn.functional.grid_sample(
            x, warp.grid(given[number], (4, 4)), align_corners=False
        )
        np.testing.assert_allclose(drawn(grid[1, 1 + number])[1], output[1, 0], atol=1e-6)
        color = grid[1, 0].collections[number].get_colors()
        np.testing.assert_allclose(color, [to_rgba(COLORS[number])])
        assert grid[1, 1 + number].spines["top"].get_edgecolor() == to_rgba(COLORS[number])


def test_a_layer_says_how_to_sample():
    torch.manual_seed(0)
    layer = SpatialTransformer(
        ConvLocalization(3, 3, (8, 10)), Attention(), output_size=(4, 5), align_corners=True
    )
    torch.nn.init.normal_(layer.localization.out.weight, std=0.3)
    x = images(2, channels=3)
    output, given = layer(x, return_transform=True)
    grid = panels(plot_warp(x, given, layer, titles=["a", "b"]), 2, 2)
    (lines,), image = drawn(grid[1, 0])
    corners = layer.warp.to_pixels(layer.warp.corners(given), (8, 10), align_corners=True)
    np.testing.assert_allclose(lines[0], corners[1, :2].detach(), rtol=1e-5)
    np.testing.assert_array_equal(image, x[1].permute(1, 2, 0))  # in colours
    shown = output[1].detach().permute(1, 2, 0)
    np.testing.assert_allclose(drawn(grid[1, 1])[1], shown, atol=1e-6)
    assert [axes.get_title() for axes in grid[:, 0]] == ["a", "b"]


def test_a_matrix_in_place_of_parameters():
    x, warp = images(), Affine()
    given = theta(warp)
    one = plot_warp(x, given.view(3, 2, 3), warp)
    two = plot_warp(x, given, warp)
    for a, b in zip(one.axes, two.axes, strict=True):
        np.testing.assert_array_equal(a.images[0].get_array(), b.images[0].get_array())
        if a.collections:
            np.testing.assert_array_equal(drawn(a)[0], drawn(b)[0])


def test_a_warp_that_has_left_the_image_is_drawn_without_a_warning():
    away = torch.tensor([[1.0, 0, 3.0, 0, 1.0, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        grid = panels(plot_warp(images(1), away, Affine()), 1, 2)
    assert grid[0, 1].images[0].get_array().max() == 0
    assert grid[0, 0].get_xlim()[1] == pytest.approx(14.5 + 0.3)  # half an image further


def test_all_rows_share_brightness_and_room():
    x = images()
    x[0] *= 0.1
    figure = plot_warp(x, theta(Affine()), Affine())
    assert {image.get_clim() for axes in figure.axes for image in axes.images} == {
        (0, float(x.max()))
    }
    assert len({axes.get_xlim() for axes in panels(figure, 3, 2)[:, 0]}) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": torch.zeros(3, 8, 10)}, r"x: expected images \[B, 1 or 3, H, W\], got \[3, 8, 10\]"),
        ({"x": torch.zeros(3, 2, 8, 8)}, r"x: expected images \[B, 1 or 3, H, W\], got \[3, 2, "),
        ({"x": torch.zeros(0, 1, 8, 8)}, r"x: expected images \[B, 1 or 3, H, W\], got \[0, 1"),
        (
            {"theta": torch.zeros(2, 6)},
            r"theta: expected \[3, P\], one row for each image, got \[2",
        ),
        ({"theta": torch.zeros(3)}, r"theta: expected \[3, P\], one row for each image, got \[3\]"),
        ({"theta": torch.zeros(3, 5)}, r"theta: expected \[B, 6\] or \[B, 2, 3\] for Affine"),
        ({"titles": ["a"]}, "titles: expected 3, got 1"),
        ({"lattice": 1}, "lattice: expected at least 2 lines"),
    ],
)
def test_mistakes_are_named(arguments, message):
    given = {"x": images(), "theta": theta(Affine()), "warp": Affine()} | arguments
    with pytest.raises(ValueError, match=message):
        plot_warp(**given)
