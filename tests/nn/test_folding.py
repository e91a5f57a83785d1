"""Networks that were fused for inference give what they gave, with fewer layers."""

import copy
import io
import pickle

import pytest
import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch_geometric.nn import GATConv

from tests.nn import skeletons as s
from tests.nn import test_grid_models as grids
from tgst.loader import PadTime
from tgst.nn import (
    ChannelBatchNorm,
    PartitionConv,
    PerStep,
    ResidualUnit,
    SkeletonBlock,
    TemporalConv,
    fuse,
)
from tgst.nn.folding import fold_norm
from tgst.nn.models import (
    ImageClassifier,
    LateFusion,
    ResidualGridNet,
    SkeletonEnsemble,
    SkeletonStream,
    TrafficSTGCN,
)
from tgst.ops import Adjacency
from tgst.testing import random_graph


def norms(model):
    return [name for name, part in model.named_modules() if isinstance(part, _BatchNorm)]


def randomised(model, dtype=torch.float64):
    """Random statistics, scales and shifts, far from those that a new layer has."""
    torch.manual_seed(5)
    model = model.to(dtype).eval()
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var") or ("norm" in name and name.endswith("weight")):
            tensor.uniform_(0.3, 2.0)
        elif tensor.is_floating_point():
            tensor.uniform_(-0.7, 0.7)
    return model


def assert_fused(model, run, remaining=()):
    """Fusing keeps the outputs, in both precisions, and leaves the network as it is."""
    before = copy.deepcopy(model.state_dict())
    expected = run(model)
    fused = fuse(model)
    assert type(fused) is type(model)
    torch.testing.assert_close(run(fused), expected, rtol=1e-10, atol=1e-10)
    assert norms(fused) == list(remaining)
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
    assert run(model).equal(expected)
    return fused


MASKS = ("none", "mask", "person")


def batch_of_clips(dtype=torch.float64):
    batch = PadTime()([s.clip(7, 9), s.clip(7, 5, 2, seed=1), s.clip(7, 12, seed=2)])
    batch.mask[3, 2:5] = False
    batch.x, batch.edge_weight = batch.x.to(dtype), batch.edge_weight.to(dtype)
    return batch


