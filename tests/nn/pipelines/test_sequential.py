"""Layers, blocks and the model in PyG's Sequential and summary."""

import pytest
import torch
from torch import nn
from torch_geometric.nn import GCNConv, MessagePassing, Sequential, summary

from tests.nn.pipelines.graphs import edges_of, labelled
from tgst.nn import ChebConv, NodeLayerNorm, PartitionConv, PerStep, TemporalConv, TrafficBlock
from tgst.nn.models import TrafficSTGCN

ARGUMENTS = "x, edge_index, edge_type, edge_weight"
EDGES = "x, edge_index, edge_type, edge_weight -> x"
SMALL = {"kernel": "partition", "num_partitions": 3, "channels": [(4, 3, 4), (4, 3, 4)]}


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_sequential_equals_direct_calls():
    data = labelled()
    layers = [
        PartitionConv(2, 4, 3),
        nn.ReLU(),
        TemporalConv(4, 4, 3, padding="causal", gate="glu"),
        ChebConv(4, 4, K=2),
        TrafficBlock(4, (4, 3, 5), PartitionConv(3, 3, 3)),
        PerStep(GCNConv(5, 3)),
        NodeLayerNorm(6, 3),
    ]
    conv, relu, temporal, cheb, block, per_step, norm = layers
    weighted = "x, edge_index, edge_weight -> x"
    model = Sequential(
        ARGUMENTS,
        [
            (conv, EDGES),
            relu,
            (temporal, "x -> x"),
            (cheb, weighted),
            (block, EDGES),
            (per_step, weighted),
            (norm, "x -> x"),
        ],
    ).double()
    edge_index, edge_type, edge_weight = edges = edges_of(data)
    out = model(data.x, *edges)
    x = temporal(relu(conv(data.x, *edges)))
    x = block(cheb(x, edge_index, edge_weight), *edges)
    x = norm(per_step(x, edge_index, edge_weight))
    torch.testing.assert_close(out, x, rtol=0, atol=0)
    assert out.shape == (6, 8, 3)
    other = model(data.x, edge_index, edge_type.roll(1), edge_weight)
    assert (other - out).abs().max() > 1e-3  # the labels arrive


def test_sequential_of_a_model_and_a_head():
    data = labelled()
    stgcn = TrafficSTGCN(2, 1, **SMALL)
    head = nn.Linear(1, 2)
    model = Sequential(ARGUMENTS, [(stgcn, EDGES), head]).double()
    expected = head(stgcn(data.x, *edges_of(data)))
    torch.testing.assert_close(model(data.x, *edges_of(data)), expected, rtol=0, atol=0)


def table(text):
    """The cells of what PyG draws, one row per module."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[1:-1]]


@pytest.mark.parametrize(
    "build",
    [
        lambda: TrafficSTGCN(2, 1, edge_importance=True, num_edges=24, **SMALL),
        lambda: TrafficSTGCN(2, 1, channels=[(4, 3, 4)], conv=lambda i, o: PerStep(GCNConv(i, o))),
        lambda: TrafficBlock(2, (4, 3, 4), PartitionConv(3, 3, 3)),
        lambda: PartitionConv(2, 4, 3),
        lambda: TemporalConv(2, 4, 3),
    ],
)
def test_summary_counts_the_parameters(build):
    data = labelled()
    model = build().double()
    edges = () if isinstance(model, TemporalConv) else edges_of(data)
    headers, _, first, *inner = table(summary(model, data.x, *edges))
    assert headers == ["Layer", "Input Shape", "Output Shape", "#Param"]
    count = sum(parameter.numel() for parameter in model.parameters())
    assert first[0] == type(model).__name__
    assert first[1].startswith("[6, 12, 2]")
    assert first[2] == str(list(model(data.x, *edges).shape))
    assert int(first[3].replace(",", "")) == count
    counts = [row[3].replace(",", "") for row in inner if _depth(row[0]) == 1]
    direct = [int(number) for number in counts if number != "--"]
    own = sum(parameter.numel() for parameter in model.parameters(recurse=False))
    if isinstance(model, MessagePassing):  # of which PyG shows no parts
        assert not inner
    else:
        assert sum(direct) + own == count


def _depth(name):
    # "├─(conv)..." is a part of the model, "│    └─(0)..." a part of a part.
    return 0 if name[0] not in "│├└ " else 1 + name.count("    ")
