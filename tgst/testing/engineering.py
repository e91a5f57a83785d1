r"""Properties of a layer as a piece of software."""

from __future__ import annotations

import copy
import io
import pickle

import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend

from tgst.testing.case import Graph, LayerCase
from tgst.testing.values import assert_same


def round_trips(case: LayerCase) -> None:
    r"""State dict, pickle, deepcopy and a change of dtype keep what the layer computes."""
    layer, graph, x = case.layer(), case.graph(), case.features(2)
    out = case.call(layer, x, graph)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    fresh = case.build().double().eval()
    fresh.load_state_dict(torch.load(file, weights_only=True))
    assert_same(case.call(fresh, x, graph), out, 0.0)
    assert_same(case.call(pickle.loads(pickle.dumps(layer)), x, graph), out, 0.0)
    assert_same(case.call(copy.deepcopy(layer), x, graph), out, 0.0)
    single = case.call(copy.deepcopy(layer).float(), x.float(), graph.to(torch.float32))
    assert single.dtype == torch.float32
    assert_same(single.double(), out, 1e-3)


def used_parameters(case: LayerCase) -> None:
    r"""Every parameter gets a gradient, and every buffer and parameter is registered."""
    layer, graph = case.layer(), case.graph()
    case.call(layer, case.features(2), graph).square().sum().backward()
    for name, parameter in layer.named_parameters():
        assert parameter.grad is not None, f"{name} gets no gradient"
        assert parameter.grad.isfinite().all(), f"{name} gets a gradient that is not finite"
        assert parameter.grad.abs().max() > 0, f"{name} never gets a gradient but zero"


def reset(case: LayerCase) -> None:
    r"""Resetting draws the parameters anew, on the scale of the constructor."""
    fresh, layer = case.build(), case.layer(torch.float32)
    before = [parameter.detach().clone() for parameter in layer.parameters()]
    layer.reset_parameters()  # type: ignore[operator]
    pairs = zip(fresh.named_parameters(), layer.parameters(), before, strict=True)
    for (name, drawn), parameter, old in pairs:
        one, two = drawn.detach(), parameter.detach()
        assert not torch.equal(two, old), f"{name} is not reset"
        if one.unique().numel() == 1:  # a constant
            assert_same(two, one, 0.0)
        else:
            assert two.abs().max() < 10 * one.abs().max(), f"{name} is reset on another scale"


def _gradients(case: LayerCase, layer, run, x: Tensor, graph: Graph) -> list[Tensor]:
    layer.zero_grad()
    x = x.clone().requires_grad_()
    out = run(layer, x, graph)
    out.square().sum().backward()
    return [out.detach(), x.grad, *(p.grad.clone() for p in layer.parameters())]


def _compiled(case: LayerCase, backend: str, dynamic: bool | None, sizes) -> int:
    # Compares forward and backward of the compiled call at all sizes; returns how often it was
    # compiled again after the first size (the first may take two attempts of its own).
    torch._dynamo.reset()
    counter = CompileCounterWithBackend(backend)
    layer = case.layer(torch.float32)
    run = torch.compile(case.call, fullgraph=True, backend=counter, dynamic=dynamic)
    counts = []
    for num_nodes, num_edges in sizes:
        graph = case.graph().edges(torch.arange(num_edges))._replace(num_nodes=num_nodes)
        graph = graph.to(torch.float32)
        # Three samples: below 16 rows torch's convolution takes another path and compiles again.
        x = case.features(3, num_nodes=num_nodes).float()
        expected = _gradients(case, layer, case.call, x, graph)
        actual = _gradients(case, layer, run, x, graph)
        for a, b in zip(actual, expected, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4)
        counts.append(counter.frame_count)
    return counts[-1] - counts[0]


def compile_static(case: LayerCase) -> None:
    r"""Compiles without graph breaks, and once for all batches of one graph."""
    size = (case.num_nodes, case.num_edges)
    assert _compiled(case, "aot_eager", False, [size, size]) == 0


def compile_dynamic(case: LayerCase) -> None:
    r"""Compiles without graph breaks, and once for graphs of different sizes."""
    sizes = [(case.num_nodes + extra, case.num_edges - extra) for extra in (0, 2, 5)]
    if case.fixed_nodes:
        sizes = [(case.num_nodes, case.num_edges - extra) for extra in (0, 2, 5)]
    assert _compiled(case, "aot_eager", True, sizes) == 0


def compile_inductor(case: LayerCase) -> None:
    r"""Gives the same values and gradients through Inductor."""
    _compiled(case, "inductor", None, [(case.num_nodes, case.num_edges)])


def bfloat16(case: LayerCase) -> None:
    r"""Runs in bfloat16, and stays near float32 there."""
    layer, graph, x = case.layer(torch.float32), case.graph(), case.features(2).float()
    exact = case.call(layer, x, graph.to(torch.float32))
    rough = case.call(layer.bfloat16(), x.bfloat16(), graph.to(torch.bfloat16))
    assert rough.dtype == torch.bfloat16
    scale = exact.abs().max()
    assert (rough.float() - exact).abs().max() <= 0.05 * scale


def cuda(case: LayerCase) -> None:
    r"""Equals the CPU on a CUDA device, in float64, with gradients."""
    layer, graph, x = case.layer(), case.graph(), case.features(2)
    expected = _gradients(case, layer, case.call, x, graph)
    layer = layer.to("cuda")
    actual = _gradients(case, layer, case.call, x.to("cuda"), graph.to("cuda"))
    for a, b in zip(actual, expected, strict=True):
        assert_same(a.cpu(), b)
