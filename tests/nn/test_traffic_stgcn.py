"""TrafficSTGCN: roll-out, residual, other graphs, learnable edges, arguments."""

import pytest
import torch
from torch_geometric.nn import GATConv

from tgst.nn import PerStep, TrafficBlock
from tgst.nn.conv import ChebConv
from tgst.nn.models import TrafficSTGCN
from tgst.testing import random_graph

SMALL = {"channels": [(4, 3, 4), (4, 3, 4)]}


def graph_of(num_nodes=7, num_partitions=1, seed=0):
    return random_graph(num_nodes, 18, num_partitions, seed)


def call(model, x, graph):
    return model(x, graph.edge_index, edge_weight=graph.edge_weight)


def test_rollout_is_the_loop():
    torch.manual_seed(0)
    graph = graph_of()
    model = TrafficSTGCN(1, 1, horizon=1, **SMALL).double().eval()
    x = torch.randn(7, 2, 12, 1, dtype=torch.float64)
    out = model.rollout(x, graph.edge_index, edge_weight=graph.edge_weight, steps=4)
    window, expected = x, []
    for _ in range(4):
        step = call(model, window, graph)
        expected.append(step)
        window = torch.cat([window[:, :, 1:], step], dim=2)
    torch.testing.assert_close(out, torch.cat(expected, dim=2))


def test_rollout_takes_future_covariates():
    torch.manual_seed(0)
    graph = graph_of()
    model = TrafficSTGCN(3, 1, horizon=1, **SMALL).double().eval()
    x = torch.randn(7, 2, 12, 3, dtype=torch.float64)
    known = torch.randn(1, 2, 3, 2, dtype=torch.float64)
    options = {"edge_weight": graph.edge_weight, "steps": 3}
    out = model.rollout(x, graph.edge_index, covariates=known, **options)
    second = torch.cat([out[:, :, :1], known[:, :, :1].expand(7, -1, -1, -1)], dim=-1)
    window = torch.cat([x[:, :, 1:], second], dim=2)
    torch.testing.assert_close(call(model, window, graph), out[:, :, 1:2])
    # The last step's covariates come after the last prediction.
    later = known.clone()
    later[:, :, 1:2] += 1
    changed = model.rollout(x, graph.edge_index, covariates=later, **options)
    torch.testing.assert_close(changed[:, :, :2], out[:, :, :2])
    assert (changed[:, :, 2] - out[:, :, 2]).abs().max() > 1e-6
    with pytest.raises(ValueError, match="covariates: expected 3 future steps of 2"):
        model.rollout(x, graph.edge_index, **options)
    with pytest.raises(ValueError, match="horizon: rollout needs a model with horizon=1, got 12"):
        TrafficSTGCN(3, 1).rollout(x, graph.edge_index, steps=3)


def test_residual_adds_the_last_reading():
    torch.manual_seed(0)
    graph = graph_of()
    plain = TrafficSTGCN(2, 1, horizon=3, **SMALL).double()
    residual = TrafficSTGCN(2, 1, horizon=3, residual=True, **SMALL).double()
    residual.load_state_dict(plain.state_dict())
    x = torch.randn(7, 2, 12, 2, dtype=torch.float64)
    expected = call(plain, x, graph) + x[:, :, -1:, :1]
    torch.testing.assert_close(call(residual, x, graph), expected)


@pytest.mark.parametrize("variant", ["paper", "authors", "pytorch"])
def test_skip_gives_the_head_the_history_of_the_predicted_channels(variant):
    torch.manual_seed(0)
    graph = graph_of()
    plain = TrafficSTGCN(3, 2, horizon=3, variant=variant, **SMALL).double()
    skip = TrafficSTGCN(3, 2, horizon=3, variant=variant, skip=True, **SMALL).double()
    layer = "head.out" if variant == "paper" else "head.hidden"
    weights = plain.state_dict()
    own, extra = weights[f"{layer}.weight"], torch.randn(1, 24, dtype=torch.float64)
    weights[f"{layer}.weight"] = torch.cat([own, extra.expand(len(own), -1)], dim=1)
    skip.load_state_dict(weights)
    # by hand: the history adds the same number to every unit of that layer
    x = torch.randn(7, 5, 12, 3, dtype=torch.float64)
    history = x[..., :2].reshape(7, 5, 24)
    shift = (history * extra).sum(dim=-1, keepdim=True)
    hook = plain.get_submodule(layer).register_forward_hook(lambda *args: args[2] + shift)
    expected = call(plain, x, graph)
    hook.remove()
    torch.testing.assert_close(call(skip, x, graph), expected)
    assert (call(plain, x, graph) - expected).abs().max() > 1e-3


def test_skip_needs_the_predicted_channels_in_the_input():
    with pytest.raises(ValueError, match=r"skip=True .* at most 1 \(in_channels\), got 2"):
        TrafficSTGCN(1, 2, skip=True)


def test_channel_norm_runs_on_another_graph():
    torch.manual_seed(0)
    model = TrafficSTGCN(1, 1, **SMALL).double().eval()
    for num_nodes, seed in ((7, 0), (11, 1)):
        graph = graph_of(num_nodes, seed=seed)
        x = torch.randn(num_nodes, 2, 12, 1, dtype=torch.float64)
        out = call(model, x, graph)
        # Without edges into the isolated last node, its forecast is its own alone.
        alone = model(x[-1:], torch.empty(2, 0, dtype=torch.long))
        torch.testing.assert_close(out[-1:], alone)


