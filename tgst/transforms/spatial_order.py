r"""Node numbers that follow space, so that neighbours lie near each other in memory."""

from __future__ import annotations

import copy
import warnings
from typing import Any, Literal

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.csgraph import reverse_cuthill_mckee
from torch import Tensor
from torch_geometric.data import Data
from torch_geometric.data.datapipes import functional_transform
from torch_geometric.transforms import BaseTransform

from tgst.transforms.edges import checked_graph, length_of

# Bits per coordinate: an index of all of them fits into 63 bits.
_BITS = {2: 31, 3: 20}


@functional_transform("tgst_spatial_order")
class SpatialOrder(BaseTransform):
    r"""Renumbers the nodes so that neighbours lie near each other in memory, which the sparse
    product reads faster: what one node has loaded into the cache serves the next.

    :obj:`"hilbert"` follows the Hilbert curve through :obj:`data.pos`, which visits every part of
    a square (or cube) before it leaves it. :obj:`"rcm"` is the reverse Cuthill-McKee order of
    `"Reducing the Bandwidth of Sparse Symmetric Matrices"
    <https://doi.org/10.1145/800195.805928>`_ (Cuthill and McKee, 1969), which needs the edges
    alone and makes :math:`\max_{(j \to i)} |i - j|` small.

    Every node attribute is permuted, lists of names included, and :obj:`data.edge_index` is
    renamed, as is every other attribute that PyG takes for node numbers (those with ``index`` in
    their name, and :obj:`face`). Edges keep their order, so that edge attributes, :obj:`e_id` and
    parameters per edge stay as they are. A layer gives the same outputs, permuted.

    Convention:
        :obj:`data.node_order[i]` is the number that node :math:`i` had before, and stays so
        through further transforms and samples. :obj:`table[data.node_order]` brings the rows of
        anything outside of :obj:`data` into the new order, :obj:`back[data.node_order] = out`
        brings outputs back into the old one. A :class:`tgst.data.Series` follows the permuted
        :obj:`data.node_id` by itself (:meth:`~tgst.data.Series.aligned_to`). Node numbers under
        names that PyG does not know, and plain ints such as a centre, keep their values.

    Args:
        method (str, optional): :obj:`"hilbert"`, :obj:`"rcm"`, or :obj:`"auto"` for the first
            where :obj:`data.pos` is there and the second where it is not.
            (default: :obj:`"auto"`)

    Shapes:
        - **input:** :obj:`data.pos` :math:`(N, 2)` or :math:`(N, 3)`, for :obj:`"hilbert"`
        - **output:** :obj:`data.node_order` :math:`(N)`, long

    Raises:
        TypeError: If :obj:`data` is no single homogeneous graph.
        ValueError: If the method is unknown, or :obj:`data.pos` is missing, has another shape or
            is not finite.
    """

    def __init__(self, method: Literal["auto", "hilbert", "rcm"] | None = "auto") -> None:
        method = "auto" if method is None else method
        if method not in ("auto", "hilbert", "rcm"):
            raise ValueError(f"method: expected 'auto', 'hilbert' or 'rcm', got {method!r}")
        self.method = method

    def forward(self, data: Data) -> Data:
        r"""Renumbers the nodes and writes :obj:`node_order`."""
        edge_index, num_nodes = checked_graph(data)
        _refuse_sparse(data)
        by_place = self.method == "hilbert" or (self.method == "auto" and data.pos is not None)
        if by_place:
            order = torch.argsort(_hilbert_index(_checked_pos(data, num_nodes)), stable=True)
        else:
            order = _reverse_cuthill_mckee(edge_index, num_nodes)
        return _renumbered(data, edge_index, order.to(edge_index.device))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(method={self.method!r})"


def _refuse_sparse(data: Data) -> None:
    for name, value in data.to_dict().items():
        if "adj" in name and not isinstance(value, list) and getattr(value, "is_sparse", False):
            raise ValueError(
                f"data.{name}: expected edge_index alone, got a sparse matrix beside it"
            )


def _checked_pos(data: Data, num_nodes: int) -> Tensor:
    pos = data.pos
    fits = isinstance(pos, Tensor) and pos.shape in ((num_nodes, 2), (num_nodes, 3))
    if not fits:
        came = list(pos.shape) if isinstance(pos, Tensor) else pos
        raise ValueError(
            f"data.pos: expected a tensor [{num_nodes}, 2] or [{num_nodes}, 3] for "
            f"method='hilbert', got {came}; method='rcm' needs none"
        )
    wrong = (~pos.isfinite()).any(1).nonzero()
    if wrong.numel() > 0:
        node = int(wrong[0])
        raise ValueError(
            f"data.pos: expected finite numbers, got {pos[node].tolist()} at node {node}; "
            "method='rcm' needs none"
        )
    return pos


