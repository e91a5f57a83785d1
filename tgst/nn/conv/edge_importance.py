r"""A learnable weight per edge."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import Parameter


class EdgeImportance(torch.nn.Module):
    r"""Learnable importance of every edge, from `"Spatial Temporal Graph Convolutional Networks
    for Skeleton-Based Action Recognition" <https://arxiv.org/abs/1801.07455>`_ (Yan et al., 2018).

    .. math::
        w'_e = w_e \, m_{\mathrm{id}(e)}

    The importance :math:`\mathbf{m}` starts at one and is indexed by the **global** edge id
    :obj:`e_id`, so that it follows its edge through batching, sampling and sub-graphs. It
    permutes with the edges: reordering the edges of the full graph without :obj:`e_id` gives
    every edge another parameter.

    Args:
        num_edges (int): Number of edges of the full graph.
        num_layers (int, optional): If given, every layer has its own importance and
            :obj:`forward` takes the number of the :obj:`layer`. (default: :obj:`None`)

    Shapes:
        - **edge_weight**: :math:`(E)`; ones when left out
        - **e_id**: :math:`(E)`, long, in :math:`[0, \text{num\_edges})`; all edges in order when
          left out
        - **output**: :math:`(E)`

    Raises:
        ValueError: If a length, a layer number or an edge id does not fit.
    """

    def __init__(self, num_edges: int, num_layers: int | None = None):
        super().__init__()
        if num_edges < 0 or (num_layers is not None and num_layers < 1):
            raise ValueError(
                f"num_edges, num_layers: expected num_edges >= 0 and num_layers >= 1 or None, "
                f"got {num_edges} and {num_layers}"
            )
        self.num_edges = num_edges
        self.num_layers = num_layers
        shape = (num_edges,) if num_layers is None else (num_layers, num_edges)
        self.weight = Parameter(torch.empty(shape))
        self.reset_parameters()

    def reset_parameters(self):
        r"""Sets every importance to one."""
        torch.nn.init.ones_(self.weight)

    def forward(
        self,
        edge_weight: Tensor | None = None,
        e_id: Tensor | None = None,
        layer: int | None = None,
    ) -> Tensor:
        r"""Returns the edge weights times the importance; see the class for shapes."""
        if (layer is None) != (self.num_layers is None):
            raise ValueError(f"layer: got {layer!r} with num_layers={self.num_layers}")
        if layer is not None and not 0 <= layer < (self.num_layers or 0):
            raise ValueError(f"layer: expected 0 <= layer < {self.num_layers}, got {layer}")
        importance = self.weight if layer is None else self.weight[layer]
        if e_id is not None:
            importance = importance[self._checked(e_id)]
        if edge_weight is None:
            return importance
        if edge_weight.shape != importance.shape:
            raise ValueError(
                f"edge_weight: expected shape {list(importance.shape)} (one weight for each of "
                f"the {'given e_id' if e_id is not None else 'num_edges'}), got "
                f"{list(edge_weight.shape)}"
            )
        return edge_weight * importance

    def _checked(self, e_id: Tensor) -> Tensor:
        if e_id.dim() != 1 or e_id.dtype != torch.long:
            raise ValueError(
                f"e_id: expected a long tensor [num_edges], got {e_id.dtype} {list(e_id.shape)}"
            )
        # A negative id would silently count from the end. Looking at values forces a
        # synchronisation on an accelerator and a break in compiled code: CPU, eager only.
        eager = e_id.device.type == "cpu" and not torch.compiler.is_compiling()
        if eager and e_id.numel() and not 0 <= int(e_id.min()) <= int(e_id.max()) < self.num_edges:
            raise ValueError(
                f"e_id: expected ids in [0, {self.num_edges}), got "
                f"[{int(e_id.min())}, {int(e_id.max())}]"
            )
        return e_id

    def __repr__(self) -> str:
        layers = "" if self.num_layers is None else f", num_layers={self.num_layers}"
        return f"{self.__class__.__name__}({self.num_edges}{layers})"
