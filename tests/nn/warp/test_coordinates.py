import pytest
import torch
import torch.nn.functional as F

from tests.nn.warp.families import assert_same
from tgst.nn.warp import target_points


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("size", [(3, 5), (2, 3, 4)])
def test_equals_affine_grid_of_the_identity(size, align_corners):
    plain = torch.eye(len(size), len(size) + 1, dtype=torch.float64).unsqueeze(0)
    expected = F.affine_grid(plain, [1, 1, *size], align_corners).view(-1, len(size))
    assert_same(target_points(size, align_corners, dtype=torch.float64), expected)


def test_order_is_x_first_and_rows_one_after_the_other():
    points = target_points((2, 3), align_corners=True)
    assert points.tolist() == [[-1, -1], [0, -1], [1, -1], [-1, 1], [0, 1], [1, 1]]


def test_single_pixels_are_in_the_middle():
    assert target_points((1, 1), align_corners=True).tolist() == [[0, 0]]
    assert target_points((1, 1), align_corners=False).tolist() == [[0, 0]]


def test_oversampling():
    plain = target_points((4, 6), dtype=torch.float64)
    assert_same(target_points((2, 3), oversample=(2, 2), dtype=torch.float64), plain)
    aligned = target_points((1, 3), True, (1, 2), dtype=torch.float64)[:, 0]
    assert_same(aligned, torch.tensor([-1.25, -0.75, -0.25, 0.25, 0.75, 1.25]).double())
