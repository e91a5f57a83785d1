"""Parity with the published ST-GCN code, in float64: outputs, all gradients, statistics."""

import pytest
import torch

from tests.nn import golden_skeleton as g
from tests.nn import released_stgcn
from tgst.nn import EdgeImportance, PartitionConv, SkeletonBlock, TemporalConv
from tgst.nn.models import SkeletonSTGCN
from tgst.transforms import DistancePartition, SpatialPartition, UniformPartition
from tgst.utils import Skeleton

CONVS = ["conv_openpose_spatial", "conv_ntu_distance_h2", "conv_directed_signed"]
BLOCKS = ["block_identity", "block_conv_stride2", "block_stem"]


@pytest.mark.parametrize("name", CONVS)
def test_conv(name):
    golden = g.Golden(name)
    edge_index, edge_type, edge_weight = golden.graph()
    partitions, width_in = golden["A"].size(0), golden["weight"].size(1)
    conv = PartitionConv(
        width_in, golden["weight"].size(0) // partitions, partitions, bias="message"
    ).double()
    conv.weight.data = g.as_conv_weight(conv)(golden["weight"]).clone()
    conv.bias.data = golden["bias"].view(partitions, -1).clone()
    importance = EdgeImportance(edge_type.numel()).double()
    importance.weight.data = g.on_edges(golden["importance"], edge_index, edge_type)
    x = golden.clips("x").requires_grad_()
    out = conv(x, edge_index, edge_type, importance(edge_weight))
    g.assert_same(out, golden.clips("out"))
    out.backward(golden.clips("grad_out"))
    g.assert_same(x.grad, golden.clips("grad_x"))
    g.assert_same(conv.weight.grad, g.as_conv_weight(conv)(golden["grad_weight"]))
    g.assert_same(conv.bias.grad, golden["grad_bias"].view(partitions, -1))
    expected = g.on_edges(golden["grad_importance"], edge_index, edge_type)
    g.assert_same(importance.weight.grad, expected)
    # All of the importance's gradient is on the edges.
    g.assert_same(golden["grad_importance"].abs().sum(), expected.abs().sum())


def partition_of(skeleton, strategy, max_hop, dilation, exact):
    if strategy == "spatial":
        kind = "exact" if exact else "truncated"
        return SpatialPartition(skeleton.center, max_hop, dilation, hop_distance=kind)
    return (UniformPartition if strategy == "uniform" else DistancePartition)(max_hop, dilation)


