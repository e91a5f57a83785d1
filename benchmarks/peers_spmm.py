"""The weighted neighbour sum by other packages, with weights that can be learnt."""

from __future__ import annotations

import importlib

import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing

from tgst.ops.rivals import Product

PYG, DGL = "PyG gather-scatter", "DGL"


class GatherScatter(MessagePassing):
    """PyG's own way: a message per edge, scaled by its weight and scattered to the target."""

    def __init__(self) -> None:
        super().__init__(aggr="add", node_dim=0)

    def forward(self, x: Tensor, edge_index: Tensor, edge_weight: Tensor) -> Tensor:
        """Propagate once."""
        # propagate_type: (x: Tensor, edge_weight: Tensor)
        return self.propagate(edge_index, x=x, edge_weight=edge_weight)

    def message(self, x_j: Tensor, edge_weight: Tensor) -> Tensor:
        """Scale the gathered features."""
        return edge_weight.view(-1, 1) * x_j


def pyg(edge_index: Tensor) -> Product:
    """Return PyG's sum over the edges of a graph."""
    layer = GatherScatter()
    return lambda x, weight: layer(x, edge_index, weight)


def dgl(edge_index: Tensor, num_nodes: int) -> Product:
    """Return DGL's sum over the edges of a graph, its fused kernel."""
    library, operators = importlib.import_module("dgl"), importlib.import_module("dgl.ops")
    graph = library.graph((edge_index[0], edge_index[1]), num_nodes=num_nodes)
    return lambda x, weight: operators.u_mul_e_sum(graph, x, weight.unsqueeze(-1))


def not_importable(name: str) -> str | None:
    """Say why a package cannot be imported, in a line; None if it can."""
    try:
        importlib.import_module(name)
    except Exception as error:  # a compiled extension for another torch may raise anything
        first = (str(error).splitlines() or [""])[0].split(" at ")[0]
        return f"{type(error).__name__}: {first}"
    return None


def check_agreement(found: Tensor, expected: Tensor, name: str) -> None:
    """Refuse a rival that computes something else: its time would mean nothing."""
    torch.testing.assert_close(
        found, expected, rtol=1e-2, atol=1e-2, msg=lambda text: f"{name}: {text}"
    )
