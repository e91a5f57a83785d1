"""Composition, inverse, tiles and options of families that are matrices."""

import pytest
import torch

from tests.nn.warp.families import FAMILIES, assert_same, near_identity
from tgst.nn import warp as w

NAMES = [name for name in FAMILIES if "tps" not in name]


@pytest.fixture(params=NAMES)
def warp(request):
    return FAMILIES[request.param]()


def points(warp):
    return torch.rand(7, warp.dim, dtype=torch.float64) * 2 - 1


def test_compose_applies_one_map_after_the_other(warp):
    torch.manual_seed(0)
    first, second = near_identity(warp), near_identity(warp, seed=1)
    whole, lattice = warp.compose(first, second), points(warp)
    expected = warp.transform(first, warp.transform(second, lattice))
    assert_same(warp.transform(whole, lattice), expected)
    other = warp.transform(warp.compose(second, first), lattice)
    if not isinstance(warp, w.Translation):
        assert (other - expected).abs().max() > 1e-3  # the order matters
    matrices = warp.compose(warp.matrix(first), second)
    assert matrices.dim() == 3
    assert_same(warp.transform(matrices, lattice), expected)


def test_inverse_undoes(warp):
    torch.manual_seed(0)
    theta, lattice = near_identity(warp), points(warp)
    back = warp.inverse(theta)
    assert_same(warp.transform(back, warp.transform(theta, lattice)), lattice.expand(3, -1, -1))
    assert_same(
        warp.transform(warp.inverse(warp.matrix(theta)), lattice), warp.transform(back, lattice)
    )
    nothing = warp.compose(theta, back)
    if warp.closed:
        assert_same(nothing, warp.identity(torch.float64).expand(3, -1))
    else:
        eye = torch.eye(*warp.matrix_shape, dtype=torch.float64)
        assert_same(nothing, eye.expand(3, -1, -1))


def test_parameters_of_a_matrix(warp):
    theta = near_identity(warp)
    if warp.bound is None:
        assert_same(warp.parameters_of(warp.matrix(theta)), theta)
    assert_same(warp.matrix(warp.matrix(theta)), warp.matrix(theta), 0.0)


def test_gradients_pass_through_compositions(warp):
    theta = near_identity(warp, 2).requires_grad_()
    other = near_identity(warp, 2, seed=1)
    assert torch.autograd.gradcheck(lambda t: warp.compose(t, other), (theta,))
    assert torch.autograd.gradcheck(warp.inverse, (theta,))


def test_singular_matrices_have_no_inverse():
    with pytest.raises(RuntimeError, match="singular"):
        w.Attention().inverse(torch.zeros(1, 3))


def test_fixed_numbers_leave_the_family():
    warp = w.Attention(scale=0.5)
    theta = torch.tensor([[0.25, -0.5]], dtype=torch.float64)
    assert warp.num_params == 2
    assert warp.names == ("x", "y")
    twice = warp.compose(theta, theta)
    expected = [[0.25, 0, 0.375], [0, 0.25, -0.75]]
    assert twice.tolist() == [expected]
    assert_same(warp.grid(twice, (3, 4)), w.Affine().grid(twice, (3, 4)), 0.0)
    assert warp.inverse(theta).tolist() == [[[2, 0, -0.5], [0, 2, 1]]]


@pytest.mark.parametrize(
    ("warp", "theta", "matrix"),
    [
        (w.Attention(fixed={"x": 0.5}), [2.0, 3.0], [[2, 0, 0.5], [0, 2, 3]]),
        (w.ScaleTranslation(fixed={"scale_x": 4.0}), [2.0, 3.0, 5.0], [[4, 0, 3], [0, 2, 5]]),
        (w.Similarity(fixed={"angle": 0.0}), [2.0, 3.0, 5.0], [[2, 0, 3], [0, 2, 5]]),
        (w.Translation(fixed={"y": -1.0}), [2.0], [[1, 0, 2], [0, 1, -1]]),
        (w.Affine(fixed={"a12": 0.0, "a21": 7.0}), [1.0, 2, 3, 4], [[1, 0, 2], [7, 3, 4]]),
        (
            w.Projective(fixed={"h31": 0.0, "h32": 0.25}),
            [1.0, 2, 3, 4, 5, 6],
            [[1, 2, 3], [4, 5, 6], [0, 0.25, 1]],
        ),
    ],
)
def test_fixed_numbers(warp, theta, matrix):
    assert warp.num_params == len(theta)
    assert warp.matrix(torch.tensor([theta])).tolist() == [matrix]
    assert not warp.closed


def test_log_scale_is_never_zero_or_negative():
    warp = w.ScaleTranslation(log_scale=True)
    matrix = warp.matrix(torch.tensor([[-3.0, 2.0, 0.5, 0.25]], dtype=torch.float64))
    assert_same(matrix[0, [0, 1], [0, 1]], torch.tensor([-3.0, 2.0], dtype=torch.float64).exp())
    assert warp.identity().tolist() == [0, 0, 0, 0]
    fixed = w.Similarity(log_scale=True, fixed={"scale": 0.5})  # a fixed scale is the scale
    assert_same(fixed.matrix(torch.zeros(1, 3))[0, 0, 0], torch.tensor(0.5))
    bounded = w.Attention(log_scale=True, bound=0.5)  # between 1 / sqrt(e) and sqrt(e)
    scale = bounded.matrix(torch.tensor([[-1e3, 0, 0], [1e3, 0, 0]]))[:, 0, 0]
    assert_same(scale, torch.tensor([-0.5, 0.5]).exp(), 1e-6)


def test_tiles_cover_the_image(warp):
    if warp.bound is not None or warp.dim == 3:
        return
    corners = warp.corners(warp.tiles(4))
    if isinstance(warp, w.Translation):
        assert corners.mean(1).tolist() == [[-0.5, -0.5], [0.5, -0.5], [-0.5, 0.5], [0.5, 0.5]]
        return
    lows, highs = corners.amin(1), corners.amax(1)
    expected = [[-1, -1], [0, -1], [-1, 0], [0, 0]]
    assert_same(lows, torch.tensor(expected, dtype=lows.dtype), 1e-6)
    assert_same(highs, lows + 1, 1e-6)


def test_tiles_by_number():
    assert w.Attention(scale=0.5).tiles(2).tolist() == [[-0.5, 0], [0.5, 0]]
    assert w.Translation().tiles(1).tolist() == [[0, 0]]
    assert_same(w.ScaleTranslation().tiles(3)[:, 2], torch.tensor([-2 / 3, 0, 2 / 3]), 1e-6)
    assert len({tuple(tile) for tile in w.Affine().tiles(7).tolist()}) == 7
    assert w.Affine3d().tiles(2)[1].tolist() == [0.5, 0, 0, 0.5, 0, 1, 0, 0, 0, 0, 1, 0]
    with pytest.raises(ValueError, match="count: expected at least 1, got 0"):
        w.Affine().tiles(0)


@pytest.mark.parametrize("fixed", [{"zoom": 1.0}, {"scale": 1.0, "x": 0.0, "y": 0.0}])
def test_bad_fixed(fixed):
    with pytest.raises(ValueError, match=r"fixed: expected some but not all of \['scale', 'x', "):
        w.Attention(fixed=fixed)


def test_repr():
    assert repr(w.Affine()) == "Affine()"
    warp = w.Attention(scale=0.5, bound=0.3)
    assert repr(warp) == "Attention(bound=0.3, fixed={'scale': 0.5})"
    assert repr(w.Similarity(log_scale=True)) == "Similarity(log_scale=True)"