def recognise(batch, mask):
    def run(model):
        given = {} if mask == "mask" else {"mask": None}
        if mask == "person":
            given = {"person": batch.person}
        return s.run(model, batch, batch_size=3, **given)

    return run


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"causal": True, "residual": "conv"},
        {"channels": (6, 4, 4), "strides": (1, 2, 1), "data_norm": "channel"},
        {"readout": "mean", "num_edges": None, "dropout": 0.5},
    ],
)
def test_skeleton_network(options, mask):
    model = randomised(s.small(**options))
    run = recognise(batch_of_clips(), mask)
    fused = assert_fused(model, run, ["data_norm"])
    assert sum(p.numel() for p in fused.blocks.parameters()) < sum(
        p.numel() for p in model.blocks.parameters()
    )
    single = model.float()
    run = recognise(batch_of_clips(torch.float32), mask)
    torch.testing.assert_close(run(single.fuse()), run(single), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bias", [True, False, "message"])
@pytest.mark.parametrize("widths", [(3, 5), (5, 3)])
def test_every_bias_of_the_graph_convolution(bias, widths):
    graph = random_graph(num_partitions=3)
    x = torch.randn(7, 2, 6, widths[0], dtype=torch.float64)
    block = SkeletonBlock(*widths, PartitionConv(*widths, 3, bias=bias), kernel_size=3)

    def run(block):
        return block(x, graph.edge_index, graph.edge_type, graph.edge_weight)

    fused = assert_fused(randomised(block), run)
    # watched, the layer takes another path
    seen = []
    fused.conv.register_message_forward_hook(lambda *args: seen.append(1))
    torch.testing.assert_close(run(fused), run(block))
    assert seen == [1]


def test_a_convolution_that_is_not_ours_keeps_its_norm():
    model = randomised(
        s.small(conv=lambda i, o: PerStep(GATConv(i, o)), num_edges=None, data_norm=None)
    )
    run = recognise(batch_of_clips(), "mask")
    assert_fused(model, run, [f"blocks.{layer}.norm1" for layer in range(3)])


class Twice(PartitionConv):
    def message(self, x_j, edge_weight):
        return 2 * super().message(x_j, edge_weight)


def test_subclasses_and_watched_layers_keep_their_norm():
    graph = random_graph(num_partitions=3)
    x = torch.randn(7, 2, 6, 3, dtype=torch.float64)

    def run(block):
        return block(x, graph.edge_index, graph.edge_type, graph.edge_weight)

    block = randomised(SkeletonBlock(3, 3, Twice(3, 3, 3), kernel_size=3))
    block.temporal.register_forward_hook(lambda layer, given, out: 2 * out)
    assert_fused(block, run, ["norm1", "norm2"])


@pytest.mark.parametrize("kind", ["ensemble", "bones", "late"])
def test_networks_of_networks(kind):
    one, two = (randomised(s.small(seed=seed)) for seed in (1, 2))
    if kind == "ensemble":
        model = SkeletonEnsemble.two_stream(one, two)
        model.num_edges = one.num_edges
    elif kind == "bones":
        parent = torch.tensor([0, 0, 0, 1, 1, 2, 2])
        model = SkeletonEnsemble({"bone": one, "joint": two}, parent, fuse="probability")
        model.num_edges = one.num_edges
    else:
        model = LateFusion([one, two], [[0, 1, 2], [2, 1, 0]])
        assert norms(model.eval().fuse()) == ["models.0.data_norm", "models.1.data_norm"]
    run = recognise(batch_of_clips(), "mask")
    assert len(norms(fuse(model.eval()))) == 2
    names = [name for name in norms(model) if name.endswith("data_norm")]
    assert_fused(model, run, names)


def test_stream_of_a_fused_network():
    model = randomised(s.small(causal=True))
    graph = s.tree(7)
    clip = torch.randn(7, 2, 9, 3, dtype=torch.float64)
    mask = torch.rand(7, 2, 9) > 0.2
    mask[:, 0, 4] = False  # a frame without anybody
    stream = SkeletonStream(model.fuse(), *graph)
    for frame in range(9):
        out = stream.step(clip[:, :, frame], mask[:, :, frame])
    torch.testing.assert_close(out.logits, model(clip, *graph, mask=mask))


TRAFFIC = {
    "paper": {},
    "paper_wide": {"channels": [(4, 6, 4), (4, 6, 4)]},
    "authors": {"variant": "authors"},
    "authors_wide": {"variant": "authors", "channels": [(4, 6, 4), (4, 3, 4)]},
    "node": {"norm": "node", "num_nodes": 7, "K": 1},
    "partition": {"kernel": "partition", "num_partitions": 3},
    "gtu": {"gate": "gtu", "kernel": "first_order", "variant": "pytorch"},
}


def traffic(name, **more):
    sizes = {"channels": [(4, 3, 4), (5, 3, 4)], "horizon": 2}
    return randomised(TrafficSTGCN(2, 1, **{**sizes, **TRAFFIC[name], **more}))


def forecast(name, x=None, dtype=torch.float64):
    graph = random_graph(num_partitions=3 if name == "partition" else 1)
    torch.manual_seed(1)
    x = torch.randn(7, 2, 12, 2, dtype=dtype)
    edge_type = graph.edge_type if name == "partition" else None
    return lambda model: model(x, graph.edge_index, edge_type, graph.edge_weight.to(dtype))


@pytest.mark.parametrize("name", TRAFFIC)
def test_traffic_network(name):
    model = traffic(name)
    fused = assert_fused(model, forecast(name))
    convs = [part for part in fused.modules() if isinstance(part, TemporalConv)]
    assert len(convs) == 5
    assert not any(conv.residual for conv in convs)
    # the kernels lie in memory as the convolution reads them
    assert all(
        c.weight.unsqueeze(2).is_contiguous(memory_format=torch.channels_last) for c in convs
    )
    single, run = model.float(), forecast(name, dtype=torch.float32)
    torch.testing.assert_close(run(single.fuse()), run(single), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["cheb", "beside"])
def test_a_watched_chebyshev_convolution_keeps_its_alignment(name):
    model = randomised(
        TrafficSTGCN(
            2,
            1,
            channels=[(4, 3, 4), (5, 3, 4)],
            horizon=2,
            variant="authors" if name == "beside" else "paper",
        )
    )
    model.blocks[0].conv.register_forward_hook(lambda layer, given, out: 2 * out)
    fused = assert_fused(model, forecast("cheb"))
    assert [block.folded for block in fused.blocks] == [False, True]


GRIDS = {
    "crowd_flow_bn": 3 * 2,  # the first norm of each of two units in three branches
    "crowd_flow_plain": 0,
    "crowd_flow": 0,
    "grid_net_bn": 2,
    "classifier": 0,
}


@pytest.mark.parametrize("name", GRIDS)
def test_grid_networks(name, monkeypatch):
    more = {
        "crowd_flow_plain": lambda: grids.crowd_flow(batch_norm=True, residual=False),
        "grid_net_bn": lambda: ResidualGridNet(6, 2, 2, 8, batch_norm=True, convs_per_unit=3),
    }
    monkeypatch.setattr(grids, "BUILDERS", {**grids.BUILDERS, **more})
    model = randomised(grids.built(name))
    inputs = grids.given(model, 4)
    left = [name for name in norms(model) if name.endswith("norms.0")][: GRIDS[name]]
    assert len(left) == GRIDS[name]
    fused = assert_fused(model, lambda model: model(*inputs), left)
    if name == "classifier":
        assert norms(model) == ["features.1", "features.5", "classifier.2"]
        assert isinstance(fused, ImageClassifier)
    torch.testing.assert_close(model.fuse()(*inputs), fused(*inputs), rtol=0, atol=0)


def test_one_convolution_per_unit_keeps_its_norm():
    unit = randomised(ResidualUnit(4, num_convs=1, batch_norm=True))
    x = torch.randn(2, 4, 5, 5, dtype=torch.float64)
    assert_fused(unit, lambda unit: unit(x), ["norms.0"])


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_any_sequence_of_torch_layers(affine, bias):
    layers = [
        torch.nn.Linear(3, 4, bias=bias),
        torch.nn.BatchNorm1d(4, affine=affine),
        torch.nn.ReLU(),
        torch.nn.BatchNorm1d(4),  # follows no convolution
        torch.nn.Linear(4, 5, bias=bias),
        torch.nn.BatchNorm1d(5, track_running_stats=False),  # has no statistics of its own
    ]
    model = randomised(torch.nn.Sequential(*layers))
    x = torch.randn(9, 3, dtype=torch.float64)
    fused = assert_fused(model, lambda model: model(x), ["3", "5"])
    assert fused[0].bias is not None


def test_a_layer_in_two_places_takes_each_norm_once():
    layer = torch.nn.Linear(4, 4)
    model = torch.nn.Sequential(layer, torch.nn.BatchNorm1d(4), layer, torch.nn.BatchNorm1d(4))
    x = torch.randn(9, 4, dtype=torch.float64)
    assert_fused(randomised(model), lambda model: model(x))


class Activated(torch.nn.BatchNorm1d):
    def forward(self, x):
        return super().forward(x).relu()


@pytest.mark.parametrize(
    ("layer", "norm"),
    [
        (TemporalConv(3, 6, 3), torch.nn.BatchNorm1d(6)),  # over the six time steps
        (torch.nn.Conv1d(6, 5, 1), ChannelBatchNorm(3)),
        (torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(6)),
        (torch.nn.Conv1d(6, 5, 1), Activated(5)),
    ],
)
def test_norms_of_another_dimension_or_kind_stay(layer, norm):
    x = torch.randn(9, 6, 3, dtype=torch.float64)
    assert_fused(randomised(torch.nn.Sequential(layer, norm)), lambda model: model(x), ["1"])


def test_gated_convolutions_and_other_modules_are_not_folded():
    norm = ChannelBatchNorm(4).eval()
    for layer in (TemporalConv(3, 4, 3, gate="glu"), torch.nn.ReLU(), torch.nn.Bilinear(2, 2, 4)):
        assert fold_norm(layer, norm) is norm
    layer = torch.nn.LayerNorm(4)
    assert fold_norm(torch.nn.Linear(4, 4), layer) is layer


def test_training_mode_is_refused():
    model = s.small()
    model.blocks[1].norm2.train()
    with pytest.raises(
        ValueError, match=r"call eval\(\) before fuse\(\), got blocks.1.norm2 in tr"
    ):
        model.fuse()
    with pytest.raises(ValueError, match="got TrafficSTGCN in training mode"):
        TrafficSTGCN(1, 1).fuse()


def cases():
    batch = batch_of_clips()
    yield "skeleton", randomised(s.small(channels=(4, 6), strides=(1, 2))), recognise(batch, "mask")
    yield "traffic", traffic("paper"), forecast("paper")
    model = grids.built("crowd_flow_bn")
    inputs = grids.given(model, 4)
    yield "grid", randomised(model), lambda model: model(*inputs)


@pytest.mark.parametrize(("name", "model", "run"), list(cases()))
def test_a_fused_network_is_a_module_like_any_other(name, model, run):
    fused = model.fuse()
    expected = run(model)
    for other in (pickle.loads(pickle.dumps(fused)), copy.deepcopy(fused), fused.fuse()):
        torch.testing.assert_close(run(other), expected, rtol=1e-10, atol=1e-10)
    file = io.BytesIO()
    torch.save(fused.state_dict(), file)
    file.seek(0)
    fresh = copy.deepcopy(model)
    fresh.reset_parameters()
    fresh = fresh.fuse()
    assert (run(fresh) - expected).abs().max() > 1e-3
    fresh.load_state_dict(torch.load(file, weights_only=True))
    torch.testing.assert_close(run(fresh), expected, rtol=1e-10, atol=1e-10)
    with torch.inference_mode():
        torch.testing.assert_close(run(fused), expected, rtol=1e-10, atol=1e-10)
    torch._dynamo.reset()
    compiled = torch.compile(fused, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(run(compiled), expected, rtol=1e-10, atol=1e-10)
    fused.reset_parameters()  # leaves out what is no longer there
    assert (run(fused) - expected).abs().max() > 1e-3


def test_export_of_a_fused_network():
    model = traffic("paper")
    graph = random_graph()
    adjacency = Adjacency.build(graph.edge_index, num_nodes=7)
    x = torch.randn(7, 3, 12, 2, dtype=torch.float64)
    given = (x, adjacency, None, graph.edge_weight)
    program = torch.export.export(model.fuse(), given)
    torch.testing.assert_close(program.module()(*given), model(*given), rtol=1e-10, atol=1e-10)


def test_frozen_weights_stay_frozen_and_others_get_gradients():
    model = s.small()
    model.blocks[0].temporal.weight.requires_grad_(False)
    fused = model.fuse()
    assert not fused.blocks[0].temporal.weight.requires_grad
    assert fused.blocks[1].conv.shift.requires_grad
    recognise(batch_of_clips(), "mask")(fused).sum().backward()
    assert fused.blocks[1].conv.shift.grad.abs().max() > 0
