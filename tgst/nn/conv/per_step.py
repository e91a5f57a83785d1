r"""Any PyG convolution, applied at every time step of node-first time series."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing

from tgst.nn.conv.arguments import edge_tensors, flat_rows
from tgst.ops import Adjacency, as_adjacency

# Messages of one call stay near this many rows: large enough to fill the machine, small enough
# to stay in cache (processing all steps at once is 1.3 to 2.2 times slower).
_ROWS_PER_CALL = 30_000


class PerStep(torch.nn.Module):
    r"""Applies any PyG convolution to every time step (and batch entry) of
    :math:`(N, *, C)` features.

    .. math::
        \mathbf{X}'_{:, s} = \mathrm{conv}(\mathbf{X}_{:, s}, \text{edges}) \quad
        \text{for every index } s \text{ of } *

    The steps become a disjoint union of copies of the graph with node
    :math:`n L + \ell` for node :math:`n` at step :math:`\ell`, so that features enter and leave
    as free views and one call of the convolution serves many steps. The result equals a loop over
    the steps for every convolution without state across nodes. Edge masks of an explainer hold at
    every step; message hooks of :obj:`conv` see the messages of all steps, edge by edge.

    Args:
        conv (torch.nn.Module): A PyG convolution, called as
            :obj:`conv(x, edge_index, *edge_attributes, **edge_attributes)`.
        steps_per_call (int, optional): Number of steps per call of :obj:`conv`. If set to
            :obj:`None`, about 30,000 edges are processed per call. (default: :obj:`None`)

    Shapes:
        - **x**: :math:`(N, *, C_{in})`
        - **edge_index**: :math:`(2, E)`, an :class:`~torch_geometric.EdgeIndex` or a
          :class:`tgst.ops.Adjacency`
        - **edge attributes** (positional or by keyword): :math:`(E)` or :math:`(E, D)`
        - **output**: :math:`(N, *, C_{out})`

    Raises:
        ValueError: If :obj:`conv` caches its normalised graph (:obj:`cached=True`), which would
            be wrong for the next number of steps, if an edge attribute is not of length
            :math:`E`, or if an edge or a dimension is out of place; the message names it.
    """

    def __init__(self, conv: torch.nn.Module, steps_per_call: int | None = None):
        super().__init__()
        if getattr(conv, "cached", False):
            raise ValueError(
                f"conv: {conv} has cached=True, which keeps the graph of its first call; "
                "expected cached=False"
            )
        if steps_per_call is not None and steps_per_call < 1:
            raise ValueError(f"steps_per_call: expected at least 1, got {steps_per_call}")
        self.conv = conv
        self._takes_labels = "edge_type" in inspect.signature(conv.forward).parameters
        self.steps_per_call = steps_per_call

    def reset_parameters(self):
        r"""Resets the parameters of the wrapped convolution."""
        self.conv.reset_parameters()  # type: ignore[operator]

    def forward(self, x: Tensor, edge_index: Tensor, *args, **kwargs) -> Tensor:
        r"""Runs the convolution at every step; see the class for shapes."""
        if x.dim() < 2:
            raise ValueError(f"x: expected [num_nodes, *, channels], got {list(x.shape)}")
        given = edge_index
        edge_index, labels = edge_tensors(edge_index)
        if not isinstance(given, Adjacency):  # which was validated when it was built
            as_adjacency(given, None, x.size(0))  # validates once per tensor
        if labels is not None and not args and self._takes_labels:
            kwargs["edge_type"] = labels  # an Adjacency brings its own
        num_edges = edge_index.size(1)
        for name, value in [*enumerate(args), *kwargs.items()]:
            if isinstance(value, Tensor) and value.shape[:1] != (num_edges,):
                raise ValueError(
                    f"edge attribute {name!r}: expected first dimension {num_edges} (edges), "
                    f"got shape {list(value.shape)}"
                )
        num_nodes, lead = x.size(0), x.shape[1:-1]
        flat = flat_rows(x)
        block = self.steps_per_call or max(1, _ROWS_PER_CALL // max(1, num_edges))
        outs = [self._union(part, edge_index, args, kwargs) for part in flat.split(block, dim=1)]
        out = torch.cat(outs, dim=1)
        return out.view(num_nodes, *lead, out.size(-1))

    def _union(self, x: Tensor, edge_index: Tensor, args, kwargs) -> Tensor:
        num_nodes, steps, channels = x.shape
        offsets = torch.arange(steps, device=x.device)
        union = (edge_index.unsqueeze(-1) * steps + offsets).view(2, -1)

        def repeat(value):
            if not isinstance(value, Tensor):
                return value
            return value.repeat_interleave(steps, dim=0, output_size=value.size(0) * steps)

        edges = (union, *map(repeat, args))
        named = {name: repeat(value) for name, value in kwargs.items()}
        flat = x.reshape(num_nodes * steps, channels)
        explained = [] if torch.compiler.is_compiling() else _explained(self.conv)
        if explained:
            with _repeated_masks(explained, steps):
                out = self.conv(flat, *edges, **named)
        else:
            out = self.conv(flat, *edges, **named)
        return out.view(num_nodes, steps, out.size(-1))

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}({self.conv})"


def _explained(conv: torch.nn.Module) -> list[MessagePassing]:
    return [
        module
        for module in conv.modules()
        if isinstance(module, MessagePassing) and module.explain and module._edge_mask is not None
    ]


@contextmanager
def _repeated_masks(modules: list[MessagePassing], steps: int) -> Iterator[None]:
    # An explainer masks the edges of the graph; the union has each of them once per step.
    names = ("_edge_mask", "_loop_mask")
    given = [[getattr(module, name) for name in names] for module in modules]
    try:
        for module, masks in zip(modules, given, strict=True):
            for name, mask in zip(names, masks, strict=True):
                _replace(module, name, mask.repeat_interleave(steps))
        yield
    finally:
        for module, masks in zip(modules, given, strict=True):
            for name, mask in zip(names, masks, strict=True):
                _replace(module, name, mask)


def _replace(module: torch.nn.Module, name: str, value: Tensor) -> None:
    delattr(module, name)  # a parameter makes no room for a plain tensor
    setattr(module, name, value)
