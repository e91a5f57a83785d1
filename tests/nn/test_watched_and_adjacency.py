"""ChebConv and the model with an Adjacency, under autocast, watched, and after inference mode."""

import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.nn import GATConv, GCNConv, RGCNConv

from tgst.nn import ChebConv, PartitionConv, PerStep, TrafficBlock
from tgst.nn.models import TrafficSTGCN
from tgst.ops import Adjacency
from tgst.testing import random_graph

SMALL = {"channels": [(4, 3, 4), (4, 3, 4)]}


@pytest.fixture
def graph():
    torch.manual_seed(0)
    return random_graph(num_partitions=3)


def test_watched_cheb_conv_equals_the_fused_one(graph):
    conv = ChebConv(3, 4, K=3).double()
    x = torch.randn(7, 2, 5, 3, dtype=torch.float64)
    fused = conv(x, graph.edge_index, graph.edge_weight)
    seen = []
    handle = conv.register_message_forward_hook(lambda *args: seen.append(args[-1].shape))
    torch.testing.assert_close(conv(x, graph.edge_index, graph.edge_weight), fused)
    assert seen == [(18, 10, 3)] * 2  # one product for T1 and one for T2
    handle.remove()


class OwnMessage(ChebConv):
    def message(self, x_j, edge_weight):
        return 3 * super().message(x_j, edge_weight)


class OwnAggregate(ChebConv):
    def aggregate(self, inputs, index, ptr=None, dim_size=None):
        return 3 * super().aggregate(inputs, index, ptr, dim_size)


class OwnUpdate(ChebConv):
    def update(self, inputs):
        return 3 * inputs


@pytest.mark.parametrize("own", [OwnMessage, OwnAggregate, OwnUpdate])
def test_overridden_methods_are_used(graph, own):
    conv = ChebConv(3, 4, K=2, bias=False).double()
    with torch.no_grad():
        conv.weight[0].zero_()  # T1 alone, which passes through the messages
    layer = own(3, 4, K=2, bias=False).double()
    layer.load_state_dict(conv.state_dict())
    x = torch.randn(7, 5, 3, dtype=torch.float64)
    expected = 3 * conv(x, graph.edge_index, graph.edge_weight)
    torch.testing.assert_close(layer(x, graph.edge_index, graph.edge_weight), expected)


@pytest.mark.parametrize("kernel", ["cheb", "partition"])
@pytest.mark.parametrize("compiled", [False, True])
def test_model_takes_an_adjacency(graph, kernel, compiled):
    labels = 3 if kernel == "partition" else 1
    model = TrafficSTGCN(2, 1, kernel=kernel, num_partitions=labels, **SMALL).double().eval()
    edge_type = graph.edge_type if kernel == "partition" else None
    adjacency = Adjacency.build(graph.edge_index, edge_type, 7, labels)
    edge_index = EdgeIndex(graph.edge_index, sparse_size=(7, 7))
    x = torch.randn(7, 2, 12, 2, dtype=torch.float64)
    expected = model(x, graph.edge_index, edge_type, graph.edge_weight)
    torch._dynamo.reset()
    run = torch.compile(model, fullgraph=True, backend="aot_eager") if compiled else model
    torch.testing.assert_close(run(x, adjacency, None, graph.edge_weight), expected)
    torch.testing.assert_close(run(x, edge_index, edge_type, graph.edge_weight), expected)


def test_inference_mode_first_then_training(graph):
    model = TrafficSTGCN(2, 1, **SMALL).double()
    x = torch.randn(7, 12, 2, dtype=torch.float64)
    with torch.inference_mode():
        before = model(x, graph.edge_index, edge_weight=graph.edge_weight)
    out = model(x, graph.edge_index, edge_weight=graph.edge_weight)
    torch.testing.assert_close(out, before.clone())
    out.sum().backward()
    assert model.blocks[0].conv.weight.grad.abs().max() > 0


@pytest.mark.parametrize(
    "build",
    [
        lambda: PartitionConv(3, 6, 3),
        lambda: PartitionConv(6, 3, 3),
        lambda: PartitionConv(6, 3, 3, bias="message"),
        lambda: PartitionConv(3, 6, 3, bias="message"),
        lambda: ChebConv(3, 4, K=1),
        lambda: ChebConv(3, 4, K=3),
    ],
)
def test_autocast(graph, build):
    layer = build()
    graph = graph.to(torch.float32)
    edge_type = graph.edge_type if isinstance(layer, PartitionConv) else None
    edges = [graph.edge_index, edge_type] if edge_type is not None else [graph.edge_index]
    x = torch.randn(7, 5, layer.in_channels)
    weight = graph.edge_weight.clone().requires_grad_()
    exact = layer(x, *edges, weight)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = layer(x, *edges, weight)
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).abs().max() < 0.05 * exact.abs().max()
    if getattr(layer, "K", 3) > 1:  # T0 alone uses no weight
        rough.float().square().sum().backward()
        assert weight.grad.dtype == torch.float32


def test_watched_path_checks_weights_too(graph):
    for layer in (PartitionConv(3, 4, 3).double(), ChebConv(3, 4, K=1).double()):
        labels = [graph.edge_type] if isinstance(layer, PartitionConv) else []
        x = torch.randn(7, 5, 3, dtype=torch.float64)
        for hook in (False, True):
            if hook:
                layer.register_message_forward_hook(lambda *args: None)
            good = graph.edge_weight
            for weight in (good[:-1], good[:1], good[:, None]):
                with pytest.raises(ValueError, match=r"edge_weight: expected shape \[18\]"):
                    layer(x, graph.edge_index, *labels, weight)
            with pytest.raises(TypeError, match=r"edge_weight: expected dtype torch.float64"):
                layer(x, graph.edge_index, *labels, graph.edge_weight.float())


