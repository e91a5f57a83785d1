r"""The part of a graph that a sampler chose, as a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.sampler import SamplerOutput

from tgst.data import Series
from tgst.loader.neighbor_sampler import NeighborSampler
from tgst.transforms.edges import check_edge_ids

# What the windows bring; what belongs to the whole graph.
_OF_WINDOWS = {"x", "y", "mask", "y_mask", "covariates", "start"}
_OF_GRAPH = {"num_nodes", "batch", "ptr", "n_id"}


class SampledGraph:
    r"""Cuts samples out of a graph: node and edge attributes, global ids, rescaled weights.

    Which attributes belong to nodes and edges is decided once, by name and length, so that a
    batch costs what it holds; all others go along as they are. Samples are on the CPU.

    Args:
        data (torch_geometric.data.Data): The graph.
        sampler (NeighborSampler): The sampler whose samples come in.
        rescale (bool): Whether to multiply edge weights with the sampler's scale.
        dtype (torch.dtype): That of weights where the graph has none or integers.

    Raises:
        ValueError: If edge ids repeat, labels are out of step with the edges, or an edge attribute
            has not one entry per edge.
    """

    def __init__(
        self, data: Data, sampler: NeighborSampler, rescale: bool, dtype: torch.dtype
    ) -> None:
        check_edge_ids(data)  # parameters of edges follow the ids
        num_nodes, num_edges = sampler.num_nodes, len(sampler.edge_permutation)
        self.order, self.rescale, self.dtype = sampler.edge_permutation, rescale, dtype
        self.nodes: dict[str, Any] = {}
        self.edges: dict[str, Any] = {}
        self.others: dict[str, Any] = {}
        for name, value in data.to_dict().items():
            # Other edges than those of the graph: numbers of nodes, their labels (PyG's names).
            links = "edge_index" in name or name.startswith("edge_label")
            if links or name in _OF_WINDOWS | _OF_GRAPH:
                continue
            length = _length(value)
            value = value.cpu() if isinstance(value, Tensor) else value
            if length is not None and (name.startswith("edge_") or name == "e_id"):
                self.edges[name] = _checked_length(name, value, length, num_edges)
            elif length == num_nodes:
                self.nodes[name] = value
            elif length == num_edges:
                self.edges[name] = value
            else:
                self.others[name] = value

    def batch(self, out: SamplerOutput) -> Data:
        r"""Returns the sampled graph, seed nodes first.

        Args:
            out (SamplerOutput): A sample; :obj:`metadata[2]` holds the scale of its edges.
        """
        edge = self.order[out.edge]
        batch = Data(edge_index=torch.stack([out.row, out.col]), num_nodes=len(out.node))
        for name, value in self.others.items():
            batch[name] = value
        for names, chosen in ((self.nodes, out.node), (self.edges, edge)):
            for name, value in names.items():
                batch[name] = _chosen(value, chosen)
        if "e_id" not in self.edges:
            batch.e_id = edge
        if self.rescale:
            batch.edge_weight = self._rescaled(batch.edge_weight, out.metadata[2])
        batch.n_id = out.node
        batch.input_id = out.metadata[0]
        batch.batch_size = len(out.metadata[0])
        batch.num_sampled_nodes = out.num_sampled_nodes
        batch.num_sampled_edges = out.num_sampled_edges
        return batch

    def _rescaled(self, weight: Tensor | None, scale: Tensor) -> Tensor:
        if weight is None:
            return scale.to(self.dtype)
        scale = scale.to(weight.dtype if weight.is_floating_point() else self.dtype)
        return weight * scale.view(-1, *[1] * (weight.dim() - 1))


def rows_of_nodes(series: Series, data: Data) -> Tensor | None:
    r"""Which row of the series belongs to each node of the graph; :obj:`None` if they agree.

    Args:
        series (Series): The readings.
        data (torch_geometric.data.Data): The graph; nodes without :obj:`node_id` are those of the
            series, in its order.

    Raises:
        ValueError: If they do not have the same nodes; the message names the ids.
    """
    if data.num_nodes != series.num_nodes:
        raise ValueError(
            f"`series` must have the nodes of `data`, {data.num_nodes}, got {series.num_nodes}"
        )
    if data.get("node_id") is None:
        return None
    ids = data.node_id.tolist() if hasattr(data.node_id, "tolist") else data.node_id
    names = [str(name) for name in ids]
    if names == series.node_id:
        return None
    if set(names) != set(series.node_id) or len(names) != series.num_nodes:
        series.aligned_to(names)  # refuses, and says which ids differ
    row = {name: index for index, name in enumerate(series.node_id)}
    return torch.tensor([row[name] for name in names])


def _length(value: Any) -> int | None:
    if isinstance(value, Tensor | np.ndarray):
        return value.shape[0] if value.ndim else None
    return len(value) if isinstance(value, list | tuple) else None


def _checked_length(name: str, value: Any, length: int, num_edges: int) -> Any:
    if length != num_edges:
        raise ValueError(
            f"data.{name}: expected one entry for each of the {num_edges} edges, got {length}"
        )
    return value


def _chosen(value: Any, index: Tensor) -> Any:
    if isinstance(value, Tensor):
        return value.index_select(0, index)
    if isinstance(value, np.ndarray):
        return value[index.numpy()]
    entries = [value[place] for place in index.tolist()]
    return entries if isinstance(value, list) else tuple(entries)
