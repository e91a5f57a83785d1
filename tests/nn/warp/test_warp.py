"""What all families have in common: identity, sizes, coordinates, options, errors."""

import copy
import pickle

import pytest
import torch
import torch.nn.functional as F

from tests.nn.warp.families import FAMILIES, assert_same, image, near_identity
from tgst.nn import warp as w

FLAT_SIZES = [(1, 1), (1, 6), (5, 1), (2, 3), (28, 28), (41, 37)]


@pytest.fixture(params=FAMILIES)
def warp(request):
    return FAMILIES[request.param]()


@pytest.mark.parametrize("align_corners", [False, True])
def test_identity(warp, align_corners):
    for size in FLAT_SIZES:
        size = size if warp.dim == 2 else (3, *size)
        x = image(warp, size, dtype=torch.float32).clamp(-1, 1)
        theta = warp.identity().expand(3, -1)
        grid = warp.grid(theta, size, align_corners)
        assert_same(w.sample(x, grid, align_corners=align_corners), x, 1e-5)


@pytest.mark.filterwarnings("ignore:.*unit-size grids")
@pytest.mark.parametrize("align_corners", [False, True])
def test_identity_of_another_size_reads_the_lattice(warp, align_corners):
    plain = torch.eye(warp.dim, warp.dim + 1).expand(1, -1, -1)
    for size in FLAT_SIZES:
        size = size if warp.dim == 2 else (2, *size)
        expected = F.affine_grid(plain, [1, 1, *size], align_corners)
        assert_same(warp.grid(warp.identity().expand(1, -1), size, align_corners), expected, 1e-6)


