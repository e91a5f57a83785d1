"""The automatic choice of a backend: the least estimated time, by measured costs."""

from __future__ import annotations

import functools
import math

import torch
from torch import Tensor

from tgst.ops import column_blocks, triton
from tgst.ops.adjacency import Adjacency
from tgst.ops.backends import BACKENDS, check_backend
from tgst.ops.dispatch_table import COSTS, MEASURED_ON

# Where nothing has been measured: the first one that can be imported. A compiled kernel that reads
# each index once is expected ahead of torch's own, which is native everywhere.
PREFERRED = {"cuda": ("triton", "embedding_bag"), "cpu": ("embedding_bag",)}

# Backends that are never a candidate of the measured choice, and why.
LEFT_OUT = {
    "triton": "runs on CUDA",
    "torch_scatter": "holds a row per edge",
    "reference": "holds a row per edge",
}

# A dense matrix has at most so many numbers per edge and bytes, whatever its estimated time: the
# choice must not cost more memory than the graph and the features that are there anyway.
DENSE_NUMBERS_PER_EDGE = 4
DENSE_BYTES = 2**26

_CACHE_BYTES = 7 * 2**23  # half of what is read from rows of this size comes from beyond the cache


def explain_choice(
    adjacency: Adjacency, x: Tensor, *, fold: str | None = None, requires_grad: bool = True
) -> str:
    r"""Say which backend :func:`spmm` takes for a graph and features, and why.

    The sum and, with gradients, its two derivatives are chosen each for itself; the line of each
    has the estimated time of all candidates. The first word is the backend of the sum.

    Args:
        adjacency (Adjacency): The graph.
        x (torch.Tensor): The features; only their shape, dtype and device are read.
        fold (str, optional): As in :func:`spmm`.
        requires_grad (bool): Explain the gradients of features and weights, too.

    Shapes:
        - **x:** :math:`[N, *]`, or :math:`[K \cdot N, *]` with ``fold="source"``

    Raises:
        TypeError: If :obj:`adjacency` or :obj:`x` is none.
        ValueError: If :obj:`fold` is unknown, or the rows are not those of the graph.
    """
    rows_out, rows_in = _checked_rows(adjacency, x, fold)
    edges, width = adjacency.num_edges, math.prod(x.shape[1:])
    asked = [("sum", "spmm", rows_out, rows_in)]
    if requires_grad:
        asked += [("gradient of x", "spmm", rows_in, rows_out)]
        asked += [("gradient of weight", "sddmm", rows_out, rows_in)]
    sizes = (edges, x.device)
    chosen = choose_backend(rows_out, rows_in, *sizes, width=width, dtype=x.dtype)
    dtype = str(x.dtype).removeprefix("torch.")
    lines = [
        f"{chosen}: {edges} edges among {rows_out} x {rows_in} pairs of rows "
        f"({edges / max(1, rows_out * rows_in):.2%}), {width} features, {dtype} on {x.device.type}"
    ]
    if _costs(x.device.type, x.dtype) is None:
        return f"{lines[0]}; {_rule_unmeasured(x.device.type)}"
    whole = []  # products that no blocks of columns are taken of
    for name, product, out, into in asked:
        times = estimates(out, into, *sizes, width=width, dtype=x.dtype, product=product)
        lines.append(f"  {name}: {_listed(times)}")
        whole += [] if "column_blocks" in times else [name]
    left_out = _left_out(rows_out, rows_in, edges, x.device.type, x.dtype)
    if whole:
        where = "" if len(whole) == len(asked) else f" for the {' and the '.join(whole)}"
        why = "one block has all columns, or sums in half precision would be rounded"
        left_out.append(f"not a candidate: column_blocks{where} ({why})")
    lines += [f"  {line}" for line in left_out]
    return "\n".join([*lines, f"  estimated from costs measured on {MEASURED_ON[x.device.type]}"])


def _checked_rows(adjacency: Adjacency, x: Tensor, fold: str | None) -> tuple[int, int]:
    if not isinstance(adjacency, Adjacency):
        raise TypeError(
            f"adjacency: expected an Adjacency (see as_adjacency), got {type(adjacency).__name__}"
        )
    if fold not in (None, "source", "target"):
        raise ValueError(f"fold: expected None, 'source' or 'target', got {fold!r}")
    if not isinstance(x, Tensor):
        raise TypeError(f"x: expected a Tensor, got {type(x).__name__}")
    a = adjacency
    rows_out = (a.ptr_label_in if fold == "target" else a.ptr_in).shape[0] - 1
    rows_in = (a.ptr_label_out if fold == "source" else a.ptr_out).shape[0] - 1
    if x.shape[:1] != (rows_in,):
        raise ValueError(f"x: expected shape [{rows_in}, *], got {list(x.shape)}")
    return rows_out, rows_in


def choose_backend(
    rows_out: int,
    rows_in: int,
    num_edges: int,
    device: torch.device,
    *,
    width: int = 1,
    dtype: torch.dtype = torch.float32,
    product: str = "spmm",
) -> str:
    r"""Return the backend of least estimated time for a product of these sizes.

    It is asked where a product runs, with the sizes of that run, not where it is recorded: so
    compiled and exported code chooses as eager code does, without compiling again per size.

    Args:
        rows_out (int): The rows of the output (of ``g`` in :func:`sddmm`).
        rows_in (int): The rows of the features.
        num_edges (int): The number of edges.
        device (torch.device): Where the product runs.
        width (int): The number of features of a row.
        dtype (torch.dtype): The dtype of the features.
        product (str): ``"spmm"`` or ``"sddmm"``.
    """
    return _choose(rows_out, rows_in, num_edges, device.type, width, dtype, product)


