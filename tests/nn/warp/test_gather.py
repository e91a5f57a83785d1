"""The deterministic sampler beside ``grid_sample``, values and all gradients."""

import pytest
import torch
import torch.nn.functional as F

from tests.nn.warp.families import assert_same
from tgst.nn.warp import sample


def gradients(run, x, grid):
    x, grid = x.clone().requires_grad_(), grid.clone().requires_grad_()
    out = run(x, grid)
    weight = torch.arange(out.numel(), dtype=out.dtype).view_as(out).sin()
    found = torch.autograd.grad((out * weight).sum(), (x, grid), allow_unused=True)
    # no gradient and one of zeros are the same
    return [
        out,
        *(torch.zeros_like(v) if g is None else g for v, g in zip((x, grid), found, strict=True)),
    ]


def random(dim, size=5, spread=1.5):
    torch.manual_seed(0)
    shape = (4, size, 7) if dim == 2 else (3, 4, size)
    x = torch.randn(2, *shape, dtype=torch.float64)
    if dim == 3:
        x = torch.randn(2, 2, *shape, dtype=torch.float64)
    target = (6, 5) if dim == 2 else (3, 2, 4)
    return x, spread * torch.randn(2, *target, dim, dtype=torch.float64)


@pytest.mark.parametrize(
    ("dim", "mode"),
    [(2, "bilinear"), (2, "nearest"), (2, "bicubic"), (3, "bilinear"), (3, "nearest")],
)
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_equals_grid_sample(dim, mode, padding, align_corners):
    x, grid = random(dim)
    expected = gradients(lambda x, g: F.grid_sample(x, g, mode, padding, align_corners), x, grid)
    actual = gradients(lambda x, g: sample(x, g, mode, padding, align_corners, True), x, grid)
    assert len(actual) == len(expected) == 3
    for a, b in zip(actual, expected, strict=True):
        assert_same(a, b)


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_equals_grid_sample_on_pixels_edges_and_borders(padding, align_corners):
    """At kinks the one-sided derivative is torch's."""
    torch.manual_seed(0)
    for size in ((4, 4), (1, 3), (1, 1)):
        x = torch.randn(1, 2, *size, dtype=torch.float64)
        places = torch.linspace(-2, 2, 17, dtype=torch.float64)  # eighths: pixels and edges
        grid = torch.stack(torch.meshgrid(places, places, indexing="xy"), -1).unsqueeze(0)
        modes = ("bilinear", padding, align_corners)
        expected = gradients(lambda x, g, m=modes: F.grid_sample(x, g, *m), x, grid)
        actual = gradients(lambda x, g, m=modes: sample(x, g, *m, deterministic=True), x, grid)
        for a, b in zip(actual, expected, strict=True):
            assert_same(a, b)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection", "circular"])
def test_gradcheck(mode, padding):
    x, grid = random(2, spread=0.6)
    x, grid = x.requires_grad_(), grid.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, g: sample(x, g, mode, padding, False, True), (x, grid)
    )


def test_runs_where_only_deterministic_functions_are_allowed():
    x, grid = random(2)
    x, grid = x.requires_grad_(), grid.requires_grad_()
    torch.use_deterministic_algorithms(True)
    try:
        sample(x, grid, deterministic=True).sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert x.grad.isfinite().all()
    assert grid.grad.isfinite().all()


def test_far_points_and_nan_read_no_pixel():
    x = torch.ones(1, 1, 3, 3)
    grid = torch.tensor([1e30, -1e30, 1e9, 0.0]).view(1, 1, 4, 1).expand(-1, -1, -1, 2)
    out = sample(x, grid, deterministic=True)
    assert out.flatten().tolist() == [0, 0, 0, 1]
    nan = sample(x, torch.full((1, 1, 1, 2), torch.nan), deterministic=True)
    assert nan.isnan().all()  # visible, and not memory of something else


def test_pixels_that_are_not_read_may_be_nan():
    x = torch.ones(1, 1, 1, 4)
    x[..., -1] = torch.nan
    grid = torch.tensor([[-0.75, 0.0], [-0.25, 0.0], [-5.0, 0.0]]).view(1, 1, 3, 2)
    assert sample(x, grid, deterministic=True).flatten().tolist() == [1, 1, 0]


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_circular_padding_goes_round(mode):
    """Equal to sampling from a row of three copies."""
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    grid = torch.rand(2, 5, 7, 2, dtype=torch.float64) * 2 - 1
    grid[..., 0] *= 1.9
    wide = grid.clone()
    wide[..., 0] /= 3
    actual = sample(x, grid, mode, "circular")
    assert_same(actual, sample(torch.cat([x, x, x], dim=-1), wide, mode, "border"))
    far = grid.clone()
    far[..., 0] += 8  # four times round
    assert_same(sample(x, far, mode, "circular"), actual)
