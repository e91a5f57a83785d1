r"""Properties of what a layer computes."""

from __future__ import annotations

import torch
from torch import Tensor

from tgst.testing.case import Graph, LayerCase


def assert_same(actual: Tensor, expected: Tensor, tolerance: float = 1e-9) -> None:
    r"""Asserts equality up to a tolerance, with shapes and dtypes."""
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)


def dense_reference(case: LayerCase) -> None:
    r"""The layer equals its dense float64 reference, batched or not."""
    if case.reference is None:
        raise ValueError("reference: the case gives no dense reference")
    layer, graph = case.layer(), case.graph()
    for batch in ((), (3,), (2, 3)):
        x = case.features(*batch)
        assert_same(case.call(layer, x, graph), case.reference(layer, x, graph))


def batch_equivalence(case: LayerCase) -> None:
    r"""A batch gives what its samples give, one by one."""
    layer, graph, x = case.layer(), case.graph(), case.features(2, 3)
    together = case.call(layer, x, graph)
    for i in range(2):
        assert_same(together[:, i], case.call(layer, x[:, i], graph))
        for j in range(3):
            assert_same(together[:, i, j], case.call(layer, x[:, i, j], graph))


def node_permutation(case: LayerCase) -> None:
    r"""Renumbering the nodes renumbers the output."""
    layer, graph, x = case.layer(), case.graph(), case.features(2)
    order = torch.randperm(case.num_nodes, generator=torch.Generator().manual_seed(3))
    renumbered = graph._replace(edge_index=order.argsort()[graph.edge_index])
    assert_same(case.call(layer, x[order], renumbered), case.call(layer, x, graph)[order])


def edge_order(case: LayerCase) -> None:
    r"""The order of the edges does not matter when their attributes move along."""
    layer, graph, x = case.layer(), case.graph(), case.features(2)
    order = torch.randperm(case.num_edges, generator=torch.Generator().manual_seed(4))
    assert_same(case.call(layer, x, graph.edges(order)), case.call(layer, x, graph))


def edge_weight_sensitivity(case: LayerCase) -> None:
    r"""Moving weight between two out-edges of one node changes both targets' output."""
    layer, graph, x = case.layer(), case.graph(), case.features()
    source, target = graph.edge_index
    first = int(((source == 0) & (target == 1)).nonzero()[0])
    second = int(((source == 0) & (target == 2)).nonzero()[0])
    weight = graph.edge_weight.clone()
    weight[first] += 0.5
    weight[second] -= 0.5
    change = case.call(layer, x, graph._replace(edge_weight=weight)) - case.call(layer, x, graph)
    for node in (1, 2):
        assert change[node].abs().max() > 1e-6, f"node {node} does not notice its edge's weight"


def edge_label_sensitivity(case: LayerCase) -> None:
    r"""Another label on an edge changes its target's output."""
    layer, graph, x = case.layer(), case.graph(), case.features()
    edge = int((graph.edge_index[1] == 1).nonzero()[0])
    labels = graph.edge_type.clone()
    labels[edge] = (labels[edge] + 1) % case.num_partitions
    changed = case.call(layer, x, graph._replace(edge_type=labels))
    change = (changed - case.call(layer, x, graph))[1].abs().max()
    assert change > 1e-6, "the target does not notice its edge's label"


def empty(case: LayerCase) -> None:
    r"""No samples and no nodes give an empty output of the right shape."""
    layer, graph = case.layer(), case.graph()
    shape = case.call(layer, case.features(2), graph).shape
    assert case.call(layer, case.features(0), graph).shape == (shape[0], 0, *shape[2:])
    if not case.fixed_nodes:
        nobody = graph.edges(torch.arange(0))._replace(num_nodes=0)
        assert case.call(layer, case.features(2)[:0], nobody).shape == (0, *shape[1:])


def parallel_edges(case: LayerCase) -> None:
    r"""An edge equals two parallel edges that share its weight."""
    layer, graph, x = case.layer(), case.graph(), case.features(2)
    doubled = graph.edges(torch.cat([torch.arange(case.num_edges), torch.tensor([0])]))
    weight = doubled.edge_weight.clone()
    weight[0], weight[-1] = 0.25 * weight[0], 0.75 * weight[0]
    doubled = doubled._replace(edge_weight=weight)
    assert_same(case.call(layer, x, doubled), case.call(layer, x, graph))


