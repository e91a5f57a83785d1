import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from tgst.nn import PartitionConv
from tgst.nn.models import SkeletonEnsemble, SkeletonSTGCN, convert
from tgst.transforms import SpatialPartition
from tgst.utils import Skeleton, from_nctvm, repeat_graph

from . import released_stgcn
from .released_stgcn import random_state

GOLDEN = Path(__file__).parents[1] / "golden" / "skeleton"
STRIDES = (1, 1, 2, 1, 2)  # of the widths of released_stgcn
PUBLISHED_WIDTHS = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256)


def assert_same(actual, expected, tolerance=1e-9):
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


def clips(joints=5, channels=3, steps=11, persons=2):
    generator = torch.Generator().manual_seed(8)
    shape = (2, channels, steps, joints, persons)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def logits(converted, x):
    """Of clips (N, C, T, V, M): persons are a batch dimension, averaged as the original does."""
    out = converted.model(from_nctvm(x), *converted.graph(), e_id=converted.e_id)
    return out.mean(1)


def converted_from(state, **kwargs):
    return convert.from_stgcn(state, dtype=torch.float64, **kwargs)


# -- the published network ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def golden_state():
    if "TGST_GOLDEN" not in os.environ:
        pytest.skip("TGST_GOLDEN (the folder that holds skeleton/) is not set")
    path = Path(os.environ["TGST_GOLDEN"]) / "skeleton" / "model_openpose_state_dict.npz"
    if not path.is_file():
        pytest.skip(f"{path} does not exist")
    arrays = np.load(path, allow_pickle=False)
    return OrderedDict((name, torch.from_numpy(arrays[name])) for name in arrays.files)


@pytest.fixture(scope="module")
def golden_io():
    arrays = np.load(GOLDEN / "model_openpose_io.npz", allow_pickle=False)
    return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@torch.no_grad()
def test_golden_network(golden_state, golden_io):
    converted = convert.from_stgcn(golden_state, dtype=torch.float64)
    assert converted.family == "st-gcn"
    assert converted.num_joints == 18
    assert converted.edge_type.bincount().tolist() == [18, 25, 9]
    x = from_nctvm(golden_io["x"])
    assert_same(logits(converted, golden_io["x"]), golden_io["logits"])
    response, feature = converted.model.extract_feature(x, *converted.graph(), e_id=converted.e_id)
    # (N, classes, T', V, M)
    assert_same(response.permute(1, 4, 3, 0, 2), golden_io["output"])
    feature = feature.permute(1, 4, 3, 0, 2)
    assert_same(feature, golden_io["feature_float32"].double(), 1e-5)
    assert_same(feature.mean((2, 3, 4)), golden_io["feature_mean"])


@torch.no_grad()
def test_golden_network_on_persons_in_one_graph(golden_state, golden_io):
    converted = convert.from_stgcn(golden_state, dtype=torch.float64)
    graph = converted.data(persons=2)
    x = golden_io["x"][1].permute(3, 2, 1, 0).flatten(0, 1)
    out = converted.model(x, graph.edge_index, graph.edge_type, graph.edge_weight, e_id=graph.e_id)
    assert_same(out[0], golden_io["logits"][1])


@torch.no_grad()
def test_golden_file_in_half_precision(golden_state, golden_io, tmp_path):
    path = tmp_path / "weights.pt"
    half = {f"module.{name}": value for name, value in golden_state.items()}
    torch.save({"state_dict": half, "meta": {"epoch": 1}}, path)
    partition = SpatialPartition(center=1, hop_distance="truncated")
    graph = partition(Skeleton.named("openpose-18").data())
    converted = convert.load(path, graph=graph)
    assert converted.model.head.weight.dtype == torch.float32
    assert torch.equal(converted.edge_index, graph.edge_index)
    assert_same(logits(converted, golden_io["x"].float()), golden_io["logits"].float(), 1e-4)


@torch.no_grad()
def test_golden_round_trip(golden_state):
    converted = convert.from_stgcn(golden_state)
    back = convert.to_stgcn(converted.model, *converted.graph())
    assert list(back) == list(golden_state)
    on_edge = golden_state["A"] != 0
    for name, value in golden_state.items():
        if name.startswith("edge_importance"):
            assert torch.equal(back[name][on_edge], value[on_edge].float())
            assert (back[name][~on_edge] == 1).all()
        else:
            assert torch.equal(back[name], value.to(back[name].dtype)), name


# -- random networks against the dense formula -------------------------------------------------


@pytest.mark.parametrize("options", [
    {},
    {"importance": False},
    {"partitions": 1},
    {"partitions": 2, "taps": 5},
    {"partitions": 5, "channels": 2, "joints": 7},
    {"widths": (4,)},
    {"widths": (6, 4)},
])  # fmt: skip
def test_logits(options):
    state = random_state(**options)
    converted = converted_from(state)
    widths = options.get("widths", released_stgcn.WIDTHS)
    strides = {1: (1,), 2: (1, 2), 5: STRIDES}[len(widths)]
    assert tuple(block.stride for block in converted.model.blocks) == strides
    channels, joints = options.get("channels", 3), options.get("joints", 5)
    x = clips(joints, channels)
    assert_same(logits(converted, x), released_stgcn.logits(state, x, strides))
    assert (converted.model.blocks[0].importance is None) == (not options.get("importance", True))


