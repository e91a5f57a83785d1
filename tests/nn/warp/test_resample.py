"""Grid generator and sampler together: output sizes, averaging, precision, warnings."""

import warnings

import pytest
import torch
import torch.nn.functional as F

from tests.nn.warp.families import FAMILIES, assert_same, image, near_identity
from tgst.nn import warp as w
from tgst.nn.warp.resample import has_left


def checkerboard(size, period):
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    pattern = ((rows // period + columns // period) % 2).double()
    return pattern[None, None]


def identity(rows=1, dtype=torch.float64):
    return w.Affine().identity(dtype).expand(rows, -1)


@pytest.mark.parametrize("name", FAMILIES)
def test_is_grid_and_sampler(name):
    warp = FAMILIES[name]()
    theta, size = near_identity(warp), (5, 6) if warp.dim == 2 else (3, 4, 5)
    target = (3, 7) if warp.dim == 2 else (2, 6, 3)
    x = image(warp, size, channels=5)
    for options in ({}, {"align_corners": True, "padding": "border", "sampling": "nearest"}):
        layer = w.Resample(warp, target, **options)
        grid = warp.grid(theta, target, options.get("align_corners", False))
        assert_same(layer(x, theta), w.sample(x, grid, **options), 0.0)
        assert layer(x, theta).shape == (3, 5, *target)
    assert w.Resample(warp)(x, theta).shape == x.shape


def test_a_batch_equals_its_samples():
    warp = w.ThinPlateSpline()
    x, theta = image(warp, (6, 7)), near_identity(warp)
    layer = w.Resample(warp, 4)
    each = [layer(x[i : i + 1], theta[i : i + 1]) for i in range(3)]
    assert_same(layer(x, theta), torch.cat(each))


@pytest.mark.parametrize(("ratio", "period"), [(2, 1), (4, 2), (4, 1)])
def test_plain_reduction_aliases_and_averaging_does_not(ratio, period):
    x = checkerboard(32, period)
    size = 32 // ratio
    plain = w.Resample(output_size=size)(x, identity())
    if period == 2:  # a pattern of four pixels turned into another one
        assert plain.std() < 1e-12
    smooth = w.Resample(output_size=size, antialias=True)(x, identity())
    assert_same(smooth, F.avg_pool2d(x, ratio))


def test_period_three_pattern_keeps_its_mean():
    """Stripes of three pixels on a quarter of the size: bilinear sampling errs by 0.5."""
    stripes = (torch.arange(48) % 3 == 0).double().expand(1, 1, 48, 48)
    plain = w.Resample(output_size=12)(stripes, identity())
    smooth = w.Resample(output_size=12, antialias=True)(stripes, identity())
    assert (plain - 1 / 3).abs().max() > 0.3
    assert (smooth - 1 / 3).abs().max() <= 1 / 6 + 1e-12


def test_factor_is_input_over_output_rounded_up():
    x = image(w.Affine(), (10, 6))
    theta = near_identity(w.Affine())
    auto = w.Resample(output_size=(4, 6), antialias=True)(x, theta)
    fine = w.Affine().grid(theta, (12, 6))
    assert_same(auto, F.avg_pool2d(w.sample(x, fine), (3, 1)))
    given = w.Resample(output_size=(4, 6), antialias=2)(x, theta)
    fine = w.Affine().grid(theta, (8, 12))
    assert_same(given, F.avg_pool2d(w.sample(x, fine), 2))
    larger = w.Resample(output_size=(20, 20), antialias=True)(x, theta)
    assert_same(larger, w.Resample(output_size=(20, 20))(x, theta), 0.0)


def test_averaging_keeps_pixels_in_place_also_with_aligned_corners():
    """On a ramp the mean over a pixel is the value in its middle."""
    ramp = torch.arange(40, dtype=torch.float64).expand(1, 1, 40, 40).clone()
    for align_corners in (False, True):
        options = {"output_size": 10, "align_corners": align_corners}
        plain = w.Resample(**options)(ramp, identity())
        smooth = w.Resample(**options, antialias=True)(ramp, identity())
        assert_same(smooth[..., 1:-1, 1:-1], plain[..., 1:-1, 1:-1], 1e-9)


def test_averaging_of_volumes():
    x = image(w.Affine3d(), (4, 6, 8))
    theta = w.Affine3d().identity(torch.float64).expand(3, -1)
    layer = w.Resample(w.Affine3d(), (2, 3, 2), antialias=True)
    assert_same(layer(x, theta), F.avg_pool3d(x, (2, 2, 4)))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    warp = w.Projective()
    x, theta = image(warp, (9, 8), dtype=dtype), near_identity(warp, dtype=dtype)
    layer = w.Resample(warp, 4, antialias=2)
    out = layer(x, theta)
    assert out.dtype == dtype
    assert_same(out, layer(x.float(), theta.float()).to(dtype), 0.0)


def test_warns_when_a_grid_has_left_the_image():
    warp = w.Translation()
    layer = w.Resample(warp)
    x = image(warp, (4, 5))
    theta = torch.zeros(3, 2, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(x, theta)
        theta[1, 0] = 2 + 1 / 5 - 1 / 5 - 1e-3  # the first column still reads the last pixel
        layer(x, theta)
        theta[1, 0] = -1.9  # as the last column does here, which is none of the few looked at
        w.Resample(warp, (3, 4))(x, theta)
    theta[1, 0] = 3.0
    for _ in range(2):
        with pytest.warns(RuntimeWarning, match="at least one sample lies outside the image"):
            layer(x, theta)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        w.Resample(warp, warn_outside=False)(x, theta)
        w.Resample(warp, padding="reflection")(x, theta)
        torch.func.vmap(lambda t: layer(x, t))(theta.expand(2, -1, -1))
        layer.to("meta")(x.to("meta"), theta.to("meta"))


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection", "circular"])
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(4, 5), (1, 5), (1, 1)])
@pytest.mark.parametrize("sampling", ["bilinear", "bicubic"])
def test_has_left_says_when_the_gradient_is_zero(padding, align_corners, size, sampling):
    warp = w.Translation()
    x = image(warp, size, rows=1)
    places = torch.linspace(-2.9, 3.1, 14, dtype=torch.float64)
    for shift in torch.cartesian_prod(places, places):
        theta = shift.view(1, 2).clone().requires_grad_()
        grid = warp.grid(theta, (3, 2), align_corners)
        out = w.sample(x, grid, sampling, padding, align_corners)
        out.square().sum().backward()
        left = has_left(grid.detach(), size, padding, align_corners, sampling)
        moves = theta.grad.abs().max() > 1e-12  # cubic weights add up to one but for rounding
        if left:
            assert not moves
        elif min(size) > 1:
            assert moves


def test_looks_now_and_then_on_other_devices(monkeypatch):
    from tgst.nn.warp import resample

    seen = []
    monkeypatch.setattr(resample, "has_left", lambda *a: seen.append(a) or False)
    layer, x = w.Resample(), image(w.Affine(), (4, 5), rows=1)

    class Elsewhere:
        device = torch.device("meta")

        def detach(self):
            return x

    monkeypatch.setattr(resample, "holds_values", lambda grid: True)
    for _ in range(130):
        layer._look(Elsewhere(), (4, 5))
    assert len(seen) == 3  # calls 1, 65 and 129


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"warp": "affine"}, TypeError, "warp: expected a Warp, got str"),
        ({"output_size": (4, 0)}, ValueError, r"output_size: expected 2 sizes \(height, width\)"),
        ({"output_size": 0}, ValueError, r"each at least 1, got \(0, 0\)"),
        ({"output_size": (4, 4, 4)}, ValueError, "output_size: expected 2 sizes"),
        ({"sampling": "cubic"}, ValueError, "sampling: expected one of"),
        ({"padding": "wrap"}, ValueError, "padding: expected one of"),
        ({"deterministic": "no"}, ValueError, "deterministic: expected 'auto' or a bool"),
        (
            {"antialias": 0},
            ValueError,
            "antialias: expected a bool or a whole factor of at least 1",
        ),
        ({"antialias": 2.5}, ValueError, "whole factor of at least 1, got 2.5"),
        ({"output_size": 4.0}, ValueError, "output_size: expected 2 sizes"),
    ],
)
def test_options(options, error, message):
    with pytest.raises(error, match=message):
        w.Resample(**options)


def test_inputs_that_do_not_fit():
    layer = w.Resample()
    with pytest.raises(ValueError, match=r"x: expected \[B, C, H, W\] \(channels first\), got sha"):
        layer(torch.zeros(2, 4, 5), identity(2))
    with pytest.raises(ValueError, match="theta: expected 3 rows as x, got 2"):
        layer(torch.zeros(3, 1, 4, 5), identity(2))
    with pytest.raises(ValueError, match=r"x: expected \[B, C, D, H, W\] \(channels first\), got"):
        w.Resample(w.Affine3d())(torch.zeros(2, 1, 4, 5), torch.zeros(2, 12))


def test_repr():
    text = repr(w.Resample(w.Attention(), 7))
    assert "output_size=(7, 7), sampling='bilinear', padding='zeros'" in text
    assert "(warp): Attention()" in text
