"""Compiled and exported spatial transformers give what eager ones give."""

import warnings

import pytest
import torch

from tests.nn.warp.families import FAMILIES, assert_same, image
from tgst.nn import warp as w


def layer(name, **options):
    """A transformer that moves every image elsewhere."""
    torch.manual_seed(0)
    warp = FAMILIES[name]()
    size = (6, 7) if warp.dim == 2 else (4, 5, 6)
    net = w.ConvLocalization(2, warp.num_params, size, (3,), kernel_size=3, hidden=4)
    transformer = w.SpatialTransformer(net, warp, **options)
    torch.nn.init.normal_(net.out.weight, std=0.1)
    torch.nn.init.constant_(net.hidden.bias, 0.5)
    x = image(warp, (4, 5, 6) if warp.dim == 3 else size, rows=5, dtype=torch.float32)
    moved = w.Resample(warp)(x, transformer.localization(x))
    assert (moved - x).flatten(1).abs().amax(1).min() > 0.05
    return transformer, x


def gradients(transformer, run, x):
    transformer.zero_grad()
    x = x.clone().requires_grad_()
    out = run(x)
    out.square().sum().backward()
    return [out.detach(), x.grad, *(p.grad.clone() for p in transformer.parameters())]


@pytest.mark.parametrize("name", FAMILIES)
def test_compile(name):
    torch._dynamo.reset()
    transformer, x = layer(name)
    run = torch.compile(transformer, fullgraph=True, backend="aot_eager")
    expected = gradients(transformer, transformer, x)
    for a, b in zip(gradients(transformer, run, x), expected, strict=True):
        assert_same(a, b, 1e-5)


@pytest.mark.parametrize("options", [{"antialias": 2}, {"deterministic": True}])
def test_compile_of_changing_batches(options):
    torch._dynamo.reset()
    transformer, x = layer("tps", output_size=(4, 3), **options)
    run = torch.compile(transformer, fullgraph=True, backend="aot_eager", dynamic=True)
    for rows in (5, 4, 3):
        out, theta = run(x[:rows], return_transform=True)
        expected, expected_theta = transformer(x[:rows], return_transform=True)
        assert_same(out, expected, 1e-5)
        assert_same(theta, expected_theta, 1e-5)


def test_compile_does_not_look_whether_the_grid_has_left():
    torch._dynamo.reset()
    transformer, x = layer("translation")
    torch.nn.init.constant_(transformer.localization.out.bias, 9.0)
    run = torch.compile(transformer, fullgraph=True, backend="aot_eager")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        assert_same(run(x), torch.zeros_like(x))
    with pytest.warns(RuntimeWarning, match="lies outside the image"):
        transformer(x)


def test_compile_of_transformers_in_parallel_and_in_series():
    torch._dynamo.reset()
    one, x = layer("tps")
    two, _ = layer("affine")
    net = w.ConvLocalization(2, 12, (6, 7), (3,), 3, 4)
    model = torch.nn.Sequential(
        w.SerialTransformers([one, two]), w.ParallelTransformers(net, 2, output_size=5)
    )
    run = torch.compile(model, fullgraph=True, backend="aot_eager")
    assert_same(run(x), model(x), 1e-5)


@pytest.mark.slow
def test_inductor():
    torch._dynamo.reset()
    transformer, x = layer("tps", output_size=(4, 3), antialias=True)
    expected = gradients(transformer, transformer, x)
    run = torch.compile(transformer, fullgraph=True)
    for a, b in zip(gradients(transformer, run, x), expected, strict=True):
        assert_same(a, b, 1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_export_of_any_batch(name):
    transformer, x = layer(name)
    shapes = ({0: torch.export.Dim("batch", min=2)},)
    program = torch.export.export(transformer, (x[:3],), dynamic_shapes=shapes)
    assert_same(program.module()(x), transformer(x), 1e-5)


# With aligned corners the corners of the output are points of the spline's lattice.
OPTIONS = [(name, {}) for name in FAMILIES] + [("tps", {"align_corners": True})]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_onnx(name, options, tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    transformer, x = layer(name, **options)
    path = tmp_path / "model.onnx"
    shapes = ({0: torch.export.Dim("batch", min=2)},)
    torch.onnx.export(
        transformer, (x[:3],), path, dynamo=True, verbose=False, dynamic_shapes=shapes
    )
    session = onnxruntime.InferenceSession(path)
    (out,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    assert_same(torch.from_numpy(out), transformer(x).detach(), 1e-5)
