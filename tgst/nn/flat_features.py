r"""Flat features for tools that know no time."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.nn.inits import reset

from tgst.ops.adjacency import check_count


class FlatFeatures(torch.nn.Module):
    r"""Lets tools that expect one row of features per node, above all
    :class:`torch_geometric.explain.Explainer`, call a layer or model for series.

    .. math::
        \mathbf{x} \in \mathbb{R}^{N \times (T C)} \;\mapsto\;
        \mathrm{flat}(\mathrm{model}(\mathbf{X} \in \mathbb{R}^{N \times T \times C}))

    Give :obj:`x.flatten(1)` for features :math:`(N, T, C)`. A mask of the features that comes back
    has the shape of :obj:`x`: :obj:`mask.view(N, T, C)` tells how much every reading of every step
    counts.

    Args:
        model (torch.nn.Module): The layer or model, called as :obj:`model(x, edge_index, *args,
            **kwargs)`.
        num_steps (int): Number of time steps :math:`T` of its input.
        num_channels (int): Number of channels :math:`C` of its input.

    Shapes:
        - **x**: :math:`(N, T \cdot C)`
        - **edge_index** and all other arguments: as :obj:`model` takes them
        - **output**: :math:`(N, F)`, all but the first dimension of the output of :obj:`model`
          joined; :math:`(N)` stays

    Raises:
        TypeError: If a number is no integer.
        ValueError: If :obj:`x` has another shape, or a number is below one.
    """

    def __init__(self, model: torch.nn.Module, num_steps: int, num_channels: int):
        super().__init__()
        self.model = model
        self.num_steps = check_count("num_steps", num_steps, at_least=1)
        self.num_channels = check_count("num_channels", num_channels, at_least=1)

    def reset_parameters(self):
        r"""Resets the parameters of the wrapped model, also of a container of layers."""
        reset(self.model)

    def forward(self, x: Tensor, edge_index: Tensor, *args, **kwargs) -> Tensor:
        r"""Runs the model; see the class for shapes."""
        shape = (self.num_steps, self.num_channels)
        if x.dim() != 2 or x.size(1) != self.num_steps * self.num_channels:
            raise ValueError(
                f"x: expected [num_nodes, {self.num_steps * self.num_channels}] (num_steps * "
                f"num_channels, from x.flatten(1)), got {list(x.shape)}"
            )
        out = self.model(x.unflatten(1, shape), edge_index, *args, **kwargs)
        return out.flatten(1) if out.dim() > 1 else out

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}({self.model}, num_steps={self.num_steps}, "
            f"num_channels={self.num_channels})"
        )