def test_bare_pyg_convs_are_refused():
    """They would take time for the nodes, in silence where the sizes allow it."""
    with pytest.raises(ValueError, match=r"conv: .* wrap it in tgst.nn.PerStep"):
        TrafficBlock(1, (4, 3, 4), GCNConv(3, 3))
    with pytest.raises(ValueError, match=r"conv: .* wrap it in tgst.nn.PerStep"):
        TrafficSTGCN(1, 1, conv=lambda i, o: GCNConv(i, o))


def test_labels_are_never_ignored(graph):
    x = torch.randn(7, 12, 1, dtype=torch.float64)
    for kernel in ("cheb", "first_order"):
        model = TrafficSTGCN(1, 1, kernel=kernel, **SMALL).double()
        with pytest.raises(ValueError, match="edge_type"):
            model(x, graph.edge_index, graph.edge_type, graph.edge_weight)
    with pytest.raises(ValueError, match="edge_importance: expected a conv that takes edge_weight"):
        TrafficSTGCN(
            1, 1, conv=lambda i, o: PerStep(GATConv(i, o)), edge_importance=True, num_edges=18
        )


def test_per_step_takes_the_labels_of_an_adjacency(graph):
    layer = PerStep(RGCNConv(2, 3, 3)).double()
    x = torch.randn(7, 5, 2, dtype=torch.float64)
    adjacency = Adjacency.build(graph.edge_index, graph.edge_type, 7, 3)
    expected = layer(x, graph.edge_index, edge_type=graph.edge_type)
    torch.testing.assert_close(layer(x, adjacency), expected)


def test_arguments():
    with pytest.raises(ValueError, match="backend"):
        PartitionConv(1, 1, backend="cusparse")
    with pytest.raises(ValueError, match="backend"):
        ChebConv(1, 1, 2, backend="cusparse")
    with pytest.raises(ValueError, match="bias: expected True, False or 'message', got 1"):
        PartitionConv(1, 1, bias=1)
    with pytest.raises(TypeError):
        ChebConv(1, 1, K=2.5)
    with pytest.raises(ValueError, match="K: expected at least 1"):
        ChebConv(1, 1, K=0)
    with pytest.raises(ValueError, match=r"channels: expected three widths per block"):
        TrafficSTGCN(1, 1, channels=[(4, 3)])
    with pytest.raises(ValueError, match="out_channels: residual=True"):
        TrafficSTGCN(1, 2, residual=True)
    with pytest.raises(ValueError, match="horizon, in_channels, out_channels"):
        TrafficSTGCN(1, 1, horizon=0)


def test_rollout_arguments(graph):
    model = TrafficSTGCN(3, 1, horizon=1, **SMALL).double()
    x = torch.randn(7, 2, 12, 3, dtype=torch.float64)
    options = {"edge_weight": graph.edge_weight}
    with pytest.raises(ValueError, match=r"covariates: .* got \[7, 2, 2\]"):
        model.rollout(x, graph.edge_index, steps=2, covariates=x[:, 0, :2, :2], **options)
    with pytest.raises(ValueError, match=r"covariates: .* got \[3, 2, 2, 2\]"):
        model.rollout(x, graph.edge_index, steps=2, covariates=x[:3, :, :2, :2], **options)
    with pytest.raises(ValueError, match="steps, out_channels: rollout needs steps >= 1"):
        model.rollout(x, graph.edge_index, steps=0, **options)
    plain = TrafficSTGCN(1, 1, horizon=1, **SMALL).double()
    with pytest.raises(ValueError, match="covariates: expected 2 future steps of 0"):
        plain.rollout(x[..., :1], graph.edge_index, steps=2, covariates=x[:, :, :2, :2], **options)


def test_edges_out_of_place_are_named(graph):
    """Through every way in, also the cache and PerStep's disjoint union."""
    x = torch.randn(7, 5, 3, dtype=torch.float64)
    layers = (
        PartitionConv(3, 4).double(),
        ChebConv(3, 4, K=2).double(),
        PerStep(GCNConv(3, 4).double()),
    )
    bad = {
        r"edge_index: expected a strided \(dense\) layout": graph.edge_index.to_sparse(),
        r"edge_index: expected a strided \(dense\) layout, got torch.sparse_csr": (
            graph.edge_index.to_sparse_csr()
        ),
        r"edge_index: expected node numbers in \[0, 7\), but edge 0 has source 9": (
            torch.tensor([[9, 1], [2, 0]])
        ),
        r"edge_index: .* edge 1 has target -1": torch.tensor([[0, 1], [2, -1]]),
        r"edge_index: expected shape \[2, E\], got \[18\]": graph.edge_index[0],
    }
    for layer in layers:
        for message, edge_index in bad.items():
            with pytest.raises(ValueError, match=message):
                layer(x, edge_index)
        with pytest.raises(TypeError, match=r"edge_index: expected dtype torch.int64 or"):
            layer(x, graph.edge_index.short())
        torch.testing.assert_close(layer(x, graph.edge_index.int()), layer(x, graph.edge_index))
    with pytest.raises(ValueError, match="edge_type: expected a strided"):
        layers[0](x, graph.edge_index, graph.edge_type.to_sparse())
    with pytest.raises(TypeError, match="x: expected a Tensor, got list"):
        layers[0](x.tolist(), graph.edge_index)
