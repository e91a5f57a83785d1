"""The sorted form of an ``edge_index``, remembered as long as the tensor lives."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from tgst.ops.adjacency import Adjacency, as_plain_tensor, check_count, values_are_known

# edge_index -> edge_type -> (state of the two tensors, {(num_nodes, num_partitions): Adjacency}).
# Both keys are weak and compared by identity, so an entry dies with its tensors and a new tensor
# at an old address is a new key. The adjacency holds copies, hence keeps no key alive.
_cache = WeakTensorKeyDictionary()


def as_adjacency(
    edge_index: Tensor | Adjacency,
    edge_type: Tensor | None = None,
    num_nodes: int | None = None,
    num_partitions: int = 1,
) -> Adjacency:
    r"""Return the :class:`Adjacency` of a graph, sorting each ``edge_index`` once.

    The result is remembered per pair of tensors (``edge_index``, ``edge_type``) and sorted again
    after an in-place change. Writes that torch does not count (through a NumPy array that shares
    the memory) go unnoticed. While compiling or exporting the sort becomes part of the graph.
    Nothing is remembered for tensors that were created in inference mode.

    Args:
        edge_index (Tensor or EdgeIndex or Adjacency): The edges; an :class:`Adjacency` is
            returned as it is, after a check of its sizes.
        edge_type (Tensor, optional): The partition label of every edge. An :class:`Adjacency`
            has its own labels: leave it out then.
        num_nodes (int, optional): The number of nodes; the largest node number plus one if
            not given.
        num_partitions (int): The number of partitions, a plain int.

    Shapes:
        - **edge_index:** :math:`[2, E]`, int64 or int32
        - **edge_type:** :math:`[E]`, int64 or int32

    Raises:
        TypeError: If an argument is of the wrong type or dtype.
        ValueError: If a layout, rank, length or value is out of place, or the sizes of an
            :class:`Adjacency` differ from those asked for.
    """
    if isinstance(edge_index, Adjacency):
        return _checked(edge_index, edge_type, num_nodes, num_partitions)
    edge_index = as_plain_tensor(edge_index)
    if not _may_remember(edge_index, edge_type):
        return Adjacency.build(edge_index, edge_type, num_nodes, num_partitions)
    check_count("num_partitions", num_partitions, at_least=1)
    known = _entry(edge_index, edge_index if edge_type is None else edge_type)
    key = (num_nodes, num_partitions)
    if key not in known:
        # Lightning validates in inference mode before it trains, and inference tensors cannot
        # be saved for a backward pass.
        with torch.inference_mode(False), torch.no_grad():
            known[key] = Adjacency.build(edge_index, edge_type, num_nodes, num_partitions)
    return known[key]


def _checked(
    adjacency: Adjacency, edge_type: Tensor | None, num_nodes: int | None, num_partitions: int
) -> Adjacency:
    if edge_type is not None:
        raise ValueError(
            "edge_type: expected None beside an Adjacency, which has its own labels, got a Tensor"
        )
    num_partitions = check_count("num_partitions", num_partitions, at_least=1)
    if num_nodes is not None and adjacency.num_nodes != num_nodes:
        raise ValueError(
            f"edge_index: expected an Adjacency of {num_nodes} nodes, got {adjacency.num_nodes}"
        )
    # Compared without a division: symbolic sizes stay linear.
    if adjacency.ptr_label_in.shape[0] - 1 != num_partitions * adjacency.num_nodes:
        raise ValueError(
            f"edge_index: expected an Adjacency with num_partitions={num_partitions}, "
            f"got num_partitions={adjacency.num_partitions}"
        )
    return adjacency


def _may_remember(edge_index: Tensor, edge_type: Tensor | None) -> bool:
    tensors = (edge_index,) if edge_type is None else (edge_index, edge_type)
    if not values_are_known() or not all(_has_state(tensor) for tensor in tensors):
        return False
    # What is built inside torch.func belongs to the running transform and dies with it.
    return not torch._C._are_functorch_transforms_active()


def _has_state(tensor: object) -> bool:
    # Whether `_state` says all: not of other layouts (build refuses them with a message), of
    # tensors without memory, of subclasses, or in inference mode.
    plain = type(tensor) in (Tensor, torch.nn.Parameter)
    return (
        plain
        and tensor.layout == torch.strided  # type: ignore[attr-defined]
        and not tensor.is_meta  # type: ignore[attr-defined]
        and not tensor.is_inference()  # type: ignore[attr-defined]
    )


def _entry(edge_index: Tensor, edge_type: Tensor) -> dict[tuple[int | None, int], Adjacency]:
    inner = _cache.get(edge_index)
    if inner is None:
        inner = _cache[edge_index] = WeakTensorKeyDictionary()
    state = (_state(edge_index), _state(edge_type))
    entry = inner.get(edge_type)
    if entry is None or entry[0] != state:
        entry = inner[edge_type] = (state, {})
    return entry[1]


def _state(tensor: Tensor) -> tuple[object, ...]:
    # The version counts in-place changes; the rest changes with `tensor.data = other`.
    return tensor._version, tensor.data_ptr(), tensor.shape, tensor.stride()
