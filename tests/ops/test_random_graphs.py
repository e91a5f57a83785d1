"""Any graph: all backends equal the dense formula, forward and backward."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ops.graphs import FOLDS, Graph, dense_sddmm, dense_spmm, operands
from tgst.ops import sddmm, spmm

NATIVE = ["embedding_bag", "dense", "reference", "auto"]  # test_spmm.py has the optional ones


@st.composite
def graphs(draw) -> Graph:
    num_nodes, num_partitions = draw(st.integers(1, 8)), draw(st.integers(1, 4))
    node, label = st.integers(0, num_nodes - 1), st.integers(0, num_partitions - 1)
    edges = draw(st.lists(st.tuples(node, node, label), max_size=40))
    columns = torch.tensor(edges, dtype=torch.long).reshape(-1, 3)
    edge_index = columns[:, :2].t().contiguous()
    return Graph(edge_index, columns[:, 2].contiguous(), num_nodes, num_partitions)


# The same examples in every run: a failure is always the code's.
@settings(max_examples=60, deadline=None, derandomize=True)
@given(graph=graphs(), fold=st.sampled_from(FOLDS), backend=st.sampled_from(NATIVE))
def test_equals_the_dense_formula(graph, fold, backend):
    adjacency = graph.adjacency()
    x, weight, g = operands(graph, fold)
    x.requires_grad_()
    weight.requires_grad_()
    out = spmm(adjacency, x, weight, fold=fold, backend=backend)
    expected = dense_spmm(graph, x, weight, fold)
    torch.testing.assert_close(out, expected)
    grads = torch.autograd.grad(out, (x, weight), g, allow_unused=True, materialize_grads=True)
    wanted = torch.autograd.grad(
        expected, (x, weight), g, allow_unused=True, materialize_grads=True
    )
    for ours, theirs in zip(grads, wanted, strict=True):
        torch.testing.assert_close(ours, theirs)
    dots = sddmm(adjacency, g, x, fold=fold, backend=backend)
    torch.testing.assert_close(dots, dense_sddmm(graph, g, x, fold))
