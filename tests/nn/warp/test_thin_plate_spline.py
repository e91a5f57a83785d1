"""Splines beside SciPy's, and what follows from the constant matrix."""

import copy
import pickle

import pytest
import torch
from scipy.interpolate import RBFInterpolator

from tests.nn.warp.families import assert_same, near_identity
from tgst.nn import warp as w


@pytest.mark.parametrize("points", [2, 3, 4, (3, 5)])
def test_equals_scipy(points):
    warp = w.ThinPlateSpline(points)
    theta = near_identity(warp, 1)
    sources = theta.view(-1, 2)
    spline = RBFInterpolator(warp.targets, sources, kernel="thin_plate_spline", degree=1)
    places = torch.rand(20, 2, dtype=torch.float64) * 3 - 1.5
    assert_same(warp.transform(theta, places)[0], torch.from_numpy(spline(places)), 1e-9)
    assert_same(warp.transform(theta, warp.targets)[0], sources, 1e-9)


def test_order_of_the_lattice():
    assert w.ThinPlateSpline((2, 3)).identity().tolist() == [
        *(-1, -1, 0, -1, 1, -1),
        *(-1, 1, 0, 1, 1, 1),
    ]


def test_affine_images_of_the_lattice_are_affine():
    warp = w.ThinPlateSpline(3)
    matrix = near_identity(w.Affine(), spread=0.5)
    theta = w.Affine().transform(matrix, warp.targets)
    assert_same(warp.grid(theta, (6, 7)), w.Affine().grid(matrix, (6, 7)), 1e-11)


def test_compose_and_inverse_are_exact_at_the_lattice_points():
    warp = w.ThinPlateSpline()
    first, second = near_identity(warp, spread=0.04), near_identity(warp, spread=0.04, seed=1)
    whole = warp.compose(first, second)
    assert whole.shape == first.shape
    expected = warp.transform(first, warp.transform(second, warp.targets))
    assert_same(warp.transform(whole, warp.targets), expected)
    back = warp.inverse(first)
    lattice = warp.targets.expand(3, -1, -1)
    assert_same(warp.transform(first, warp.transform(back, warp.targets)), lattice, 1e-10)
    # In between it is near: the error is of second order in the bend.
    places = torch.rand(50, 2, dtype=torch.float64) * 2 - 1
    miss = warp.transform(first, warp.transform(back, places)) - places
    moved = warp.transform(first, places) - places
    assert miss.abs().max() < 0.3 * moved.abs().max()


def test_gradients_of_compose_and_inverse():
    warp = w.ThinPlateSpline(2)
    theta = near_identity(warp, 2, 0.05).requires_grad_()
    other = near_identity(warp, 2, 0.05, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(warp.compose, (theta, other))
    assert torch.autograd.gradcheck(warp.inverse, (theta,))
    larger = w.ThinPlateSpline(3)
    theta = near_identity(larger, 1, 0.05).requires_grad_()
    assert torch.autograd.gradcheck(larger.inverse, (theta,))


def test_with_a_bound_compositions_are_points():
    warp = w.ThinPlateSpline(3, bound=0.1)
    theta = near_identity(warp, spread=0.05)
    both = warp.compose(warp.inverse(theta), theta)
    assert both.shape == (3, 9, 2)
    free = w.ThinPlateSpline(3)
    sources = warp.transform(theta, warp.targets)
    assert_same(both, free.compose(free.inverse(sources), sources).view(3, 9, 2), 1e-9)
    assert_same(warp.grid(both, (4, 4)), free.grid(both, (4, 4)), 0.0)  # taken as they are


def test_tiles():
    warp = w.ThinPlateSpline(3)
    tiles = warp.tiles(4)
    assert tiles.shape == (4, 18)
    assert_same(warp.corners(tiles), w.Affine().corners(w.Affine().tiles(4)), 1e-6)


def test_one_matrix_per_size_which_follows_the_dtype():
    warp = w.ThinPlateSpline()
    theta = near_identity(warp, dtype=torch.float32)
    single = warp.grid(theta, (6, 7))
    assert len(warp._matrices) == 1
    assert warp.grid(theta, (6, 7)).equal(single)
    assert len(warp._matrices) == 1
    double = warp.grid(theta.double(), (6, 7))
    assert double.dtype == torch.float64
    assert_same(double.float(), single, 1e-6)
    assert len(warp._matrices) == 2
    aligned = warp.grid(theta, (6, 7), align_corners=True)
    assert (aligned - single).abs().max() > 0.05
    for n in range(2, 30):
        warp.grid(theta, (n, 3))
    assert len(warp._matrices) == 8  # and no more
    assert_same(warp.grid(theta, (6, 7)), single, 0.0)
    warp.double()
    assert not warp._matrices


def test_matrices_are_neither_copied_nor_stored():
    warp = w.ThinPlateSpline()
    theta = near_identity(warp)
    expected = warp.grid(theta, (64, 64))
    data = pickle.dumps(warp)
    assert len(data) < 20_000
    for other in (pickle.loads(data), copy.deepcopy(warp)):
        assert not other._matrices
        assert_same(other.grid(theta, (64, 64)), expected, 0.0)
    assert warp._matrices


def test_a_first_call_in_inference_mode_does_no_harm():
    warp = w.ThinPlateSpline()
    theta = near_identity(warp)
    with torch.inference_mode():
        warp.grid(theta, (4, 5))
    theta.requires_grad_()
    warp.grid(theta, (4, 5)).sum().backward()
    assert theta.grad.abs().max() > 0


def test_inside_function_transforms_and_fake_tensors():
    warp = w.ThinPlateSpline()
    theta = near_identity(warp)
    expected = warp.grid(theta, (4, 5))
    mapped = torch.func.vmap(lambda t: warp.grid(t.unsqueeze(0), (4, 5))[0])(theta)
    assert_same(mapped, expected)
    assert len(warp._matrices) == 1
    jacobian = torch.func.jacrev(lambda t: warp.grid(t, (2, 2)))(theta[:1])
    assert jacobian.shape == (1, 2, 2, 2, 1, 32)
    fake = torch._subclasses.FakeTensorMode(allow_non_fake_inputs=True)
    with fake:
        assert warp.grid(fake.from_tensor(theta), (9, 9)).shape == (3, 9, 9, 2)
    assert type(warp.grid(theta, (9, 9))) is torch.Tensor


def test_a_batch_of_none():
    for warp in (w.ThinPlateSpline(3), w.ThinPlateSpline(3, bound=0.2)):
        theta = torch.zeros(0, 18)
        assert warp.grid(theta, (4, 5)).shape == (0, 4, 5, 2)
        assert warp.compose(theta, warp.inverse(theta)).size(0) == 0


@pytest.mark.parametrize("points", [1, (1, 4), 0])
def test_bad_lattices(points):
    with pytest.raises(ValueError, match="points: expected at least 2 per side, got"):
        w.ThinPlateSpline(points)


def test_repr():
    assert repr(w.ThinPlateSpline()) == "ThinPlateSpline(points=(4, 4))"
    assert repr(w.ThinPlateSpline(3, 0.2)) == "ThinPlateSpline(points=(3, 3), bound=0.2)"
