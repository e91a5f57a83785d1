r"""What the property suite needs to know of a layer, and the graphs it runs on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor


class Graph(NamedTuple):
    r"""A labelled weighted graph of the property suite."""

    edge_index: Tensor
    edge_type: Tensor
    edge_weight: Tensor
    e_id: Tensor
    num_nodes: int

    def edges(self, keep: Tensor) -> Graph:
        r"""Returns the graph with the edges :obj:`keep` (indices, in that order)."""
        return Graph(
            self.edge_index[:, keep],
            self.edge_type[keep],
            self.edge_weight[keep],
            self.e_id[keep],
            self.num_nodes,
        )

    def to(self, *args) -> Graph:
        r"""Moves the tensors; a float dtype changes the weights alone."""
        if isinstance(args[0], torch.dtype):
            return self._replace(edge_weight=self.edge_weight.to(*args))
        return Graph(
            self.edge_index.to(*args),
            self.edge_type.to(*args),
            self.edge_weight.to(*args),
            self.e_id.to(*args),
            self.num_nodes,
        )


def random_graph(
    num_nodes: int = 7, num_edges: int = 18, num_partitions: int = 1, seed: int = 0
) -> Graph:
    r"""Returns a directed float64 graph with unsorted and parallel edges, a self loop, signed
    weights, two edges from node 0 to different targets, and an isolated last node.
    """
    generator = torch.Generator().manual_seed(seed)
    connected = num_nodes - 1
    edge_index = torch.randint(connected, (2, num_edges), generator=generator)
    edge_index[:, :4] = torch.tensor([[0, 0, 1, 1], [1, 2, 1, 2]])
    edge_index[:, 4] = edge_index[:, 0]
    edge_type = torch.randint(num_partitions, (num_edges,), generator=generator)
    edge_type[1] = edge_type[0]
    weight = torch.randn(num_edges, generator=generator, dtype=torch.float64)
    order = torch.randperm(num_edges, generator=generator)
    graph = Graph(
        edge_index,
        edge_type,
        weight.abs().add(0.1).mul(weight.sign()),
        torch.arange(num_edges),
        num_nodes,
    )
    return graph.edges(order)


@dataclass
class LayerCase:
    r"""Describes one layer to the property suite.

    Args:
        build: Returns a new layer (float32, any initial weights).
        call: :obj:`call(layer, x, graph)` runs it on :math:`(N, *, T, C)` features.
        in_channels: Channels of the input.
        steps: Number of time steps of the input.
        num_partitions: Number of edge labels.
        reference: :obj:`reference(layer, x, graph)` computes the same output densely, in float64,
            without any code of the layer.
        spatial: Whether neighbours matter.
        temporal: Whether the order of the time steps matters. If not, the layer must be
            equivariant to a permutation of the steps.
        causal: Whether the layer claims that an output step depends on no later input step.
        num_edges: Number of edges of the graph (layers with a parameter per edge need it).
        num_nodes: Number of nodes of the graph (layers with a parameter per node need it).
        exempt: Properties that the layer breaks by design, by name.
        fixed_nodes: Whether the layer runs on graphs of :obj:`num_nodes` nodes alone.
    """

    build: Callable[[], torch.nn.Module]
    call: Callable[[torch.nn.Module, Tensor, Graph], Tensor]
    in_channels: int
    steps: int = 5
    num_partitions: int = 1
    reference: Callable[[torch.nn.Module, Tensor, Graph], Tensor] | None = None
    spatial: bool = True
    temporal: bool = False
    causal: bool = False
    num_edges: int = 18
    num_nodes: int = 7
    exempt: frozenset[str] = field(default_factory=frozenset)
    fixed_nodes: bool = False

    def layer(self, dtype: torch.dtype = torch.float64) -> torch.nn.Module:
        r"""Returns a new layer with random parameters, in evaluation mode."""
        torch.manual_seed(12)
        layer = self.build().to(dtype).eval()
        for parameter in layer.parameters():  # biases and scales too, so that none hides
            parameter.data.uniform_(-0.7, 0.7)
        return layer

    def graph(self, seed: int = 0) -> Graph:
        r"""Returns the graph that the layer is checked on."""
        return random_graph(self.num_nodes, self.num_edges, self.num_partitions, seed)

    def features(self, *batch: int, num_nodes: int | None = None, seed: int = 0) -> Tensor:
        r"""Returns random float64 features :math:`(N, *\text{batch}, T, C)`."""
        generator = torch.Generator().manual_seed(seed)
        shape = (num_nodes or self.num_nodes, *batch, self.steps, self.in_channels)
        return torch.randn(shape, generator=generator, dtype=torch.float64)
