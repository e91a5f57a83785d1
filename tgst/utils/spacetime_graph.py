r"""One graph of all nodes at all time steps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric import EdgeIndex
from torch_geometric.data import Data
from torch_geometric.utils.num_nodes import maybe_num_nodes

from tgst.ops import Adjacency
from tgst.ops.adjacency import check_count


def spacetime_graph(
    edge_index: Tensor,
    num_steps: int,
    temporal_reach: int,
    *,
    edge_type: Tensor | None = None,
    edge_weight: Tensor | None = None,
    num_nodes: int | None = None,
    num_partitions: int = 1,
) -> Data:
    r"""Unfolds a graph in time: the space-time neighbourhood and label map of `"Spatial Temporal
    Graph Convolutional Networks for Skeleton-Based Action Recognition"
    <https://arxiv.org/abs/1801.07455>`_ (Yan et al., AAAI 2018).

    .. math::
        B(v_{ti}) = \{ v_{qj} : (j \to i) \in \mathcal{E}, \;
        |q - t| \leq \lfloor \Gamma / 2 \rfloor \}, \quad
        \ell_{ST}(v_{qj}) = \ell(j \to i) + (q - t + \lfloor \Gamma / 2 \rfloor) \, K

    Node :math:`i` at step :math:`t` is node :math:`i T + t`, so that the features of the new graph
    are :obj:`x.flatten(0, 1)` for :obj:`x` of shape :math:`(N, T, C)`. One
    :class:`tgst.nn.PartitionConv` with :math:`K' = K \Gamma` labels on it is a convolution in
    space and time at once; it ends at the first and the last step, which equals padding with zeros.
    Memory grows with the number of its edges, about :math:`\Gamma T |\mathcal{E}|`.

    Convention: a node sees its own past and future over its self loop, so the spatial graph has to
    have self loops; the partition transforms add them. :math:`\Gamma` is odd, so that the reach is
    the same into both directions.

    Args:
        edge_index (Tensor or EdgeIndex): The spatial edges.
        num_steps (int): Number of time steps :math:`T`.
        temporal_reach (int): Number of steps :math:`\Gamma` that a node sees; odd.
        edge_type (Tensor, optional): The spatial labels :math:`\ell`; :obj:`None` stands for label
            0. (default: :obj:`None`)
        edge_weight (Tensor, optional): The spatial weights; each is that of its edge at all times.
            (default: :obj:`None`)
        num_nodes (int, optional): Number of spatial nodes; :obj:`None` takes the size of an
            :class:`~torch_geometric.EdgeIndex` or the largest node plus one.
            (default: :obj:`None`)
        num_partitions (int, optional): Number of spatial labels :math:`K`. (default: :obj:`1`)

    Shapes:
        - **edge_index**: :math:`(2, E)`
        - **edge_type**, **edge_weight**: :math:`(E)`

    Returns:
        torch_geometric.data.Data: :obj:`edge_index`, :obj:`edge_type` in :math:`[0, K')`,
        :obj:`edge_weight` (if given), :obj:`e_id` (0, 1, ...), :obj:`edge_space` (the number of the
        spatial edge, for parameters that an edge shares over time) and :obj:`num_nodes`. Edges are
        sorted by time offset, then spatial edge, then target step.

    Raises:
        TypeError: If an argument is of the wrong type or dtype.
        ValueError: If a shape, number or value is out of place, or :obj:`temporal_reach` is even.
    """
    if isinstance(edge_index, Adjacency):
        raise TypeError("edge_index: expected a Tensor or an EdgeIndex, got Adjacency")
    num_steps = check_count("num_steps", num_steps, at_least=1)
    temporal_reach = check_count("temporal_reach", temporal_reach, at_least=1)
    num_partitions = check_count("num_partitions", num_partitions, at_least=1)
    if temporal_reach % 2 == 0:
        raise ValueError(f"temporal_reach: expected an odd number of steps, got {temporal_reach}")
    if num_nodes is None and isinstance(edge_index, EdgeIndex):
        num_nodes = int(maybe_num_nodes(edge_index))
    # Without labels all edges have label 0, whatever the number of partitions.
    labels = 1 if edge_type is None else num_partitions
    space = Adjacency.build(edge_index, edge_type, num_nodes, labels)
    if not isinstance(edge_weight, Tensor | None):
        raise TypeError(f"edge_weight: expected a Tensor, got {type(edge_weight).__name__}")
    if edge_weight is not None and edge_weight.shape != (space.num_edges,):
        raise ValueError(
            f"edge_weight: expected shape [{space.num_edges}] (one number per edge), got "
            f"{list(edge_weight.shape)}"
        )
    edges, source_step, target_step = _in_time(space, num_steps, temporal_reach // 2)
    offset = source_step - target_step + temporal_reach // 2
    data = Data(
        edge_index=torch.stack(
            [
                space.source[edges] * num_steps + source_step,
                space.target[edges] * num_steps + target_step,
            ]
        ),
        edge_type=space.label[edges] + offset * num_partitions,
        e_id=torch.arange(edges.numel(), device=edges.device),
        edge_space=edges,
        num_nodes=space.num_nodes * num_steps,
    )
    if edge_weight is not None:
        data.edge_weight = edge_weight[edges]
    return data


def _in_time(space: Adjacency, num_steps: int, reach: int) -> tuple[Tensor, Tensor, Tensor]:
    """The spatial edge, source step and target step of every edge, one time offset at a time."""
    device = space.source.device
    spatial = torch.arange(space.num_edges, device=device)
    blocks = []
    for offset in range(max(-reach, 1 - num_steps), min(reach, num_steps - 1) + 1):
        steps = torch.arange(max(0, -offset), num_steps - max(0, offset), device=device)
        edges = spatial.repeat_interleave(steps.numel())
        target = steps.repeat(space.num_edges)
        blocks.append(torch.stack([edges, target + offset, target]))
    edges, source_step, target_step = torch.cat(blocks, dim=1)
    return edges, source_step, target_step
