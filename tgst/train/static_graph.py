r"""The graph of a forecasting task as buffers."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch_geometric.data import Data

__all__ = ["StaticGraph"]

_ATTRIBUTES = ("edge_type", "edge_weight", "e_id")


class StaticGraph(torch.nn.Module):
    r"""One graph that does not change, held as buffers: it follows the device of the task, is part
    of its checkpoints, and its edge order is computed once instead of in every step.

    Args:
        edge_index: Source and target of every edge.
        num_nodes: Number of nodes, isolated ones included.
        attributes: ``edge_type``, ``edge_weight`` and ``e_id``, those that the graph has.

    Shapes:
        - **edge_index**: :math:`(2, E)`
        - **attributes**: :math:`(E)` each
    """

    edge_index: Tensor
    num_nodes: Tensor

    def __init__(self, edge_index: Tensor, num_nodes: int, attributes: Mapping[str, Tensor]):
        super().__init__()
        # copies, so that a change of the data set's graph does not reach a running task
        self.register_buffer("edge_index", edge_index.detach().clone())
        self.register_buffer("num_nodes", torch.tensor(num_nodes))
        for name in _ATTRIBUTES:
            if name in attributes:
                self.register_buffer(name, attributes[name].detach().clone())

    @classmethod
    def from_data(cls, data: Data) -> StaticGraph:
        r"""Takes what a model needs of a PyG graph.

        Args:
            data: The graph.
        """
        attributes = {name: data[name] for name in _ATTRIBUTES if data.get(name) is not None}
        return cls(data["edge_index"], data.num_nodes or 0, attributes)

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> StaticGraph:
        r"""Makes the graph of a checkpoint.

        Args:
            state: The ``state_dict`` of another :class:`StaticGraph`.
        """
        return cls(state["edge_index"], int(state["num_nodes"]), state)

    def attributes(self) -> dict[str, Tensor]:
        r"""Those of ``edge_type``, ``edge_weight`` and ``e_id`` that the graph has."""
        return {name: getattr(self, name) for name in _ATTRIBUTES if hasattr(self, name)}

    def difference(self, saved: Mapping[str, Tensor]) -> str | None:
        r"""Says in what the graph of a checkpoint differs from this one.

        Args:
            saved: The ``state_dict`` of the other graph.

        Returns:
            A sentence that names both values, or None if the graphs are the same.
        """
        own = self.state_dict()
        for name, text in (("num_nodes", "nodes"), ("edge_index", "edges")):
            ours, theirs = _count(own[name]), _count(saved[name])
            if ours != theirs:
                return f"the checkpoint's graph has {theirs} {text}, the data's graph {ours}"
        for name in ("edge_index", *_ATTRIBUTES):
            if (name in own) != (name in saved):
                holder = "the data's" if name in own else "the checkpoint's"
                return f"only {holder} graph has {name}"
            if name in own and not _same(own[name], saved[name]):
                return f"{name} of the checkpoint's graph is not that of the data's graph"
        return None


def _count(value: Tensor) -> int:
    return int(value) if value.dim() == 0 else value.size(-1)


def _same(ours: Tensor, theirs: Tensor) -> bool:
    theirs = theirs.to(ours.device)
    if ours.is_floating_point():
        # weights of one graph differ in the last digits between machines
        return torch.allclose(ours, theirs.to(ours.dtype), rtol=1e-4, atol=1e-6)
    return torch.equal(ours, theirs)
