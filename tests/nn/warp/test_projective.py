"""Homographies: the division, and kornia's as an oracle."""

import pytest
import torch

from tests.nn.warp.families import assert_same, image, near_identity
from tgst.nn import warp as w


def test_formula():
    warp = w.Projective()
    theta = near_identity(warp)
    points = torch.rand(6, 2, dtype=torch.float64) * 2 - 1
    h = torch.cat([theta, torch.ones(3, 1, dtype=torch.float64)], 1).view(3, 3, 3)
    ones = torch.ones(6, 1, dtype=torch.float64)
    mapped = torch.einsum("bij,nj->bni", h, torch.cat([points, ones], 1))
    assert_same(warp.transform(theta, points), mapped[..., :2] / mapped[..., 2:])


def test_the_scale_of_the_matrix_does_not_matter():
    warp = w.Projective()
    matrix = warp.matrix(near_identity(warp))
    expected = warp.grid(matrix, (4, 5))
    for scale in (-1.0, 1e-9, 1e9):
        assert_same(warp.grid(scale * matrix, (4, 5)), expected)
    assert not torch.allclose(warp.grid(-matrix + 0.1, (4, 5)), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_where_the_denominator_is_zero(dtype):
    warp = w.Projective()
    # 1 - x is zero at the right edge, 1 + x - y on a diagonal, the last matrix nowhere else
    rows = [[1.0, 0, 0, 0, 1, 0, -1, 0], [1.0, 0.2, 0.1, 0, 1, 0.3, 1, -1]]
    theta = torch.tensor(rows, dtype=dtype).requires_grad_()
    grid = warp.grid(theta, (5, 5), align_corners=True)
    assert grid.isfinite().all()
    assert grid.abs().max() > 1e3
    x = image(warp, (5, 5), rows=2, dtype=dtype).requires_grad_()
    for padding in ("zeros", "border", "reflection"):
        for deterministic in (False, True):
            modes = ("bilinear", padding, True, deterministic)
            w.sample(x, warp.grid(theta, (5, 5), True), *modes).square().sum().backward()
            assert theta.grad.isfinite().all()
            assert x.grad.isfinite().all()
    zero = torch.zeros(1, 3, 3, dtype=dtype, requires_grad=True)
    out = warp.grid(zero, (2, 2))
    out.sum().backward()
    assert not out.any()
    assert zero.grad.isfinite().all()


def test_the_bound_keeps_the_side_of_the_horizon():
    warp = w.Projective()
    theta = torch.tensor([[1.0, 0, 0, 0, 1, 0, -1, 0]], dtype=torch.float64)
    near = torch.tensor([[1 - 1e-9, 1.0], [1 + 1e-9, 1.0]], dtype=torch.float64)
    assert_same(warp.transform(theta, near)[0, :, 1], torch.tensor([1e5, -1e5]).double(), 1e-6)


def test_denominators_away_from_zero_are_not_touched():
    warp = w.Projective()
    theta = torch.tensor([[1.0, 0, 0, 0, 1, 0, -0.999, 0]], dtype=torch.float64)
    point = torch.tensor([[1.0, 1.0]], dtype=torch.float64)
    assert_same(warp.transform(theta, point), torch.full((1, 1, 2), 1000.0).double(), 1e-9)


def test_a_map_without_eight_numbers_has_a_matrix():
    """The product takes the centre to infinity."""
    warp = w.Projective()
    one = torch.tensor([[1.0, 0, 0, 0, 1, 0, -1, 0]], dtype=torch.float64)
    two = torch.tensor([[1.0, 0, 1, 0, 1, 0, 0, 0]], dtype=torch.float64)
    product = warp.compose(warp.matrix(one), warp.matrix(two))
    assert product[0, 2, 2] == 0
    assert warp.grid(product, (3, 3), True).isfinite().all()


@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_equals_kornia(padding):
    geometry = pytest.importorskip("kornia.geometry.transform")
    warp = w.Projective()
    x, theta = image(warp, (7, 9)), near_identity(warp)
    expected = geometry.homography_warp(
        x,
        warp.matrix(theta),
        (5, 6),
        padding_mode=padding,
        align_corners=True,
        normalized_homography=True,
    )
    layer = w.Resample(warp, (5, 6), padding=padding, align_corners=True)
    assert_same(layer(x, theta), expected, 1e-9)