@functools.lru_cache(maxsize=4096)
def _choose(
    rows_out: int,
    rows_in: int,
    num_edges: int,
    device: str,
    width: int,
    dtype: torch.dtype,
    product: str,
) -> str:
    if _costs(device, dtype) is None:
        names = (name for name in PREFERRED.get(device, ()) if _usable(name))
        return next(names, "reference")
    times = _estimates(rows_out, rows_in, num_edges, device, width, dtype, product)
    return min(times, key=times.__getitem__)


def estimates(
    rows_out: int,
    rows_in: int,
    num_edges: int,
    device: torch.device,
    *,
    width: int = 1,
    dtype: torch.dtype = torch.float32,
    product: str = "spmm",
) -> dict[str, float]:
    """Return the estimated milliseconds of every candidate; the arguments are those of
    :func:`choose_backend`. Empty where nothing has been measured.
    """
    if _costs(device.type, dtype) is None:
        return {}
    times = _estimates(rows_out, rows_in, num_edges, device.type, width, dtype, product)
    return {name: nanoseconds / 1e6 for name, nanoseconds in times.items()}


def work(
    rows_out: int,
    rows_in: int,
    num_edges: int,
    width: int,
    itemsize: int,
    product: str,
    backend: str = "",
) -> dict[str, float]:
    """Return how much of each kind of work a product is, by the names in the table of costs."""
    rows_read = rows_in if product == "spmm" else rows_in + rows_out
    output = float(rows_out * width * itemsize) if product == "spmm" else 0.0
    # A dot product reads both ends of an edge, and writes a number.
    gathered = float(num_edges * width * itemsize) * (1 if product == "spmm" else 2)
    at_once, copied = width, 0.0
    if backend == "column_blocks":
        at_once = _block_width(rows_out, rows_in, width, itemsize, product)
        copied = rows_read * width * itemsize + output
    in_use = rows_read * at_once * itemsize
    blocks = math.ceil(width / max(1, at_once))  # each is a call that reads all edges
    return {
        "call": float(blocks),
        "edge": float(num_edges * blocks),
        "gathered_byte": gathered,
        "far_byte": gathered * in_use**2 / (in_use**2 + _CACHE_BYTES**2),
        "copied_byte": copied,
        "output_byte": output,
        "pair": float(rows_out * rows_in),
        "multiplication": float(rows_out * rows_in * width),
    }


def _estimates(
    rows_out: int,
    rows_in: int,
    num_edges: int,
    device: str,
    width: int,
    dtype: torch.dtype,
    product: str,
) -> dict[str, float]:
    costs = _costs(device, dtype)
    assert costs is not None
    candidates = set(filter(_usable, costs[product]))
    if not dense_fits(rows_out, rows_in, num_edges, dtype):
        candidates.discard("dense")
    if _block_width(rows_out, rows_in, width, dtype.itemsize, product) == width:
        candidates.discard("column_blocks")  # one block is what embedding_bag does
    sizes = (rows_out, rows_in, num_edges, width, dtype.itemsize, product)
    return {
        name: sum(work(*sizes, name)[kind] * cost for kind, cost in of_backend.items())
        for name, of_backend in costs[product].items()
        if name in candidates
    }


def _block_width(rows_out: int, rows_in: int, width: int, itemsize: int, product: str) -> int:
    rows = rows_in if product == "spmm" else max(rows_in, rows_out)
    return column_blocks.block_width(rows, width, itemsize)


def dense_fits(rows_out: int, rows_in: int, num_edges: int, dtype: torch.dtype) -> bool:
    """Say whether the dense matrix is small enough to be chosen."""
    pairs = rows_out * rows_in
    # Sums over parallel edges are formed in float32 at least.
    small = pairs * max(4, dtype.itemsize) <= DENSE_BYTES
    return small and pairs <= DENSE_NUMBERS_PER_EDGE * num_edges


def _costs(device: str, dtype: torch.dtype) -> dict[str, dict[str, dict[str, float]]] | None:
    kind = "half" if dtype.itemsize == 2 else str(dtype).removeprefix("torch.")
    return COSTS.get(device, {}).get(kind)


@functools.cache
def _usable(name: str) -> bool:
    try:
        check_backend(name)
    except (ImportError, ValueError):
        return False
    return name != "triton" or triton.is_new_enough()


def _rule_unmeasured(device: str) -> str:
    if device not in PREFERRED:
        return f"the only choice for {device}"
    missing = [name for name in PREFERRED[device] if not _usable(name)]
    also = f" ({', '.join(missing)} cannot run there)" if missing else ""
    return f"not measured there: the first of {', '.join(PREFERRED[device])}{also}"


def _listed(times: dict[str, float]) -> str:
    ranked = sorted(times.items(), key=lambda entry: entry[1])
    return ", ".join(f"{name} {time:.3g} ms" for name, time in ranked)


def _left_out(
    rows_out: int, rows_in: int, num_edges: int, device: str, dtype: torch.dtype
) -> list[str]:
    reasons: dict[str, list[str]] = {}
    for name in BACKENDS:
        if name in LEFT_OUT and (name, device) != ("triton", "cuda"):
            reasons.setdefault(LEFT_OUT[name], []).append(name)
    if not dense_fits(rows_out, rows_in, num_edges, dtype):
        limit = (
            f"more than {DENSE_NUMBERS_PER_EDGE} numbers per edge or {DENSE_BYTES >> 20} MiB "
            "in its matrix"
        )
        reasons[limit] = ["dense"]
    return [f"not a candidate: {', '.join(names)} ({why})" for why, names in reasons.items()]
