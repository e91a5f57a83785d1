"""Models of grids and images as pieces of software: batches, round trips, compilation, export."""

import copy
import io
import pickle

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from tgst.nn import SpatialTransformer
from tgst.nn.models import ImageClassifier, ResidualGridNet, STResNet
from tgst.nn.warp import ConvLocalization


def grid_net():
    return ResidualGridNet(6, 2, 2, hidden_channels=8)


def crowd_flow(**options):
    sizes = {"num_units": 2, "hidden_channels": 8, "external_channels": 5}
    return STResNet(6, 7, **{**sizes, **options})


def transformer():
    localization = ConvLocalization(1, 6, 12, channels=(5,), kernel_size=3, hidden=9)
    layer = SpatialTransformer(localization, output_size=7)
    torch.nn.init.normal_(localization.out.weight, std=0.05)  # no longer the identity
    return layer


def classifier():
    sizes = {"channels": (5, 6), "hidden": 9, "kernel_size": 3}
    return ImageClassifier(1, 3, 12, **sizes, transformer=transformer())


BUILDERS = {
    "grid_net": grid_net,
    "transformer": transformer,
    "classifier": classifier,
    "crowd_flow": crowd_flow,
    "crowd_flow_bn": lambda: crowd_flow(batch_norm=True),
    "crowd_flow_horizon": lambda: crowd_flow(horizon=3, output_activation=None, in_channels=3),
    "crowd_flow_position": lambda: crowd_flow(position_channels=2, cell_linear=True),
}
every_model = pytest.mark.parametrize("name", BUILDERS)


def built(name, dtype=torch.float64):
    torch.manual_seed(0)
    model = BUILDERS[name]().to(dtype)
    for key, parameter in model.named_parameters():
        if key.endswith("bias") and "localization" not in key:
            parameter.data.normal_().mul_(0.3)
    return model.eval()


def given(model, batch, dtype=torch.float64):
    torch.manual_seed(1)
    if isinstance(model, (SpatialTransformer, ImageClassifier)):
        return (torch.rand(batch, 1, 12, 12, dtype=dtype),)
    if isinstance(model, ResidualGridNet):
        return (torch.randn(batch, 6, 6, 7, dtype=dtype),)
    planes = [frames * model.in_channels for frames in model.frames.values()]
    frames = [torch.randn(batch, count, 6, 7, dtype=dtype) for count in planes]
    return (*frames, torch.randn(batch, 5 * model.horizon, dtype=dtype))


@every_model
def test_a_batch_equals_its_samples(name):
    model = built(name)
    inputs = given(model, 4)
    each = [model(*(x[i : i + 1] for x in inputs)) for i in range(4)]
    torch.testing.assert_close(model(*inputs), torch.cat(each))


@every_model
def test_round_trips(name):
    model = built(name)
    inputs = given(model, 2)
    out = model(*inputs)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    fresh = BUILDERS[name]().double().eval()
    fresh.load_state_dict(torch.load(file, weights_only=True))
    for other in (fresh, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        torch.testing.assert_close(other(*inputs), out, rtol=0, atol=0)
    single = copy.deepcopy(model).float()(*(x.float() for x in inputs))
    torch.testing.assert_close(single, out.float(), rtol=1e-4, atol=1e-5)


@every_model
def test_no_unused_parameter(name):
    model = built(name).train()
    model(*given(model, 2)).square().sum().backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert parameter.grad.abs().max() > 0, key


@every_model
def test_bfloat16(name):
    model = built(name, torch.float32)
    inputs = given(model, 2, torch.float32)
    exact = model(*inputs)
    rough = model.bfloat16()(*(x.bfloat16() for x in inputs))
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).abs().max() <= 0.05 * exact.abs().max()


@every_model
def test_autocast(name):
    model = built(name, torch.float32)
    inputs = given(model, 2, torch.float32)
    exact = model(*inputs)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(*inputs)
    assert (rough.float() - exact).abs().max() <= 0.05 * exact.abs().max()


def gradients(model, run, inputs):
    model.zero_grad()
    inputs = [x.clone().requires_grad_() for x in inputs]
    out = run(*inputs)
    out.square().sum().backward()
    return [out.detach(), *(x.grad for x in inputs), *(p.grad.clone() for p in model.parameters())]


def assert_compiles(name, backend, dynamic, batches, tolerance=1e-9, dtype=torch.float64):
    torch._dynamo.reset()
    counter = CompileCounterWithBackend(backend)
    model = built(name, dtype)
    run = torch.compile(model, fullgraph=True, backend=counter, dynamic=dynamic)
    counts = []
    for batch in batches:
        inputs = given(model, batch, dtype)
        expected, actual = gradients(model, model, inputs), gradients(model, run, inputs)
        torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)
        counts.append(counter.frame_count)
    assert counts[-1] == counts[0]  # the first size may take two attempts of its own


@every_model
@pytest.mark.parametrize(("dynamic", "batches"), [(False, [3, 3]), (True, [4, 8, 11])])
def test_compiled(name, dynamic, batches):
    # Batch sizes that no channel or side of the grid has: the compiler takes equal sizes for one.
    assert_compiles(name, "aot_eager", dynamic, batches)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["grid_net", "crowd_flow"])
def test_inductor(name):
    assert_compiles(name, "inductor", None, [3], 1e-4, torch.float32)


@pytest.mark.slow
@every_model
def test_onnx(name, tmp_path):
    pytest.importorskip("onnxscript")
    onnxruntime = pytest.importorskip("onnxruntime")
    model = built(name, torch.float32)
    batch = torch.export.Dim("batch", min=2)
    example = given(model, 3, torch.float32)
    torch.onnx.export(
        model,
        example,
        tmp_path / "model.onnx",
        dynamo=True,
        verbose=False,
        dynamic_shapes=tuple({0: batch} for _ in example),
    )
    exported = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    names = [node.name for node in exported.get_inputs()]
    for size in (1, 5):
        inputs = given(model, size, torch.float32)
        feed = {key: x.numpy() for key, x in zip(names, inputs, strict=True)}
        (out,) = exported.run(None, feed)
        torch.testing.assert_close(torch.from_numpy(out), model(*inputs), rtol=1e-5, atol=1e-5)


@every_model
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda(name):
    model = built(name)
    inputs = given(model, 2)
    expected = gradients(model, model, inputs)
    model = model.cuda()
    actual = gradients(model, model, [x.cuda() for x in inputs])
    torch.testing.assert_close([x.cpu() for x in actual], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            """
            class_path: tgst.nn.models.STResNet
            init_args: {height: 10, width: 20, closeness: 4, period: 0, fusion: sum,
                        external_channels: 8, output_activation: null, in_channels: 3}
            """,
            "frames={'closeness': 4, 'period': 0, 'trend': 1} out=None in=3",
        ),
        (
            """
            class_path: tgst.nn.models.ResidualGridNet
            init_args: {in_channels: 4, out_channels: 1, num_blocks: 2, kernel_size: 5}
            """,
            "in=4 units=2",
        ),
    ],
)
def test_yaml(text, expected):
    jsonargparse = pytest.importorskip("jsonargparse")
    parser = jsonargparse.ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(torch.nn.Module, "model")
    indented = "model:\n" + text
    model = parser.instantiate(parser.parse_string(indented)).model
    if isinstance(model, STResNet):
        made = f"frames={model.frames} out={model.output_activation} in={model.in_channels}"
        assert model.fusion is None
    else:
        made = f"in={model.in_channels} units={len(model.units)}"
    assert made == expected
