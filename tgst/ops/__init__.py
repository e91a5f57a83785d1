"""Sparse kernels: the weighted sum over neighbours, its gradients and its backends."""

from tgst.ops.adjacency import Adjacency
from tgst.ops.benchmark import benchmark
from tgst.ops.cache import as_adjacency
from tgst.ops.choose import explain_choice
from tgst.ops.memory import keep_memory
from tgst.ops.spmm import sddmm, spmm

__all__ = [
    "Adjacency",
    "as_adjacency",
    "benchmark",
    "explain_choice",
    "keep_memory",
    "sddmm",
    "spmm",
]