def test_strides_are_an_argument():
    state = random_state(widths=(4, 6, 6))
    x = clips()
    converted = converted_from(state, strides=(1, 1, 1))
    assert_same(logits(converted, x), released_stgcn.logits(state, x, (1, 1, 1)))
    # a stride in a block of one width needs the residual that the file has not
    with pytest.raises(ValueError, match=r"lacks st_gcn_networks\.2\.residual\.0\.weight"):
        converted_from(state, strides=(1, 2, 2))
    with pytest.raises(ValueError, match=r"strides: expected one for each of 3 blocks, got \(1,\)"):
        converted_from(state, strides=(1,))


def test_a_residual_convolution_between_equal_widths_means_a_stride():
    sizes = {"channels": (4, 4, 6, 6), "strides": (1, 2, 2, 1), "num_joints": 5}
    model = SkeletonSTGCN(3, 4, 3, **sizes, readout="mean").double().eval()
    graph = converted_from(random_state()).graph()
    converted = converted_from(convert.to_stgcn(model, *graph))
    assert [block.stride for block in converted.model.blocks] == [1, 2, 2, 1]
    x = from_nctvm(clips())
    assert_same(converted.model(x, *converted.graph(), e_id=converted.e_id), model(x, *graph))


def test_options_reach_the_model():
    converted = converted_from(random_state(), dropout=0.25, readout="masked")
    assert all(block.dropout == 0.25 for block in converted.model.blocks[1:])
    assert not converted.model.training


def test_the_readout_is_the_published_one_unless_asked_for():
    state, x = random_state(), clips()
    mask = torch.rand(5, 2, 2, 11, generator=torch.Generator().manual_seed(1)) > 0.3
    own, masked = converted_from(state), converted_from(state, readout="masked")
    published, other = (
        each.model(from_nctvm(x), *each.graph(), mask=mask, e_id=each.e_id).mean(1)
        for each in (own, masked)
    )
    assert_same(published, released_stgcn.logits(state, x, STRIDES))
    assert (other - published).abs().max() > 1e-3


def test_edges_are_those_of_the_checkpoint():
    state = random_state()
    converted = converted_from(state)
    dense = torch.zeros_like(state["A"])
    dense[converted.edge_type, converted.edge_index[0], converted.edge_index[1]] = (
        converted.edge_weight
    )
    assert torch.equal(dense, state["A"])
    assert converted.e_id.tolist() == list(range(converted.edge_type.numel()))
    importance = converted.model.blocks[2].importance.weight
    k, (v, w) = converted.edge_type, converted.edge_index
    assert torch.equal(importance, state["edge_importance.2"][k, v, w])
    data = converted.data(persons=3)
    assert data.num_nodes == 15
    assert data.e_id.max() == converted.e_id.max()


@pytest.mark.parametrize(("file", "key", "classes", "channels", "published", "off_edge"), [
    ("partitions_ntu-rgb+d", "A_spatial_h1d1", 60, 3, 3_098_832, 18_750 - 730),
    ("partitions_openpose", "A_spatial_h1d1", 400, 3, 3_177_140, 9_720 - 520),
])  # fmt: skip
def test_parameter_counts(file, key, classes, channels, published, off_edge):
    adjacency = torch.from_numpy(np.load(GOLDEN / f"{file}.npz", allow_pickle=False)[key])
    state = random_state(joints=adjacency.size(1), widths=PUBLISHED_WIDTHS, classes=classes, taps=9)
    state["A"] = adjacency
    buffers = ("A", "running_mean", "running_var", "num_batches_tracked")
    given = sum(v.numel() for name, v in state.items() if not name.endswith(buffers))
    assert given == published
    converted = convert.from_stgcn(state)
    own = sum(parameter.numel() for parameter in converted.model.parameters())
    assert own == published - off_edge
    released = convert.to_stgcn(converted.model, *converted.graph())
    assert [(n, v.shape) for n, v in released.items()] == [(n, v.shape) for n, v in state.items()]


# -- out again ---------------------------------------------------------------------------------


@pytest.mark.parametrize("importance", [True, False])
def test_round_trip(importance):
    state = random_state(importance=importance)
    converted = converted_from(state)
    back = convert.to_stgcn(converted.model, *converted.graph())
    x = clips()
    assert_same(released_stgcn.logits(back, x, STRIDES), released_stgcn.logits(state, x, STRIDES))
    assert_same(logits(converted_from(back), x), released_stgcn.logits(state, x, STRIDES))
    pyskl = convert.to_pyskl(converted.model, *converted.graph())
    again = convert.from_pyskl(pyskl, dtype=torch.float64)
    assert_same(logits(again, x), released_stgcn.logits(state, x, STRIDES))


