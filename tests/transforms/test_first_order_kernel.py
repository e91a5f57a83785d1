from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data

from tests.transforms.graphs import (
    assert_tags_follow,
    dense,
    from_dense,
    golden,
    random_graph,
    tagged,
)
from tgst.transforms import FirstOrderKernel


def _formula(weight: Tensor) -> Tensor:
    weight = weight + torch.eye(len(weight), dtype=weight.dtype)
    root = weight.sum(1).rsqrt()
    return root[:, None] * weight * root


@pytest.mark.parametrize(
    ("file", "expected", "extra_identity"),
    [
        ("graph", "sym_renorm_adj", False),
        ("weight_matrix", "first_order_kernel", True),
    ],
)
def test_golden(file: str, expected: str, extra_identity: bool) -> None:
    arrays = golden(f"traffic/{file}.npz")
    out = FirstOrderKernel(extra_identity)(from_dense(arrays["W"]))
    torch.testing.assert_close(dense(out)[0].T, arrays[expected], atol=1e-12, rtol=0)


@pytest.mark.parametrize("extra_identity", [False, True])
def test_self_loops_isolated_nodes_and_attributes(extra_identity: bool) -> None:
    data = tagged(random_graph(directed=False, num_edges=12))
    out = FirstOrderKernel(extra_identity)(data)
    expected = _formula(dense(data)[0]) + extra_identity * torch.eye(9, dtype=torch.float64)
    torch.testing.assert_close(dense(out)[0], expected)
    assert float(out.edge_weight[-1]) == 1.0 + extra_identity  # node 8 is isolated
    assert_tags_follow(out, data)


def test_directed_graph_is_refused_or_made_symmetric() -> None:
    data = random_graph()
    with pytest.raises(ValueError, match=r"expected an undirected graph \(or symmetrize=\"max\"\)"):
        FirstOrderKernel()(data)
    weight = dense(data)[0]
    out = FirstOrderKernel(symmetrize="max")(data)
    torch.testing.assert_close(dense(out)[0], _formula(torch.maximum(weight, weight.T)))


def test_no_edges() -> None:
    data = Data(x=torch.zeros(2, 1), edge_index=torch.zeros(2, 0, dtype=torch.long))
    assert FirstOrderKernel()(data).edge_weight.tolist() == [1.0, 1.0]
    assert FirstOrderKernel(extra_identity=True)(data).edge_weight.tolist() == [2.0, 2.0]


def test_bad_argument_and_repr() -> None:
    with pytest.raises(ValueError, match="symmetrize: expected \"max\" or None, got 'mean'"):
        FirstOrderKernel(symmetrize="mean")
    assert repr(FirstOrderKernel()) == "FirstOrderKernel(extra_identity=False, symmetrize=None)"
