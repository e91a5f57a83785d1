"""PartitionConv: arguments, the watched path, explainers; values are in test_properties.py."""

import copy

import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.data import Batch, Data
from torch_geometric.explain import Explainer, GNNExplainer

from tests.nn import dense
from tgst.nn import PartitionConv
from tgst.ops import Adjacency
from tgst.testing import random_graph


@pytest.fixture
def graph():
    return random_graph(num_partitions=3)


def conv_of(bias=True, widths=(4, 2)):
    torch.manual_seed(0)
    conv = PartitionConv(*widths, num_partitions=3, bias=bias).double()
    if conv.bias is not None:
        torch.nn.init.normal_(conv.bias)
    return conv


def call(conv, x, graph):
    return conv(x, graph.edge_index, graph.edge_type, graph.edge_weight)


def test_one_edge_by_hand():
    conv = PartitionConv(2, 1, num_partitions=2)
    conv.weight.data = torch.tensor([[[1.0], [2.0]], [[10.0], [20.0]]])
    conv.bias.data = torch.tensor([0.5])
    x = torch.tensor([[3.0, 4.0], [5.0, 6.0]])
    out = conv(x, torch.tensor([[0], [1]]), torch.tensor([1]), torch.tensor([0.1]))
    # 0.1 * (10 * 3 + 20 * 4) + 0.5 at the target, the bias alone at the source
    assert torch.allclose(out, torch.tensor([[0.5], [11.5]]))
    assert str(conv) == "PartitionConv(2, 1, num_partitions=2)"


@pytest.mark.parametrize("bias", [True, "message", False])
@pytest.mark.parametrize("widths", [(4, 2), (2, 4)])
def test_watched_path_equals_fused_path(bias, widths, graph):
    conv = conv_of(bias, widths)
    x = torch.randn(7, 2, 5, widths[0], dtype=torch.float64)
    weight = graph.edge_weight.clone().requires_grad_()
    fused = call(conv, x, graph._replace(edge_weight=weight))
    (fused_grad,) = torch.autograd.grad(fused.square().sum(), weight)
    seen = []
    handle = conv.register_message_forward_hook(lambda *args: seen.append(args[-1].shape))
    watched = call(conv, x, graph._replace(edge_weight=weight))
    (watched_grad,) = torch.autograd.grad(watched.square().sum(), weight)
    assert seen == [(18, 2, 5, widths[1])]  # all messages, in edge order
    torch.testing.assert_close(watched, fused)
    torch.testing.assert_close(watched_grad, fused_grad)
    handle.remove()
    call(conv, x, graph)
    assert len(seen) == 1


def test_propagate_is_generated():
    """A bad propagate_type comment would silently fall back to the slow path."""
    conv = conv_of()
    assert conv.propagate.__module__ != "torch_geometric.nn.conv.message_passing"


