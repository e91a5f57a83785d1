"""The explain wrapper: masks act on every edge of every layer, and a planted cause is found."""

import pytest
import torch
from torch_geometric.explain import Explainer, GNNExplainer
from torch_geometric.explain.algorithm.utils import clear_masks, set_masks
from torch_geometric.nn import GATConv, GATv2Conv, GCNConv, GraphConv, SAGEConv

from tgst.nn import ChebConv, FlatFeatures, PartitionConv, PerStep
from tgst.nn.models import TrafficSTGCN
from tgst.testing import random_graph

SMALL = {"channels": [(4, 3, 4), (4, 3, 4)]}
WIDER = {"channels": [(8, 8, 8), (8, 8, 8)]}


def traffic(**kwargs):
    return TrafficSTGCN(2, 1, kernel="partition", num_partitions=3, **SMALL, **kwargs)


def per_step_traffic():
    return TrafficSTGCN(2, 1, conv=lambda i, o: PerStep(GraphConv(i, o), 5), **SMALL)


def test_equals_the_model():
    torch.manual_seed(0)
    graph = random_graph(num_partitions=3)
    model = traffic(edge_importance=True, num_edges=18).double()
    x = torch.randn(7, 12, 2, dtype=torch.float64)
    flat = FlatFeatures(model, num_steps=12, num_channels=2)
    out = flat(
        x.flatten(1),
        graph.edge_index,
        graph.edge_type,
        edge_weight=graph.edge_weight,
        e_id=graph.e_id,
    )
    expected = model(x, *graph[:4])
    assert out.shape == (7, 12)
    assert torch.equal(out, expected.flatten(1))
    before = model.head.out.weight.clone()
    flat.reset_parameters()
    assert not torch.equal(before, model.head.out.weight)
    assert repr(flat).endswith("num_steps=12, num_channels=2)")


def test_arguments():
    conv = PartitionConv(2, 3)
    with pytest.raises(ValueError, match="num_steps: expected at least 1, got 0"):
        FlatFeatures(conv, 0, 2)
    with pytest.raises(ValueError, match="num_channels: expected at least 1, got -1"):
        FlatFeatures(conv, 3, -1)
    with pytest.raises(TypeError, match=r"num_steps: expected an int, got float"):
        FlatFeatures(conv, 3.0, 2)
    flat = FlatFeatures(conv, 3, 2)
    edges = torch.zeros(2, 0, dtype=torch.long)
    for shape in ((4, 5), (4, 3, 2), (6,)):
        with pytest.raises(ValueError, match=r"x: expected \[num_nodes, 6\]"):
            flat(torch.zeros(shape), edges)


def test_no_nodes_and_one_number_per_node():
    conv = PartitionConv(2, 3)
    nobody = FlatFeatures(conv, 3, 2)(torch.zeros(0, 6), torch.zeros(2, 0, dtype=torch.long))
    assert nobody.shape == (0, 9)

    class Mean(torch.nn.Module):
        def forward(self, x, edge_index):
            return conv(x, edge_index).mean(dim=(1, 2))

    x, edges = torch.randn(4, 3, 2), torch.tensor([[0, 1], [1, 2]])
    out = FlatFeatures(Mean(), 3, 2)(x.flatten(1), edges)
    assert torch.equal(out, conv(x, edges).mean(dim=(1, 2)))


def test_resets_a_container():
    layer = torch.nn.Linear(2, 2)
    before = layer.weight.clone()
    FlatFeatures(torch.nn.Sequential(layer), 3, 2).reset_parameters()
    assert not torch.equal(layer.weight, before)


