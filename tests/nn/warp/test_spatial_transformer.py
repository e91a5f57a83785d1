"""The layer: start, transform on request, places in a network, aids, configuration, errors."""

import copy
import pickle
import warnings

import jsonargparse
import pytest
import torch

import tgst
from tests.nn.warp.families import FAMILIES, assert_same, image, near_identity
from tgst.nn import SpatialTransformer
from tgst.nn import warp as w


class Predict(torch.nn.Module):
    """Returns given parameters for any image."""

    def __init__(self, theta):
        super().__init__()
        self.theta = theta

    def forward(self, x):
        return self.theta


def layer(warp=None, size=(6, 7), channels=2, **options):
    torch.manual_seed(0)
    warp = w.Affine() if warp is None else warp
    net = w.ConvLocalization(channels, warp.num_params, size, (4,), 3, 5)
    return SpatialTransformer(net, warp, **options).double()


def move(transformer):
    """Weights that differ between images and move each by about a pixel."""
    torch.nn.init.normal_(transformer.localization.out.weight, std=0.1)
    torch.nn.init.constant_(transformer.localization.hidden.bias, 0.5)
    return transformer


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("align_corners", [False, True])
def test_starts_as_the_identity(name, align_corners):
    warp = FAMILIES[name]()
    size = (6, 7) if warp.dim == 2 else (4, 5, 6)
    transformer = layer(warp, size, align_corners=align_corners)
    x = image(warp, size)
    out, theta = transformer(x, return_transform=True)
    assert_same(out, x, 1e-5)
    assert_same(theta, warp.identity(torch.float64).expand(3, -1), 1e-6)


@pytest.mark.parametrize("name", FAMILIES)
def test_is_net_grid_and_sampler(name):
    warp = FAMILIES[name]()
    size, target = ((6, 7), (3, 4)) if warp.dim == 2 else ((4, 5, 6), (2, 3, 4))
    transformer = move(layer(warp, size, output_size=target, padding="border"))
    x = image(warp, size)
    out, theta = transformer(x, return_transform=True)
    assert_same(theta, transformer.localization(x), 0.0)
    assert (theta - theta[:1]).abs().max() > 1e-3
    assert_same(out, w.sample(x, warp.grid(theta, target), padding="border"), 0.0)
    assert_same(transformer(x), out, 0.0)
    each = torch.cat([transformer(x[i : i + 1]) for i in range(3)])
    assert_same(out, each)


def test_start_of_choice():
    transformer = layer(w.Attention(), start=[0.5, 0.25, -0.5])
    _, theta = transformer(image(w.Attention(), (6, 7)), return_transform=True)
    assert theta.tolist() == [[0.5, 0.25, -0.5]] * 3
    transformer = layer(w.Attention(scale=0.5), start=[0.25, -0.5])
    out = transformer(image(w.Attention(), (6, 7)))
    matrix = torch.tensor([[[0.5, 0, 0.25], [0, 0.5, -0.5]]], dtype=torch.float64)
    assert_same(out, w.Resample()(image(w.Affine(), (6, 7)), matrix.expand(3, -1, -1)))


def test_reset_draws_anew_and_starts_again():
    transformer = move(layer(start=[1.0, 0, 0, 0, 1, 0.5]))
    before = copy.deepcopy(transformer)
    transformer.reset_parameters()
    assert not torch.equal(
        transformer.localization.hidden.weight, before.localization.hidden.weight
    )
    assert not transformer.localization.out.weight.any()
    assert transformer.localization.out.bias.tolist() == [1, 0, 0, 0, 1, 0.5]
    free = SpatialTransformer(copy.deepcopy(before.localization), initialize=False)
    free.reset_parameters()
    assert free.localization.out.weight.any()


def test_any_module_localises_where_nothing_is_initialised():
    theta = near_identity(w.Similarity())
    transformer = SpatialTransformer(Predict(theta), w.Similarity(), initialize=False)
    x = image(w.Similarity(), (5, 6), channels=7)
    assert_same(transformer(x), w.Resample(w.Similarity())(x, theta), 0.0)


def test_in_the_middle_of_a_network_and_trained():
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3, padding=1),
        torch.nn.ReLU(),
        layer(channels=4, output_size=(4, 4)),
        torch.nn.Flatten(),
        torch.nn.Linear(64, 2),
    ).double()
    x = image(w.Affine(), (6, 7), channels=1, rows=8)
    labels = (x.mean((1, 2, 3)) > 0).long()
    optimizer = torch.optim.Adam(w.param_groups(model, 0.02))
    losses = []
    for _ in range(30):
        loss = torch.nn.functional.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 < losses[0]
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().max() > 0, name


