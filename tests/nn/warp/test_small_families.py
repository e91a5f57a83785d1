"""The matrices of the families, written out."""

import math

import pytest
import torch
import torch.nn.functional as F

from tests.nn.warp.families import assert_same, near_identity
from tgst.nn import warp as w

COSINE, SINE = math.cos(0.3), math.sin(0.3)


@pytest.mark.parametrize(
    ("warp", "theta", "matrix"),
    [
        (w.Translation(), [5, 6], [[1, 0, 5], [0, 1, 6]]),
        (w.Attention(), [2, 5, 6], [[2, 0, 5], [0, 2, 6]]),
        (w.Attention(scale=0.5), [5, 6], [[0.5, 0, 5], [0, 0.5, 6]]),
        (w.Attention(log_scale=True), [math.log(3), 5, 6], [[3, 0, 5], [0, 3, 6]]),
        (w.ScaleTranslation(), [2, 3, 5, 6], [[2, 0, 5], [0, 3, 6]]),
        (
            w.ScaleTranslation(log_scale=True),
            [math.log(2), math.log(3), 5, 6],
            [[2, 0, 5], [0, 3, 6]],
        ),
        (
            w.Similarity(),
            [0.3, 2, 5, 6],
            [[2 * COSINE, -2 * SINE, 5], [2 * SINE, 2 * COSINE, 6]],
        ),
        (
            w.Similarity(log_scale=True),
            [0.3, math.log(2), 5, 6],
            [[2 * COSINE, -2 * SINE, 5], [2 * SINE, 2 * COSINE, 6]],
        ),
        (w.Affine(), [1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]]),
        (w.Projective(), [1, 2, 3, 4, 5, 6, 7, 8], [[1, 2, 3], [4, 5, 6], [7, 8, 1]]),
        (w.Affine3d(), [*range(12)], [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]),
    ],
)
def test_matrix(warp, theta, matrix):
    theta = torch.tensor([theta], dtype=torch.float64)
    assert warp.num_params == theta.size(1)
    assert_same(warp.matrix(theta)[0], torch.tensor(matrix, dtype=torch.float64))


@pytest.mark.parametrize("align_corners", [False, True])
def test_affine_equals_torch(align_corners):
    for warp, size in ((w.Affine(), (5, 6)), (w.Affine3d(), (3, 4, 5))):
        theta = near_identity(warp, spread=1.0)
        expected = F.affine_grid(warp.matrix(theta), [3, 1, *size], align_corners)
        assert_same(warp.grid(theta, size, align_corners), expected)


def test_positive_angles_turn_the_box_clockwise_on_the_screen():
    corners = w.Similarity().corners(torch.tensor([[math.pi / 2, 1.0, 0.0, 0.0]]))[0]
    left_top = torch.tensor([1.0, -1.0])  # is where right top was
    assert_same(corners[0], left_top, 1e-6)


def test_small_scales_enlarge():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    out = w.Resample(w.Attention(scale=0.5), 2)(x, torch.tensor([[0.5, -0.5]]))
    assert out[0, 0].tolist() == [[2, 3], [6, 7]]


def test_scales_of_their_own():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    out = w.Resample(w.ScaleTranslation(), (4, 2))(x, torch.tensor([[-0.5, -1.0, 0.5, 0.0]]))
    assert out[0, 0].tolist() == [[15, 14], [11, 10], [7, 6], [3, 2]]  # both scales mirror


def test_translation_reads_from_where_it_points():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    out = w.Resample(w.Translation())(x, torch.tensor([[0.5, -1.0]]))[0, 0]
    assert out[2:, :3].tolist() == [[1, 2, 3], [5, 6, 7]]
    assert not out[:2].any()
    assert not out[:, 3].any()


def test_depth_is_the_last_coordinate():
    x = torch.arange(8.0).view(1, 1, 8, 1, 1)
    theta = w.Affine3d().identity().clone()
    theta[-1] = 2 / 8  # one slice deeper
    out = w.Resample(w.Affine3d())(x, theta.unsqueeze(0)).flatten()
    assert out.tolist() == [1, 2, 3, 4, 5, 6, 7, 0]
