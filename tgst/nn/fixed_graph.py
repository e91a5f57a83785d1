r"""A network together with the one graph it runs on."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tgst import ops
from tgst.nn.conv import PerStep


class FixedGraph(torch.nn.Module):
    r"""A network with its graph, which takes the features alone: to export it, to capture it, or to
    serve it.

    The edges are checked and sorted once, here, and move with the network: to another device, and
    into an exported program, where they are constants. For :func:`torch.onnx.export` that means
    that the runtime prepares the matrix or the table of neighbours when it loads the model, and not
    in every call. The graph is a copy, without gradients, and no part of the
    :obj:`state_dict`.

    .. code-block:: python

        served = FixedGraph(model.eval().fuse(), data.edge_index, data.edge_type, data.edge_weight)
        program = torch.export.export(served, (x,))

    Args:
        model (torch.nn.Module): A network :obj:`model(x, edge_index, ...)`, layer or block.
        edge_index (Tensor or Adjacency): The edges.
        edge_type (Tensor, optional): The partition labels. (default: :obj:`None`)
        edge_weight (Tensor, optional): The weights. (default: :obj:`None`)
        e_id (Tensor, optional): The number of each edge in the importance.
            (default: :obj:`None`)
        num_nodes (int, optional): The number of nodes; the largest node number plus one if not
            given. (default: :obj:`None`)

    Shapes:
        - **x**: :math:`(N, *)`, as the network takes it
        - **output**: that of the network

    Raises:
        ValueError: If the edges, labels or weights do not fit; the message names them.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        edge_index: Tensor | ops.Adjacency,
        edge_type: Tensor | None = None,
        edge_weight: Tensor | None = None,
        e_id: Tensor | None = None,
        num_nodes: int | None = None,
    ):
        super().__init__()
        self.model, self.training = model, model.training
        parts = list(model.modules())
        partitions = max(getattr(part, "num_partitions", None) or 1 for part in parts)
        # PyG's own convolutions take the edges and the labels, of any number, as they are.
        self.takes_adjacency = not any(isinstance(part, PerStep) for part in parts)
        any_labels = partitions == 1 and not self.takes_adjacency
        if isinstance(edge_index, ops.Adjacency):
            partitions = edge_index.num_partitions if any_labels else partitions
            adjacency = ops.as_adjacency(edge_index, edge_type, num_nodes, partitions)
            edge_type = adjacency.label if partitions > 1 else None
        else:
            labels = None if any_labels else edge_type
            adjacency = ops.Adjacency.build(edge_index, labels, num_nodes, partitions)
        self.num_nodes = adjacency.num_nodes
        tensors: dict[str, Tensor | None] = {"edge_weight": _copy(edge_weight), "e_id": _copy(e_id)}
        if self.takes_adjacency:
            tensors |= {f"sorted_{name}": value for name, value in adjacency._asdict().items()}
        else:
            tensors |= {
                "edge_index": torch.stack([adjacency.source, adjacency.target]),
                "edge_type": _copy(edge_type),
            }
        for name, value in tensors.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, x: Tensor, **kwargs: Any) -> Any:
        r"""Runs the network; takes its further arguments, such as :obj:`mask`, by name."""
        given = {"edge_weight": self.edge_weight, "e_id": self.e_id}
        edges: Any = None
        if self.takes_adjacency:
            fields = ops.Adjacency._fields
            edges = ops.Adjacency(*(getattr(self, f"sorted_{name}") for name in fields))
        else:
            edges, given["edge_type"] = self.edge_index, self.edge_type
        given = {name: value for name, value in given.items() if value is not None}
        return self.model(x, edges, **given, **kwargs)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({type(self.model).__name__}, num_nodes={self.num_nodes})"


def _copy(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().clone()
