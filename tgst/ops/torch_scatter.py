"""Products by ``torch_scatter.segment_csr`` on gathered messages: a comparison."""

from __future__ import annotations

from torch import Tensor

from tgst.ops.edge_dot import edge_dot


def check_installed() -> None:
    """Raise an :class:`ImportError` that says how to install torch-scatter.

    Raises:
        ImportError: If torch-scatter cannot be imported.
    """
    try:
        import torch_scatter  # noqa: F401
    except (ImportError, OSError) as error:  # OSError: a build for another torch
        raise ImportError(
            "backend: 'torch_scatter' needs the package torch-scatter, built for this torch: "
            f"pip install --no-build-isolation torch-scatter ({error})"
        ) from error


def spmm(
    x: Tensor,
    weight: Tensor | None,
    source: Tensor,
    target: Tensor,
    in_ptr: Tensor,
    in_order: Tensor,
    out_ptr: Tensor,
    out_order: Tensor,
) -> Tensor:
    """Gather and scale one row per edge, sorted by target, and sum the segments."""
    from torch_scatter import segment_csr

    messages = x.index_select(0, source.index_select(0, in_order))
    if weight is not None:
        messages.mul_(weight.index_select(0, in_order).unsqueeze(-1))
    return segment_csr(messages, in_ptr.long(), reduce="sum")


def sddmm(
    g: Tensor,
    x: Tensor,
    source: Tensor,
    target: Tensor,
    in_ptr: Tensor,
    in_order: Tensor,
    out_ptr: Tensor,
    out_order: Tensor,
) -> Tensor:
    """Multiply and sum the two rows at the ends of every edge, in chunks of edges."""
    return edge_dot(g, x, source, target)