def test_two_streams_in_and_out():
    state = {f"origin_stream.{k}": v for k, v in random_state().items()}
    other = {**random_state(seed=1), "A": state["origin_stream.A"]}
    on_edge = other["A"] != 0
    state |= {f"motion_stream.{k}": v for k, v in other.items()}
    converted = converted_from(state)
    back = convert.to_stgcn(converted.model, *converted.graph(), e_id=converted.e_id)
    assert list(back) == list(state)
    for name, value in state.items():
        if "edge_importance" in name:
            assert torch.equal(back[name][on_edge], value[on_edge])
        else:
            assert torch.equal(back[name], value)
    joint, motion = converted.model.models["joint"], converted.model.models["motion"]
    for others in (
        SkeletonEnsemble({"joint": joint}),
        SkeletonEnsemble({"joint": joint, "motion": motion}, weights={"motion": 0.5}),
        SkeletonEnsemble({"joint": joint, "motion": motion}, fuse="probability"),
    ):
        with pytest.raises(ValueError, match=r"model: expected SkeletonEnsemble\.two_stream, got"):
            convert.to_stgcn(others, *converted.graph())
    with pytest.raises(ValueError, match="model: expected a SkeletonSTGCN, got SkeletonEnsemble"):
        convert.to_pyskl(converted.model, *converted.graph())


def fresh(**kwargs):
    torch.manual_seed(5)
    options = {"channels": (4, 4, 6), "strides": (1, 1, 2), "kernel_size": 3, "num_joints": 5}
    model = SkeletonSTGCN(3, 4, 2, **{**options, **kwargs}).double()
    model.train()
    graph = random_graph()
    data = torch.randn(5, 3, 9, 3, dtype=torch.float64)
    with torch.no_grad():  # running statistics away from their start
        model(data, graph.edge_index, graph.edge_type, graph.edge_weight)
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


def random_graph(seed=4):
    generator = torch.Generator().manual_seed(seed)
    label, source, target = random_state(partitions=2)["A"].nonzero(as_tuple=True)
    order = torch.randperm(label.numel(), generator=generator)
    weight = torch.rand(label.numel(), generator=generator, dtype=torch.float64) + 0.5
    return Data(
        edge_index=torch.stack([source, target])[:, order],
        edge_type=label[order],
        edge_weight=weight,
        e_id=torch.randperm(label.numel(), generator=generator),
        num_nodes=5,
    )


@pytest.mark.parametrize("options", [
    {"data_norm": "joint"},
    {"data_norm": "channel"},
    {"data_norm": None},
    {"data_norm": "joint", "num_edges": random_graph().num_edges},
])  # fmt: skip
def test_own_models_in_released_form(options):
    model, graph, x = fresh(readout="mean", **options), random_graph(), clips()
    tensors = (graph.edge_index, graph.edge_type, graph.edge_weight)
    expected = model(from_nctvm(x), *tensors, e_id=graph.e_id).mean(1)
    released = convert.to_stgcn(model, *tensors, e_id=graph.e_id)
    assert_same(released_stgcn.logits(released, x, (1, 1, 2)), expected)
    back = converted_from(released, graph=graph)
    assert torch.equal(back.edge_index, graph.edge_index)
    assert_same(logits(back, x), expected)


def test_what_the_released_form_cannot_hold():
    graph = random_graph()
    tensors = (graph.edge_index, graph.edge_type, graph.edge_weight)
    with pytest.raises(ValueError, match=r"model: expected blocks with .* looks both ways"):
        convert.to_stgcn(fresh(causal=True), *tensors)
    with pytest.raises(ValueError, match="odd kernel"):
        convert.to_stgcn(fresh(kernel_size=4), *tensors)
    with pytest.raises(ValueError, match="model: expected a SkeletonSTGCN, got Linear"):
        convert.to_stgcn(torch.nn.Linear(2, 2), *tensors)
    with pytest.raises(ValueError, match="edge_index: expected no parallel edges"):
        convert.to_stgcn(fresh(), torch.tensor([[0, 0], [1, 1]]))
    with pytest.raises(ValueError, match="num_joints: expected 5, got 6"):
        convert.to_stgcn(fresh(), *tensors, num_joints=6)
    with pytest.raises(ValueError, match=r"num_joints: .* got 3 with joints up to 4"):
        convert.to_stgcn(fresh(data_norm="channel"), *tensors, num_joints=3)
    with pytest.raises(ValueError, match="style: expected one of"):
        convert.to_pyskl(fresh(), *tensors, style="mmlab")
    with pytest.raises(ValueError, match=r"PartitionConv\(bias='message'\) .* in block 0"):
        convert.to_stgcn(fresh(conv=lambda i, o: PartitionConv(i, o, 2)), *tensors)
    with pytest.raises(ValueError, match="expected residual identity in block 1"):
        convert.to_stgcn(fresh(residual=None), *tensors)
    with pytest.raises(ValueError, match="expected residual identity in block 1"):
        convert.to_stgcn(fresh(residual="conv"), *tensors)