def test_overridden_message_is_used(graph):
    class Doubled(PartitionConv):
        def message(self, x_j, edge_weight):
            return 2 * super().message(x_j, edge_weight)

    conv = conv_of(bias=False)
    doubled = Doubled(4, 2, num_partitions=3, bias=False).double()
    doubled.load_state_dict(conv.state_dict())
    x = torch.randn(7, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(call(doubled, x, graph), 2 * call(conv, x, graph))


def test_hooks_are_refused_in_compiled_code(graph):
    conv = conv_of()
    conv.register_message_forward_hook(lambda *args: None)
    torch._dynamo.reset()
    compiled = torch.compile(conv, backend="eager", fullgraph=True)
    with pytest.raises(Exception, match="hooks do not run in compiled code"):
        call(compiled, torch.randn(7, 5, 4, dtype=torch.float64), graph)


def test_adjacency_and_edge_index(graph):
    conv = conv_of()
    x = torch.randn(7, 5, 4, dtype=torch.float64)
    expected = call(conv, x, graph)
    adjacency = Adjacency.build(graph.edge_index, graph.edge_type, 7, 3)
    torch.testing.assert_close(conv(x, adjacency, edge_weight=graph.edge_weight), expected)
    edge_index = EdgeIndex(graph.edge_index, sparse_size=(7, 7))
    out = conv(x, edge_index, graph.edge_type, graph.edge_weight)
    torch.testing.assert_close(out, expected)
    conv.register_message_forward_hook(lambda *args: None)
    torch.testing.assert_close(conv(x, adjacency, edge_weight=graph.edge_weight), expected)


@pytest.mark.parametrize("form", ["tensors", "adjacency"])
@pytest.mark.parametrize("watched", [False, True])
@pytest.mark.parametrize("bias", [True, "message"])
def test_int32_graph(graph, bias, watched, form):
    conv = conv_of(bias=bias)
    x = torch.randn(7, 5, 4, dtype=torch.float64)
    expected = call(conv, x, graph)
    if watched:
        conv.register_message_forward_hook(lambda *args: None)
    edges = graph.edge_index.int(), graph.edge_type.int()
    if form == "adjacency":
        edges = Adjacency.build(*edges, 7, 3), None
    torch.testing.assert_close(conv(x, *edges, graph.edge_weight), expected)


def test_batch_of_different_graphs():
    conv = PartitionConv(2, 3, num_partitions=2).double()
    items = []
    for seed, nodes in enumerate((5, 8, 4)):
        graph = random_graph(nodes, 12, 2, seed)
        items.append(
            Data(
                x=torch.randn(nodes, 6, 2, dtype=torch.float64),
                edge_index=graph.edge_index,
                edge_type=graph.edge_type,
                edge_weight=graph.edge_weight,
            )
        )
    batch = Batch.from_data_list(items)
    together = conv(batch.x, batch.edge_index, batch.edge_type, batch.edge_weight)
    apart = [conv(d.x, d.edge_index, d.edge_type, d.edge_weight) for d in items]
    torch.testing.assert_close(together, torch.cat(apart))


def test_explainer_finds_the_only_cause():
    """Of six edges into node 0 one alone carries weight: the edge mask must name it."""
    torch.manual_seed(0)

    class Flat(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = PartitionConv(2, 1, num_partitions=2, bias=False)

        def forward(self, x, edge_index, edge_type, edge_weight):
            return self.conv(x.view(-1, 3, 2), edge_index, edge_type, edge_weight).mean((1, 2))

    edge_index = torch.tensor([[1, 2, 3, 4, 5, 6], [0] * 6])
    edge_weight = torch.tensor([0.0, 0.0, 0.0, 5.0, 0.0, 0.0])
    explainer = Explainer(
        Flat(),
        GNNExplainer(epochs=60),
        explanation_type="model",
        edge_mask_type="object",
        model_config={"mode": "regression", "task_level": "node", "return_type": "raw"},
    )
    mask = explainer(
        torch.randn(7, 6),
        edge_index,
        edge_type=torch.tensor([0, 1, 0, 1, 0, 1]),
        edge_weight=edge_weight,
        index=0,
    ).edge_mask
    assert mask.argmax() == 3


def test_refuses_what_the_fused_product_cannot_do():
    with pytest.raises(ValueError, match="aggr: PartitionConv expects 'add', got 'mean'"):
        PartitionConv(1, 1, aggr="mean")
    with pytest.raises(ValueError, match=r"flow: .*'source_to_target'"):
        PartitionConv(1, 1, flow="target_to_source")
    with pytest.raises(TypeError, match="num_partitions: expected an int"):
        PartitionConv(1, 1, torch.tensor([3]))
    with pytest.raises(ValueError, match="num_partitions: expected at least 1, got 0"):
        PartitionConv(1, 1, 0)
    with pytest.raises(ValueError, match="bias: expected True, False or 'message'"):
        PartitionConv(1, 1, bias="edge")


def test_bad_input_names_the_culprit(graph):
    conv = conv_of()
    x = torch.randn(7, 5, 4, dtype=torch.float64)
    bad = {
        "x: expected": {"x": x[..., :3]},
        "edge_index": {"edge_index": graph.edge_index + 3},
        "edge_type": {"edge_type": graph.edge_type + 1},
        "edge_weight: expected": {"edge_weight": graph.edge_weight[:-1]},
    }
    good = {"x": x, **{k: getattr(graph, k) for k in ("edge_index", "edge_type", "edge_weight")}}
    for message, change in bad.items():
        with pytest.raises(ValueError, match=message):
            conv(**{**good, **change})
    with pytest.raises(ValueError, match="edge_type"):
        conv(x, graph.edge_index, graph.edge_type[:-1], graph.edge_weight)
    with pytest.raises(ValueError, match="x: expected a dense float tensor"):
        conv(torch.ones(7, 4, dtype=torch.long), graph.edge_index, graph.edge_type)
    # Nothing was spoilt on the way.
    torch.testing.assert_close(conv(**good), dense.partition_conv(conv, x, graph))


def test_deepcopy_trains_apart(graph):
    conv = conv_of()
    twin = copy.deepcopy(conv)
    x = torch.randn(7, 5, 4, dtype=torch.float64)
    call(twin, x, graph).sum().backward()
    assert conv.weight.grad is None
    assert twin.weight.grad is not None
