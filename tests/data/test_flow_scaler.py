import copy

import numpy as np
import pytest
import torch

from tgst.data import FlowScaler

AXES = {"all": None, "channel": (0, 2, 3), "cell": (0,)}


def frames(steps: int = 1500) -> torch.Tensor:
    """Heavy-tailed counts of two channels on 3 x 4 cells, each of its own size."""
    generator = torch.Generator().manual_seed(0)
    size = torch.linspace(1, 40, 24).view(2, 3, 4)
    return (torch.rand(steps, 2, 3, 4, generator=generator) ** 4 * size * 10).round()


def bent(x: np.ndarray, power: float) -> np.ndarray:
    return np.log(1 + x) if power == 0 else x**power


def expected(x: np.ndarray, method: str, per: str) -> np.ndarray:
    """Scaled values, from the definition."""
    axes = AXES[per]
    if method == "min_max":
        low, high = x.min(axes, keepdims=True), x.max(axes, keepdims=True)
        return 2 * (x - low) / (high - low) - 1
    center = x.mean(axes, keepdims=True) if method == "standard" else 0
    return (x - center) / x.std(axes, keepdims=True)


@pytest.mark.parametrize("method", ["min_max", "standard", "scale"])
@pytest.mark.parametrize("per", ["all", "channel", "cell"])
@pytest.mark.parametrize("power", [1.0, 0.5, 0.0])
def test_values_and_way_back(method, per, power):
    x = frames()
    scaler = FlowScaler(method, per, power).fit(x)
    z = scaler.transform(x.double())
    np.testing.assert_allclose(z, expected(bent(x.double().numpy(), power), method, per), atol=1e-5)
    torch.testing.assert_close(scaler.inverse_transform(z), x.double(), atol=1e-9, rtol=1e-9)


def test_published_scaling():
    x = frames()
    scaler = FlowScaler().fit(x)
    z = scaler.transform(x)
    assert (z.min(), z.max()) == (-1, 1)
    # An error of scaled values times (max - min) / 2 is one in counts.
    other = x.flip(0)
    scaled = (z - scaler.transform(other)).square().mean().sqrt()
    counts = (x - other).square().mean().sqrt()
    torch.testing.assert_close(scaled * scaler.scale.flatten()[0], counts)
    assert scaler.scale.item() == x.max() / 2


def test_later_frames_do_not_count():
    x = frames()
    first = {m: FlowScaler(m, "cell").fit(x[:900]) for m in ("min_max", "standard", "scale")}
    x[900:] *= 1000
    for method, scaler in first.items():
        again = FlowScaler(method, "cell").fit(x[:900])
        assert torch.equal(again.shift, scaler.shift)
        assert torch.equal(again.scale, scaler.scale)
        assert not torch.equal(FlowScaler(method, "cell").fit(x[:901]).scale, scaler.scale)
    assert first["min_max"].transform(x).max() > 1  # what was not seen may lie outside


def test_values_keep_their_sign():
    x = torch.tensor([-9.0, -0.25, 0.0, 0.25, 9.0]).view(5, 1, 1, 1)
    root = FlowScaler("scale", power=0.5)
    assert root.transform(x).flatten().tolist() == [-3, -0.5, 0, 0.5, 3]
    logarithm = FlowScaler("scale", power=0.0)
    torch.testing.assert_close(logarithm.transform(x), x.sign() * (1 + x.abs()).log())
    for scaler in (root, logarithm):
        torch.testing.assert_close(scaler.inverse_transform(scaler.transform(x)), x)


def test_slope_of_the_way_back_from_logarithms():
    """At zero too, where a network that starts at zero would not learn without."""
    z = torch.tensor([-100.0, -2.0, 0.0, 2.0, 80.0], dtype=torch.float64, requires_grad=True)
    out = FlowScaler("scale", power=0.0).inverse_transform(z.view(5, 1, 1, 1))
    torch.testing.assert_close(out.flatten(), z.sign() * (z.abs().exp() - 1))
    (slope,) = torch.autograd.grad(out.sum(), z)
    torch.testing.assert_close(slope, z.detach().abs().exp())


@pytest.mark.parametrize("method", ["min_max", "standard", "scale"])
@pytest.mark.parametrize("value", [0.0, 7.0])
def test_constant_cells(method, value):
    x = frames()
    x[:, 0, 1, 2] = value
    x[:, 1, 0, 0] = value
    x[5, 1, 0, 0] = value + 1e-3  # nearly constant: a tiny scale
    scaler = FlowScaler(method, "cell").fit(x)
    channel = FlowScaler(method, "channel").fit(x).scale
    assert scaler.scale[0, 1, 2] == channel[0]
    torch.testing.assert_close(scaler.scale[1, 0, 0], 0.01 * channel[1].squeeze())
    assert scaler.scale[1, 2, 3] > 0.01 * channel[1]
    z = scaler.transform(x)
    assert z.isfinite().all()
    torch.testing.assert_close(scaler.inverse_transform(z), x, atol=1e-4, rtol=1e-5)
    assert FlowScaler(method, "cell", floor=0.0).fit(x).scale[1, 0, 0] < 1e-3