def test_edges_that_do_not_fit_the_model():
    graph = random_graph()
    count = graph.num_edges
    edge_index, edge_type, edge_weight = graph.edge_index, graph.edge_type, graph.edge_weight
    model = fresh(num_edges=count)
    with pytest.raises(ValueError, match=rf"edge_type: expected shape \[{count}\], got"):
        convert.to_stgcn(model, edge_index, edge_type[1:])
    with pytest.raises(ValueError, match=rf"edge_weight: expected shape \[{count}\], got"):
        convert.to_stgcn(model, edge_index, edge_type, edge_weight[1:])
    with pytest.raises(ValueError, match=r"edge_type: expected labels in 0\.\.1, .* got 1\.\.2"):
        convert.to_stgcn(model, edge_index, edge_type + 1)
    with pytest.raises(ValueError, match="e_id: expected each edge of one person once, 0 to"):
        convert.to_stgcn(model, edge_index, edge_type, e_id=graph.e_id.clamp(min=1))
    with pytest.raises(ValueError, match=rf"e_id: .* 0 to {count - 1} .* got {count - 1} edges"):
        convert.to_stgcn(model, edge_index[:, 1:], edge_type[1:])
    both = repeat_graph(graph, 2)
    with pytest.raises(ValueError, match="e_id: expected each edge of one person once"):
        convert.to_stgcn(model, both.edge_index, both.edge_type, e_id=both.e_id)
    with pytest.raises(ValueError, match=r"edge_index: .* one person, joints in 0\.\.4 .* got 9"):
        convert.to_stgcn(fresh(), both.edge_index, both.edge_type)


# -- PYSKL and mmaction2 -----------------------------------------------------------------------

PYSKL_PARTS = {
    "gcn.conv": "gcn.conv", "tcn.0": "gcn.bn", "tcn.2": "tcn.conv", "tcn.3": "tcn.bn",
    "residual.0": "residual.conv", "residual.1": "residual.bn",
}  # fmt: skip


def in_pyskl_names(state, adjacencies, learnt=None, head="cls_head.fc_cls"):
    named = OrderedDict()
    for i, adjacency in enumerate(adjacencies):
        named[f"backbone.gcn.{i}.gcn.A"] = adjacency
        if learnt is not None:
            named[f"backbone.gcn.{i}.gcn.PA"] = learnt[i]
    for name, value in state.items():
        if name.startswith("st_gcn_networks."):
            _, block, rest = name.split(".", 2)
            part, entry = rest.rsplit(".", 1)
            named[f"backbone.gcn.{block}.{PYSKL_PARTS[part]}.{entry}"] = value
        elif name.startswith("data_bn."):
            named[f"backbone.{name}"] = value
        elif name.startswith("fcn."):
            named[f"{head}.{name[4:]}"] = value.flatten(1) if value.dim() > 1 else value
    return named


def importances(state):
    return [state[f"edge_importance.{i}"] for i in range(5)]


@pytest.mark.parametrize("head", ["cls_head.fc_cls", "cls_head.fc"])
def test_pyskl_importance(head):
    state = random_state()
    named = in_pyskl_names(state, [state["A"]] * 5, importances(state), head)
    converted = convert.from_pyskl(named, dtype=torch.float64)
    assert converted.family == "pyskl"
    x = clips()
    assert_same(logits(converted, x), released_stgcn.logits(state, x, STRIDES))
    assert torch.equal(converted.edge_type, converted_from(state).edge_type)


def test_pyskl_without_importance():
    state = random_state(importance=False)
    converted = convert.from_pyskl(in_pyskl_names(state, [state["A"]] * 5), dtype=torch.float64)
    assert converted.model.blocks[0].importance is None
    x = clips()
    assert_same(logits(converted, x), released_stgcn.logits(state, x, STRIDES))


def with_graphs(state, graphs):
    """The dense reference on another graph in every block."""
    return {**state, "A": torch.ones_like(state["A"])} | {
        f"edge_importance.{i}": graph for i, graph in enumerate(graphs)
    }


def test_pyskl_offset():
    state = random_state()
    named = in_pyskl_names(state, [state["A"]] * 5, importances(state))
    converted = convert.from_pyskl(named, dtype=torch.float64, adaptive="offset")
    x, graphs = clips(), [state["A"] + offset for offset in importances(state)]
    expected = released_stgcn.logits(with_graphs(state, graphs), x, STRIDES)
    assert_same(logits(converted, x), expected)
    assert converted.edge_type.numel() == 3 * 5 * 5
    with pytest.raises(ValueError, match="adaptive: expected 'importance' or 'offset', got 'init'"):
        convert.from_pyskl(named, adaptive="init")


def test_pyskl_learnt_graphs():
    state = random_state()
    graphs = [graph * (graph > 0.5) for graph in importances(state)]
    converted = convert.from_pyskl(in_pyskl_names(state, graphs), dtype=torch.float64)
    used = torch.stack(graphs).ne(0).any(0)
    assert converted.edge_type.numel() == int(used.sum()) < 75
    assert (converted.edge_weight == 1).all()
    x = clips()
    expected = released_stgcn.logits(with_graphs(state, graphs), x, STRIDES)
    assert_same(logits(converted, x), expected)


def test_pyskl_importance_on_graphs_that_differ():
    state = random_state()
    bases = [state["A"] * (i + 1) for i in range(5)]
    named = in_pyskl_names(state, bases, importances(state))
    converted = convert.from_pyskl(named, dtype=torch.float64)
    x, graphs = clips(), [a * pa for a, pa in zip(bases, importances(state), strict=True)]
    expected = released_stgcn.logits(with_graphs(state, graphs), x, STRIDES)
    assert_same(logits(converted, x), expected)
    assert converted.edge_type.numel() == int((state["A"] != 0).sum())