def test_finds_where_the_pixel_is():
    """A translation is learnt that brings the bright pixel of each image to the middle."""
    torch.manual_seed(0)
    places = torch.randint(1, 8, (64, 2))
    rows = torch.arange(9.0)
    blobs = [torch.exp(-((rows - p).square()) / 4) for p in places.T.reshape(-1, 1).float()]
    y, x = torch.stack(blobs).view(2, 64, 9)
    x = (y[:, :, None] * x[:, None, :]).unsqueeze(1)
    middle = torch.exp(-((rows - 4).square()) / 4)
    goal = middle[:, None] * middle
    net = w.ConvLocalization(1, 2, 9, (8,), 3, 16)
    transformer = SpatialTransformer(net, w.Translation())
    optimizer = torch.optim.Adam(transformer.parameters(), 0.01)
    losses = []
    for _ in range(200):
        loss = (transformer(x)[:, 0] - goal).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]
    _, theta = transformer(x, return_transform=True)
    found = w.to_pixels(theta.detach(), (9, 9))  # the middle of the output reads here
    inner = ((places > 2) & (places < 6)).all(1)
    assert (found - places.flip(1))[inner].abs().mean() < 0.5


def test_gradcheck_of_the_whole_layer():
    transformer = move(layer(w.ThinPlateSpline(2), size=(4, 4), channels=1, padding="border"))
    x = image(w.Affine(), (4, 4), channels=1, rows=2).requires_grad_()
    assert torch.autograd.gradcheck(transformer, (x,))


def test_identity_penalty():
    theta = torch.tensor([[1.0, 0, 0, 0, 1, 0], [3.0, 0, 0, 0, 1, -1]])
    assert layer().identity_penalty(theta).item() == (0 + 4 + 1) / 2
    from_elsewhere = layer(start=[3.0, 0, 0, 0, 1, 0])
    assert from_elsewhere.identity_penalty(theta).item() == (4 + 1) / 2
    theta.requires_grad_()
    layer().identity_penalty(theta).backward()
    assert theta.grad[1].tolist() == [2, 0, 0, 0, 0, -1]


def test_half_precision_and_autocast():
    transformer = move(layer()).float()
    x = image(w.Affine(), (6, 7), dtype=torch.float32)
    expected = transformer(x)
    with torch.autocast("cpu", torch.bfloat16):
        out, rough = transformer(x, return_transform=True)
    assert rough.dtype == torch.bfloat16  # the net runs in it, the rest does not
    assert out.dtype == torch.float32
    assert_same(out, w.Resample()(x, rough.float()), 0.0)
    half = copy.deepcopy(transformer).bfloat16()
    out = half(x.bfloat16())
    assert out.dtype == torch.bfloat16
    assert (out.float() - expected).abs().max() < 0.1 * expected.abs().max()


def test_warns_when_the_grid_has_left():
    transformer, x = layer(), image(w.Affine(), (6, 7))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transformer(x)
    with torch.no_grad():
        transformer.localization.out.bias[2] = 3.0
    with pytest.warns(RuntimeWarning, match="its parameters get no gradient"):
        out = transformer(x)
    out.sum().backward()
    assert not any(p.grad.any() for p in transformer.parameters())


def test_round_trips():
    transformer = move(layer(w.ThinPlateSpline(bound=0.3)))
    x = image(w.Affine(), (6, 7))
    expected = transformer(x)
    fresh = layer(w.ThinPlateSpline(bound=0.3))
    fresh.load_state_dict(transformer.state_dict())
    assert set(fresh.state_dict()) == {f"localization.{n}" for n in fresh.localization.state_dict()}
    copies = (pickle.loads(pickle.dumps(transformer)), copy.deepcopy(transformer))
    for other in (fresh, *copies, copy.deepcopy(transformer).float().double()):
        assert_same(other(x), expected, 1e-6)
    assert transformer.float()(x.float()).dtype == torch.float32


@pytest.mark.parametrize("name", FAMILIES)
def test_made_without_memory(name):
    warp = FAMILIES[name]()
    size = (6, 7) if warp.dim == 2 else (4, 5, 6)
    with torch.device("meta"):
        late = SpatialTransformer(w.ConvLocalization(2, warp.num_params, size), FAMILIES[name]())
    assert late.localization.out.bias.is_meta
    late.to_empty(device="cpu").reset_parameters()
    x = image(warp, size, dtype=torch.float32)
    assert_same(late(x), x, 1e-5)


