from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from tgst.ops import Adjacency

# Those that run everywhere at full speed; test_triton.py has the other one.
BACKENDS = ["embedding_bag", "column_blocks", "sparse_csr", "dense", "torch_scatter", "reference"]
FOLDS = [None, "source", "target"]


class Graph(NamedTuple):
    edge_index: Tensor
    edge_type: Tensor
    num_nodes: int
    num_partitions: int

    def adjacency(self) -> Adjacency:
        return Adjacency.build(*self)

    @property
    def num_edges(self) -> int:
        return self.edge_index.shape[1]

    def rows(self, fold: str | None, side: str) -> int:
        return self.num_nodes * (self.num_partitions if fold == side else 1)


def random_graph(num_nodes: int, num_edges: int, num_partitions: int = 3, seed: int = 0) -> Graph:
    generator = torch.Generator().manual_seed(seed)
    edge_index = torch.randint(num_nodes, (2, num_edges), generator=generator)
    edge_type = torch.randint(num_partitions, (num_edges,), generator=generator)
    return Graph(edge_index, edge_type, num_nodes, num_partitions)


def _graph(pairs: list[tuple[int, int]], labels: list[int], num_nodes: int) -> Graph:
    edge_index = torch.tensor(pairs, dtype=torch.long).reshape(-1, 2).t().contiguous()
    return Graph(edge_index, torch.tensor(labels, dtype=torch.long), num_nodes, 3)


GRAPHS = {
    "unsorted": random_graph(6, 17),
    "parallel": _graph([(2, 0), (2, 0), (1, 3), (2, 0)], [1, 1, 0, 2], 4),
    "self_loops": _graph([(2, 2), (0, 0), (1, 1)], [0, 1, 2], 3),
    "isolated": _graph([(4, 1), (1, 4), (4, 1)], [0, 2, 1], 7),
    "no_edges": _graph([], [], 4),
    "no_nodes": _graph([], [], 0),
    "one_partition": random_graph(5, 12, num_partitions=1),
}


def incidence(graph: Graph, fold: str | None) -> tuple[Tensor, Tensor]:
    """One-hot rows per edge: which row it reads and which row it adds to, float64."""
    source, target = graph.edge_index.clone()
    if fold == "source":
        source = source * graph.num_partitions + graph.edge_type
    if fold == "target":
        target = target * graph.num_partitions + graph.edge_type
    reads = torch.zeros(graph.num_edges, graph.rows(fold, "source"), dtype=torch.float64)
    adds = torch.zeros(graph.num_edges, graph.rows(fold, "target"), dtype=torch.float64)
    edge = torch.arange(graph.num_edges)
    reads[edge, source] = 1
    adds[edge, target] = 1
    return reads, adds


def dense_spmm(graph: Graph, x: Tensor, weight: Tensor, fold: str | None) -> Tensor:
    reads, adds = incidence(graph, fold)
    matrix = adds.t() @ torch.diag(weight.double()) @ reads
    return torch.tensordot(matrix, x.double(), dims=1)


def dense_sddmm(graph: Graph, g: Tensor, x: Tensor, fold: str | None) -> Tensor:
    reads, adds = incidence(graph, fold)
    rows_g, rows_x = adds @ g.double().flatten(1), reads @ x.double().flatten(1)
    return (rows_g * rows_x).sum(-1)


def operands(
    graph: Graph, fold: str | None, shape: tuple[int, ...] = (2, 3), dtype=torch.float64
) -> tuple[Tensor, Tensor, Tensor]:
    """x, weight and an output gradient g."""
    generator = torch.Generator().manual_seed(1)

    def random(*size: int) -> Tensor:
        return torch.randn(size, generator=generator, dtype=torch.float64).to(dtype)

    x = random(graph.rows(fold, "source"), *shape)
    return x, random(graph.num_edges), random(graph.rows(fold, "target"), *shape)