def test_pyskl_of_one_partition_before_the_graph():
    """Its convolution has the shape of one behind the graph, but its bias goes through."""
    state = random_state(partitions=1)
    named = in_pyskl_names(state, [state["A"]] * 5, importances(state))
    converted = convert.from_pyskl(named, dtype=torch.float64)
    x = clips()
    assert_same(logits(converted, x), released_stgcn.logits(state, x, STRIDES))


def test_mmaction2_style():
    converted = converted_from(random_state())
    pyskl, mmaction2 = (
        convert.to_pyskl(converted.model, *converted.graph(), style=style)
        for style in ("pyskl", "mmaction2")
    )
    renamed = [name.replace("cls_head.fc_cls.", "cls_head.fc.") for name in pyskl]
    assert list(mmaction2) == renamed
    assert "cls_head.fc.weight" in mmaction2
    assert all(map(torch.equal, pyskl.values(), mmaction2.values()))


def test_pyskl_convolution_behind_the_graph():
    state = random_state()
    generator = torch.Generator().manual_seed(2)
    before = 3
    for i, width in enumerate(released_stgcn.WIDTHS):
        name = f"st_gcn_networks.{i}.gcn.conv"
        state.update(released_stgcn.random_conv(name, width, 3 * before, 1, generator))
        before = width
    named = in_pyskl_names(state, [state["A"]] * 5, importances(state))
    converted = convert.from_pyskl(named, dtype=torch.float64)
    x = clips()
    assert_same(logits(converted, x), released_stgcn.logits(state, x, STRIDES))


def test_pyskl_without_data_norm():
    state = random_state()
    named = in_pyskl_names(state, [state["A"]] * 5, importances(state))
    named = {k: v for k, v in named.items() if not k.startswith("backbone.data_bn.")}
    converted = convert.from_pyskl(named, dtype=torch.float64)
    neutral = {**state, "data_bn.weight": torch.ones(15).double(), "data_bn.bias": torch.zeros(15)}
    neutral["data_bn.bias"] = neutral["data_bn.running_mean"] = torch.zeros(15).double()
    neutral["data_bn.running_var"] = torch.ones(15).double() - 1e-5
    x = clips()
    assert_same(logits(converted, x), released_stgcn.logits(neutral, x, STRIDES))


def test_pyskl_messages_have_the_names_of_the_file():
    state = random_state()
    named = in_pyskl_names(state, [state["A"]] * 5, importances(state))
    lacking = {k: v for k, v in named.items() if k != "backbone.gcn.2.tcn.conv.bias"}
    with pytest.raises(ValueError, match=r"lacks backbone\.gcn\.2\.tcn\.conv\.bias$"):
        convert.from_pyskl(lacking)
    lacking = {k: v for k, v in named.items() if k != "backbone.gcn.3.gcn.PA"}
    with pytest.raises(ValueError, match=r"lacks backbone\.gcn\.3\.gcn\.PA$"):
        convert.from_pyskl(lacking)
    lacking = {k: v for k, v in named.items() if not k.startswith("cls_head.")}
    with pytest.raises(ValueError, match=r"lacks cls_head\.fc_cls\.weight$"):
        convert.from_pyskl(lacking)
    with pytest.raises(ValueError, match=r"has no place for backbone\.extra"):
        convert.from_pyskl({**named, "backbone.extra": torch.zeros(1)})
    size = {**named, "backbone.data_bn.weight": torch.ones(30)}
    odd = {**named, "backbone.gcn.1.gcn.conv.weight": torch.ones(4, 7, 1, 1)}
    with pytest.raises(ValueError, match=r"backbone\.gcn\.1\.gcn\.conv\.weight has 4 rows for 4"):
        convert.from_pyskl(odd)
    with pytest.raises(ValueError, match=r"backbone\.data_bn\.weight of 5 joints x 3 .* got 30"):
        convert.from_pyskl(size)
    with pytest.raises(ValueError, match="keys of pyskl, use from_pyskl instead of from_stgcn"):
        convert.from_stgcn(named)
    with pytest.raises(ValueError, match="keys of st-gcn, use from_stgcn instead of from_pyskl"):
        convert.from_pyskl(state)


# -- files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [
    lambda state: state,
    lambda state: {"state_dict": state, "meta": {"config": "x = 1"}},
    lambda state: {"model": {f"module.{name}": value for name, value in state.items()}},
    lambda state: OrderedDict((f"module.module.{k}", v) for k, v in state.items()),
])  # fmt: skip
@pytest.mark.parametrize("old_format", [True, False])
def test_files(tmp_path, wrap, old_format):
    state = random_state()
    path = tmp_path / "weights.pt"
    torch.save(wrap(state), path, _use_new_zipfile_serialization=not old_format)
    tensors = convert.read_checkpoint(path)
    assert list(tensors) == list(state)
    assert all(torch.equal(tensors[name], value) for name, value in state.items())
    x = clips()
    converted = convert.load(str(path), dtype=torch.float64)
    assert_same(logits(converted, x), released_stgcn.logits(state, x, STRIDES))


