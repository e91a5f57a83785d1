"""Ways to run a graph convolution on all steps of a batch: ours, dense, PyG's and tsl's.

Ours takes ``[N, L, C]``, with L the batch entries times the time steps; all others take
``[L, N, C]`` or parts of it as the nodes of a disjoint union.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.nn import FastRGCNConv, RGCNConv

from benchmarks.dense_traffic import DenseCheb
from benchmarks.peers import diffusion, gathered, pyg_cheb
from benchmarks.sensor_graph import sensor_graph
from tgst.nn import ChebConv, PartitionConv
from tgst.ops import Adjacency

OURS, DENSE = "ours", "dense einsum"
LEADING, UNION = "leading dimensions", "one disjoint union"
CHUNKS, LOOP = "unions of about 30,000 edges", "a loop over batch and time"
PYG, FAST, TSL = "PyG", "PyG FastRGCNConv", "tsl DiffConv, leading dimensions"
ORDERS = PARTITIONS = 3
ROWS = 30_000


class Problem(NamedTuple):
    """A layer of a width on a graph with a batch of series; edge weights learnt or given."""

    layer: str
    nodes: int
    edges: int
    batch: int
    learnable: bool = False
    steps: int = 12
    width: int = 64

    @property
    def series(self) -> int:
        """Number of feature matrices ``[N, C]``."""
        return self.batch * self.steps


class Way(NamedTuple):
    """A forward pass with what receives gradients, and how to read it as ours.

    Where memory allows only some of the steps, :obj:`share` is the number of times that it would
    have to run; semantics that are not ours are not compared.
    """

    forward: Callable[[Tensor], Tensor]
    x: Tensor
    weights: Sequence[Tensor]
    edges: Tensor | None
    stacked: Callable[[Sequence[Tensor]], Tensor] | None
    node_first: bool = False
    share: float = 1.0


def run(way: Way) -> Callable[[], list[Tensor]]:
    """Return forward and backward into the features, the weights and learnable edge weights."""
    leaves = [way.x, *way.weights, *([] if way.edges is None else [way.edges])]
    grad = _upstream(way)

    def both() -> list[Tensor]:
        out = way.forward(way.x)
        return [out, *torch.autograd.grad(out, leaves, grad)]

    return both


def _upstream(way: Way) -> Tensor:
    # The same numbers for all ways.
    with torch.no_grad():
        out = way.forward(way.x)
    first, second, width = out.shape
    generator = torch.Generator().manual_seed(0)
    shape = (second, first, width) if way.node_first else (first, second, width)
    grad = torch.randn(shape, generator=generator, dtype=out.dtype)
    return grad.transpose(0, 1).contiguous() if way.node_first else grad


def results(way: Way) -> list[Tensor]:
    """Return output, gradient of the features and of the weights in our layout."""
    out, grad, *others = run(way)()
    if not way.node_first:
        out, grad = out.transpose(0, 1), grad.transpose(0, 1)
    assert way.stacked is not None
    return [out, grad, way.stacked(others[: len(way.weights)])]


def ways(problem: Problem, dtype: torch.dtype, seed: int) -> tuple[dict[str, Way], dict[str, str]]:
    """Return the ways of a layer, and what could not be imported."""
    graph = sensor_graph(problem.nodes, problem.edges, seed)
    torch.manual_seed(seed)
    x = torch.randn(problem.series, problem.nodes, problem.width, dtype=dtype, requires_grad=True)
    if problem.layer == "ChebConv":
        return _cheb_ways(problem, graph, x)
    labels = torch.arange(graph.edge_index.size(1)) % PARTITIONS
    return _partition_ways(problem, graph.edge_index, labels, x), {}


def _cheb_ways(problem: Problem, graph: Any, x: Tensor) -> tuple[dict[str, Way], dict[str, str]]:
    dense = DenseCheb(problem.width, ORDERS).to(x)
    ours = ChebConv(problem.width, problem.width, ORDERS).to(x)
    ours.weight.data.copy_(dense.weight.data)
    matrix = _leaf(graph.matrix(x.dtype), problem)
    weight = _leaf(graph.scaled_weight.to(x.dtype), problem)
    adjacency = graph.adjacency()
    found = {
        OURS: _ours(lambda x: ours(x, adjacency, weight), x, ours, weight, problem),
        DENSE: Way(
            lambda x: dense(x[None], matrix)[0],
            x,
            [dense.weight, dense.bias],
            matrix if problem.learnable else None,
            _first,
        ),
    }
    raw = _leaf(torch.ones(graph.edge_index.size(1), dtype=x.dtype), problem)
    for name, layout in _layouts(problem, graph.edge_index, leading=True).items():
        conv = pyg_cheb(dense.weight, dense.bias)
        weights = [*(linear.weight for linear in conv.lins), conv.bias]
        edges = raw if problem.learnable else None
        found[f"{PYG}, {name}"] = Way(
            layout(conv, raw), x, weights, edges, lambda g: torch.stack([w.t() for w in g[:-1]])
        )
    layers, absent = gathered({TSL: lambda: diffusion(problem.width, problem.width, ORDERS).to(x)})
    for name, layer in layers.items():
        found[name] = _tsl(layer, graph.edge_index, raw, x, problem)
    return found, absent


def _tsl(layer: nn.Module, edge_index: Tensor, raw: Tensor, x: Tensor, problem: Problem) -> Way:
    given = {"cache_support": not problem.learnable}
    edges = raw if problem.learnable else None
    weights = list(layer.parameters())
    return Way(lambda x: layer(x, edge_index, raw, **given), x, weights, edges, None)


def _partition_ways(
    problem: Problem, edge_index: Tensor, labels: Tensor, x: Tensor
) -> dict[str, Way]:
    ours = PartitionConv(problem.width, problem.width, PARTITIONS).to(x)
    adjacency = Adjacency.build(edge_index, labels, problem.nodes, PARTITIONS)
    ones = torch.ones(edge_index.size(1), dtype=x.dtype)
    weight = _leaf(ones, problem) if problem.learnable else None
    dense = nn.Parameter(ours.weight.detach().clone())
    bias = nn.Parameter(ours.bias.detach().clone())
    matrices = torch.zeros(PARTITIONS, problem.nodes, problem.nodes, dtype=x.dtype)
    matrices = matrices.index_put_((labels, edge_index[1], edge_index[0]), ones, accumulate=True)
    matrices = _leaf(matrices, problem)
    edges = matrices if problem.learnable else None

    def einsum(x: Tensor) -> Tensor:
        return torch.einsum("kij,ljc,kcd->lid", matrices, x, dense) + bias

    found = {
        OURS: _ours(lambda x: ours(x, adjacency, None, weight), x, ours, weight, problem),
        DENSE: Way(einsum, x, [dense, bias], edges, _first),
    }
    if not problem.learnable:  # PyG's layers know no weights of edges
        found |= _rgcn_ways(problem, edge_index, labels, x, ours.weight)
    return found


def _rgcn_ways(
    problem: Problem, edge_index: Tensor, labels: Tensor, x: Tensor, weight: Tensor
) -> dict[str, Way]:
    found = {}
    for name, layout in _layouts(problem, edge_index, leading=False).items():
        conv = _relational(RGCNConv, weight)
        way = Way(layout(conv, labels), x, [conv.weight, conv.bias], None, _first)
        found[f"{PYG}, {name}"] = way
    conv = _relational(FastRGCNConv, weight)
    count = max(1, min(problem.series, ROWS // edge_index.size(1)))  # a matrix for every edge
    part = x.detach()[:count].clone().requires_grad_()
    only = problem._replace(batch=1, steps=count)
    layout = _layouts(only, edge_index, leading=False)[UNION](conv, labels)
    weights = [conv.weight, conv.bias]
    found[FAST] = Way(layout, part, weights, None, _first, share=problem.series / count)
    return found


def _relational(kind: type[RGCNConv], weight: Tensor) -> RGCNConv:
    conv = kind(weight.size(1), weight.size(2), len(weight), aggr="add", root_weight=False)
    conv = conv.to(weight)
    conv.weight.data.copy_(weight.data)
    return conv


def _ours(
    forward: Callable[[Tensor], Tensor], x: Tensor, layer: Any, edges: Tensor | None, p: Problem
) -> Way:
    node_first = x.detach().transpose(0, 1).contiguous().requires_grad_()
    weights = [layer.weight, layer.bias]
    return Way(forward, node_first, weights, edges if p.learnable else None, _first, True)


def _first(grads: Sequence[Tensor]) -> Tensor:
    return grads[0]


def _leaf(values: Tensor, problem: Problem) -> Tensor:
    return values.requires_grad_(problem.learnable)


Layout = Callable[[nn.Module, Tensor], Callable[[Tensor], Tensor]]


def _layouts(problem: Problem, edge_index: Tensor, leading: bool) -> dict[str, Layout]:
    """Return the ways to batch a layer of PyG that takes an attribute per edge."""
    count = problem.series
    chunk = max(1, min(count, ROWS // edge_index.size(1)))
    found: dict[str, Layout] = {}
    if leading:
        found[LEADING] = lambda conv, given: lambda x: conv(x, edge_index, given)
    for name, size in ((UNION, count), (CHUNKS, chunk), (LOOP, 1)):
        found[name] = _unions(problem.nodes, edge_index, count, size)
    return found


def _unions(nodes: int, edge_index: Tensor, count: int, size: int) -> Layout:
    # The unions are joined once, outside of what is timed.
    shifts = nodes * torch.arange(size).view(-1, 1, 1)
    union = (edge_index + shifts).transpose(0, 1).flatten(1)

    def layout(conv: nn.Module, given: Tensor) -> Callable[[Tensor], Tensor]:
        def forward(x: Tensor) -> Tensor:
            outs = []
            for part in x.split(size):
                edges = len(part) * edge_index.size(1)
                attribute = given.repeat(len(part))
                outs.append(conv(part.flatten(0, 1), union[:, :edges], attribute))
            return torch.cat(outs).view(*x.shape[:2], -1)

        return forward

    return layout
