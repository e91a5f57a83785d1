r"""A converted network together with the graph it was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch_geometric.data import Data

from tgst.utils.repeat_graph import repeat_graph


@dataclass(frozen=True, eq=False)
class ConvertedCheckpoint:
    r"""A converted network together with the graph that its weights belong to.

    .. code-block:: python

        converted = convert.load("st_gcn.kinetics.pt")
        model, graph = converted.model.eval(), converted.data(persons=2)
        logits = model(x, graph.edge_index, graph.edge_type, graph.edge_weight, e_id=graph.e_id)

    Args:
        model (torch.nn.Module): A :class:`~tgst.nn.models.SkeletonSTGCN` or, for two-stream
            checkpoints, a :class:`~tgst.nn.models.SkeletonEnsemble`.
        edge_index (Tensor): :math:`(2, E)`, the edges of one person.
        edge_type (Tensor): :math:`(E)`, their partition labels.
        edge_weight (Tensor): :math:`(E)`, their base weights; the learnt importance is in the
            model.
        e_id (Tensor): :math:`(E)`, the number of each edge in the model's importance.
        num_partitions (int): Number of labels.
        num_joints (int): Number of joints of one person.
        family (str): :obj:`"st-gcn"`, :obj:`"two-stream"` or :obj:`"pyskl"`.
    """

    model: torch.nn.Module
    edge_index: Tensor
    edge_type: Tensor
    edge_weight: Tensor
    e_id: Tensor
    num_partitions: int
    num_joints: int
    family: str

    def data(self, persons: int = 1) -> Data:
        r"""Returns the graph as :class:`~torch_geometric.data.Data`.

        Args:
            persons (int, optional): Number of copies of the skeleton, see
                :func:`tgst.utils.repeat_graph`. (default: :obj:`1`)
        """
        data = Data(
            edge_index=self.edge_index,
            edge_type=self.edge_type,
            edge_weight=self.edge_weight,
            e_id=self.e_id,
            num_nodes=self.num_joints,
        )
        return data if persons == 1 else repeat_graph(data, persons)

    def graph(self) -> tuple[Tensor, Tensor, Tensor]:
        r"""Returns :obj:`edge_index`, :obj:`edge_type` and :obj:`edge_weight`, in the order in
        which the layers take them.
        """
        return self.edge_index, self.edge_type, self.edge_weight

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.family}, num_joints={self.num_joints}, "
            f"num_edges={self.edge_type.size(0)}, num_partitions={self.num_partitions})"
        )


def dense_entries(adjacency: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Turns a dense :math:`(K, V, V)` array (row source, column target) into edges.

    Args:
        adjacency (Tensor): One matrix per partition.

    Returns:
        tuple: :obj:`edge_index`, :obj:`edge_type` and the entries, in the order of the array.
    """
    label, source, target = adjacency.nonzero(as_tuple=True)
    return torch.stack([source, target]), label, adjacency[label, source, target]