def test_node_norm_is_tied_to_its_graph():
    model = TrafficSTGCN(1, 1, norm="node", num_nodes=7, **SMALL).double()
    with pytest.raises(ValueError, match=r"expected \[7, \*, 4\], got \[9"):
        call(model, torch.zeros(9, 12, 1, dtype=torch.float64), graph_of(9))
    with pytest.raises(ValueError, match="num_nodes: norm='node' needs the number of nodes"):
        TrafficSTGCN(1, 1, norm="node")


def test_edge_importance_is_learnt_per_block_and_follows_e_id():
    torch.manual_seed(0)
    graph = graph_of()
    model = TrafficSTGCN(1, 1, edge_importance=True, num_edges=18, **SMALL).double()
    model.edge_importance.weight.data.uniform_(0.5, 1.5)
    x = torch.randn(7, 12, 1, dtype=torch.float64)
    out = model(x, graph.edge_index, None, graph.edge_weight, graph.e_id)
    out.square().sum().backward()
    grad = model.edge_importance.weight.grad
    assert grad.shape == (2, 18)
    assert (grad.abs().amax(1) > 0).all()
    shuffled = graph.edges(torch.randperm(18))
    again = model(x, shuffled.edge_index, None, shuffled.edge_weight, shuffled.e_id)
    torch.testing.assert_close(again, out)
    with pytest.raises(ValueError, match="num_edges: edge_importance=True needs"):
        TrafficSTGCN(1, 1, edge_importance=True)


def test_any_pyg_conv():
    torch.manual_seed(0)
    graph = graph_of()
    model = TrafficSTGCN(1, 1, conv=lambda i, o: PerStep(GATConv(i, o)), **SMALL).double()
    assert isinstance(model.blocks[1].conv.conv, GATConv)
    x = torch.randn(7, 2, 12, 1, dtype=torch.float64)
    out = model(x, graph.edge_index)
    # The same attention, called step by step by hand in the first block.
    block = model.blocks[0]
    hidden = block.temporal1(x)
    aligned = block.align(hidden)
    steps = [
        [block.conv.conv(aligned[:, b, t], graph.edge_index) for t in range(10)] for b in range(2)
    ]
    spatial = torch.stack([torch.stack(row, 1) for row in steps], 1)
    hidden = block.norm(block.temporal2(torch.relu(spatial + aligned)))
    hidden = model.blocks[1](hidden, graph.edge_index)
    torch.testing.assert_close(model.head(hidden).unflatten(-1, (12, 1)), out)


def test_dropout_is_off_in_evaluation():
    torch.manual_seed(0)
    graph = graph_of()
    model = TrafficSTGCN(1, 1, dropout=0.5, **SMALL).double()
    x = torch.randn(7, 12, 1, dtype=torch.float64)
    assert not torch.equal(call(model, x, graph), call(model, x, graph))
    model.eval()
    torch.testing.assert_close(call(model, x, graph), call(model, x, graph), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "tf"}, "variant: expected one of"),
        ({"kernel": "gcn"}, "kernel: expected 'cheb', 'first_order' or 'partition'"),
        ({"history": 8}, "history: 2 blocks with kernel_size=3 need at least 9 steps, got 8"),
        ({"norm": "batch"}, "norm: expected 'channel' or 'node', got 'batch'"),
        ({"gate": "relu"}, "gate: expected None, 'glu' or 'gtu'"),
    ],
)
def test_options(options, message):
    with pytest.raises(ValueError, match=message):
        TrafficSTGCN(1, 1, **options)


def test_bad_history():
    with pytest.raises(ValueError, match=r"x: expected \[num_nodes, \*, 12, 1\].* got \[7, 9, 1\]"):
        call(TrafficSTGCN(1, 1).double(), torch.zeros(7, 9, 1).double(), graph_of())


def test_block_alignment_name():
    with pytest.raises(ValueError, match="align: expected 'before' or 'beside', got 'after'"):
        TrafficBlock(1, (2, 2, 2), ChebConv(2, 2, 1), align="after")


@pytest.mark.parametrize(
    ("kernel", "K", "hops"),
    [("cheb", 3, 4), ("cheb", 1, 0), ("first_order", 3, 2), ("partition", 3, 2)],
)
def test_num_hops_is_how_far_the_output_reaches(kernel, K, hops):
    torch.manual_seed(0)
    model = TrafficSTGCN(1, 1, kernel=kernel, K=K, **SMALL).double()
    assert model.num_hops == hops
    x = torch.randn(9, 12, 1, dtype=torch.float64, requires_grad=True)
    path = torch.stack([torch.arange(8), torch.arange(1, 9)])  # 0 -> 1 -> ... -> 8
    model(x, path)[8].sum().backward()
    reached = x.grad.abs().sum(dim=(1, 2)).nonzero().flatten().tolist()
    assert min(reached) == 8 - hops
    assert max(reached) == 8


def test_num_hops_is_not_guessed():
    with pytest.raises(ValueError, match=r"num_hops: known for .*got a conv"):
        _ = TrafficSTGCN(1, 1, conv=lambda i, o: PerStep(GATConv(i, o))).num_hops
    with pytest.raises(ValueError, match=r"num_hops: known for .*got norm='node'"):
        _ = TrafficSTGCN(1, 1, norm="node", num_nodes=7).num_hops
