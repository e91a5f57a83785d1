r"""What the layers on the fused sparse product share: who watches, and the unfused path."""

from __future__ import annotations

import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing
from torch_geometric.typing import OptTensor

# What MessagePassing calls around propagate, message and aggregate. The fused product has no
# messages, so a layer that is being watched takes the propagate path.
# A subclass that overrides one of these expects messages, too.
_METHODS = ("message", "aggregate", "update")
_HOOKS = (
    "_propagate_forward_pre_hooks",
    "_propagate_forward_hooks",
    "_message_forward_pre_hooks",
    "_message_forward_hooks",
    "_aggregate_forward_pre_hooks",
    "_aggregate_forward_hooks",
)


# What the fused product does, and cannot do otherwise.
_FIXED = {"aggr": "add", "flow": "source_to_target", "node_dim": 0, "decomposed_layers": 1}


class SparseConv(MessagePassing):
    r"""Base of the layers that run on :func:`tgst.ops.spmm` and fall back to one
    :meth:`propagate` over all edges, in edge order, when an explainer, a hook or an overridden
    :meth:`message` needs to see the messages.

    Args:
        **kwargs (optional): Additional arguments of
            :class:`torch_geometric.nn.conv.MessagePassing`; :obj:`aggr` other than
            :obj:`"add"` and :obj:`flow` other than :obj:`"source_to_target"` are refused,
            because the fused product could not honour them.
    """

    # As an attribute, because PyG would look names of a comment up in the subclass's module.
    propagate_type = {"x": Tensor, "edge_weight": OptTensor}

    def __init__(self, **kwargs):
        name = self.__class__.__name__
        for key, only in _FIXED.items():
            if kwargs.setdefault(key, only) != only:
                raise ValueError(f"{key}: {name} expects {only!r}, got {kwargs[key]!r}")
        super().__init__(**kwargs)

    def _observed(self) -> bool:
        hooked = any(getattr(self, name) for name in _HOOKS)
        if hooked and torch.compiler.is_compiling():
            raise RuntimeError(
                f"{self.__class__.__name__}: message passing hooks do not run in compiled code; "
                "remove the hooks or call the layer outside torch.compile"
            )
        own = any(getattr(type(self), name) is not getattr(SparseConv, name) for name in _METHODS)
        return bool(self.explain) or hooked or own

    def _propagate_sum(
        self, edge_index: Tensor, x: Tensor, edge_weight: Tensor | None, num_targets: int
    ) -> Tensor:
        return self.propagate(
            edge_index, x=x, edge_weight=edge_weight, size=(x.size(0), num_targets)
        )

    def message(self, x_j: Tensor, edge_weight: Tensor | None) -> Tensor:
        r"""Weighs the features of the source node of each edge."""
        if edge_weight is None:
            return x_j
        return x_j * edge_weight.to(x_j.dtype).view(-1, *[1] * (x_j.dim() - 1))
