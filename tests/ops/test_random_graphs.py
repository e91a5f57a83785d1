"""Any graph: all backends equal the dense formula in float64, forward and backward.

Tolerances are relative to the sum of the magnitudes that are added, so that cancellation counts
for nothing: a few roundings of the dtype, as the sums are formed in float32 at least.
"""

from __future__ import annotations

from importlib.util import find_spec

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ops.graphs import FOLDS, Graph, dense_sddmm, dense_spmm, operands
from tgst.ops import sddmm, spmm

NATIVE = ["embedding_bag", "column_blocks", "sparse_csr", "dense", "reference", "auto"]
INSTALLED = NATIVE + ["torch_scatter"] * (find_spec("torch_scatter") is not None)
TOLERANCE = {
    torch.float64: 1e-14,
    torch.float32: 2e-6,
    torch.bfloat16: 1.6e-2,
    torch.float16: 2e-3,
}


@st.composite
def graphs(draw) -> Graph:
    num_nodes, num_partitions = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    node, label = st.integers(0, num_nodes - 1), st.integers(0, num_partitions - 1)
    edges = draw(st.lists(st.tuples(node, node, label), max_size=40))
    columns = torch.tensor(edges, dtype=torch.long).reshape(-1, 3)
    edge_index = columns[:, :2].t().contiguous()
    return Graph(edge_index, columns[:, 2].contiguous(), num_nodes, num_partitions)


def products(spmm, sddmm, operands):
    """The sum, its gradients and the dot products."""
    x, weight, g = (t.detach().requires_grad_() for t in operands)
    out = spmm(x, weight)
    grads = torch.autograd.grad(out, (x, weight), g, allow_unused=True, materialize_grads=True)
    return [t.detach() for t in (out, *grads, sddmm(g, x))]


# The same examples in every run: a failure is always the code's.
@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    graph=graphs(),
    fold=st.sampled_from(FOLDS),
    backend=st.sampled_from(INSTALLED),
    dtype=st.sampled_from(list(TOLERANCE)),
    index_dtype=st.sampled_from([torch.int64, torch.int32]),
    shape=st.sampled_from([(2, 3), (1,), (0,), (67,)]),
)
def test_equals_the_dense_formula(graph, fold, backend, dtype, index_dtype, shape):
    adjacency = graph._replace(edge_index=graph.edge_index.to(index_dtype)).adjacency()
    assert adjacency.order_label_in.dtype == index_dtype
    options = {"fold": fold, "backend": backend}
    values = operands(graph, fold, shape, dtype)
    found = products(
        lambda x, weight: spmm(adjacency, x, weight, **options),
        lambda g, x: sddmm(adjacency, g, x, **options),
        values,
    )
    exact = [t.double() for t in values]
    formula = (
        lambda x, weight: dense_spmm(graph, x, weight, fold),
        lambda g, x: dense_sddmm(graph, g, x, fold),
    )
    wanted, scales = products(*formula, exact), products(*formula, [t.abs() for t in exact])
    for ours, theirs, scale in zip(found, wanted, scales, strict=True):
        assert ours.dtype == dtype
        error = (ours.double() - theirs).abs()
        assert bool((error <= TOLERANCE[dtype] * scale).all()), (backend, error.max())