def test_half_precision_is_widened(tmp_path):
    state = random_state()
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    torch.save(half, tmp_path / "half.pt")
    tensors = convert.read_checkpoint(tmp_path / "half.pt")
    for name, value in half.items():
        assert tensors[name].dtype == (torch.float32 if value.is_floating_point() else torch.long)
        assert torch.equal(tensors[name], value.to(tensors[name].dtype))
    widened = {k: v.double() if v.is_floating_point() else v for k, v in half.items()}
    x = clips()
    expected = released_stgcn.logits(widened, x, STRIDES).float()
    assert_same(logits(convert.load(tmp_path / "half.pt"), x.float()), expected, 1e-4)


def test_pyskl_file(tmp_path):
    state = random_state()
    named = in_pyskl_names(state, [state["A"]] * 5, importances(state))
    torch.save({"meta": {"epoch": 16}, "state_dict": named}, tmp_path / "joint.pth")
    converted = convert.load(tmp_path / "joint.pth", dtype=torch.float64)
    assert converted.family == "pyskl"
    x = clips()
    assert_same(logits(converted, x), released_stgcn.logits(state, x, STRIDES))


def test_old_files_without_counters():
    state = random_state()
    old = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
    x = clips()
    assert_same(logits(converted_from(old), x), released_stgcn.logits(state, x, STRIDES))


