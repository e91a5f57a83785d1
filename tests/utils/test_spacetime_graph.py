"""The space-time graph against loops over the formula of the paper."""

import pytest
import torch
from torch_geometric import EdgeIndex

from tests.nn.pipelines.graphs import labelled
from tgst.nn import EdgeImportance, PartitionConv, TemporalConv
from tgst.ops import Adjacency
from tgst.testing import random_graph
from tgst.utils import spacetime_graph


def test_two_nodes_by_hand():
    """Edge 0 -> 1 with label 1 and the loop of node 1 with label 0, three steps, reach 3."""
    edge_index = torch.tensor([[0, 1], [1, 1]])
    data = spacetime_graph(
        edge_index,
        3,
        3,
        edge_type=torch.tensor([1, 0]),
        edge_weight=torch.tensor([0.5, 2.0]),
        num_partitions=2,
    )
    # Node i at step t is 3 i + t; label k + 2 (q - t + 1) for an edge from step q to t.
    expected = {
        # from the step before, the same and the next step
        (0, 4): (1, 0.5), (1, 5): (1, 0.5), (3, 4): (0, 2.0), (4, 5): (0, 2.0),
        (0, 3): (3, 0.5), (1, 4): (3, 0.5), (2, 5): (3, 0.5),
        (3, 3): (2, 2.0), (4, 4): (2, 2.0), (5, 5): (2, 2.0),
        (1, 3): (5, 0.5), (2, 4): (5, 0.5), (4, 3): (4, 2.0), (5, 4): (4, 2.0),
    }  # fmt: skip
    found = {
        (j, i): (k, w)
        for j, i, k, w in zip(
            *data.edge_index.tolist(),
            data.edge_type.tolist(),
            data.edge_weight.tolist(),
            strict=True,
        )
    }
    assert found == expected
    assert data.num_nodes == 6
    assert torch.equal(data.e_id, torch.arange(14))
    assert torch.equal(data.edge_space, (data.edge_index[0] >= 3).long())


def formula(graph, steps, reach, labels):
    """All edges by the formula, one by one."""
    half, found = reach // 2, []
    for e in range(graph.edge_index.size(1)):
        j, i = graph.edge_index[:, e].tolist()
        for t in range(steps):
            for q in range(max(0, t - half), min(steps, t + half + 1)):
                label = int(graph.edge_type[e]) + (q - t + half) * labels
                found.append((j * steps + q, i * steps + t, label, e))
    return sorted(found)


@pytest.mark.parametrize(("steps", "reach"), [(1, 1), (1, 5), (4, 1), (4, 3), (5, 5), (3, 9)])
def test_edges_of_the_formula(steps, reach):
    graph = random_graph(num_partitions=3)  # unsorted, with parallel edges and an isolated node
    data = spacetime_graph(
        graph.edge_index,
        steps,
        reach,
        edge_type=graph.edge_type,
        edge_weight=graph.edge_weight,
        num_nodes=7,
        num_partitions=3,
    )
    found = zip(
        *data.edge_index.tolist(), data.edge_type.tolist(), data.edge_space.tolist(), strict=True
    )
    assert sorted(found) == formula(graph, steps, reach, 3)
    assert torch.equal(data.edge_weight, graph.edge_weight[data.edge_space])
    assert data.num_nodes == 7 * steps
    assert bool((data.edge_type < 3 * reach).all())
    data.validate(raise_on_error=True)


def dense(conv, x, graph, reach):
    """One product per pair of steps and per label, with matrices."""
    num_nodes, steps, _ = x.shape
    half, labels = reach // 2, conv.num_partitions // reach
    rows = []
    for t in range(steps):
        row = conv.bias.expand(num_nodes, -1)
        for q in range(max(0, t - half), min(steps, t + half + 1)):
            for k in range(labels):
                matrix = torch.zeros(num_nodes, num_nodes, dtype=x.dtype)
                mine = graph.edge_type == k
                source, target = graph.edge_index[:, mine]
                matrix = matrix.index_put(
                    (target, source), graph.edge_weight[mine], accumulate=True
                )
                row = row + matrix @ x[:, q] @ conv.weight[k + (q - t + half) * labels]
        rows.append(row)
    return torch.stack(rows, dim=1)


