"""What the converters of graphs read from Data: edges, edge attributes and names of nodes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data

from tgst.ops import Adjacency


def sorted_edges(data: Any) -> Adjacency:
    r"""Returns the validated and sorted edges of a single graph.

    Raises:
        TypeError: If :obj:`data` is no single homogeneous graph.
        ValueError: If :obj:`edge_index` is missing or names a node outside of the graph.
    """
    if not isinstance(data, Data) or isinstance(data, Batch):
        raise TypeError(f"data: expected one torch_geometric.data.Data, got {type(data).__name__}")
    if data.edge_index is None:
        raise ValueError("data.edge_index: expected a tensor [2, E], got None")
    return Adjacency.build(data.edge_index, num_nodes=int(data.num_nodes or 0))


def edge_attributes(data: Data) -> dict[str, Tensor]:
    r"""Returns the tensors that hold a value per edge: those named :obj:`edge_*`, but for
    :obj:`edge_index`, other edge indices and link labels.

    Raises:
        ValueError: If one does not have a row per edge.
    """
    num_edges = data.edge_index.size(1)
    found = {}
    for name, value in data.to_dict().items():
        if not name.startswith("edge_") or "edge_index" in name or name.startswith("edge_label"):
            continue
        if isinstance(value, Tensor):
            if value.dim() == 0 or value.size(0) != num_edges:
                raise ValueError(
                    f"data.{name}: expected a row for each of the {num_edges} edges, got shape "
                    f"{list(value.shape)}"
                )
            found[name] = value
    return found


def node_names(data: Data) -> list[Any]:
    r"""Returns :obj:`data.node_id` as a list, or the numbers of the nodes.

    Raises:
        ValueError: If it does not name every node, or one name twice.
    """
    num_nodes = int(data.num_nodes or 0)
    node_id = data["node_id"] if "node_id" in data else range(num_nodes)
    names = node_id.tolist() if isinstance(node_id, torch.Tensor) else list(node_id)
    if len(names) != num_nodes:
        raise ValueError(f"data.node_id: expected {num_nodes} names, got {len(names)}")
    seen = set()
    for name in names:
        if name in seen:
            raise ValueError(f"data.node_id: expected every name once, got {name!r} twice")
        seen.add(name)
    return names
