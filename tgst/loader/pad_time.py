r"""Series of different lengths in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch_geometric.data import Batch, Data
from torch_geometric.data.data import BaseData
from torch_geometric.transforms import BaseTransform

from tgst.ops.adjacency import check_count


class PadTime(BaseTransform):
    r"""Pads series at the end of time, so that graphs with different numbers of steps fit into one
    :class:`~torch_geometric.data.Batch`.

    Called with one :class:`~torch_geometric.data.Data` (as a transform), it pads that one to
    :obj:`length`. Called with a list (as :obj:`collate_fn` of a
    :class:`torch.utils.data.DataLoader`; the one of PyG takes none) or a batch, it pads all of
    their graphs to :obj:`length`, or to the longest, and returns their batch.

    :obj:`data.mask` is written: :obj:`True` where a reading was given (and an existing mask says
    so), :obj:`False` on padding. Layers do not read it; losses and metrics do. Time is the last
    dimension but one of :obj:`x` and of :obj:`keys`, and the last one of :obj:`mask`.

    Args:
        length (int, optional): Number of steps after padding. :obj:`None` takes that of the longest
            series of the list. (default: :obj:`None`)
        value (float, optional): What the padding holds. (default: :obj:`0.0`)
        keys (sequence of str, optional): Further attributes :math:`(N, *, T, C)` with the steps of
            :obj:`x` to pad, such as a :obj:`y` per step. All others are left as they are.
            (default: :obj:`()`)

    Shapes:
        - **input**: :obj:`x` :math:`(N, *, T, C)`, :obj:`mask` :math:`(N, *, T)` boolean, optional
        - **output**: :obj:`x` :math:`(N, *, \text{length}, C)`, :obj:`mask`
          :math:`(N, *, \text{length})`

    Raises:
        TypeError: If :obj:`length` is no integer, or the data no homogeneous graphs.
        ValueError: If :obj:`length` is missing for a single graph or shorter than a series, the
            list is empty, an attribute has not the shape above, or its dtype cannot hold
            :obj:`value`.
    """

    def __init__(
        self, length: int | None = None, value: float = 0.0, keys: Sequence[str] = ()
    ) -> None:
        if isinstance(keys, str):
            raise ValueError(f"keys: expected a sequence of names, got {keys!r}")
        self.length = None if length is None else check_count("length", length, at_least=1)
        self.value = float(value)
        self.keys = tuple(keys)

    def forward(self, data: Any) -> Any:
        r"""Pads one graph, or all of a list and batches them."""
        if isinstance(data, Data) and not isinstance(data, Batch):
            if self.length is None:
                raise ValueError("length: expected a number of steps for a single graph, got None")
            return self._padded(data, self.length)
        graphs = _graphs(data)
        if not graphs:
            raise ValueError("data: expected at least one graph, got an empty list")
        length = self.length or max(_steps(graph) for graph in graphs)
        return Batch.from_data_list([self._padded(graph, length) for graph in graphs])

    def _padded(self, data: Data, length: int) -> Data:
        steps = _steps(data)
        if steps > length:
            raise ValueError(f"length: expected at least the {steps} steps of data.x, got {length}")
        # Not on the caller's graph: a shallow copy shares the tensors, and none is written to.
        padded = data.__copy__()
        for key in dict.fromkeys(("x", *self.keys)):
            value = _checked(data, key, steps)
            if not (value.is_floating_point() or self.value.is_integer()):
                raise ValueError(
                    f"data.{key}: expected a floating point dtype for value={self.value}, got "
                    f"{value.dtype}"
                )
            padded[key] = extended(value, length - steps, self.value, -2)
        padded.mask = extended(_mask(data), length - steps, False, -1)
        return padded

    def __repr__(self) -> str:
        return (
            f"{self.__class__.__name__}(length={self.length}, value={self.value}, keys={self.keys})"
        )


def _graphs(data: Any) -> list[Data]:
    # A batch is taken apart: it could not give back a mask that was written to it as a whole.
    graphs = data.to_data_list() if isinstance(data, Batch) else data
    if isinstance(graphs, BaseData):
        raise TypeError(f"data: expected Data or a list of Data, got {type(data).__name__}")
    graphs = list(graphs)
    for graph in graphs:
        if not isinstance(graph, Data):
            raise TypeError(f"data: expected a list of Data, got {type(graph).__name__} in it")
    return graphs


def _steps(data: Data) -> int:
    x = data.get("x")
    if not isinstance(x, Tensor) or x.dim() < 3:
        came = list(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"data.x: expected [num_nodes, *, steps, channels], got {came}")
    return x.size(-2)


def _checked(data: Data, key: str, steps: int) -> Tensor:
    value = data.get(key)
    if not isinstance(value, Tensor) or value.dim() < 3 or value.size(-2) != steps:
        came = list(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(
            f"data.{key}: expected [num_nodes, *, {steps}, channels] (the steps of x), got {came}"
        )
    return value


def _mask(data: Data) -> Tensor:
    shape = data.x.shape[:-1]
    mask = data.get("mask")
    if mask is None:
        return torch.ones(shape, dtype=torch.bool, device=data.x.device)
    if not isinstance(mask, Tensor) or mask.shape != shape or mask.dtype != torch.bool:
        came = f"{list(mask.shape)} {mask.dtype}" if isinstance(mask, Tensor) else repr(mask)
        raise ValueError(f"data.mask: expected shape {list(shape)} and torch.bool, got {came}")
    return mask


def extended(value: Tensor, extra: int, fill: float, dim: int) -> Tensor:
    r"""Returns :obj:`value` with :obj:`extra` more entries of :obj:`fill` at the end of a
    dimension.
    """
    shape = list(value.shape)
    shape[dim] = extra
    return torch.cat([value, value.new_full(shape, fill)], dim=dim)
