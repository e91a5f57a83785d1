"""The models in onnxruntime: what they give in torch, in every one of repeated runs on threads."""

import pytest
import torch

from tests.nn import skeletons as s
from tests.nn import test_grid_models as grids
from tests.nn.test_folding import randomised
from tests.onnx_runs import assert_agrees, exported, operators, run
from tgst.loader import PadTime
from tgst.nn import FixedGraph
from tgst.nn.models import TrafficSTGCN

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def roads(num_nodes, labels, seed=0):
    """Edges in random order, whose weights add up to one per node."""
    generator = torch.Generator().manual_seed(seed)
    edge_index = torch.randint(num_nodes, (2, 4 * num_nodes), generator=generator)
    edge_type = torch.randint(labels, (4 * num_nodes,), generator=generator)
    degree = torch.bincount(edge_index[1], minlength=num_nodes).clamp(min=1)
    return edge_index, edge_type if labels > 1 else None, 1 / degree[edge_index[1]]


def traffic(kernel="cheb", **options):
    torch.manual_seed(0)
    labels = 3 if kernel == "partition" else 1
    sizes = {"channels": [(8, 4, 8)] * 2, "kernel": kernel, "num_partitions": labels}
    return TrafficSTGCN(2, 1, **sizes, **options).eval(), labels


@torch.no_grad()
@pytest.mark.parametrize(
    ("kernel", "form", "num_nodes"),
    [
        ("cheb", "fixed", 207),
        ("partition", "input", 207),
        ("cheb", "fixed_fused", 2000),
        ("partition", "input", 2000),
    ],
)
def test_traffic(kernel, form, num_nodes, tmp_path):
    model, labels = traffic(kernel, edge_importance=True, num_edges=4 * num_nodes)
    torch.nn.init.uniform_(model.edge_importance.weight, 0.5, 1.5)
    edge_index, edge_type, weight = roads(num_nodes, labels)
    e_id, x = torch.arange(4 * num_nodes), torch.randn(num_nodes, 12, 2)
    inputs = [x]
    expected = model(x, edge_index, edge_type, weight, e_id)
    if form == "input":
        inputs = [x, edge_index, edge_type, weight, e_id]
        session = exported(model, tuple(inputs), tmp_path / "model.onnx")
        inputs = [tensor for tensor in inputs if tensor is not None]
    else:
        network = model.fuse() if form == "fixed_fused" else model
        fixed = FixedGraph(network, edge_index, edge_type, weight, e_id, num_nodes)
        session = exported(fixed, (x,), tmp_path / "model.onnx")
    assert "ScatterND" not in operators(tmp_path / "model.onnx")
    assert_agrees(session, inputs, expected)


@torch.no_grad()
def test_traffic_on_any_graph(tmp_path):
    model, labels = traffic("partition")
    nodes, edges = torch.export.Dim("nodes"), torch.export.Dim("edges")
    shapes = {0: nodes}, {1: edges}, {0: edges}, {0: edges}
    given = torch.randn(50, 2, 12, 2), *roads(50, labels)
    session = exported(model, given, tmp_path / "model.onnx", dynamic_shapes=shapes)
    for num_nodes in (50, 400):
        given = torch.randn(num_nodes, 2, 12, 2), *roads(num_nodes, labels, seed=num_nodes)
        assert_agrees(session, given, model(*given), runs=3)


@torch.no_grad()
def test_any_number_of_windows(tmp_path):
    model, _ = traffic()
    edge_index, _, weight = roads(30, 1)
    fixed = FixedGraph(model, edge_index, None, weight, num_nodes=30)
    shapes = {"x": {1: torch.export.Dim("windows")}}
    session = exported(
        fixed, (torch.randn(30, 3, 12, 2),), tmp_path / "model.onnx", dynamic_shapes=shapes
    )
    for windows in (1, 5):
        x = torch.randn(30, windows, 12, 2)
        assert_agrees(session, (x,), fixed(x), runs=3)


def clips():
    batch = PadTime()([s.clip(7, 9), s.clip(7, 5, 2, seed=1), s.clip(7, 12, seed=2)])
    batch.mask[3, 2:5] = False
    batch.x, batch.edge_weight = batch.x.float(), batch.edge_weight.float()
    return batch


@torch.no_grad()
@pytest.mark.parametrize(("names", "fused"), [(("mask",), False), (("mask", "person"), True)])
def test_skeletons_in_a_batch(names, fused, tmp_path):
    batch = clips()
    sizes = {"channels": (4, 6), "strides": (1, 2), "data_norm": None}
    model = randomised(s.small(**sizes), torch.float32)
    expected = s.run(model, batch, batch_size=3, **({} if names else {"mask": None}))
    if "person" in names:
        expected = s.run(model, batch, batch_size=3, person=batch.person)
    keys = ["edge_index", "edge_type", "edge_weight", "batch", "e_id", *names]
    kwargs = {key: batch[key] for key in keys}
    path = tmp_path / "model.onnx"
    network = model.fuse() if fused else model
    session = exported(network, (batch.x,), path, kwargs={**kwargs, "batch_size": 3})
    assert "ScatterND" not in operators(path)
    assert ("BatchNormalization" in operators(path)) != fused
    kwargs["x"] = batch.x
    inputs = [kwargs[node.name] for node in session.get_inputs()]
    assert_agrees(session, inputs, expected, runs=20)


@torch.no_grad()
def test_one_clip_with_its_graph_inside(tmp_path):
    model = randomised(s.small(num_edges=None), torch.float32).fuse()
    edge_index, edge_type, weight = s.tree(7)
    fixed = FixedGraph(model, edge_index, edge_type, weight.float())
    x = torch.randn(7, 2, 9, 3)
    session = exported(fixed, (x,), tmp_path / "model.onnx")
    assert_agrees(session, (x,), fixed(x))


@torch.no_grad()
def test_fused_crowd_flows(tmp_path):
    model = randomised(grids.built("crowd_flow_bn"), torch.float32)
    inputs = grids.given(model, 3, torch.float32)
    batch = torch.export.Dim("batch", min=2)
    shapes = tuple({0: batch} for _ in inputs)
    session = exported(model.fuse(), inputs, tmp_path / "model.onnx", dynamic_shapes=shapes)
    for size in (2, 5):
        inputs = grids.given(model, size, torch.float32)
        torch.testing.assert_close(run(session, *inputs), model(*inputs), rtol=1e-4, atol=1e-4)
