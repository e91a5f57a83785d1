"""The sampler alone: precision, modes, errors; its values are in the golden files."""

import pytest
import torch
import torch.nn.functional as F

from tests.nn.warp.families import assert_same
from tgst.nn import warp as w
from tgst.nn.warp import sample


def random(*size, rows=2, channels=3, dtype=torch.float32):
    torch.manual_seed(0)
    x = torch.rand(rows, channels, *size, dtype=dtype)
    return x, torch.rand(rows, *(n + 1 for n in size), len(size), dtype=dtype) * 2.4 - 1.2


def by_formula(x, grid):
    """Sum over all pixels of value times kernels, with aligned corners and zeros outside."""
    out = torch.zeros(x.size(0), x.size(1), *grid.shape[1:-1], dtype=x.dtype)
    for place in torch.cartesian_prod(*(torch.arange(n) for n in x.shape[2:])).tolist():
        weight = 1
        for d, (p, n) in enumerate(zip(place[::-1], x.shape[:1:-1], strict=True)):
            pixel = (grid[..., d] + 1) * (n - 1) / 2
            weight = weight * (1 - (pixel - p).abs()).clamp(min=0)
        out += weight.unsqueeze(1) * x[(..., *place)].view(*x.shape[:2], *[1] * len(place))
    return out


@pytest.mark.parametrize("size", [(4, 5), (3, 2, 4)])
@pytest.mark.parametrize("deterministic", [False, True])
def test_formula_of_the_paper(size, deterministic):
    x, grid = random(*size, dtype=torch.float64)
    out = sample(x, grid, align_corners=True, deterministic=deterministic)
    assert_same(out, by_formula(x, grid))


def test_modes_reach_grid_sample():
    x, grid = random(6, 5)
    for mode in ("bilinear", "nearest", "bicubic"):
        for padding in ("zeros", "border", "reflection"):
            for align_corners in (False, True):
                modes = (mode, padding, align_corners)
                assert_same(sample(x, grid, *modes), F.grid_sample(x, grid, *modes), 0.0)


def test_nearest_gives_the_grid_no_gradient():
    x, grid = random(6, 5)
    for deterministic in (False, True):
        places = grid.clone().requires_grad_()
        pixels = x.clone().requires_grad_()
        sample(pixels, places, "nearest", deterministic=deterministic).sum().backward()
        assert places.grad is None or not places.grad.any()
        assert pixels.grad.sum() > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [(181, 181), (182, 182), (2, 16384)])
def test_half_precision_of_large_images(dtype, size):
    """Above 32,767 pixels torch's kernel on the CPU reads out of bounds."""
    x, _ = random(*size, rows=1, channels=1, dtype=dtype)
    grid = w.Affine().grid(torch.tensor([[0.9, 0.1, 0.0, -0.1, 0.9, 0.05]], dtype=dtype), size)
    out = sample(x, grid.to(dtype))
    assert out.dtype == dtype
    assert_same(out, sample(x.float(), grid.to(dtype).float()).to(dtype), 0.0)
    assert_same(sample(x, grid), F.grid_sample(x.float(), grid, align_corners=False).to(dtype), 0.0)


def test_autocast_does_not_reach_the_sampler():
    x, grid = random(6, 5)
    for deterministic in (False, True):
        expected = sample(x, grid, deterministic=deterministic)
        with torch.autocast("cpu", torch.bfloat16):
            assert_same(sample(x, grid, deterministic=deterministic), expected, 0.0)


def test_dtype_follows_the_image():
    x, grid = random(6, 5)
    assert sample(x.double(), grid).dtype == torch.float64
    assert sample(x, grid.double()).dtype == torch.float32
    assert_same(sample(x, grid.double()), sample(x, grid), 0.0)