@pytest.mark.parametrize(("max_hop", "dilation"), [(1, 1), (2, 1), (3, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize(
    ("strategy", "exact"),
    [("uniform", False), ("distance", False), ("spatial", False), ("spatial", True)],
)
@pytest.mark.parametrize("layout", ["openpose-18", "ntu-25", "ntu-edge-24", "coco-17"])
def test_conv_on_every_partition(layout, strategy, exact, max_hop, dilation):
    """The dense formula, for layouts and hops that have no golden file too."""
    skeleton = Skeleton.named(layout)
    matrices = released_stgcn.partitions(skeleton, strategy, max_hop, dilation, exact)
    partition = partition_of(skeleton, strategy, max_hop, dilation, exact)
    assert len(matrices) == partition.num_partitions
    data = skeleton.data()
    data.edge_weight = torch.ones(data.num_edges, dtype=torch.float64)
    data = partition(data)
    conv = PartitionConv(3, 4, partition.num_partitions, bias="message").double()
    torch.nn.init.normal_(conv.bias)
    x = torch.randn(2, 3, 5, skeleton.num_joints, dtype=torch.float64)  # clips, channels, frames
    weight = conv.weight.transpose(1, 2).flatten(0, 1)[..., None, None]
    expected = released_stgcn.graph_conv(weight, conv.bias.flatten(), x, matrices)
    out = conv(x.permute(3, 0, 2, 1), data.edge_index, data.edge_type, data.edge_weight)
    g.assert_same(out, expected.permute(3, 0, 2, 1))


def test_conv_over_time_and_space():
    """The published operator can convolve over time before it sums over the neighbours; with one
    partition that is our convolution over time, then the sum, then the bias it carried along."""
    golden = g.Golden("conv_openpose_uniform_t3_stride2")
    edge_index, edge_type, edge_weight = golden.graph()
    weight = edge_weight * g.on_edges(golden["importance"], edge_index, edge_type)
    width, width_in, taps, _ = golden["weight"].shape
    temporal = TemporalConv(width_in, width, taps, stride=2).double()
    temporal.weight.data = golden["weight"].squeeze(-1).clone()
    temporal.bias.data = golden["bias"].clone()
    conv = PartitionConv(width, width, bias=False).double()
    conv.weight.data = torch.eye(width, dtype=torch.float64).unsqueeze(0)
    x = golden.clips("x").requires_grad_()
    out = conv(temporal(x), edge_index, edge_weight=weight)
    g.assert_same(out, golden.clips("out"))
    out.backward(golden.clips("grad_out"))
    g.assert_same(x.grad, golden.clips("grad_x"))
    g.assert_same(temporal.weight.grad, golden["grad_weight"].squeeze(-1))
    g.assert_same(temporal.bias.grad, golden["grad_bias"])


def block_of(golden):
    edge_index, edge_type, edge_weight = golden.graph()
    partitions = golden["A"].size(0)
    forms = {"none": None, "identity": "identity", "conv": "conv"}
    block = SkeletonBlock(
        golden["x"].size(1),
        golden["out_eval"].size(1),
        num_partitions=partitions,
        kernel_size=int(golden["t_kernel_size"]),
        stride=int(golden["stride"]),
        residual=forms[str(golden.arrays["residual"])],
        num_edges=edge_type.numel(),
    ).double()
    g.load_block(block, golden, "sd.")
    block.importance.weight.data = g.on_edges(golden["importance"], edge_index, edge_type)
    return block, (edge_index, edge_type, edge_weight)


@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("name", BLOCKS)
def test_block(name, mode):
    golden = g.Golden(name)
    block, edges = block_of(golden)
    block.train(mode == "train")
    x = golden.clips("x").requires_grad_()
    out = block(x, *edges)
    g.assert_same(out, golden.clips(f"out_{mode}"))
    out.backward(golden.clips("grad_out"))
    g.assert_same(x.grad, golden.clips(f"grad_{mode}.x"))
    expected = g.on_edges(golden[f"grad_{mode}.importance"], *edges[:2])
    g.assert_same(block.importance.weight.grad, expected)
    gradients = {name: parameter.grad for name, parameter in block.named_parameters()}
    compared = {"importance.weight"}
    for ours, theirs, view in g.pairs(block):
        if ours in gradients:
            g.assert_same(gradients[ours], view(golden[f"grad_{mode}.{theirs}"]))
            compared.add(ours)
    assert compared == set(gradients)


@pytest.mark.parametrize("name", BLOCKS)
def test_statistics_after_one_step(name):
    golden = g.Golden(name)
    block, edges = block_of(golden)
    block.train()(golden.clips("x"), *edges)
    own, compared = block.state_dict(), 0
    for ours, theirs, view in g.pairs(block):
        if f"sd_after_train.{theirs}" in golden:
            g.assert_same(own[ours], view(golden[f"sd_after_train.{theirs}"]))
            compared += 1
    assert compared == sum("sd_after_train" in key for key in golden.arrays.files)


@pytest.fixture(scope="module")
def published():
    golden = g.Golden("model_openpose_state_dict")
    edge_index, edge_type, edge_weight = golden.graph()
    model = SkeletonSTGCN(
        3, 10, num_partitions=3, num_edges=edge_type.numel(), num_joints=18, readout="mean"
    ).double()
    g.load_model(model, golden, (edge_index, edge_type))
    return model.eval(), (edge_index, edge_type, edge_weight)


def test_model_logits(published):
    """Persons as a dimension, and as copies of the skeleton in one graph."""
    model, (edge_index, edge_type, edge_weight) = published
    io = g.Golden("model_openpose_io")
    x = io["x"].permute(3, 0, 4, 2, 1)  # [V, N, M, T, C]
    out = model(x, edge_index, edge_type, edge_weight, person_dim=2)
    g.assert_same(out, io["logits"])
    g.assert_same(model(x, edge_index, edge_type, edge_weight).mean(1), io["logits"])
    union = x.permute(1, 2, 0, 3, 4).flatten(0, 2)  # clips, persons, joints
    shifted = torch.cat([edge_index + 18 * copy for copy in range(4)], dim=1)
    e_id = torch.arange(edge_type.numel()).repeat(4)
    out = model(
        union,
        shifted,
        edge_type.repeat(4),
        edge_weight.repeat(4),
        batch=torch.arange(2).repeat_interleave(36),
        e_id=e_id,
    )
    g.assert_same(out, io["logits"])


def test_model_extract_feature(published):
    model, (edge_index, edge_type, edge_weight) = published
    io = g.Golden("model_openpose_io")
    x = io["x"].permute(3, 0, 4, 2, 1)
    response, feature = model.extract_feature(x, edge_index, edge_type, edge_weight)
    g.assert_same(response.permute(1, 4, 3, 0, 2), io["output"])
    g.assert_same(feature.permute(1, 4, 3, 0, 2).float(), io["feature_float32"], 1e-5)
    g.assert_same(feature.mean(dim=(0, 2, 3)), io["feature_mean"])
    g.assert_same(response.mean(dim=(0, 2, 3)), io["logits"])
    assert model.frames(24).tolist() == [0, 4, 8, 12, 16, 20]
