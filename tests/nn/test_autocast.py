"""Mixed precision: training steps in bfloat16 stay near those in single precision."""

import copy

import pytest
import torch

from tests.nn.test_cuda_graphs import CASES, moved, skeleton, traffic

MORE = {
    **{name: CASES[name] for name in CASES if "persons" not in name},
    "traffic_residual": lambda: traffic(residual=True),
    "skeleton_no_norm": lambda: skeleton(data_norm=None),
}
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")),
]


def step(model, run, given, device, enabled):
    model.zero_grad()
    with torch.autocast(device, torch.bfloat16, enabled=enabled):
        out = run(**given)
    out.float().square().mean().backward()
    return out.detach(), torch.cat([p.grad.flatten().float() for p in model.parameters()])


def case(name, device):
    torch.manual_seed(0)
    model, given = MORE[name]()
    for part in model.modules():
        if isinstance(getattr(part, "dropout", None), float):
            part.dropout = 0.0
    return model.to(device).train(), moved(given, device)


def assert_near(rough, exact):
    (out, gradient), (expected, slope) = rough, exact
    assert out.isfinite().all()
    assert gradient.isfinite().all()
    assert (out.float() - expected).abs().max() <= 0.1 * expected.abs().max()
    # 15 % in the traffic models, whose normalisations over 4 channels divide by small deviations
    assert (gradient - slope).norm() <= 0.2 * slope.norm()


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", MORE)
def test_training_step(name, device):
    model, given = case(name, device)
    plain = copy.deepcopy(model)
    exact = step(plain, plain, given, device, False)
    rough = step(model, model, given, device, True)
    assert_near(rough, exact)
    # the input that is added, the bias per node and the fusion of branches are in single precision
    wide = name in ("traffic_residual", "traffic_authors", "crowd_flow")
    assert rough[0].dtype == (torch.float32 if wide else torch.bfloat16)
    assert all(p.dtype == p.grad.dtype == torch.float32 for p in model.parameters())


@pytest.mark.parametrize("name", ["traffic_partition", "skeleton_masked"])
def test_compiled_training_step(name):
    torch._dynamo.reset()
    model, given = case(name, "cpu")
    plain = copy.deepcopy(model)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    exact = step(plain, plain, given, "cpu", False)
    rough = step(model, compiled, given, "cpu", True)
    assert_near(rough, exact)
    assert rough[0].dtype == torch.bfloat16