@pytest.mark.parametrize("per", ["all", "channel", "cell"])
@pytest.mark.parametrize("value", [0.0, 12345.678])
def test_constant_frames_get_scale_one(per, value):
    x = torch.full((10, 2, 3, 4), value)
    for method in ("min_max", "standard", "scale"):
        scaler = FlowScaler(method, per).fit(x)
        assert (scaler.scale == 1).all()
        assert torch.equal(scaler.inverse_transform(scaler.transform(x)), x)


def test_rounding_is_no_deviation():
    """The mean of equal logarithms is not quite the logarithm."""
    x = torch.full((1001, 2, 3, 4), 6.0)
    bent = x.double().log1p()
    assert 0 < (bent - bent.sum(0) / 1001).abs().max() < 1e-12
    for per in ("channel", "cell"):
        assert (FlowScaler("standard", per, power=0.0).fit(x).scale == 1).all()


def test_leading_dimensions_and_dtype():
    x = frames(24)
    scaler = FlowScaler("standard", "cell").fit(x)
    z = scaler.transform(x)
    assert torch.equal(scaler.transform(x.view(4, 6, 2, 3, 4)).view_as(z), z)
    assert torch.equal(scaler.transform(x[3]), z[3])
    assert scaler.transform(x.double()).dtype == torch.float64
    assert z.dtype == torch.float32


def test_state_dict_and_copies():
    x = frames(30)
    for per, size in (("all", (1, 1, 1)), ("channel", (2, 1, 1)), ("cell", (2, 3, 4))):
        scaler = FlowScaler("standard", per, 0.5).fit(x)
        assert scaler.scale.shape == size
        restored = FlowScaler("standard", per, 0.5, size=(2, 3, 4))
        restored.load_state_dict(scaler.state_dict())
        assert torch.equal(restored.transform(x), scaler.transform(x))
        assert torch.equal(copy.deepcopy(scaler).transform(x), scaler.transform(x))
        assert scaler.double().scale.dtype == torch.float64
        assert not list(scaler.parameters())


def test_unfitted_is_the_identity():
    x = frames(3)
    scaler = FlowScaler("standard", "cell", size=(2, 3, 4))
    assert torch.equal(scaler.transform(x), x)
    assert str(scaler) == "FlowScaler('standard', per='cell', power=1.0)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "robust"}, r"method: expected one of \('min_max', .*got 'robust'"),
        ({"per": "node"}, r"per: expected one of \('all', .*got 'node'"),
        ({"power": -1}, "power: expected a number of at least 0, got -1"),
        ({"floor": float("nan")}, "floor: expected a number of at least 0, got nan"),
        ({"size": (2, 3)}, r"size: expected \(channels, height, width\), got \(2, 3\)"),
        ({"size": (2, 0, 3)}, r"size: expected \(channels, height, width\), got \(2, 0, 3\)"),
    ],
)
def test_bad_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        FlowScaler(**arguments)


def test_bad_frames():
    with pytest.raises(ValueError, match=r"frames: expected \[T, C, H, W\].*got shape \[2, 3, 4\]"):
        FlowScaler().fit(torch.zeros(2, 3, 4))
    with pytest.raises(ValueError, match=r"frames: .* at least one entry each.*\[0, 2, 3, 4\]"):
        FlowScaler().fit(torch.zeros(0, 2, 3, 4))
    x = frames()
    x[1200, 1, 2, 3] = float("nan")
    with pytest.raises(ValueError, match="frames: expected finite values"):
        FlowScaler().fit(x)


def test_integers_are_not_scaled():
    """They would be divided by a rounded scale, such as 0."""
    counts = frames().long()
    scaler = FlowScaler().fit(counts)
    assert torch.equal(scaler.scale, FlowScaler().fit(counts.float()).scale)
    for method in (scaler.transform, scaler.inverse_transform):
        with pytest.raises(ValueError, match=r"x: expected floating point, got torch.int64"):
            method(counts)


@pytest.mark.parametrize(
    ("per", "shape", "expected"),
    [
        (
            "cell",
            (5, 2, 4, 3),
            r"\[\*, 2, 3, 4\] .*as the scaler per cell, got shape \[5, 2, 4, 3\]",
        ),
        ("cell", (5, 1, 3, 4), r"\[\*, 2, 3, 4\] .*got shape \[5, 1, 3, 4\]"),
        ("channel", (5, 4, 3, 4), r"\[\*, 2, H, W\] .*per channel, got shape \[5, 4, 3, 4\]"),
        ("all", (3, 4), r"\[\*, C, H, W\] .*per all, got shape \[3, 4\]"),
    ],
)
def test_wrong_size(per, shape, expected):
    scaler = FlowScaler(per=per).fit(frames(9))
    for method in (scaler.transform, scaler.inverse_transform):
        with pytest.raises(ValueError, match=f"x: expected {expected}"):
            method(torch.zeros(shape))