def test_from_a_configuration():
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(torch.nn.Module, "layer")
    net = {
        "class_path": "tgst.nn.warp.ConvLocalization",
        "init_args": {"in_channels": 1, "num_params": 3, "image_size": [8, 9], "channels": [3]},
    }
    warp = {"class_path": "tgst.nn.warp.Attention", "init_args": {"log_scale": True, "bound": 0.5}}
    given = {"localization": net, "warp": warp, "output_size": [4, 5], "antialias": True}
    one = {"class_path": "tgst.nn.SpatialTransformer", "init_args": given}
    built = parser.instantiate(parser.parse_object({"layer": one})).layer
    assert isinstance(built, SpatialTransformer)
    assert built.warp.bound == 0.5
    assert built.resample.output_size == (4, 5)
    assert built.resample.antialias is True
    assert built(torch.rand(2, 1, 8, 9)).shape == (2, 1, 4, 5)
    series = {"class_path": "tgst.nn.warp.SerialTransformers", "init_args": {"transformers": [one]}}
    built = parser.instantiate(parser.parse_object({"layer": series})).layer
    assert built(torch.rand(2, 1, 8, 9)).shape == (2, 1, 4, 5)
    net["init_args"]["num_params"] = 4
    fixed = {"class_path": "tgst.nn.warp.Attention", "init_args": {"fixed": {"scale": 0.5}}}
    views = {"localization": net, "num_transformers": 2, "warp": fixed, "output_size": 4}
    views = {"class_path": "tgst.nn.warp.ParallelTransformers", "init_args": views}
    text = parser.dump(parser.parse_object({"layer": views}))
    built = parser.instantiate(parser.parse_string(text)).layer
    assert built(torch.rand(2, 1, 8, 9)).shape == (2, 2, 4, 4)
    assert built.warp.fixed == {"scale": 0.5}
    net["init_args"]["num_params"] = 2
    views["init_args"] |= {"localization": [net, net], "antialias": 2, "deterministic": False}
    built = parser.instantiate(parser.parse_object({"layer": views})).layer
    assert (built.resample.antialias, built.resample.deterministic) == (2, False)
    assert len(built.localization) == 2
    spline = {"points": [2, 3], "bound": [0.5] * 12}
    warp |= {"class_path": "tgst.nn.warp.ThinPlateSpline", "init_args": spline}
    net["init_args"]["num_params"] = 12
    given["antialias"] = 3
    built = parser.instantiate(parser.parse_object({"layer": one})).layer
    assert built.warp.points == (2, 3)
    assert built.resample.antialias == 3
    assert built.resample.antialias is not True
    assert built.resample.deterministic == "auto"


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (torch.nn.Conv2d(1, 6, 3), r"ends in a torch.nn.Linear with a bias, got none \(initialize"),
        (torch.nn.Linear(4, 6, bias=False), r"with a bias, got Linear\(in_features=4"),
        (torch.nn.Linear(4, 7), "a last torch.nn.Linear with 6 outputs, .* got 7"),
    ],
)
def test_nets_that_do_not_fit(net, message):
    with pytest.raises(ValueError, match=f"localization: expected .*{message}"):
        SpatialTransformer(net)


def test_no_net():
    with pytest.raises(TypeError, match="localization: expected a Module, got str"):
        SpatialTransformer("conv")


def test_options_reach_the_parts():
    with pytest.raises(ValueError, match="output_size: expected 2 sizes"):
        layer(output_size=(0, 3))
    with pytest.raises(ValueError, match="sampling: expected one of"):
        layer(sampling="lanczos")
    with pytest.raises(ValueError, match=r"start: expected 6 numbers for Affine\(\), got 2"):
        layer(start=[1.0, 0.0])


def test_inputs_that_do_not_fit():
    transformer = layer().float()
    with pytest.raises(ValueError, match=r"x: expected \[B, C, H, W\] \(channels first\), got sha"):
        transformer(torch.zeros(2, 6, 7))
    channels_last = torch.zeros(3, 6, 7, 2)
    expected = (
        r"x: expected \[B, C, H, W\] with shape \[B, 2, 6, 7\] \(channels first\), got \[3, 6"
    )
    with pytest.raises(ValueError, match=expected):
        transformer(channels_last)
    with pytest.raises(TypeError, match=r"x: expected a float tensor, got torch\.int64"):
        transformer(torch.zeros(2, 2, 6, 7, dtype=torch.long))
    for theta in (torch.zeros(3, 5), torch.zeros(2, 6), torch.zeros(3, 2, 3), None):
        odd = SpatialTransformer(Predict(theta), initialize=False)
        with pytest.raises(ValueError, match=r"localization: expected an output \[3, 6\] for Aff"):
            odd(torch.zeros(3, 1, 4, 4))


def test_names():
    assert tgst.nn.SpatialTransformer is w.SpatialTransformer
    assert "warp" in tgst.nn.__all__
    assert "(warp): Affine()" in repr(layer())