# Layers whose messages are weighed by edge_weight: a mask of the messages is a factor of it.
MASKED = {
    "partition": (lambda: PartitionConv(2, 4, 3), True),
    "partition, narrow": (lambda: PartitionConv(2, 1, 3), True),
    "partition, bias per message": (lambda: PartitionConv(2, 4, 3, bias="message"), True),
    "cheb": (lambda: ChebConv(2, 4, K=3), False),
    "per step": (lambda: PerStep(GraphConv(2, 4)), False),
    "per step, blocks": (lambda: PerStep(GraphConv(2, 4), steps_per_call=5), False),
    "per step, ours": (lambda: PerStep(PartitionConv(2, 4, 3)), True),
    "traffic": (traffic, True),
    "traffic, importance": (lambda: traffic(edge_importance=True, num_edges=18), True),
    "traffic, cheb": (lambda: TrafficSTGCN(2, 1, **SMALL), False),
    "traffic, per step": (per_step_traffic, False),
}


@pytest.mark.parametrize("name", MASKED)
def test_mask_is_a_factor_of_the_weight(name):
    """In edge order, in all layers, with gradients; afterwards the layers are as before."""
    torch.manual_seed(0)
    build, labels = MASKED[name]
    model = build().double()
    graph = random_graph(num_partitions=3)
    x = torch.randn(7, 12, 2, dtype=torch.float64)
    kwargs = {"edge_type": graph.edge_type} if labels else {}
    before = model(x, graph.edge_index, edge_weight=graph.edge_weight, **kwargs)
    mask = torch.nn.Parameter(torch.rand(18, dtype=torch.float64))
    flat = FlatFeatures(model, 12, 2)
    set_masks(flat, mask, graph.edge_index, apply_sigmoid=False)
    out = flat(x.flatten(1), graph.edge_index, edge_weight=graph.edge_weight, **kwargs)
    (grad,) = torch.autograd.grad(out.square().sum(), mask)
    clear_masks(flat)
    expected = model(x, graph.edge_index, edge_weight=graph.edge_weight * mask, **kwargs)
    expected = expected.flatten(1)
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(grad, torch.autograd.grad(expected.square().sum(), mask)[0])
    assert grad.count_nonzero() == 18
    after = model(x, graph.edge_index, edge_weight=graph.edge_weight, **kwargs)
    assert torch.equal(after, before)


@pytest.mark.parametrize("conv", [GCNConv, GATConv, GATv2Conv, SAGEConv])
def test_mask_of_any_convolution_at_every_step(conv):
    """Also where the convolution adds self loops of its own."""
    torch.manual_seed(0)
    graph = random_graph()
    layer = PerStep(conv(2, 4), steps_per_call=5).double()
    x = torch.randn(7, 12, 2, dtype=torch.float64)
    mask = torch.randn(18, dtype=torch.float64)
    set_masks(layer, mask, graph.edge_index)
    out = layer(x, graph.edge_index)
    assert layer.conv._edge_mask is mask  # of the graph again, not of its copies
    loop = torch.stack([layer.conv(x[:, t], graph.edge_index) for t in range(12)], dim=1)
    torch.testing.assert_close(out, loop)
    clear_masks(layer)
    assert (out - layer(x, graph.edge_index)).abs().max() > 1e-3


def test_masks_return_after_an_error():
    graph = random_graph()
    layer = PerStep(GraphConv(2, 4)).double()
    mask = torch.nn.Parameter(torch.randn(18, dtype=torch.float64))
    set_masks(layer, mask, graph.edge_index)
    with pytest.raises(RuntimeError):
        layer(torch.randn(7, 5, 3, dtype=torch.float64), graph.edge_index)
    assert layer.conv._edge_mask is mask
    assert dict(layer.named_parameters())["conv._edge_mask"] is mask


# One star: nodes 1 to 5 and node 0 itself lead to node 0.
STAR = torch.tensor([[1, 2, 3, 4, 5, 0], [0, 0, 0, 0, 0, 0]])
# Two ways of two edges to node 0, and one of them through an intermediate node.
PATHS = torch.tensor([[1, 2, 3, 4, 0, 1, 3], [0, 1, 0, 3, 0, 1, 3]])


