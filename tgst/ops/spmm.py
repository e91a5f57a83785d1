"""The sum over incoming edges and the dot product per edge, each the other's derivative."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import is_in_torch_dispatch_mode

from tgst.ops import onnx, reference
from tgst.ops.adjacency import Adjacency
from tgst.ops.backends import BACKENDS, check_backend
from tgst.ops.choose import choose_backend

# The six index tensors of a product: source and target row per edge, the order by target (in)
# and the order by source (out). Swapping both halves transposes the product.
_Graph = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]

_GRAPH_SCHEMA = (
    "Tensor source, Tensor target, Tensor in_ptr, Tensor in_order, "
    "Tensor out_ptr, Tensor out_order, str backend"
)


def spmm(
    adjacency: Adjacency,
    x: Tensor,
    weight: Tensor | None = None,
    *,
    fold: str | None = None,
    backend: str = "auto",
) -> Tensor:
    r"""Sum the weighted features of the neighbours over the incoming edges.

    .. math::
        y_i = \sum_{e = (j \to i)} w_e \, x_j

    No tensor with a feature vector per edge is formed (except by the backends
    ``"torch_scatter"`` and ``"reference"``), and gradients of any order exist. Under
    forward-mode differentiation and :mod:`torch.func` the plain formula runs; what ONNX export
    writes gives the same on any number of threads.

    A NaN or infinite feature reaches the targets of its node alone, except by the backend
    ``"dense"``, which ``"auto"`` may take for a nearly full graph: there it spreads to all nodes,
    as :math:`0 \cdot \infty` is NaN.

    Args:
        adjacency (Adjacency): The graph.
        x (torch.Tensor): The features, rows first.
        weight (torch.Tensor, optional): The weight of every edge in the caller's edge order;
            all ones if not given. Of the dtype of :obj:`x`, except under autocast, where it is
            cast.
        fold (str, optional): Where the label :math:`k_e` of an edge goes, if anywhere.
            ``"target"`` sums per label, into row :math:`i K + k_e`; ``"source"`` reads
            row :math:`j K + k_e` of features that were transformed per label.
        backend (str): ``"auto"``, ``"embedding_bag"``, ``"column_blocks"``, ``"triton"``,
            ``"sparse_csr"``, ``"dense"``, ``"torch_scatter"`` or ``"reference"``. ``"auto"`` is
            explained by :func:`explain_choice`. ``"triton"`` needs a CUDA device, and gives
            equal bits in every run.

    Shapes:
        - **x:** :math:`[N, *]`, or :math:`[K \cdot N, *]` with ``fold="source"``
        - **weight:** :math:`[E]`
        - **output:** :math:`[N, *]`, or :math:`[K \cdot N, *]` with ``fold="target"``

    Raises:
        TypeError: If an argument is of the wrong type or dtype.
        ValueError: If a shape, layout or device does not fit, or a name is unknown.
        ImportError: If the backend needs a package that is not installed.
    """
    graph = _folded(adjacency, fold)
    _check_rows("x", x, graph[4].shape[0] - 1, adjacency)
    if weight is not None:
        weight = _checked_weight(weight, x, adjacency.num_edges)
    check_backend(backend, x.device)
    flat = _flat(x)
    if torch.onnx.is_in_onnx_export():
        out = onnx.spmm(flat, weight, *graph)
    elif _needs_formula():
        out = reference.spmm(flat, weight, *graph)
    else:
        out = _sum(flat, weight, *graph, backend)
    return out.reshape(out.shape[0], *x.shape[1:])


def sddmm(
    adjacency: Adjacency,
    g: Tensor,
    x: Tensor,
    *,
    fold: str | None = None,
    backend: str = "auto",
) -> Tensor:
    r"""Take the dot product of the features at the two ends of every edge.

    .. math::
        s_e = \langle g_i, x_j \rangle \quad \text{for } e = (j \to i)

    The derivative of :func:`spmm` by the weights, and the other way round.

    Args:
        adjacency (Adjacency): The graph.
        g (torch.Tensor): The features read at the targets.
        x (torch.Tensor): The features read at the sources, of the dtype of :obj:`g` (cast to
            it under autocast).
        fold (str, optional): As in :func:`spmm`; ``"target"`` folds the label into the rows
            of :obj:`g`, ``"source"`` into those of :obj:`x`.
        backend (str): As in :func:`spmm`.

    Shapes:
        - **g:** :math:`[N, *]`, or :math:`[K \cdot N, *]` with ``fold="target"``
        - **x:** :math:`[N, *]`, or :math:`[K \cdot N, *]` with ``fold="source"``
        - **output:** :math:`[E]`, in the caller's edge order

    Raises:
        TypeError: If an argument is of the wrong type or dtype.
        ValueError: If a shape, layout or device does not fit, or a name is unknown.
        ImportError: If the backend needs a package that is not installed.
    """
    graph = _folded(adjacency, fold)
    _check_rows("g", g, graph[2].shape[0] - 1, adjacency)
    _check_rows("x", x, graph[4].shape[0] - 1, adjacency)
    if g.shape[1:] != x.shape[1:]:
        raise ValueError(
            f"x: expected the dimensions of g after the first, {list(g.shape[1:])}, "
            f"got {list(x.shape[1:])}"
        )
    x = _same_dtype("x", x, "g", g)
    check_backend(backend, x.device)
    flat_g, flat_x = _flat(g), _flat(x)
    if _needs_formula():
        return reference.sddmm(flat_g, flat_x, *graph)
    return _dots(flat_g, flat_x, *graph, backend)


def _spmm_kernel(x, weight, source, target, in_ptr, in_order, out_ptr, out_order, backend):
    if x.numel() == 0 or source.numel() == 0:  # the native kernels refuse empty rows
        return x.new_zeros((in_ptr.shape[0] - 1, x.shape[1]))
    graph = (source, target, in_ptr, in_order, out_ptr, out_order)
    return BACKENDS[_resolved(backend, "spmm", graph, x)].spmm(x, weight, *graph)


def _sddmm_kernel(g, x, source, target, in_ptr, in_order, out_ptr, out_order, backend):
    if g.numel() == 0 or x.numel() == 0 or source.numel() == 0:
        return g.new_zeros(source.shape[0])
    graph = (source, target, in_ptr, in_order, out_ptr, out_order)
    return BACKENDS[_resolved(backend, "sddmm", graph, x)].sddmm(g, x, *graph)


_spmm = torch.library.custom_op(
    "tgst::spmm",
    _spmm_kernel,
    mutates_args=(),
    schema=f"(Tensor x, Tensor? weight, {_GRAPH_SCHEMA}) -> Tensor",
)
_sddmm = torch.library.custom_op(
    "tgst::sddmm",
    _sddmm_kernel,
    mutates_args=(),
    schema=f"(Tensor g, Tensor x, {_GRAPH_SCHEMA}) -> Tensor",
)


@_spmm.register_fake
def _spmm_fake(x, weight, source, target, in_ptr, *rest):
    return x.new_empty((in_ptr.shape[0] - 1, x.shape[1]))


@_sddmm.register_fake
def _sddmm_fake(g, x, source, *rest):
    return g.new_empty(source.shape[0])


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    first, second, *graph, ctx.backend = inputs
    # Each operand is kept only for the gradient of the other one.
    keep_first, keep_second = ctx.needs_input_grad[1], ctx.needs_input_grad[0]
    ctx.save_for_backward(first if keep_first else None, second if keep_second else None, *graph)


def _spmm_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, weight, *graph = ctx.saved_tensors
    grad_x = grad_weight = None
    if ctx.needs_input_grad[0]:
        grad_x = _sum(grad, weight, *_transposed(*graph), ctx.backend)
    if ctx.needs_input_grad[1]:
        grad_weight = _dots(grad, x, *graph, ctx.backend)
    return grad_x, grad_weight, *[None] * 7


def _sddmm_backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    g, x, *graph = ctx.saved_tensors
    grad_g = grad_x = None
    if ctx.needs_input_grad[0]:
        grad_g = _sum(x, grad, *graph, ctx.backend)
    if ctx.needs_input_grad[1]:
        grad_x = _sum(g, grad, *_transposed(*graph), ctx.backend)
    return grad_g, grad_x, *[None] * 7


_spmm.register_autograd(_spmm_backward, setup_context=_setup_context)
_sddmm.register_autograd(_sddmm_backward, setup_context=_setup_context)


class _Sum(torch.autograd.Function):
    # Not by setup_context, whose arguments autograd binds by name in each call.
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        out = _spmm_kernel(*inputs)
        _setup_context(ctx, inputs, out)
        return out

    backward = staticmethod(_spmm_backward)


class _Dots(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tensor:
        out = _sddmm_kernel(*inputs)
        _setup_context(ctx, inputs, out)
        return out

    backward = staticmethod(_sddmm_backward)


def _sum(x: Tensor, weight: Tensor | None, *others: Any) -> Tensor:
    if not (_is_eager(x) and (weight is None or _is_eager(weight))):
        return _spmm(x, weight, *others)
    run = _Sum.apply if torch.is_grad_enabled() else _spmm_kernel
    return run(x, weight, *others)


def _dots(g: Tensor, x: Tensor, *others: Any) -> Tensor:
    if not (_is_eager(g) and _is_eager(x)):
        return _sddmm(g, x, *others)
    run = _Dots.apply if torch.is_grad_enabled() else _sddmm_kernel
    return run(g, x, *others)


def _is_eager(x: Tensor) -> bool:
    # An operator of the library takes about 20 microseconds more per call than a function, with
    # gradients, which counts on small graphs. Whoever looks at operators (compilers, modes, other
    # tensors, batches of gradients) is to see it.
    return (
        not torch.compiler.is_compiling()
        and type(x) in (Tensor, torch.nn.Parameter)
        and not is_in_torch_dispatch_mode()
        and not torch.jit.is_tracing()
        and not torch._C._are_functorch_transforms_active()
        and not torch._C._functorch.is_legacy_batchedtensor(x)
    )


def _transposed(
    source: Tensor,
    target: Tensor,
    in_ptr: Tensor,
    in_order: Tensor,
    out_ptr: Tensor,
    out_order: Tensor,
) -> _Graph:
    return target, source, out_ptr, out_order, in_ptr, in_order


def _folded(adjacency: Adjacency, fold: str | None) -> _Graph:
    if not isinstance(adjacency, Adjacency):
        raise TypeError(
            f"adjacency: expected an Adjacency (see as_adjacency), got {type(adjacency).__name__}"
        )
    a = adjacency
    incoming, outgoing = (a.ptr_in, a.order_in), (a.ptr_out, a.order_out)
    # With one partition the label orders are the plain ones.
    one_partition = a.ptr_label_in.shape[0] == a.ptr_in.shape[0]
    if fold is None or (one_partition and fold in ("source", "target")):
        return a.source, a.target, *incoming, *outgoing
    if fold == "target":
        row = a.target * a.num_partitions + a.label
        return a.source, row, a.ptr_label_in, a.order_label_in, *outgoing
    if fold == "source":
        row = a.source * a.num_partitions + a.label
        return row, a.target, *incoming, a.ptr_label_out, a.order_label_out
    raise ValueError(f"fold: expected None, 'source' or 'target', got {fold!r}")


def _resolved(backend: str, product: str, graph: _Graph, x: Tensor) -> str:
    # Asked within the operators: each product and each gradient is chosen for itself, by the sizes
    # of the run, and compiled code holds no guard on them.
    if backend != "auto":
        return backend
    rows_out, edges = graph[2].shape[0] - 1, graph[0].shape[0]
    return choose_backend(
        rows_out, x.shape[0], edges, x.device, width=x.shape[1], dtype=x.dtype, product=product
    )


def _flat(x: Tensor) -> Tensor:
    return x.flatten(1) if x.dim() > 1 else x.unsqueeze(1)


def _needs_formula() -> bool:
    # A custom op has no forward-mode formula (its tangents would be zero without a word), is
    # refused by torch.func.grad, and has no ONNX counterpart.
    return (
        torch._C._are_functorch_transforms_active()
        or torch.autograd.forward_ad._current_level >= 0
        or torch.onnx.is_in_onnx_export()
    )


def _check_rows(name: str, x: Tensor, num_rows: int, adjacency: Adjacency) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"{name}: expected a Tensor, got {type(x).__name__}")
    if x.layout != torch.strided:
        raise ValueError(f"{name}: expected a strided (dense) layout, got {x.layout}")
    if not x.dtype.is_floating_point:
        raise TypeError(f"{name}: expected a floating-point dtype, got {x.dtype}")
    if x.dim() == 0 or x.shape[0] != num_rows:
        raise ValueError(
            f"{name}: expected shape [{num_rows}, *] (rows first; {adjacency.num_nodes} nodes, "
            f"{adjacency.num_partitions} partitions), got {list(x.shape)}"
        )
    if x.device != adjacency.source.device:
        raise ValueError(
            f"{name}: expected device {adjacency.source.device} as the graph, got {x.device}"
        )


def _checked_weight(weight: Tensor, x: Tensor, num_edges: int) -> Tensor:
    if not isinstance(weight, Tensor):
        raise TypeError(f"weight: expected a Tensor or None, got {type(weight).__name__}")
    if weight.layout != torch.strided:
        raise ValueError(f"weight: expected a strided (dense) layout, got {weight.layout}")
    if weight.dim() != 1 or weight.shape[0] != num_edges:
        raise ValueError(
            f"weight: expected shape [{num_edges}] (one number per edge), got {list(weight.shape)}"
        )
    if weight.device != x.device:
        raise ValueError(f"weight: expected device {x.device} as x, got {weight.device}")
    return _same_dtype("weight", weight, "x", x)


def _same_dtype(name: str, tensor: Tensor, other_name: str, other: Tensor) -> Tensor:
    if tensor.dtype == other.dtype:
        return tensor
    if tensor.dtype.is_floating_point and torch.is_autocast_enabled(other.device.type):
        return tensor.to(other.dtype)
    raise TypeError(
        f"{name}: expected dtype {other.dtype} as {other_name}, got {tensor.dtype} "
        "(cast only under autocast)"
    )