class Trap:
    """Unpickling it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_brain_floats_are_widened(tmp_path):
    state = {k: v.bfloat16() if v.is_floating_point() else v for k, v in random_state().items()}
    torch.save(state, tmp_path / "brain.pt")
    tensors = convert.read_checkpoint(tmp_path / "brain.pt")
    assert tensors["fcn.bias"].dtype == torch.float32
    assert torch.equal(tensors["fcn.bias"], state["fcn.bias"].float())


def test_parameters_become_plain_tensors(tmp_path):
    state = {name: torch.nn.Parameter(v) for name, v in random_state().items() if v.dim()}
    torch.save(state, tmp_path / "weights.pt")
    tensors = convert.read_checkpoint(tmp_path / "weights.pt")
    assert not any(tensor.requires_grad for tensor in tensors.values())
    assert all(torch.equal(tensors[name], value) for name, value in state.items())


@torch.no_grad()
def test_a_graph_for_a_checkpoint_in_half_precision():
    """A third is another number there."""
    graph = SpatialPartition(center=1, hop_distance="truncated")(
        Skeleton.named("openpose-18").data()
    )
    state = random_state(joints=18)
    state["A"] = golden_adjacency("openpose")
    for i in range(5):
        state[f"edge_importance.{i}"] = torch.randn(state["A"].shape)
    half = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    converted = convert.from_stgcn(half, graph=graph)
    assert torch.equal(converted.edge_index, graph.edge_index)
    torch.testing.assert_close(converted.edge_weight, graph.edge_weight, rtol=5e-4, atol=0)
    assert not torch.equal(converted.edge_weight, graph.edge_weight)
    graph.edge_weight[0] *= 1.001
    with pytest.raises(ValueError, match="1 edge weights differ"):
        convert.from_stgcn(half, graph=graph)


@pytest.mark.parametrize("number", ["7", "123456789012", "01"])
def test_numbers_out_of_order_are_refused_at_once(number):
    """However large they are: a file of a few bytes must not keep the reader busy."""
    state = {**random_state(), f"edge_importance.{number}": torch.ones(3, 5, 5)}
    with pytest.raises(ValueError, match=r"lacks edge_importance\.5$|no place for edge_importance"):
        convert.from_stgcn(state)
    named = in_pyskl_names(state, [state["A"]] * 5)
    named[f"backbone.gcn.{number}.gcn.A"] = state["A"]
    with pytest.raises(ValueError, match=r"lacks backbone\.gcn\.5\.gcn\.A|no place for backbone"):
        convert.from_pyskl(named)


@pytest.mark.parametrize("save", [
    torch.save,
    lambda content, path: torch.save(content, path, _use_new_zipfile_serialization=False),
    lambda content, path: path.write_bytes(pickle.dumps(content, protocol=2)),
])  # fmt: skip
def test_malicious_pickle(tmp_path, save):
    made, path = tmp_path / "made", tmp_path / "weights.pt"
    save({"state_dict": random_state(), "meta": Trap(made)}, path)
    for read in (convert.read_checkpoint, convert.load):
        with pytest.raises(ValueError, match=r"weights\.pt .*not loaded|damaged"):
            read(path)
    assert not made.exists()
    # the trap is armed: unpickling without restriction springs it
    pickle.loads(pickle.dumps(Trap(made)))
    assert made.exists()


def test_damaged_files(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save(random_state(), path)
    whole = path.read_bytes()
    for length in (0, 10, 300, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"checkpoint .*weights\.pt (is damaged|holds)"):
            convert.read_checkpoint(path)
    path.write_text("numFrame 103")
    with pytest.raises(ValueError, match=r"weights\.pt"):
        convert.read_checkpoint(path)
    with pytest.raises(FileNotFoundError, match=r"none\.pt does not exist"):
        convert.load(tmp_path / "none.pt")


@pytest.mark.parametrize(("content", "message"), [
    ([1, 2], "expected a dictionary of tensors, got a list"),
    ({"epoch": 3}, "expected a dictionary of tensors, got a dictionary of epoch"),
    ({}, "expected a dictionary of tensors, got a dictionary of nothing"),
    ({"A": torch.ones(1), "epoch": 3}, "expected tensors only, got a int: epoch"),
])  # fmt: skip
def test_files_without_tensors(tmp_path, content, message):
    torch.save(content, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=rf"other\.pt: {message}"):
        convert.load(tmp_path / "other.pt")


# -- tensors that do not fit -------------------------------------------------------------------


def without(name):
    return lambda state: {k: v for k, v in state.items() if k != name}


def replaced(name, value):
    return lambda state: {**state, name: value}


@pytest.mark.parametrize(("change", "message"), [
    (without("A"), "lacks A, the graph"),
    (without("fcn.weight"), r"lacks fcn\.weight$"),
    (without("fcn.bias"), r"lacks fcn\.bias$"),
    (without("data_bn.running_var"), r"lacks data_bn\.running_var$"),
    (without("edge_importance.1"), r"lacks edge_importance\.1$"),
    (without("edge_importance.4"), "importance for each of 5 blocks, got 4"),
    (without("st_gcn_networks.1.gcn.conv.weight"), r"lacks st_gcn_networks\.1\.gcn\.conv\.weight"),
    (without("st_gcn_networks.2.residual.1.bias"), r"lacks st_gcn_networks\.2\.residual\.1\.bias"),
    (replaced("extra.weight", torch.ones(2)), r"has no place for extra\.weight$"),
    (replaced("A", torch.ones(3, 5, 4)), r"expected A with .* got shape \[3, 5, 4\]"),
    (replaced("A", torch.full((3, 5, 5), torch.nan)), "expected A with one finite"),
    (replaced("A", torch.ones(1, 5, 5)), "weights of another partition strategy"),
    (replaced("A", torch.ones(3, 6, 6)), "6 joints x 3 channels = 18 entries, got 15"),
    (replaced("edge_importance.0", torch.ones(3, 4, 4)), "importance of A's shape"),
    (replaced("fcn.bias", torch.ones(9)), r"expected fcn\.bias of shape \[4\], got \[9\]"),
    (replaced("fcn.weight", torch.ones(4, 8)), r"fcn\.weight with 4 dimensions, got shape \[4, 8"),
    (replaced("st_gcn_networks.3.tcn.2.weight", torch.ones(6, 6, 5, 1)), r"size, got \[3, 5\]"),
])  # fmt: skip
def test_tensors_that_do_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        convert.from_stgcn(change(random_state()))


@pytest.mark.parametrize(("names", "message"), [
    (["gcn0.conv_list.0.weight", "backbone.0.gcn1.mask"], r"v0\.1\.0"),
    (["backbone.0.gcn1.conv_list.0.weight", "data_bn.weight"], r"v0\.1\.0"),
    (["backbone.gcn.0.gcn.A", "backbone.gcn.0.tcn.branches.0.0.weight"], r"ST-GCN\+\+"),
    (["backbone.gcn.0.gcn.A", "backbone.gcn.4.gcn.down.0.weight"], r"ST-GCN\+\+"),
    (["l1.gcn1.PA", "l1.gcn1.conv_a.0.weight", "fc.weight"], "2s-AGCN"),
    (["l1.gcn1.PA", "l1.gcn1.convs.0.conv1.weight", "fc.weight"], "CTR-GCN"),
    (["sgcn1.0.mlp.layers.0.weight"], "MS-G3D"),
    (["blocks.0.temporal.weight", "head.weight"], r"model\.load_state_dict"),
    (["conv1.weight", "fc.weight"], r"expected the keys of ST-GCN .* got conv1\.weight, fc\.weigh"),
])  # fmt: skip
def test_other_networks(tmp_path, names, message):
    path = tmp_path / "other.pt"
    torch.save({name: torch.ones(2) for name in names}, path)
    with pytest.raises(ValueError, match=message):
        convert.load(path)


def test_two_stream_graphs_must_agree():
    state = random_state()
    both = {f"origin_stream.{k}": v for k, v in state.items()}
    both |= {f"motion_stream.{k}": v for k, v in random_state(seed=1).items()}
    with pytest.raises(ValueError, match="expected the same A in both streams"):
        convert.from_stgcn(both)
    lacking = {k: v for k, v in both.items() if k != "motion_stream.fcn.bias"}
    with pytest.raises(ValueError, match=r"lacks motion_stream\.fcn\.bias$"):
        convert.from_stgcn(lacking)
    with pytest.raises(ValueError, match="has no place for fcn"):
        convert.from_stgcn({**both, "fcn.weight": torch.ones(1)})


# -- the graph it belongs to -------------------------------------------------------------------


def shuffled_graph(state):
    label, source, target = state["A"].nonzero(as_tuple=True)
    order = torch.randperm(label.numel(), generator=torch.Generator().manual_seed(1))
    return Data(
        edge_index=torch.stack([source, target])[:, order],
        edge_type=label[order],
        edge_weight=state["A"][label, source, target][order],
        num_nodes=5,
    )


@pytest.mark.parametrize("numbered", [True, False])
def test_a_labelled_graph_lends_its_order(numbered):
    state = random_state()
    graph = shuffled_graph(state)
    if numbered:
        graph.e_id = torch.randperm(graph.num_edges, generator=torch.Generator().manual_seed(2))
    converted = converted_from(state, graph=graph)
    assert torch.equal(converted.edge_index, graph.edge_index)
    e_id = graph.e_id if numbered else torch.arange(graph.num_edges)
    assert torch.equal(converted.e_id, e_id)
    x = clips()
    expected = released_stgcn.logits(state, x, STRIDES)
    assert_same(logits(converted, x), expected)
    back = convert.to_stgcn(converted.model, *converted.graph(), e_id=converted.e_id)
    assert_same(released_stgcn.logits(back, x, STRIDES), expected)


def test_another_labelled_graph():
    state = random_state()
    graph = shuffled_graph(state)
    first = graph.edge_index[:, 0].tolist(), int(graph.edge_type[0])
    fewer = Data(edge_index=graph.edge_index[:, 1:], edge_type=graph.edge_type[1:], num_nodes=5)
    edge = rf"{first[0][0]} -> {first[0][1]} \(label {first[1]}\)"
    message = rf"a checkpoint for another graph: it has 1 edges that the graph lacks: {edge}$"
    with pytest.raises(ValueError, match=message):
        converted_from(state, graph=fewer)
    other = graph.clone()
    other.edge_type[0] = (other.edge_type[0] + 1) % 3
    with pytest.raises(ValueError, match=r"only labels differ: .*truncated"):
        converted_from(state, graph=other)
    heavier = graph.clone()
    heavier.edge_weight[3] += 0.5
    with pytest.raises(ValueError, match="another graph: 1 edge weights differ, first of edge"):
        converted_from(state, graph=heavier)
    doubled = graph.clone()
    doubled.edge_index = torch.cat([graph.edge_index, graph.edge_index[:, :1]], dim=1)
    doubled.edge_type = torch.cat([graph.edge_type, graph.edge_type[:1]])
    with pytest.raises(ValueError, match="graph: expected no parallel edges"):
        converted_from(state, graph=doubled)
    graph.e_id = torch.zeros(graph.num_edges, dtype=torch.long)
    with pytest.raises(ValueError, match="graph: expected e_id with each of 0 to"):
        converted_from(state, graph=graph)
    with pytest.raises(ValueError, match="it has 5 joints, the graph 6"):
        converted_from(state, graph=Data(edge_index=graph.edge_index, num_nodes=6))
    with pytest.raises(ValueError, match="graph: expected data with edge_index"):
        converted_from(state, graph=Data(num_nodes=5))
    with pytest.raises(TypeError, match=r"graph: expected Data, a Skeleton .* got int"):
        converted_from(state, graph=5)


def golden_adjacency(layout, key="A_spatial_h1d1"):
    return torch.from_numpy(np.load(GOLDEN / f"partitions_{layout}.npz", allow_pickle=False)[key])


@pytest.mark.parametrize("key", ["A_spatial_h1d1", "A_spatial_h2d1", "A_distance_h3d1"])
def test_a_skeleton_by_name(tmp_path, key):
    adjacency = golden_adjacency("openpose", key)
    state = random_state(joints=18, partitions=len(adjacency), widths=(4,))
    state["A"] = adjacency
    state["edge_importance.0"] = torch.randn(adjacency.shape)
    path = tmp_path / "openpose.pt"
    torch.save(state, path)
    converted = convert.load(path, graph="openpose-18")
    assert converted.edge_type.numel() == int((adjacency != 0).sum())
    assert convert.load(path, graph=Skeleton.named("openpose-18")).num_joints == 18
    message = r"openpose\.pt: graph: a checkpoint for another graph: it has 18 joints"
    with pytest.raises(ValueError, match=message):
        convert.load(path, graph="ntu-25")


def test_edges_of_negative_weight_are_edges():
    edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    state = random_state(joints=3, widths=(4,))
    state["A"] = torch.zeros(3, 3, 3).index_put(
        (torch.tensor([0, 1, 0, 1]), *edge_index), -torch.ones(4)
    )
    state["edge_importance.0"] = torch.ones(3, 3, 3)
    converted = converted_from(state, graph=Data(edge_index=edge_index, num_nodes=3))
    assert converted.edge_weight.tolist() == [-1] * 4


def test_two_skeletons_of_as_many_joints():
    adjacency = golden_adjacency("ntu-rgb+d")
    state = random_state(joints=25, widths=(4,))
    state["A"] = adjacency
    state["edge_importance.0"] = torch.randn(adjacency.shape)
    assert convert.from_stgcn(state, graph="ntu-25").num_joints == 25
    # the tip of each hand hangs on the thumb in one of the two layouts, on the hand in the other
    message = (
        r"it has 4 edges that the graph lacks: 21 -> 22, 22 -> 21, 23 -> 24, 24 -> 23; "
        r"the graph has 4 edges that it lacks: 7 -> 21, 11 -> 23, 21 -> 7, 23 -> 11$"
    )
    with pytest.raises(ValueError, match=message):
        convert.from_stgcn(state, graph="ntu-25-pyskl")
    with pytest.raises(ValueError, match="ntu-25"):
        convert.from_stgcn(state, graph="ntu-26")
