r"""Layer normalisation over all nodes and channels of one time step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn import Parameter

from tgst.nn.conv.arguments import flat_rows
from tgst.ops.adjacency import is_exporting


class NodeLayerNorm(torch.nn.Module):
    r"""Layer normalisation over nodes and channels, as in `STGCN
    <https://arxiv.org/abs/1709.04875>`_ (Yu et al., 2018), with a scale and a shift per node and
    channel.

    .. math::
        \mathbf{x}'_{i,t} = \frac{\mathbf{x}_{i,t} - \mu_t}{\sqrt{\sigma^2_t + \epsilon}} \odot
        \boldsymbol{\gamma}_i + \boldsymbol{\beta}_i

    with mean :math:`\mu_t` and variance :math:`\sigma^2_t` over all nodes and channels of one step
    of one batch entry. The layer belongs to one graph: its parameters grow with the number of
    nodes, they permute with the nodes, and a disjoint union is normalised as one graph. It is
    therefore exempt from node-permutation equivariance and from the union property.

    Args:
        num_nodes (int): Number of nodes :math:`N`.
        channels (int): Size of each sample :math:`C`.
        eps (float, optional): Added to the variance. (default: :obj:`1e-6`)

    Shapes:
        - **x**: :math:`(N, *, C)`
        - **output**: :math:`(N, *, C)`

    Raises:
        ValueError: If the number of nodes or channels differs from the constructor's.
    """

    def __init__(self, num_nodes: int, channels: int, eps: float = 1e-6):
        super().__init__()
        self.num_nodes = num_nodes
        self.channels = channels
        self.eps = eps
        self.weight = Parameter(torch.empty(num_nodes, channels))
        self.bias = Parameter(torch.empty(num_nodes, channels))
        self.reset_parameters()

    def reset_parameters(self):
        r"""Sets scales to one and shifts to zero."""
        torch.nn.init.ones_(self.weight)
        torch.nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        r"""Normalises; see the class for shapes."""
        shape = (self.num_nodes, self.channels)
        if (x.size(0), x.size(-1)) != shape:
            raise ValueError(
                f"x: expected [{self.num_nodes}, *, {self.channels}], got {list(x.shape)}; "
                "norm='node' ties a model to one graph, norm='channel' does not"
            )
        if torch.compiler.is_compiling() and not is_exporting():
            return self._formula(x)
        # Two copies cost less than any formulation without them. Flat rows: torch.compile
        # assumes wrong strides for the gradient of a normalisation over two dimensions.
        rows = flat_rows(x).transpose(0, 1).flatten(1)
        weight, bias = self.weight.flatten(), self.bias.flatten()
        rows = F.layer_norm(rows, (rows.size(1),), weight, bias, self.eps)
        return rows.view(rows.size(0), *shape).transpose(0, 1).reshape(x.shape)

    def _formula(self, x: Tensor) -> Tensor:
        # The compiler makes two passes of it, together with what stands beside it; transposed
        # copies in its kernels would be read and written number by number.
        rows = flat_rows(x).to(torch.promote_types(x.dtype, torch.float32))
        var, mean = torch.var_mean(rows, (0, 2), correction=0, keepdim=True)
        weight, bias = (p.to(rows.dtype).unsqueeze(1) for p in (self.weight, self.bias))
        out = torch.addcmul(bias, (rows - mean) * (var + self.eps).rsqrt(), weight).view(x.shape)
        # As eagerly: autocast leaves normalisations in single precision, but not on CPU.
        wide = x.device.type != "cpu" and torch.is_autocast_enabled(x.device.type)
        return out if wide else out.to(x.dtype)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.num_nodes}, {self.channels}, eps={self.eps})"