def explained(model, x, edge_index, **kwargs):
    explainer = Explainer(
        FlatFeatures(model, x.size(1), x.size(2)),
        # Without the entropy term, which drives every mask to the side that it started on.
        algorithm=GNNExplainer(epochs=100, lr=0.1, edge_ent=0.0, edge_size=0.02),
        explanation_type="model",
        node_mask_type="attributes",
        edge_mask_type="object",
        model_config={"mode": "regression", "task_level": "node", "return_type": "raw"},
    )
    return explainer(x.flatten(1), edge_index, index=0, **kwargs)


EXPLAINED = {
    "partition": (lambda: PartitionConv(2, 3, 2), ("edge_type", "edge_weight")),
    "cheb": (lambda: ChebConv(2, 3, K=2), ("edge_weight",)),
    "gcn": (lambda: PerStep(GraphConv(2, 3)), ("edge_weight",)),
    "gat": (lambda: PerStep(GATConv(2, 3, add_self_loops=False)), ()),
}


@pytest.mark.parametrize("name", EXPLAINED)
@pytest.mark.parametrize("cause", [0, 2, 4])
def test_planted_neighbour(name, cause):
    """One neighbour has readings, all others nearly none: its edge gets the largest mask."""
    torch.manual_seed(0)
    build, wanted = EXPLAINED[name]
    model = build()
    for bias in (p for key, p in model.named_parameters() if key.endswith("bias")):
        torch.nn.init.zeros_(bias)
    x = 0.01 * torch.randn(6, 4, 2)
    x[cause + 1] = 3 + torch.rand(4, 2)
    given = {"edge_type": torch.zeros(6, dtype=torch.long), "edge_weight": torch.ones(6)}
    explanation = explained(model, x, STAR, **{key: given[key] for key in wanted})
    assert int(explanation.edge_mask.argmax()) == cause
    assert explanation.node_mask.shape == (6, 8)
    if name != "gat":  # without attention to share, the features of the neighbour count alike
        assert int(explanation.node_mask.sum(1).argmax()) == cause + 1


@pytest.mark.parametrize("cause", [0, 2, 4])
def test_planted_label(cause):
    """All neighbours have like readings, and one label has weights."""
    torch.manual_seed(0)
    conv = PartitionConv(2, 3, 2, bias=False)
    with torch.no_grad():
        conv.weight[0] *= 0.01
    edge_type = torch.zeros(6, dtype=torch.long)
    edge_type[cause] = 1
    explanation = explained(conv, 1 + torch.rand(6, 4, 2), STAR, edge_type=edge_type)
    assert int(explanation.edge_mask.argmax()) == cause


@pytest.mark.parametrize("arm", [(0, 1), (2, 3)])
def test_planted_path_in_the_model(arm):
    """Both edges of the way that matters get larger masks than those of the other way."""
    torch.manual_seed(0)
    model = TrafficSTGCN(
        1, 1, kernel="partition", num_partitions=2, edge_importance=True, num_edges=7, **WIDER
    )
    x = 0.5 * torch.randn(5, 12, 1)
    weight = torch.full((7,), 0.01)
    weight[list(arm)] = 3.0
    edge_type = torch.tensor([1, 1, 1, 1, 0, 0, 0])
    explanation = explained(
        model, x, PATHS, edge_type=edge_type, edge_weight=weight, e_id=torch.arange(7)
    )
    ordinary = [edge for edge in range(4) if edge not in arm]
    assert explanation.edge_mask[list(arm)].min() > explanation.edge_mask[ordinary].max()
    assert explanation.node_mask.view(5, 12, 1).shape == x.shape


def test_planted_edge_importance():
    """A large learnt factor of one edge is found through its e_id, in any order of the edges."""
    torch.manual_seed(0)
    model = TrafficSTGCN(1, 1, kernel="partition", edge_importance=True, num_edges=100, **WIDER)
    with torch.no_grad():
        model.edge_importance.weight.fill_(0.01)
        model.edge_importance.weight[:, 42] = 3.0
    e_id = torch.tensor([7, 99, 3, 42, 11, 0])
    explanation = explained(
        model, torch.randn(6, 12, 1), STAR, edge_weight=torch.ones(6), e_id=e_id
    )
    assert int(explanation.edge_mask.argmax()) == 3
