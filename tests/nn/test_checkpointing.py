"""Recomputed activations: the same training step with less kept, in eager and compiled code."""

import copy

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from tests.nn import skeletons as s
from tgst.loader import PadTime
from tgst.nn import PerStep
from tgst.nn.checkpointing import run_block
from tgst.nn.models import ResidualGridNet, SkeletonSTGCN, STResNet, TrafficSTGCN
from tgst.testing import random_graph

WIDE = {"channels": (8, 8, 8, 8), "strides": (1, 1, 2, 1), "kernel_size": 3}


def skeleton(mask, **options):
    batch = PadTime()([s.clip(7, 9), s.clip(7, 5, 2, seed=1), s.clip(7, 9, seed=2)])
    given = {"mask": batch.mask if mask else None, "batch_size": 3}

    def build(**more):
        sizes = {"num_edges": 19, "num_joints": 7, **WIDE, **options, **more}
        return SkeletonSTGCN(3, 5, 3, **sizes).double()

    return build, lambda model, x: s.run(model, batch.clone().update({"x": x}), **given), batch.x


def traffic(kernel="cheb", **options):
    labels = 3 if kernel == "partition" else 1
    graph = random_graph(num_partitions=labels)
    edges = (graph.edge_index, graph.edge_type if labels > 1 else None, graph.edge_weight)

    def build(**more):
        sizes = {"kernel": kernel, "num_partitions": labels, "channels": [(8, 6, 8)] * 2}
        return TrafficSTGCN(2, 1, **{**sizes, **options, **more}).double()

    def run(model, x):
        return model(x, *edges, graph.e_id if "num_edges" in options else None)

    return build, run, torch.randn(7, 3, 12, 2, dtype=torch.float64)


def crowd_flow(**options):
    def build(**more):
        return STResNet(6, 7, num_units=3, hidden_channels=8, **options, **more).double()

    def run(model, x):
        return model(x[:, :6], x[:, 6:8], x[:, 8:])

    return build, run, torch.randn(3, 10, 6, 7, dtype=torch.float64)


def grid(**options):
    def build(**more):
        return ResidualGridNet(4, 2, 3, 8, **options, **more).double()

    return build, lambda model, x: model(x), torch.randn(3, 4, 6, 7, dtype=torch.float64)


CASES = {
    "skeleton": skeleton(mask=False),
    "skeleton_dropout": skeleton(mask=True, dropout=0.4, residual="conv"),
    "traffic": traffic(),
    "traffic_partition": traffic("partition", dropout=0.4, edge_importance=True, num_edges=18),
    "crowd_flow": crowd_flow(),
    "crowd_flow_norm": crowd_flow(batch_norm=True, dropout=0.4),
    "grid_norm": grid(batch_norm=True),
}
every_case = pytest.mark.parametrize("name", CASES)


def pair(name):
    """The same network with and without."""
    build, run, x = CASES[name]
    torch.manual_seed(0)
    plain, other = build().train(), build(activation_checkpointing=True).train()
    other.load_state_dict(plain.state_dict())
    return plain, other, run, x


def step(model, run, x, seed=3):
    torch.manual_seed(seed)
    x = x.clone().requires_grad_()
    out = run(model, x)
    out.square().sum().backward()
    return out.detach(), x.grad


@every_case
def test_the_same_step(name):
    plain, other, run, x = pair(name)
    for round_ in range(2):
        expected, found = step(plain, run, x, round_), step(other, run, x, round_)
        torch.testing.assert_close(found, expected, rtol=0, atol=0)
    for p, q in zip(plain.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(q.grad, p.grad, rtol=0, atol=0)
    # the running statistics and their counter, which the second run must not move
    moved = 0
    for (key, p), q in zip(plain.named_buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(q, p, rtol=0, atol=0, msg=key)
        moved += "running_mean" in key and bool(p.abs().max() > 0)
    assert bool(moved) == any(
        isinstance(m, torch.nn.modules.batchnorm._BatchNorm) for m in plain.modules()
    )


def kept_bytes(model, run, x):
    """Memory that the backward pass waits for, parameters aside."""
    own = {p.data_ptr() for p in model.parameters()}
    kept = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = tensor, storage.nbytes()
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        out = run(model, x.clone().requires_grad_())
    assert out.requires_grad
    return sum(size for _, size in kept.values())


@every_case
def test_less_is_kept(name):
    plain, other, run, x = pair(name)
    share = 0.7 if name == "crowd_flow" else 0.5  # two tensors of a unit in place of its input
    assert kept_bytes(other, run, x) < share * kept_bytes(plain, run, x)


def test_nothing_is_recomputed_in_evaluation_or_without_gradients():
    plain, other, run, x = pair("traffic")
    calls = []
    other.blocks[0].register_forward_pre_hook(lambda *args: calls.append(1))
    with torch.no_grad():
        run(other, x)
    step(other.eval(), run, x)
    assert len(calls) == 2
    step(other.train(), run, x)
    assert len(calls) == 4
    step(plain, run, x)
    assert not plain.activation_checkpointing


def test_statistics_are_followed_again_after_an_error():
    norm = torch.nn.BatchNorm1d(3)

    class Fails(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.calls = norm, 0

        def forward(self, x):
            self.calls += 1
            if self.calls == 2:
                raise RuntimeError("out of memory")
            return self.norm(x).exp()

    out = run_block(Fails(), torch.randn(4, 3, requires_grad=True), recompute=True)
    with pytest.raises(RuntimeError, match="out of memory"):
        out.sum().backward()
    running = norm.running_mean.clone()
    norm(torch.ones(4, 3))
    assert int(norm.num_batches_tracked) == 2
    torch.testing.assert_close(norm.running_mean, 0.9 * running + 0.1)


def test_convolutions_of_pyg():
    from torch_geometric.nn import GATConv

    given = {"conv": lambda i, o: PerStep(GATConv(i, o, dropout=0.5)), "num_edges": None}
    build, run, x = skeleton(mask=False, **given)
    torch.manual_seed(0)
    plain, other = build().train(), build(activation_checkpointing=True).train()
    other.load_state_dict(plain.state_dict())
    torch.testing.assert_close(step(other, run, x), step(plain, run, x), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["skeleton", "traffic", "crowd_flow_norm"])
def test_compiled_without_dropout(name):
    torch._dynamo.reset()
    plain, other, run, x = pair(name)
    for model in (plain, other):
        for part in model.modules():
            if hasattr(part, "dropout"):
                part.dropout = 0.0
    compiled = torch.compile(other, fullgraph=True, backend="aot_eager")
    for _ in range(2):
        expected, found = step(plain, run, x), step(compiled, run, x)
        torch.testing.assert_close(found, expected)
    for (key, p), q in zip(plain.named_buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(q, p, msg=key)


@pytest.mark.parametrize("name", ["skeleton_dropout", "traffic_partition"])
def test_compiled_dropout_is_drawn_once(name):
    # The gradient is that of the very mask of the forward pass: a difference quotient with it.
    torch._dynamo.reset()
    _, other, run, x = pair(name)
    compiled = torch.compile(other, fullgraph=True, backend="aot_eager")
    state = copy.deepcopy(other.state_dict())
    _, gradient = step(compiled, run, x)
    direction = torch.randn_like(x)
    values = []
    for sign in (1, -1):
        other.load_state_dict(state)
        out, _ = step(compiled, run, x + sign * 1e-6 * direction)
        values.append(out.square().sum())
    slope = (values[0] - values[1]) / 2e-6
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-4, atol=1e-6)
