"""Several persons with the same skeleton."""

from __future__ import annotations

import copy
import operator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Batch, Data


def repeat_graph(data: Data, count: int) -> Data:
    r"""Returns the disjoint union of :obj:`count` copies of a graph, such as the persons of a clip.

    Node :math:`v` of copy :math:`m` is node :math:`m V + v`, and the edges of copy :math:`m` come
    after those of copy :math:`m - 1`. Node and edge attributes are repeated. So is :obj:`e_id`
    (0, 1, ... if there is none), **without a shift**: it numbers the edges of one person, so that
    all persons share the importance of an edge. What belongs to the graph as a whole, such as
    :obj:`y` or a name, stays as it is.

    Label the edges of one person first: the labels are then repeated, and so are the ids.

    Args:
        data (torch_geometric.data.Data): A single graph.
        count (int): The number of copies :math:`M`; 0 gives a graph without nodes.

    Returns:
        :class:`~torch_geometric.data.Data` with :obj:`person`, the number of the copy of each node.

    Shapes:
        - **edge_index**: :math:`(2, M |\mathcal{E}|)`
        - **e_id**: :math:`(M |\mathcal{E}|)`, long
        - **person**: :math:`(M |\mathcal{V}|)`, long

    Raises:
        TypeError: If :obj:`data` is no single homogeneous graph or :obj:`count` no integer.
        ValueError: If :obj:`count` is negative, or :obj:`data` has several persons already.
    """
    if not isinstance(data, Data) or isinstance(data, Batch):
        raise TypeError(f"data: expected one torch_geometric.data.Data, got {type(data).__name__}")
    try:
        count = operator.index(count)
    except TypeError:
        raise TypeError(f"count: expected an int, got {count!r}") from None
    if count < 0:
        raise ValueError(f"count: expected a number >= 0, got {count}")
    if "person" in data:
        raise ValueError("data.person: expected a graph of one person, got one that is repeated")
    if data.edge_index is None:
        raise ValueError("data.edge_index: expected a tensor [2, E], got None")
    num_nodes, num_edges = int(data.num_nodes or 0), data.edge_index.size(1)
    device = data.edge_index.device
    out = copy.copy(data)
    for key, value in data.to_dict().items():
        if key != "num_nodes" and (data.is_node_attr(key) or data.is_edge_attr(key)):
            out[key] = _repeated(data, key, value, count)
    if "e_id" not in data:
        out.e_id = torch.arange(num_edges, device=device).repeat(count)
    out.person = torch.arange(count, device=device).repeat_interleave(num_nodes)
    out.num_nodes = num_nodes * count
    return out


def _repeated(data: Data, key: str, value: Any, count: int) -> Any:
    if isinstance(value, list | tuple):
        return value * count
    dim = data.__cat_dim__(key, value)
    if isinstance(value, np.ndarray):
        tensor = _repeated_tensor(torch.from_numpy(value), dim, count, 0)
        return tensor.numpy()
    # Only indices of nodes are shifted; PyG's rule for their names.
    shift = int(data.num_nodes or 0) if "index" in key or key == "face" else 0
    return _repeated_tensor(value, dim, count, shift)


def _repeated_tensor(value: Tensor, dim: int, count: int, shift: int) -> Tensor:
    if count == 0:
        return value.narrow(dim, 0, 0)
    return torch.cat([value + copy * shift if shift else value for copy in range(count)], dim)