@pytest.mark.parametrize(("steps", "reach"), [(1, 3), (5, 1), (5, 3), (6, 5), (2, 7)])
@pytest.mark.parametrize("channels", [(2, 4), (4, 2)])
def test_partition_conv_equals_the_dense_reference(steps, reach, channels):
    torch.manual_seed(0)
    graph = random_graph(num_partitions=2)
    conv = PartitionConv(*channels, 2 * reach).double()
    torch.nn.init.uniform_(conv.bias)
    x = torch.randn(7, steps, channels[0], dtype=torch.float64, requires_grad=True)
    graph.edge_weight.requires_grad_()
    data = spacetime_graph(
        graph.edge_index,
        steps,
        reach,
        edge_type=graph.edge_type,
        edge_weight=graph.edge_weight,
        num_nodes=7,
        num_partitions=2,
    )
    out = conv(x.flatten(0, 1), data.edge_index, data.edge_type, data.edge_weight)
    out = out.unflatten(0, (7, steps))
    expected = dense(conv, x, graph, reach)
    torch.testing.assert_close(out, expected)
    inputs = [x, graph.edge_weight, conv.weight, conv.bias]
    grads = [torch.autograd.grad(y.square().sum(), inputs) for y in (out, expected)]
    for actual, wanted in zip(*grads, strict=True):
        torch.testing.assert_close(actual, wanted)


def test_separable_weights_are_a_spatial_and_a_temporal_convolution():
    """W[k, offset] = temporal[offset] * W[k]: first per step in space, then in time."""
    torch.manual_seed(0)
    data = labelled(steps=8)
    spatial = PartitionConv(2, 4, 3, bias=False).double()
    temporal = TemporalConv(4, 4, 3, padding="same", bias=False, residual=False, gate=None)
    temporal = temporal.double()
    kernel = torch.randn(3, dtype=torch.float64)
    both = PartitionConv(2, 4, 9, bias=False).double()
    with torch.no_grad():
        # One number per tap, for all channels; TemporalConv weighs the earliest step first.
        temporal.weight.copy_(torch.eye(4, dtype=torch.float64).unsqueeze(-1) * kernel)
        both.weight.copy_(torch.cat([tap * spatial.weight for tap in kernel]))
    expected = temporal(spatial(data.x, data.edge_index, data.edge_type, data.edge_weight))
    graph = spacetime_graph(
        data.edge_index,
        8,
        3,
        edge_type=data.edge_type,
        edge_weight=data.edge_weight,
        num_partitions=3,
    )
    out = both(data.x.flatten(0, 1), graph.edge_index, graph.edge_type, graph.edge_weight)
    torch.testing.assert_close(out.unflatten(0, (6, 8)), expected)


def test_without_labels_and_weights():
    edge_index = torch.tensor([[0, 1], [1, 0]])
    data = spacetime_graph(edge_index, 2, 3, num_nodes=4, num_partitions=5)
    assert data.num_nodes == 8
    assert "edge_weight" not in data
    assert sorted(data.edge_type.unique().tolist()) == [0, 5, 10]
    assert data.edge_type.dtype == torch.long


