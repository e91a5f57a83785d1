import pytest
import torch

from tests.nn.warp.families import assert_same, image, near_identity
from tests.nn.warp.test_spatial_transformer import Predict
from tgst.nn import SpatialTransformer
from tgst.nn import warp as w
from tgst.nn.warp import SerialTransformers


def series(*warps, spread=0.05, **options):
    """Transformers that predict constants, which are returned too."""
    thetas = [near_identity(warp, spread=spread, seed=i) for i, warp in enumerate(warps)]
    layers = [
        SpatialTransformer(Predict(theta), warp, initialize=False, **options)
        for warp, theta in zip(warps, thetas, strict=True)
    ]
    return SerialTransformers(layers), thetas


def ramp(size):
    """Two channels that hold the coordinates x and y: bilinear sampling of them is exact."""
    places = w.target_points(size, dtype=torch.float64).view(*size, 2)
    return places.permute(2, 0, 1).expand(3, -1, -1, -1)


def inner(out):
    return out[:, :, 4:-4, 4:-4]


@pytest.mark.parametrize(
    "warps",
    [
        (w.Affine(), w.Similarity(), w.Translation()),
        (w.Affine(), w.Projective()),
        (w.Projective(bound=0.3), w.Attention(log_scale=True)),
    ],
)
def test_composed_matrix(warps):
    model, thetas = series(*warps)
    # Of coordinates the output is the composed map itself.
    out, matrix = model(ramp((20, 24)), return_transform=True)
    projective = any(isinstance(warp, w.Projective) for warp in warps)
    assert matrix.shape == (3, 3 if projective else 2, 3)
    family = w.Projective() if projective else w.Affine()
    grid = family.grid(matrix, (20, 24)).permute(0, 3, 1, 2)
    tolerance = 1e-2 if projective else 1e-10  # a projective map is not linear between pixels
    assert_same(inner(out), inner(grid), tolerance)
    points = torch.rand(5, 2, dtype=torch.float64) * 2 - 1
    expected = points
    for warp, theta in zip(warps[::-1], thetas[::-1], strict=True):
        expected = warp.transform(theta, expected)
    assert_same(family.transform(matrix, points), expected)


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("align_corners", [False, True])
def test_composed_grid_of_splines(order, align_corners):
    warps = (w.ThinPlateSpline(), w.Affine(), w.ThinPlateSpline(3, bound=0.2))[::order]
    model, thetas = series(*warps, spread=0.02, output_size=(7, 9), align_corners=align_corners)
    out, grid = model(image(w.Affine(), (8, 6)), return_transform=True)
    assert out.shape == (3, 2, 7, 9)
    assert grid.shape == (3, 7, 9, 2)
    points = w.target_points((7, 9), align_corners, dtype=torch.float64)
    expected = points
    for warp, theta in zip(warps[::-1], thetas[::-1], strict=True):
        expected = warp.transform(theta, expected)
    assert_same(grid.flatten(1, 2), expected)


def test_output_is_one_after_the_other():
    model, thetas = series(w.Affine(), w.ThinPlateSpline())
    x = image(w.Affine(), (7, 9))
    first = w.Resample(w.Affine())(x, thetas[0])
    assert_same(model(x), w.Resample(w.ThinPlateSpline())(first, thetas[1]), 0.0)
    single, (theta,) = series(w.Affine())
    out, matrix = single(x, return_transform=True)
    assert_same(matrix.flatten(1), theta)
    assert_same(out, w.Resample()(x, theta), 0.0)


def test_layers_in_between():
    model, thetas = series(w.Affine(), w.Affine())
    torch.manual_seed(0)
    convs = [torch.nn.Conv2d(2, 3, 3, padding=1), torch.nn.Conv2d(3, 1, 3, padding=1)]
    between = SerialTransformers(list(model.transformers), convs).double()
    x = image(w.Affine(), (7, 9))
    out, matrix = between(x, return_transform=True)
    hidden = convs[0](w.Resample()(x, thetas[0]))
    assert_same(out, convs[1](w.Resample()(hidden, thetas[1])))
    assert_same(matrix, model(x, return_transform=True)[1], 0.0)
    before = convs[0].weight.clone()
    between.reset_parameters()
    assert not torch.equal(convs[0].weight, before)


def test_volumes():
    model, _ = series(w.Affine3d(), w.Affine3d())
    _, matrix = model(image(w.Affine3d(), (3, 4, 5)), return_transform=True)
    assert matrix.shape == (3, 3, 4)


def test_composed_transform_has_gradients():
    net = w.ConvLocalization(1, 6, 8, (2,), 3, 4)
    other = w.ConvLocalization(1, 32, 8, (2,), 3, 4)
    model = SerialTransformers(
        [SpatialTransformer(net), SpatialTransformer(other, w.ThinPlateSpline())]
    )
    _, grid = model(torch.rand(2, 1, 8, 8), return_transform=True)
    grid.square().sum().backward()
    assert net.out.weight.grad.abs().max() > 0
    assert other.out.weight.grad.abs().max() > 0


def test_autocast_does_not_round_the_composition():
    model, _ = series(w.Affine(), w.Affine(), w.ThinPlateSpline())
    x = image(w.Affine(), (7, 9))
    for part in (model, SerialTransformers(list(model.transformers)[:2])):
        _, expected = part(x, return_transform=True)
        with torch.autocast("cpu", torch.bfloat16):
            assert_same(part(x, return_transform=True)[1], expected, 0.0)


def test_arguments():
    flat, deep = series(w.Affine())[0], series(w.Affine3d())[0]
    with pytest.raises(ValueError, match="transformers: expected at least one, got none"):
        SerialTransformers([])
    with pytest.raises(ValueError, match=r"expected warps of one dimension, got \[2, 3\]"):
        SerialTransformers([*flat.transformers, *deep.transformers])
    with pytest.raises(TypeError, match="transformers: expected SpatialTransformers, got Identity"):
        SerialTransformers([torch.nn.Identity()])
    aligned = series(w.Affine(), align_corners=True)[0]
    with pytest.raises(ValueError, match="transformers: expected one align_corners of all, got bo"):
        SerialTransformers([*flat.transformers, *aligned.transformers])
    with pytest.raises(ValueError, match="layers: expected 1, got 2"):
        SerialTransformers(list(flat.transformers), [torch.nn.Identity(), torch.nn.Identity()])
