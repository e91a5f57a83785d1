"""A step can be captured as a CUDA graph: it waits for no value and brings nothing to the device.

Without a device, tensors without memory stand in for it: they refuse to be read, and whatever is
made on the host instead shows.
"""

from contextlib import nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from tests.nn import skeletons as s
from tests.nn import test_grid_models as grids
from tests.nn.test_folding import batch_of_clips, randomised
from tgst.nn.models import TrafficSTGCN
from tgst.ops import Adjacency
from tgst.testing import random_graph


def traffic(**options):
    labels = options.get("num_partitions", 1)
    graph = random_graph(num_partitions=labels)
    edge_type = graph.edge_type if labels > 1 else None
    adjacency = Adjacency.build(graph.edge_index, edge_type, 7, labels)
    model = TrafficSTGCN(2, 1, channels=[(4, 3, 4)] * 2, **options)
    given = {"edge_index": adjacency, "edge_weight": graph.edge_weight.float()}
    if "num_edges" in options:
        given["e_id"] = graph.e_id
    return model, {"x": torch.randn(7, 3, 12, 2), **given}


def skeleton(*names, **options):
    batch = batch_of_clips(torch.float32)
    adjacency = Adjacency.build(batch.edge_index, batch.edge_type, batch.num_nodes, 3)
    model = s.small(**options).float()
    keys = ["x", "edge_weight", "e_id", "batch", *names]
    given = {key: batch[key] for key in keys}
    return model, {**given, "edge_index": adjacency, "batch_size": 3}


def crowd_flow():
    model = grids.crowd_flow(batch_norm=True)
    inputs = grids.given(model, 4, torch.float32)
    return model, dict(zip(("closeness", "period", "trend", "external"), inputs, strict=True))


CASES = {
    "traffic_cheb": lambda: traffic(dropout=0.2),
    "traffic_partition": lambda: traffic(
        kernel="partition", num_partitions=3, edge_importance=True, num_edges=18
    ),
    "traffic_authors": lambda: traffic(variant="authors", norm="node", num_nodes=7, skip=True),
    "skeleton": lambda: skeleton(),
    "skeleton_masked": lambda: skeleton("mask", dropout=0.2, residual="conv"),
    "skeleton_persons": lambda: skeleton("mask", "person", activation_checkpointing=True),
    "crowd_flow": crowd_flow,
}


class NothingFromTheHost(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        name = func._schema.name
        assert name != "aten::_local_scalar_dense", "a value is waited for"
        for tensor in tree_leaves(out):
            if isinstance(tensor, torch.Tensor):
                assert tensor.device.type == "meta", f"{name} makes a tensor on the host"
        return out


@pytest.fixture
def no_autocast(monkeypatch):
    """Which knows no device without memory."""
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *device: False)
    monkeypatch.setattr(torch, "autocast", lambda *device, **options: nullcontext())


def moved(given, device):
    return tree_map_only(torch.Tensor, lambda tensor: tensor.to(device), given)


@pytest.mark.usefixtures("no_autocast")
@pytest.mark.parametrize("form", ["training", "inference", "fused"])
@pytest.mark.parametrize("name", CASES)
def test_nothing_is_read_and_nothing_is_sent(name, form):
    model, given = CASES[name]()
    model = model.eval().fuse() if form == "fused" else model.train(form == "training")
    shape = model(**given).shape
    model, given = model.to("meta"), moved(given, "meta")
    with NothingFromTheHost(), torch.set_grad_enabled(form == "training"):
        out = model(**given)
        if form == "training":
            out.square().sum().backward()
    assert out.shape == shape
    assert form != "training" or all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("bad", [lambda x: x * x.max().item(), lambda x: x + torch.ones(3)])
def test_the_check_finds_what_it_looks_for(bad):
    with pytest.raises((AssertionError, RuntimeError)), NothingFromTheHost():
        bad(torch.empty(3, device="meta"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_captured_inference(name, fused):
    model, given = CASES[name]()
    model = randomised(model, torch.float32)
    model, given = (model.fuse() if fused else model).cuda(), moved(given, "cuda")
    stream = torch.cuda.Stream()
    with torch.no_grad(), torch.cuda.stream(stream):
        for _ in range(3):
            model(**given)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.no_grad(), torch.cuda.graph(graph):
        out = model(**given)
    features = next(key for key in ("x", "closeness") if key in given)
    for seed in range(3):
        torch.manual_seed(seed)
        given[features].copy_(torch.randn_like(given[features]))
        graph.replay()
        with torch.no_grad():
            torch.testing.assert_close(out, model(**given), rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("name", ["traffic_partition", "skeleton", "crowd_flow"])
def test_captured_training(name):
    model, given = CASES[name]()
    model, given = model.cuda().train(), moved(given, "cuda")
    stream, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    with torch.cuda.stream(stream):
        for _ in range(3):
            model.zero_grad(set_to_none=True)
            model(**given).square().sum().backward()
    torch.cuda.synchronize()
    model.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        model(**given).square().sum().backward()
    graph.replay()
    replayed = [p.grad.clone() for p in model.parameters()]
    model.zero_grad(set_to_none=True)
    model(**given).square().sum().backward()
    expected = [p.grad for p in model.parameters()]
    torch.testing.assert_close(replayed, expected, rtol=1e-3, atol=1e-4)