def test_edge_index_class_and_no_edges():
    given = EdgeIndex(torch.tensor([[0, 1], [1, 0]]), sparse_size=(5, 5))
    data = spacetime_graph(given, 2, 3)
    assert data.num_nodes == 10
    assert type(data.edge_index) is torch.Tensor
    empty = spacetime_graph(torch.zeros(2, 0, dtype=torch.long), 4, 3, num_nodes=3)
    assert empty.edge_index.shape == (2, 0)
    assert empty.edge_type.shape == empty.e_id.shape == empty.edge_space.shape == (0,)
    assert empty.num_nodes == 12


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_keep_their_dtype(dtype):
    weight = torch.tensor([0.5, 2.0], dtype=dtype)
    data = spacetime_graph(torch.tensor([[0, 1], [1, 0]]), 3, 3, edge_weight=weight)
    assert data.edge_weight.dtype == dtype
    assert torch.equal(data.edge_weight, weight[data.edge_space])


def test_importance_of_spatial_edges():
    """Parameters of spatial edges are gathered by edge_space, and learn from all steps."""
    torch.manual_seed(0)
    data = labelled(steps=4)
    graph = spacetime_graph(data.edge_index, 4, 3, edge_type=data.edge_type, num_partitions=3)
    assert torch.equal(graph.edge_index // 4, data.edge_index[:, graph.edge_space])
    importance = EdgeImportance(data.num_edges).double()
    torch.nn.init.uniform_(importance.weight, 0.5, 1.5)
    conv = PartitionConv(2, 4, 9).double()

    def gradient(weight):
        out = conv(data.x.flatten(0, 1), graph.edge_index, graph.edge_type, weight)
        return torch.autograd.grad(out.square().sum(), weight)[0]

    weight = importance(None, data.e_id[graph.edge_space])
    out = conv(data.x.flatten(0, 1), graph.edge_index, graph.edge_type, weight)
    (shared,) = torch.autograd.grad(out.square().sum(), importance.weight)
    single = gradient(importance.weight.detach()[graph.edge_space].requires_grad_())
    expected = torch.zeros_like(shared).index_add_(0, graph.edge_space, single)
    torch.testing.assert_close(shared, expected)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"temporal_reach": 2}, ValueError, "temporal_reach: expected an odd number .*, got 2"),
        ({"temporal_reach": 0}, ValueError, "temporal_reach: expected at least 1, got 0"),
        ({"temporal_reach": 3.0}, TypeError, "temporal_reach: expected an int, got float"),
        ({"num_steps": 0}, ValueError, "num_steps: expected at least 1, got 0"),
        ({"num_steps": True}, TypeError, "num_steps: expected an int, got bool"),
        ({"num_partitions": 0}, ValueError, "num_partitions: expected at least 1, got 0"),
        ({"num_nodes": 2}, ValueError, r"edge_index: expected node numbers in \[0, 2\)"),
        ({"edge_type": torch.zeros(2).long()}, ValueError, r"edge_type: expected shape \[3\]"),
        (
            {"edge_type": torch.tensor([0, 1, 2]), "num_partitions": 2},
            ValueError,
            r"edge_type: expected labels in \[0, 2\), but edge 2 has label 2",
        ),
        ({"edge_weight": torch.ones(3, 1)}, ValueError, r"edge_weight: expected shape \[3\]"),
        ({"edge_weight": [1.0] * 3}, TypeError, "edge_weight: expected a Tensor, got list"),
        ({"edge_index": [[0], [1]]}, TypeError, "edge_index: expected a Tensor"),
        (
            {"edge_index": Adjacency.build(torch.tensor([[0, 1, 2], [1, 2, 0]]))},
            TypeError,
            "edge_index: expected a Tensor or an EdgeIndex, got Adjacency",
        ),
        (
            {"edge_index": EdgeIndex(torch.tensor([[0, 2], [2, 1]]), sparse_size=(2, 2))},
            ValueError,
            r"edge_index: expected node numbers in \[0, 2\)",
        ),
    ],
)
def test_arguments(arguments, error, message):
    edge_index = torch.tensor([[0, 1, 2], [1, 2, 0]])
    given = {"edge_index": edge_index, "num_steps": 4, "temporal_reach": 3, **arguments}
    with pytest.raises(error, match=message):
        spacetime_graph(**given)
