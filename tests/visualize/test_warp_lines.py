"""Where the lines of a warp are drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tgst.nn import SpatialTransformer
from tgst.nn.warp import (
    Affine,
    Affine3d,
    ConvLocalization,
    Projective,
    Resample,
    ThinPlateSpline,
    Translation,
)

pytest.importorskip("matplotlib")
from tgst.visualize.warp_lines import (
    CURVED_LINES,
    STEPS,
    limits,
    quiet_resample,
    shown_images,
    warped_lines,
)


def theta(warp, batch=2):
    noise = torch.randn(batch, warp.num_params, generator=torch.Generator().manual_seed(0))
    return warp.identity() + 0.1 * noise


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("warp", [Affine(), Projective(), Translation()])
def test_the_outline_is_that_of_the_corners(warp, align_corners):
    given = theta(warp)
    lines = warped_lines(warp, given, (20, 30), align_corners)
    # left top, right top, right bottom, left bottom
    corners = warp.to_pixels(warp.corners(given), (20, 30), align_corners).numpy()
    expected = np.stack([corners[:, pair] for pair in ([0, 1], [3, 2], [0, 3], [1, 2])], axis=1)
    np.testing.assert_allclose(lines, expected, rtol=1e-5)


def test_the_identity_outlines_the_pixels():
    (lines,) = warped_lines(Affine(), Affine().identity()[None], (4, 10))
    assert lines[0].tolist() == [[-0.5, -0.5], [9.5, -0.5]]
    assert lines[3].tolist() == [[9.5, -0.5], [9.5, 3.5]]
    (lines,) = warped_lines(Affine(), Affine().identity()[None], (4, 10), align_corners=True)
    assert lines[3].tolist() == [[9, 0], [9, 3]]


def test_curved_lines_pass_through_the_points_of_a_spline():
    warp = ThinPlateSpline(points=5)
    given = theta(warp)
    lines = warped_lines(warp, given, (20, 30))
    assert lines.shape == (2, 2 * CURVED_LINES, STEPS + 1, 2)
    points = warp.to_pixels(given.view(2, 5, 5, 2), (20, 30)).numpy()
    step = STEPS // 4
    np.testing.assert_allclose(lines[:, :5, ::step], points, atol=1e-3)
    np.testing.assert_allclose(lines[:, 5:, ::step], points.swapaxes(1, 2), atol=1e-3)


def test_more_lines_of_a_straight_warp():
    (lines,) = warped_lines(Translation(), torch.tensor([[0.5, 0.0]]), (8, 8), lattice=3)
    rows, columns = lines[:3], lines[3:]
    assert rows[:, 0].tolist() == [[1.5, -0.5], [1.5, 3.5], [1.5, 7.5]]
    assert columns[:, 0].tolist() == [[1.5, -0.5], [5.5, -0.5], [9.5, -0.5]]


def test_axes_hold_image_and_lines():
    inside = np.array([[0.0, 1.0], [5.0, 6.0]])
    assert limits([inside], (8, 10)) == pytest.approx((-0.8, 9.8, 7.74, -0.74))
    outside = np.array([[-3.0, 1.0], [5.0, 100.0]])  # the second one is too far away
    assert limits([inside, outside], (8, 10)) == pytest.approx((-3.3, 9.8, 11.74, -0.74))
    assert limits([-3 * outside], (8, 10)) == pytest.approx((-5.8, 9.8, 7.74, -4.74))
    nowhere = np.full((1, 2), np.nan)
    assert limits([nowhere], (8, 10)) == limits([inside], (8, 10))
    assert limits([outside, nowhere], (8, 10)) == limits([outside], (8, 10))


def test_the_options_of_a_layer_hold():
    layer = SpatialTransformer(
        ConvLocalization(1, 6, 8), output_size=5, padding="border", align_corners=True, antialias=2
    )
    found = quiet_resample(layer, None)
    assert (found.output_size, found.padding, found.align_corners) == ((5, 5), "border", True)
    assert (found.antialias, found.warn_outside) == (2, False)
    assert quiet_resample(Resample(Affine(), 4), (3, 2)).output_size == (3, 2)


def test_colours_come_last():
    x = torch.rand(2, 3, 4, 5) + 0.5
    assert shown_images(x)[1, 2, 3].tolist() == x[1, :, 2, 3].clamp(max=1).tolist()
    assert shown_images(x[:, :1])[1, 2, 3] == x[1, 0, 2, 3]


def test_mistakes_are_named():
    with pytest.raises(
        ValueError, match="lattice: expected at least 2 lines of each direction, go"
    ):
        warped_lines(Affine(), Affine().identity()[None], (4, 4), lattice=1)
    with pytest.raises(TypeError, match="warp: expected a Warp or a layer with one, got Linear"):
        quiet_resample(torch.nn.Linear(1, 1), None)
    with pytest.raises(ValueError, match=r"warp: expected one of images, got .* of volumes"):
        quiet_resample(Affine3d(), None)