def isolated_nodes(case: LayerCase) -> None:
    r"""Without edges, or with self loops alone, every node is on its own and finite."""
    layer, graph, x = case.layer(), case.graph(), case.features(2)
    loops = graph.edges(torch.arange(case.num_nodes))
    loops = loops._replace(edge_index=torch.arange(case.num_nodes).repeat(2, 1))
    for edges in (graph.edges(torch.arange(0)), loops):
        out = case.call(layer, x, edges)
        assert out.isfinite().all()
        for node in (0, case.num_nodes - 1):
            own = edges.edges((edges.edge_index[0] == node).nonzero().view(-1))
            own = own._replace(edge_index=torch.zeros_like(own.edge_index), num_nodes=1)
            assert_same(case.call(layer, x[node : node + 1], own)[0], out[node])


def time_order(case: LayerCase) -> None:
    r"""A temporal layer notices a shuffled history; any other one shuffles its output."""
    layer, graph, x = case.layer(), case.graph(), case.features(2)
    order = torch.arange(case.steps).roll(1)
    out, shuffled = case.call(layer, x, graph), case.call(layer, x[..., order, :], graph)
    if case.temporal:
        if out.size(-2) == case.steps:
            shuffled = shuffled[..., order.argsort(), :]
        assert (shuffled - out).abs().max() > 1e-6
    else:
        assert_same(shuffled, out[..., order, :])


def causality(case: LayerCase) -> None:
    r"""Later readings do not change earlier output."""
    layer, graph, x = case.layer(), case.graph(), case.features(2)
    out = case.call(layer, x, graph)
    for step in range(1, case.steps):
        later = x.clone()
        later[..., step:, :] += 1.0
        changed = case.call(layer, later, graph)
        assert_same(changed[..., :step, :], out[..., :step, :])
        assert (changed[..., step:, :] - out[..., step:, :]).abs().max() > 1e-6


def disjoint_union(case: LayerCase) -> None:
    r"""Two different graphs in one batch give what they give apart."""
    layer = case.layer()
    one, two = case.graph(seed=0), case.graph(seed=1)
    two = two.edges(torch.arange(case.num_edges - 3))
    x, y = case.features(2), case.features(2, seed=5)
    union = Graph(
        torch.cat([one.edge_index, two.edge_index + one.num_nodes], dim=1),
        torch.cat([one.edge_type, two.edge_type]),
        torch.cat([one.edge_weight, two.edge_weight]),
        torch.cat([one.e_id, two.e_id]),
        one.num_nodes + two.num_nodes,
    )
    apart = torch.cat([case.call(layer, x, one), case.call(layer, y, two)])
    assert_same(case.call(layer, torch.cat([x, y]), union), apart)


def gradients(case: LayerCase) -> None:
    r"""First and second derivatives by features, edge weights and parameters are right."""
    layer, graph = case.layer(), case.graph()
    names = [name for name, _ in layer.named_parameters()]

    def run(x: Tensor, weight: Tensor, *values: Tensor) -> Tensor:
        # Dropped into the modules by name, so that the derivatives reach every parameter.
        parameters = dict(zip(names, values, strict=True))
        module = _Caller(layer, case, graph._replace(edge_weight=weight))
        return torch.func.functional_call(module, _prefixed(parameters), (x,))

    values = [parameter.detach().clone() for parameter in layer.parameters()]
    inputs = [case.features(2), graph.edge_weight if case.spatial else torch.zeros(1).double()]
    leaves = [value.clone().requires_grad_() for value in (*inputs, *values)]
    if not case.spatial:
        leaves[1].requires_grad_(False)
    assert torch.autograd.gradcheck(run, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, leaves, fast_mode=True)


class _Caller(torch.nn.Module):
    def __init__(self, layer: torch.nn.Module, case: LayerCase, graph: Graph):
        super().__init__()
        self.layer, self._case, self._graph = layer, case, graph

    def forward(self, x: Tensor) -> Tensor:
        return self._case.call(self.layer, x, self._graph)


def _prefixed(parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"layer.{name}": value for name, value in parameters.items()}
