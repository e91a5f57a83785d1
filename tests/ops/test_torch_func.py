"""Forward mode and torch.func, where a custom op alone would be silently wrong."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import forward_ad

from tgst.ops import sddmm, spmm

from .graphs import FOLDS, GRAPHS, dense_sddmm, dense_spmm, operands

GRAPH = GRAPHS["unsorted"]
ADJACENCY = GRAPH.adjacency()


@pytest.mark.parametrize("fold", FOLDS)
def test_jvp(fold):
    x, weight, g = operands(GRAPH, fold)
    tangents = (torch.randn_like(x), torch.randn_like(weight))
    _, found = torch.func.jvp(lambda x, w: spmm(ADJACENCY, x, w, fold=fold), (x, weight), tangents)
    wanted = dense_spmm(GRAPH, tangents[0], weight, fold) + dense_spmm(GRAPH, x, tangents[1], fold)
    torch.testing.assert_close(found, wanted)
    _, found = torch.func.jvp(
        lambda g, x: sddmm(ADJACENCY, g, x, fold=fold), (g, x), (g, tangents[0])
    )
    wanted = dense_sddmm(GRAPH, g, x, fold) + dense_sddmm(GRAPH, g, tangents[0], fold)
    torch.testing.assert_close(found, wanted)


def test_dual_numbers():
    x, weight, _ = operands(GRAPH, None)
    with forward_ad.dual_level():
        out = spmm(ADJACENCY, forward_ad.make_dual(x, x * 2), weight)
        tangent = forward_ad.unpack_dual(out).tangent
    torch.testing.assert_close(tangent, dense_spmm(GRAPH, x * 2, weight, None))


def test_gradcheck_forward_mode():
    x, weight, _ = (t.requires_grad_() for t in operands(GRAPH, None, (2,)))
    assert torch.autograd.gradcheck(
        lambda x, w: spmm(ADJACENCY, x, w),
        (x, weight),
        check_forward_ad=True,
        check_batched_forward_grad=True,
    )


def test_grad_and_hessian():
    x, weight, _ = operands(GRAPH, None, (2,))

    def loss(product, weight):
        return product(weight).pow(3).sum()

    def ours(weight):
        return loss(lambda w: spmm(ADJACENCY, x, w), weight)

    def dense(weight):
        return loss(lambda w: dense_spmm(GRAPH, x, w, None), weight)

    torch.testing.assert_close(torch.func.grad(ours)(weight), torch.func.grad(dense)(weight))
    torch.testing.assert_close(torch.func.hessian(ours)(weight), torch.func.hessian(dense)(weight))


def test_vmap_over_either_operand():
    x, weight, _ = operands(GRAPH, "source")
    xs, weights = torch.stack([x, x * 2, -x]), torch.stack([weight, weight**2, -weight])
    for in_dims, batch in (((0, None), (xs, weight)), ((None, 0), (x, weights))):
        found = torch.vmap(lambda x, w: spmm(ADJACENCY, x, w, fold="source"), in_dims)(*batch)
        for i in range(3):
            one = [t[i] if dim == 0 else t for t, dim in zip(batch, in_dims, strict=True)]
            torch.testing.assert_close(found[i], dense_spmm(GRAPH, *one, "source"))


def test_jvp_in_compiled_code():
    x, weight, _ = operands(GRAPH, None)

    @torch.compile(fullgraph=True, backend="aot_eager")
    def tangent(weight, direction):
        return torch.func.jvp(lambda w: spmm(ADJACENCY, x, w), (weight,), (direction,))[1]

    wanted = dense_spmm(GRAPH, x, weight * 2, None)
    torch.testing.assert_close(tangent(weight, weight * 2), wanted)
