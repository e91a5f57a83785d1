"""Parity with plain float64 loops over the formulas of the paper, and with worked examples."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.nn.warp.families import assert_same
from tgst.nn import warp as w

FOLDER = Path(__file__).parents[2] / "golden" / "grid"
WARPS = {
    "affine": w.Affine,
    "scale_translate": w.ScaleTranslation,
    "attention": w.Attention,
    "projective": w.Projective,
    "tps16": w.ThinPlateSpline,
}
SIZES = [(7, 9), (5, 4), (11, 12)]
MODES = ("bilinear", "nearest", "bicubic")


def golden(name):
    arrays = np.load(FOLDER / f"stn_{name}.npz", allow_pickle=False)
    return {key: torch.from_numpy(arrays[key]) for key in arrays.files}


def thetas(name, arrays):
    """The parameters in every form in which they may be given."""
    forms = [arrays["theta"].flatten(1)]
    return [*forms, arrays["theta" if name == "tps16" else "matrix"]]


@pytest.mark.parametrize("name", WARPS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("align_corners", [False, True])
def test_grids_and_outputs(name, size, align_corners):
    arrays, warp = golden(name), WARPS[name]()
    tag = f"{size[0]}x{size[1]}_ac{int(align_corners)}"
    for theta in thetas(name, arrays):
        assert_same(warp.grid(theta, size, align_corners), arrays[f"grid_{tag}"], 1e-10)
    for mode in MODES:
        for padding in ("zeros", "border"):
            expected = arrays[f"out_{tag}_{mode}_{padding}"]
            for deterministic in (False, True):
                layer = w.Resample(
                    warp, size, mode, padding, align_corners, deterministic=deterministic
                )
                assert_same(layer(arrays["U"], theta), expected, 1e-10)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("deterministic", [False, True])
def test_gradients(align_corners, deterministic):
    arrays, tag = golden("affine"), f"5x4_ac{int(align_corners)}"
    x = arrays["U"].clone().requires_grad_()
    matrix = arrays["matrix"].clone().requires_grad_()
    grid = w.Affine().grid(matrix, (5, 4), align_corners)
    grid.retain_grad()
    out = w.sample(x, grid, align_corners=align_corners, deterministic=deterministic)
    out.backward(arrays[f"grad_out_{tag}"])
    assert_same(x.grad, arrays[f"grad_U_{tag}_bilinear_zeros"], 1e-10)
    assert_same(grid.grad, arrays[f"grad_grid_{tag}_bilinear_zeros"], 1e-10)
    assert_same(matrix.grad, arrays[f"grad_matrix_{tag}_bilinear_zeros"], 1e-10)


def test_spline_of_an_affine_image_of_the_lattice():
    arrays = golden("tps16")
    warp = w.ThinPlateSpline()
    assert_same(warp.targets, arrays["target_points"])
    spline = warp.grid(arrays["theta"], (6, 5))[-1]
    plain = w.Affine().grid(arrays["affine_of_last_sample"].unsqueeze(0), (6, 5))[0]
    assert_same(spline, plain, 1e-10)
    weights = warp.solution @ arrays["theta"]
    assert_same(weights, arrays["coefficients"], 1e-10)


@pytest.mark.parametrize("tag", ["row_shift", "rotate_scale"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_worked_examples(tag, align_corners):
    arrays = golden("worked_examples")
    x = arrays[f"{tag}.U"]
    theta = arrays[f"{tag}.theta_ac{int(align_corners)}"].unsqueeze(0)
    layer = w.Resample(w.Affine(), align_corners=align_corners)
    out = layer(x[None, None], theta)[0, 0]
    assert_same(out, arrays[f"{tag}.out"], 1e-10)
    # Every pixel of the input in turn, which gives the weights.
    pixels = torch.eye(x.numel(), dtype=torch.float64).view(-1, 1, *x.shape)
    weights = layer(pixels, theta.expand(x.numel(), -1, -1)).flatten(1).T
    assert_same(weights, arrays[f"{tag}.weight_matrix"], 1e-10)


def test_row_shift_moves_rows_by_one():
    arrays = golden("worked_examples")
    x = arrays["row_shift.U"]
    out = w.Resample()(x[None, None], arrays["row_shift.theta_ac0"].unsqueeze(0))[0, 0]
    assert_same(out[1:], x[:-1], 1e-10)
    assert_same(out[0], torch.zeros_like(x[0]), 1e-10)


def test_target_pixel_two_two():
    arrays = golden("worked_examples")
    for align_corners in (False, True):
        theta = arrays[f"rotate_scale.theta_ac{int(align_corners)}"].unsqueeze(0)
        grid = w.Affine().grid(theta, (5, 5), align_corners)
        source = w.to_pixels(grid[0, 2, 2], (5, 5), align_corners)
        assert_same(source, torch.tensor([1.6, 2.4], dtype=torch.float64), 1e-10)
        for row, column, weight in ((2, 1, 0.24), (2, 2, 0.36), (3, 1, 0.16), (3, 2, 0.24)):
            pixel = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
            pixel[..., row, column] = 1
            value = w.sample(pixel, grid, align_corners=align_corners)[0, 0, 2, 2]
            assert value.item() == pytest.approx(weight, abs=1e-10)