def test_gradcheck(warp):
    theta = near_identity(warp, 2).requires_grad_()
    size = (3, 4)[-warp.dim :] if warp.dim == 2 else (2, 3, 2)
    assert torch.autograd.gradcheck(lambda t: warp.grid(t, size), (theta,))
    assert torch.autograd.gradgradcheck(lambda t: warp.grid(t, size), (theta,))
    points = torch.rand(2, 5, warp.dim, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(warp.transform, (theta, points))


def test_gradcheck_through_the_sampler(warp):
    size = (4, 5) if warp.dim == 2 else (3, 2, 4)
    theta = near_identity(warp, 2, 0.05, seed=3).requires_grad_()
    x = image(warp, size, rows=2).requires_grad_()
    layer = w.Resample(warp, (3, 4) if warp.dim == 2 else (2, 3, 2), padding="border")
    assert torch.autograd.gradcheck(layer, (x, theta))


def test_grid_is_the_map_of_the_lattice(warp):
    theta, size = near_identity(warp), (3, 5) if warp.dim == 2 else (2, 3, 4)
    for align_corners in (False, True):
        points = w.target_points(size, align_corners, dtype=torch.float64)
        expected = warp.transform(theta, points).view(3, *size, warp.dim)
        assert_same(warp.grid(theta, size, align_corners), expected)
        assert_same(warp(theta, size, align_corners), expected)
    each = torch.stack([warp.transform(theta[i : i + 1], points)[0] for i in range(3)])
    assert_same(warp.transform(theta, points.expand(3, -1, -1)), each)


def test_corners_are_where_the_outer_edges_read(warp):
    theta = near_identity(warp)
    corners = warp.corners(theta)
    size = (2, 2) if warp.dim == 2 else (2, 2, 2)
    grid = warp.grid(theta, size, align_corners=True)  # whose points are the corners
    if warp.dim == 2:
        expected = torch.stack([grid[:, 0, 0], grid[:, 0, 1], grid[:, 1, 1], grid[:, 1, 0]], 1)
    else:
        faces = [grid[:, z, y, x] for z in (0, 1) for y, x in ((0, 0), (0, 1), (1, 1), (1, 0))]
        expected = torch.stack(faces, 1)
    assert_same(corners, expected)


def test_oversampled_points_average_to_the_pixel(warp):
    theta = near_identity(warp)
    if isinstance(warp, (w.Projective, w.ThinPlateSpline)):
        theta = warp.identity(torch.float64).expand(3, -1)  # not linear otherwise
    size = (3, 5) if warp.dim == 2 else (2, 3, 4)
    for align_corners in (False, True):
        factors = (3, 2, 4)[-warp.dim :]
        fine = warp.grid(theta, size, align_corners, oversample=factors)
        assert fine.shape[1:-1] == tuple(n * k for n, k in zip(size, factors, strict=True))
        for d, k in enumerate(factors):
            fine = fine.unflatten(1 + d, (-1, k)).mean(2 + d)
        assert_same(fine, warp.grid(theta, size, align_corners))


def test_half_precision_and_autocast_are_computed_in_float32(warp):
    size = (5, 6) if warp.dim == 2 else (3, 4, 5)
    for dtype in (torch.bfloat16, torch.float16):
        theta = near_identity(warp, dtype=dtype)
        assert warp.grid(theta, size).dtype == torch.float32
        assert_same(warp.grid(theta, size), warp.grid(theta.float(), size), 0.0)
    theta = near_identity(warp, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        assert (theta @ theta.T).dtype == torch.bfloat16  # or nothing would be tested
        inside = warp.grid(theta, size), warp.transform(theta, torch.ones(3, warp.dim))
        both = warp.compose(theta, warp.inverse(theta))
    assert_same(inside[0], warp.grid(theta, size), 0.0)
    assert_same(inside[1], warp.transform(theta, torch.ones(3, warp.dim)), 0.0)
    assert_same(both, warp.compose(theta, warp.inverse(theta)), 0.0)


def test_round_trips_and_dtypes(warp):
    theta, size = near_identity(warp), (5, 6) if warp.dim == 2 else (3, 4, 5)
    expected = warp.grid(theta, size)
    assert not list(warp.parameters())
    assert not warp.state_dict()
    rounded = copy.deepcopy(warp).half().float().double()
    for other in (pickle.loads(pickle.dumps(warp)), copy.deepcopy(warp), rounded):
        assert_same(other.grid(theta, size), expected, 0.0)


def test_moves_to_another_device_and_back(warp):
    theta, size = near_identity(warp), (5, 6) if warp.dim == 2 else (3, 4, 5)
    expected = warp.grid(theta, size)
    warp.to("meta")
    grid = warp.grid(theta.to("meta"), size)
    assert grid.device.type == "meta"
    assert grid.shape == expected.shape
    warp.to_empty(device="cpu")
    assert_same(warp.grid(theta, size), expected, 0.0)


@pytest.mark.parametrize("align_corners", [False, True])
def test_to_pixels(align_corners):
    size = (5, 8)
    points = w.target_points(size, align_corners, dtype=torch.float64)
    pixels = w.Affine.to_pixels(points, size, align_corners)
    rows, columns = torch.meshgrid(torch.arange(5.0), torch.arange(8.0), indexing="ij")
    assert_same(pixels, torch.stack([columns, rows], -1).view(-1, 2).double())
    corner = w.to_pixels(torch.tensor([[-1.0, 1.0]]), size, align_corners)
    assert corner.tolist() == [[0, 4] if align_corners else [-0.5, 4.5]]
    with pytest.raises(ValueError, match=r"points: expected \[\*, 3\] for size .* got \[40, 2\]"):
        w.to_pixels(points, (2, 5, 8))


def test_bound_keeps_parameters_near_the_identity():
    bound = [0.5, 0.5, 0.2, 0.5, 0.5, 0.3]
    warp = w.Affine(bound=bound)
    far = warp.matrix(torch.full((1, 6), 100.0)).flatten()
    assert_same(far - torch.tensor([1.0, 0, 0, 0, 1, 0]), torch.tensor(bound), 1e-6)
    theta = near_identity(warp, spread=0.3)
    moved = theta - warp.identity(torch.float64)
    wide = torch.tensor(bound, dtype=torch.float64)
    expected = warp.identity(torch.float64) + wide * torch.tanh(moved / wide)
    assert_same(warp.matrix(theta).flatten(1), expected)
    spline = w.ThinPlateSpline(bound=0.1)
    reads = spline.transform(torch.full((1, 32), -9.0), spline.targets)[0]
    assert_same(reads, spline.targets.float() - 0.1, 1e-5)


@pytest.mark.parametrize(
    "family",
    [
        w.Affine,
        w.Projective,
        w.ThinPlateSpline,
        lambda bound=None: w.Attention(log_scale=True, bound=bound),
        lambda bound=None: w.Translation(bound=bound),
    ],
)
def test_tiles_are_where_they_are_without_a_bound(family):
    bounded, free = family(bound=1.2), family()
    corners = bounded.corners(bounded.tiles(4))
    assert_same(corners, free.corners(free.tiles(4)), 1e-5)
    with pytest.raises(
        ValueError, match=r"bound: expected one that lets .* tile the image, got 0.4"
    ):
        family(bound=0.4).tiles(4)


@pytest.mark.parametrize("bound", [0, -1.0, [0.1, 0.2], float("nan"), float("inf")])
def test_bad_bounds(bound):
    with pytest.raises(
        ValueError, match="bound: expected a finite positive number or 3 of them, got"
    ):
        w.Attention(bound=bound)


def test_theta_of_another_shape(warp):
    size = (5, 6) if warp.dim == 2 else (3, 4, 5)
    name = type(warp).__name__
    for shape in ([3, warp.num_params + 1], [3], [3, 2, 4], [3, 4, 4], [3, 3, 2]):
        with pytest.raises(
            ValueError, match=rf"theta: expected \[B, {warp.num_params}\] or .*for "
        ):
            warp.grid(torch.zeros(shape), size)
        with pytest.raises(ValueError, match=rf"{name}.*, got \[{', '.join(map(str, shape))}\]"):
            warp.transform(torch.zeros(shape), torch.zeros(2, warp.dim))
    with pytest.raises(TypeError, match="theta: expected a Tensor, got list"):
        warp.grid([1.0], size)


def test_forms_in_the_message():
    with pytest.raises(
        ValueError, match=r"\[B, 6\] or \[B, 2, 3\] for Affine\(\), got \[1, 3, 3\]"
    ):
        w.Affine().grid(torch.zeros(1, 3, 3), (2, 2))
    with pytest.raises(ValueError, match=r"\[B, 8\] or \[B, 3, 3\] for Projective\(\), got \[1, 2"):
        w.Projective().grid(torch.zeros(1, 2, 3), (2, 2))
    with pytest.raises(ValueError, match=r"\[B, 32\] or \[B, 16, 2\] for ThinPlateSpline\(points="):
        w.ThinPlateSpline().grid(torch.zeros(1, 18), (2, 2))


@pytest.mark.parametrize("size", [(0, 4), (4,), (4, 4, 4, 4), (-1, 2), (), 4, (4.0, 4.0, 4.0)])
def test_empty_and_wrong_sizes(warp, size):
    names = r"2 sizes \(height, width\)" if warp.dim == 2 else r"3 sizes \(depth, height, width\)"
    with pytest.raises(ValueError, match=f"size: expected {names}, each at least 1, got"):
        warp.grid(near_identity(warp), size)


def test_points_of_another_shape(warp):
    for shape in ((5,), (5, warp.dim + 1), (1, 2, 5, warp.dim)):
        with pytest.raises(ValueError, match=rf"points: expected \[N, {warp.dim}\] or \[B, N, "):
            warp.transform(near_identity(warp), torch.zeros(shape))


def test_unfinished_family():
    bare = w.Warp([0.0])
    for call in (
        lambda: bare.grid(torch.zeros(1, 1), (2, 2)),
        lambda: bare.compose(torch.zeros(1, 1), torch.zeros(1, 1)),
        lambda: bare.inverse(torch.zeros(1, 1)),
        lambda: bare.tiles(2),
    ):
        with pytest.raises(NotImplementedError):
            call()