def test_second_derivatives():
    torch.manual_seed(0)
    x, grid = random(3, 4, rows=1, channels=1, dtype=torch.float64)
    x, grid = x.requires_grad_(), (0.7 * grid).requires_grad_()
    for deterministic in (False, True):
        assert torch.autograd.gradgradcheck(
            lambda x, g, d=deterministic: sample(x, g, padding="border", deterministic=d), (x, grid)
        )


def test_a_batch_without_samples():
    x, grid = random(6, 5)
    for deterministic in (False, True):
        out = sample(x[:0], grid[:0], deterministic=deterministic)
        assert out.shape == (0, 3, 7, 6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling": "linear"}, r"sampling: expected one of \('bilinear', .* got 'linear'"),
        ({"padding": "mirror"}, r"padding: expected one of \('zeros', .* got 'mirror'"),
        ({"deterministic": "yes"}, "deterministic: expected 'auto' or a bool, got 'yes'"),
    ],
)
def test_unknown_modes(options, message):
    with pytest.raises(ValueError, match=message):
        sample(*random(4, 4), **options)


def test_shapes_that_do_not_fit():
    x, grid = random(4, 5)
    layouts = r"x: expected \[B, C, H, W\] or \[B, C, D, H, W\] \(channels first\), got shape"
    for wrong in (x[0], x[None, None]):
        with pytest.raises(ValueError, match=layouts):
            sample(wrong, grid)
    for wrong in (grid[:1], grid[..., :1], grid[0], grid.unsqueeze(1)):
        with pytest.raises(ValueError, match=r"grid: expected \[2, H', W', 2\] for x \[B, C, H, W"):
            sample(x, wrong)
    with pytest.raises(ValueError, match="grid: expected at least one point"):
        sample(x, grid[:, :0])
    with pytest.raises(ValueError, match=r"x: expected \[B, C, H, W\] with at least one pixel"):
        sample(x[..., :0], grid)
    with pytest.raises(TypeError, match=r"x: expected a float tensor, got torch.uint8"):
        sample(x.byte(), grid)
    with pytest.raises(TypeError, match="x: expected a Tensor, got list"):
        sample([0.0], grid)
    x, grid = random(2, 3, 4)
    with pytest.raises(ValueError, match=r"grid: expected \[2, D', H', W', 3\] for x \[B, C, D, H"):
        sample(x, grid[..., :2])
    with pytest.raises(ValueError, match=r"sampling: 'bicubic' is for \[B, C, H, W\], got shape"):
        sample(x, grid, "bicubic")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_deterministic_on_cuda():
    x, grid = (v.cuda().requires_grad_() for v in random(64, 64, rows=4))
    expected = torch.autograd.grad(sample(x, grid).square().sum(), (x, grid))
    torch.use_deterministic_algorithms(True)
    try:
        runs = [torch.autograd.grad(sample(x, grid).square().sum(), (x, grid)) for _ in range(3)]
    finally:
        torch.use_deterministic_algorithms(False)
    for run in runs:
        assert all(torch.equal(a, b) for a, b in zip(run, runs[0], strict=True))
        for a, b in zip(run, expected, strict=True):
            assert_same(a, b, 1e-3)


def test_auto_takes_the_gathering_sampler_where_torch_would_raise(monkeypatch):
    from tgst.nn.warp import sampler

    calls = []
    monkeypatch.setattr(sampler, "gather_sample", lambda *a: calls.append(a) or a[0])
    x, grid = random(4, 5)
    for device in ("cpu", "meta"):
        sample(x.to(device), grid.to(device).clone().requires_grad_())  # torch is not told to
    monkeypatch.setattr(torch, "are_deterministic_algorithms_enabled", lambda: True)
    sample(x, grid.clone().requires_grad_())  # deterministic on the CPU
    assert not calls
    x, grid = x.to("meta"), grid.to("meta")
    sample(x, grid)  # nothing to be summed
    assert not calls
    sample(x, grid.requires_grad_())
    assert len(calls) == 1
    with torch.no_grad():
        sample(x, grid)
    assert len(calls) == 1
