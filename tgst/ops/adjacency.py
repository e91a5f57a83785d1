"""The sorted edges of a graph, as plain tensors."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from tgst.ops import onnx

_INT32_MAX = 2**31 - 1

# Not in torch 2.6: there, compiled code counts as exported.
is_exporting = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)


class Adjacency(NamedTuple):
    r"""The edges of a graph, validated once and sorted by target and by source.

    A tuple of tensors and nothing else: it moves through :func:`torch.compile`,
    :func:`torch.export.export`, ``pickle`` and ``deepcopy``, and is accepted wherever
    ``edge_index`` is. Build it with :meth:`build`. Do not store it in a PyG ``Data``: a
    ``Batch`` would join its fields without shifting the node numbers.

    Convention:
        Edge :math:`e` goes from ``source[e]`` to ``target[e]``. "in" orders put the edges that
        enter a node side by side, "out" orders those that leave it. In the label orders a row
        is ``node * num_partitions + label``; with one partition they are the plain orders.

    Shapes:
        - **source**, **target**, **label:** :math:`[E]`, in the caller's edge order
        - **ptr_in**, **ptr_out:** :math:`[N + 1]`; row :math:`i` owns the places
          ``ptr[i]:ptr[i + 1]`` of the order
        - **order_in**, **order_out**, **order_label_in**, **order_label_out:** :math:`[E]`,
          edge numbers
        - **ptr_label_in**, **ptr_label_out:** :math:`[K \cdot N + 1]`
    """

    source: Tensor
    target: Tensor
    label: Tensor
    ptr_in: Tensor
    order_in: Tensor
    ptr_out: Tensor
    order_out: Tensor
    # No name may be the prefix of another one: torch.export writes its guards by text
    # replacement and produces invalid code otherwise.
    ptr_label_in: Tensor
    order_label_in: Tensor
    ptr_label_out: Tensor
    order_label_out: Tensor

    @property
    def num_nodes(self) -> int:
        """The number of nodes N."""
        return self.ptr_in.shape[0] - 1

    @property
    def num_edges(self) -> int:
        """The number of edges E."""
        return self.source.shape[0]

    @property
    def num_partitions(self) -> int:
        """The number of partitions K (1 for a graph without nodes)."""
        if self.num_nodes == 0:
            return 1
        return (self.ptr_label_in.shape[0] - 1) // self.num_nodes

    @staticmethod
    def build(
        edge_index: Tensor,
        edge_type: Tensor | None = None,
        num_nodes: int | None = None,
        num_partitions: int = 1,
    ) -> Adjacency:
        r"""Validate and sort the edges of a graph.

        Unsorted, parallel and no edges at all are fine. The tensors are copied and have the dtype
        of :obj:`edge_index`; int32 halves their memory. In compiled code a value out of range is
        a :class:`RuntimeError` that names the argument alone; in exported code the ranges of the
        values are not checked.

        Args:
            edge_index (Tensor or EdgeIndex): The edges, sources in row 0, targets in row 1.
            edge_type (Tensor, optional): The partition label of every edge; needed if there
                is more than one partition.
            num_nodes (int, optional): The number of nodes; the largest node number plus one
                if not given.
            num_partitions (int): The number of partitions :math:`K`, a plain int.

        Shapes:
            - **edge_index:** :math:`[2, E]`, int64 or int32
            - **edge_type:** :math:`[E]`, int64 or int32, values in :math:`[0, K)`

        Raises:
            TypeError: If an argument is of the wrong type or dtype.
            ValueError: If a layout, rank, length or value is out of place; the message names
                the argument and the first offending edge.
        """
        edge_index = as_plain_tensor(edge_index)
        num_partitions = check_count("num_partitions", num_partitions, at_least=1)
        num_nodes = _check_edges(edge_index, num_nodes)
        _check_labels(edge_type, edge_index, num_partitions)
        _check_fit(edge_index, num_nodes, num_partitions)
        source, target = edge_index[0].clone(), edge_index[1].clone()
        if edge_type is None:
            label = torch.zeros_like(source)
        else:
            label = edge_type.to(edge_index.dtype, copy=True)
        plain: tuple[Tensor, ...] = (*_sort(target, num_nodes), *_sort(source, num_nodes))
        labelled = plain
        if num_partitions > 1:
            rows, ends = num_partitions * num_nodes, (target, source)
            labelled = tuple(
                part for end in ends for part in _sort(end * num_partitions + label, rows)
            )
        return Adjacency(source, target, label, *plain, *labelled)


def as_plain_tensor(edge_index: object) -> Tensor:
    """Return the tensor inside a PyG ``EdgeIndex``, or the tensor itself."""
    if not isinstance(edge_index, Tensor):
        raise TypeError(
            "edge_index: expected a Tensor, an EdgeIndex or an Adjacency, "
            f"got {type(edge_index).__name__}"
        )
    # Recognised by its method, so that this package needs torch only; asked of the class, because
    # the compiler denies the method of an instance.
    has_inner = hasattr(type(edge_index), "as_tensor")
    return edge_index.as_tensor() if has_inner else edge_index  # type: ignore[attr-defined]


def check_count(name: str, value: object, at_least: int = 0) -> int:
    """Return a plain int, or say what came instead (a one-element tensor is refused too)."""
    if torch.jit.is_tracing():  # where a size is a tensor
        return value  # type: ignore[return-value]
    if isinstance(value, (Tensor, bool)):
        raise TypeError(f"{name}: expected an int, got {type(value).__name__}")
    # An int first: it is also what a symbolic size passes for while compiling.
    count = value if isinstance(value, (int, torch.SymInt)) else _index(name, value)
    if count < at_least:
        raise ValueError(f"{name}: expected at least {at_least}, got {count}")
    return count  # type: ignore[return-value]


def _index(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: expected an int, got {type(value).__name__}") from None


def values_are_known() -> bool:
    """Say whether code may depend on the values in a tensor (not while being traced)."""
    return not (torch.compiler.is_compiling() or torch.jit.is_tracing())


def _check_edges(edge_index: Tensor, num_nodes: int | None) -> int:
    """Return the number of nodes, or say which edge, rank, layout or dtype is out of place."""
    _check_integers("edge_index", edge_index)
    if edge_index.dim() != 2 or edge_index.shape[0] != 2:
        raise ValueError(f"edge_index: expected shape [2, E], got {list(edge_index.shape)}")
    if num_nodes is not None:
        num_nodes = check_count("num_nodes", num_nodes)
    elif not values_are_known():
        raise ValueError("num_nodes: expected an int in compiled code, got None")
    else:
        num_nodes = int(edge_index.max()) + 1 if edge_index.numel() > 0 else 0
    if values_are_known():
        for name, nodes in zip(("source", "target"), edge_index, strict=True):
            _check_range("edge_index", nodes, num_nodes, name, "node numbers")
    else:
        _assert_range("edge_index", edge_index, num_nodes, "node numbers in [0, num_nodes)")
    return num_nodes


def _check_labels(edge_type: Tensor | None, edge_index: Tensor, num_partitions: int) -> None:
    if edge_type is None:
        if num_partitions > 1:
            raise ValueError(
                f"edge_type: expected a label per edge (num_partitions={num_partitions}), got None"
            )
        return
    if not isinstance(edge_type, Tensor):
        raise TypeError(f"edge_type: expected a Tensor, got {type(edge_type).__name__}")
    _check_integers("edge_type", edge_type)
    num_edges = edge_index.shape[1]
    if edge_type.dim() != 1 or edge_type.shape[0] != num_edges:
        raise ValueError(
            f"edge_type: expected shape [{num_edges}] (one label per edge), "
            f"got {list(edge_type.shape)}"
        )
    if edge_type.device != edge_index.device:
        raise ValueError(
            f"edge_type: expected device {edge_index.device} as edge_index, got {edge_type.device}"
        )
    if values_are_known():
        _check_range("edge_type", edge_type, num_partitions, "label", "labels")
    else:
        _assert_range("edge_type", edge_type, num_partitions, "labels in [0, num_partitions)")


def _check_integers(name: str, tensor: Tensor) -> None:
    if tensor.layout != torch.strided:
        raise ValueError(f"{name}: expected a strided (dense) layout, got {tensor.layout}")
    if tensor.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"{name}: expected dtype torch.int64 or torch.int32, got {tensor.dtype}")


def _check_fit(edge_index: Tensor, num_nodes: int, num_partitions: int) -> None:
    """Check that row and edge numbers fit the dtype of the edges."""
    if edge_index.dtype == torch.int64 or is_exporting():  # there it would bound the sizes
        return
    rows, num_edges = num_partitions * num_nodes, edge_index.shape[1]
    if rows > _INT32_MAX or num_edges > _INT32_MAX:
        raise ValueError(
            f"edge_index: expected dtype torch.int64 for {num_edges} edges and {num_nodes} nodes "
            f"in {num_partitions} partitions, which do not fit torch.int32, got torch.int32"
        )


def _check_range(argument: str, values: Tensor, stop: int, role: str, what: str) -> None:
    if values.numel() == 0:
        return
    smallest, largest = torch.aminmax(values)
    if int(smallest) >= 0 and int(largest) < stop:
        return
    edge = int(((values < 0) | (values >= stop)).nonzero()[0])
    raise ValueError(
        f"{argument}: expected {what} in [0, {stop}), "
        f"but edge {edge} has {role} {int(values[edge])}"
    )


def _assert_range(argument: str, values: Tensor, stop: int, expected: str) -> None:
    # The kernels check no bounds. Compiled code may not wait for a value, so that the message
    # cannot tell it; exported programs stay free of assertions, which not all runtimes know.
    if torch.compiler.is_compiling() and not is_exporting():
        inside = ((values >= 0) & (values < stop)).all()
        torch._assert_async(inside, f"{argument}: expected {expected}, but an edge has another")


def _sort(rows: Tensor, num_rows: int) -> tuple[Tensor, Tensor]:
    if torch.onnx.is_in_onnx_export():
        return onnx.sort(rows, num_rows)
    # Both steps are deterministic and trace with symbolic sizes;
    # torch._convert_indices_from_coo_to_csr compiles again for every size.
    ordered, order = torch.sort(rows, stable=True)
    borders = torch.arange(num_rows + 1, dtype=rows.dtype, device=rows.device)
    ptr = torch.searchsorted(ordered, borders, out_int32=rows.dtype == torch.int32)
    return ptr, order.to(rows.dtype)