def _hilbert_index(pos: Tensor) -> Tensor:
    r"""Returns how far along the Hilbert curve through their bounding cube the points lie."""
    bits = _BITS[pos.size(1)]
    if pos.size(0) == 0:
        return torch.empty(0, dtype=torch.long, device=pos.device)
    place = pos.to(torch.float64)
    place = place - place.amin(0)
    # One scale for all axes: a long narrow network stays long and narrow.
    extent = place.max().clamp(min=torch.finfo(torch.float64).tiny)
    cell = (place / extent * (2**bits - 1)).long()
    return _interleaved(_transposed_index(list(cell.unbind(1)), bits), bits)


def _transposed_index(axes: list[Tensor], bits: int) -> list[Tensor]:
    # J. Skilling, "Programming the Hilbert curve" (2004): from the coarsest squares to the finest,
    # undo the reflections and swaps of axes that the curve has made on its way into each, then
    # undo the Gray code. The bits of the index are then spread over the axes.
    for level in range(bits - 1, 0, -1):
        half = 1 << level
        low = half - 1
        for axis, value in enumerate(axes):
            upper = (value & half) > 0
            swapped = torch.where(upper, torch.zeros_like(value), (axes[0] ^ value) & low)
            axes[0] = torch.where(upper, axes[0] ^ low, axes[0] ^ swapped)
            if axis > 0:
                axes[axis] = value ^ swapped
    for axis in range(1, len(axes)):
        axes[axis] = axes[axis] ^ axes[axis - 1]
    flip = torch.zeros_like(axes[0])
    for level in range(bits - 1, 0, -1):
        half = 1 << level
        flip = torch.where((axes[-1] & half) > 0, flip ^ (half - 1), flip)
    return [value ^ flip for value in axes]


def _interleaved(axes: list[Tensor], bits: int) -> Tensor:
    index = torch.zeros_like(axes[0])
    for level in range(bits - 1, -1, -1):
        for value in axes:
            index = (index << 1) | ((value >> level) & 1)
    return index


def _reverse_cuthill_mckee(edge_index: Tensor, num_nodes: int) -> Tensor:
    if num_nodes == 0:
        return torch.empty(0, dtype=torch.long)
    source, target = edge_index.cpu().numpy()
    ends = (np.concatenate([source, target]), np.concatenate([target, source]))
    ones = np.ones(ends[0].size, dtype=np.int8)
    pattern = sparse.csr_array((ones, ends), shape=(num_nodes, num_nodes))
    order = reverse_cuthill_mckee(pattern, symmetric_mode=True)
    return torch.from_numpy(order.astype(np.int64))


def _renumbered(data: Data, edge_index: Tensor, order: Tensor) -> Data:
    num_nodes = order.numel()
    number = torch.empty_like(order)
    number[order] = torch.arange(num_nodes, device=order.device)
    out = copy.copy(data)
    with warnings.catch_warnings():  # PyG warned before if it had to infer the number from edges
        warnings.simplefilter("ignore")
        attributes = _node_attributes(data, num_nodes)
        for name, value in data.to_dict().items():
            if name in attributes:
                value = out[name] = _permuted(data, name, value, order)
            if _names_nodes(name, value):
                out[name] = number.to(value.device)[value]
        out.edge_index = number[edge_index]
        if "node_order" not in attributes:
            out.node_order = order
        if out.num_nodes != num_nodes:
            out.num_nodes = num_nodes
    return out


def _node_attributes(data: Data, num_nodes: int) -> set[str]:
    """PyG's rule, but for lists where N == E (PyG takes a list of edge names for nodes' there)."""
    num_edges = data.edge_index.size(1)
    names = set()
    for key, value in data.to_dict().items():
        if key == "num_nodes" or "edge_index" in key or key.startswith("edge_label"):
            continue
        if length_of(data, key, value) == num_nodes and (
            num_nodes != num_edges or ("edge" not in key and key != "e_id")
        ):
            names.add(key)
    return names


def _permuted(data: Data, key: str, value: Any, order: Tensor) -> Any:
    if isinstance(value, list | tuple):
        entries = [value[node] for node in order.tolist()]
        return entries if isinstance(value, list) else tuple(entries)
    dim = data.__cat_dim__(key, value)
    if isinstance(value, np.ndarray):
        return np.take(value, order.cpu().numpy(), axis=dim)
    return value.index_select(dim, order.to(value.device))


def _names_nodes(key: str, value: Any) -> bool:
    # PyG's rule for what a Batch shifts by the number of nodes.
    known = key != "edge_index" and ("index" in key or key == "face")
    return known and isinstance(value, Tensor) and value.dtype == torch.long
