from __future__ import annotations

import copy
import math
import re

import numpy as np
import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data

from tests.transforms.graphs import (
    all_pairs,
    assert_tags_follow,
    dense,
    from_dense,
    golden,
    permuted,
    random_graph,
    real_data,
    tagged,
)
from tgst.transforms import GaussianKernel, ScaledLaplacian


def _formula(weight: Tensor, isolated: str = "formula") -> tuple[Tensor, float]:
    degree = weight.sum(1)
    root = degree.rsqrt().nan_to_num(posinf=0.0)
    identity = torch.ones_like(degree) if isolated == "formula" else (degree > 0).double()
    laplacian = torch.diag(identity) - root[:, None] * weight * root
    largest = float(torch.linalg.eigvalsh(laplacian)[-1])
    return 2 / largest * laplacian - torch.eye(len(weight), dtype=weight.dtype), largest


@pytest.mark.parametrize(
    ("file", "expected"),
    [("graph", "cheb_gso"), ("weight_matrix", "scaled_laplacian")],
)
@pytest.mark.parametrize("given", [False, True])
def test_golden(file: str, expected: str, given: bool) -> None:
    arrays = golden(f"traffic/{file}.npz")
    largest = float(arrays["lambda_max"]) if given else None
    out = ScaledLaplacian(largest)(from_dense(arrays["W"]))
    torch.testing.assert_close(dense(out)[0].T, arrays[expected], atol=1e-12, rtol=0)


@pytest.mark.parametrize("isolated", ["formula", "authors"])
def test_real_distances(isolated: str) -> None:
    table = np.loadtxt(real_data("pemsd7m_graph") / "W_228.csv", delimiter=",", skiprows=1)
    graph = GaussianKernel(formula="stgcn")(all_pairs(torch.from_numpy(table)))
    out = ScaledLaplacian(isolated=isolated)(graph)
    assert out.edge_index.size(1) == 1664 + 228
    arrays, matrix = golden("traffic/weight_matrix.npz"), dense(out)[0]
    isolated_value = -1.0 if isolated == "authors" else 0.0
    isolated_nodes = matrix.diagonal()[arrays["w228_isolated"]]
    torch.testing.assert_close(isolated_nodes, torch.full_like(isolated_nodes, isolated_value))
    suffix = "" if isolated == "authors" else "_isolated_diag1"
    trace = arrays[f"w228_trace_scaled_laplacian{suffix}"]
    torch.testing.assert_close(matrix.trace(), trace, atol=1e-10, rtol=0)
    if isolated == "authors":
        total, squares = (
            arrays[f"w228_{name}_scaled_laplacian"] for name in ("sum", "sum_of_squares")
        )
        torch.testing.assert_close(matrix.sum(), total, atol=1e-9, rtol=0)
        torch.testing.assert_close((matrix**2).sum(), squares, atol=1e-9, rtol=0)


@pytest.mark.parametrize("isolated", ["formula", "authors"])
def test_self_loops_and_isolated_nodes(isolated: str) -> None:
    data = random_graph(directed=False, num_edges=12)  # self loops at 0 and 1, node 8 isolated
    expected, largest = _formula(dense(data)[0], isolated)
    out = ScaledLaplacian(isolated=isolated)(data)
    torch.testing.assert_close(dense(out)[0], expected, atol=1e-12, rtol=0)
    last = {"formula": 2 / largest - 1, "authors": -1.0}[isolated]
    assert math.isclose(float(out.edge_weight[-1]), last)


def test_edges_come_in_their_order_then_one_self_loop_per_node() -> None:
    data = random_graph(directed=False, num_edges=12)
    out = ScaledLaplacian(2.0)(data)
    assert torch.equal(out.edge_index[:, :24], data.edge_index[:, 2:])
    assert out.edge_index[:, 24:].tolist() == [list(range(9))] * 2
    assert out.edge_weight[24:].tolist()[2:] == [0.0] * 7  # kept, though zero


def test_attributes_follow_their_edges() -> None:
    data = tagged(random_graph(directed=False, num_edges=12))
    before = copy.deepcopy(data.to_dict())
    out = ScaledLaplacian()(data)
    assert_tags_follow(out, data)
    assert out.edge_number.sort().values[-26:].tolist() == data.edge_number.tolist()
    assert all(
        torch.equal(data[key], value) if torch.is_tensor(value) else data[key] == value
        for key, value in before.items()
    )


def test_parallel_edges_add_up_and_zero_weights_leave() -> None:
    edge_index = torch.tensor([[0, 0, 1, 1, 2], [1, 1, 0, 2, 1]])
    data = Data(edge_index=edge_index, num_nodes=3)
    data.edge_weight = torch.tensor([1.0, 2.0, 3.0, 0.0, 0.0], dtype=torch.float64)
    out = ScaledLaplacian()(tagged(data))
    assert out.edge_number.tolist() == [100, 101, 102, 0, 0, 0]
    expected, _ = _formula(torch.tensor([[0.0, 3, 0], [3, 0, 0], [0, 0, 0]]).double())
    torch.testing.assert_close(dense(out)[0], expected)


def test_weights_are_one_where_there_are_none() -> None:
    edge_index = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    out = ScaledLaplacian()(Data(x=torch.zeros(3, 1), edge_index=edge_index))
    expected, _ = _formula(torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]]).double())
    assert out.edge_weight.dtype == torch.float32
    torch.testing.assert_close(dense(out)[0], expected, atol=1e-6, rtol=0)


def test_directed_graph_is_refused_or_made_symmetric() -> None:
    data = random_graph()
    with pytest.raises(
        ValueError, match=r"data\.edge_weight: expected an undirected graph"
    ) as info:
        ScaledLaplacian()(data)
    weight = dense(data)[0]
    source, target = map(int, re.findall(r"node (\d+) to (\d+)", str(info.value))[0])
    assert f"got weight {weight[source, target]:g} from node {source} to {target}" in str(
        info.value
    )
    assert f"and {weight[target, source]:g} back" in str(info.value)
    out = ScaledLaplacian(symmetrize="max")(data)
    expected, _ = _formula(torch.maximum(weight, weight.T))
    torch.testing.assert_close(dense(out)[0], expected, atol=1e-12, rtol=0)


def test_made_symmetric_edges_take_the_attributes_of_their_own_or_reverse_edge() -> None:
    data = tagged(Data(edge_index=torch.tensor([[2, 0, 1], [0, 1, 0]]), num_nodes=3))
    data.edge_weight = torch.tensor([1.0, 2.0, 5.0])
    out = ScaledLaplacian(symmetrize="max")(data)
    assert out.edge_index.tolist() == [[1, 2, 0, 0, 0, 1, 2], [0, 0, 1, 2, 0, 1, 2]]
    assert out.edge_number.tolist() == [102, 100, 101, 100, 0, 0, 0]


def test_single_precision_rounding_is_no_direction() -> None:
    data = random_graph(directed=False, num_edges=12)
    exact = ScaledLaplacian()(data).edge_weight
    data.edge_weight = data.edge_weight * (1 + 1e-7 * torch.arange(26))
    torch.testing.assert_close(ScaledLaplacian()(data).edge_weight, exact, atol=1e-5, rtol=0)
    data.edge_weight[5] *= 1.01
    with pytest.raises(ValueError, match="expected an undirected graph"):
        ScaledLaplacian()(data)


def test_iterative_eigenvalue_equals_the_dense_one() -> None:
    generator = torch.Generator().manual_seed(0)
    edge_index = torch.randint(0, 700, (2, 2500), generator=generator)
    data = Data(edge_index=torch.cat([edge_index, edge_index.flip(0)], dim=1), num_nodes=700)
    data.edge_weight = torch.rand(2500, generator=generator, dtype=torch.float64).repeat(2)
    expected, _ = _formula(dense(data)[0])
    out = ScaledLaplacian()(data)
    torch.testing.assert_close(dense(out)[0], expected, atol=1e-11, rtol=0)
    assert torch.equal(ScaledLaplacian()(data).edge_weight, out.edge_weight)


def _cycle(num_nodes: int, closed: bool) -> Data:
    nodes = torch.arange(num_nodes)
    edge_index = torch.stack([nodes, nodes.roll(-1)])[:, : num_nodes if closed else -1]
    data = Data(edge_index=torch.cat([edge_index, edge_index.flip(0)], dim=1), num_nodes=num_nodes)
    data.edge_weight = torch.ones(data.edge_index.size(1), dtype=torch.float64)
    return data


@pytest.mark.parametrize("num_nodes", [600, 2000, 6000])
def test_clustered_spectrum_of_a_long_path(num_nodes: int) -> None:
    # A path is bipartite, so that the largest eigenvalue is 2 and the diagonal 2 / 2 - 1.
    out = ScaledLaplacian()(_cycle(num_nodes, closed=False))
    diagonal = out.edge_weight[-num_nodes:]
    torch.testing.assert_close(diagonal, torch.zeros_like(diagonal), atol=1e-9, rtol=0)


@pytest.mark.parametrize("num_nodes", [701, 2001])
def test_clustered_spectrum_below_the_bound(num_nodes: int) -> None:
    # An odd cycle is not bipartite; its eigenvalues are 1 - cos(2 pi k / N).
    data = _cycle(num_nodes, closed=True)
    largest = 1 + math.cos(math.pi / num_nodes)
    diagonal = ScaledLaplacian()(data).edge_weight[-num_nodes:]
    torch.testing.assert_close(
        diagonal, torch.full_like(diagonal, 2 / largest - 1), atol=1e-9, rtol=0
    )
    if num_nodes == 701:
        expected, _ = _formula(dense(data)[0])
        torch.testing.assert_close(dense(ScaledLaplacian()(data))[0], expected, atol=1e-9, rtol=0)


def test_permutation() -> None:
    data = random_graph(directed=False, num_edges=12)
    permutation, order = torch.randperm(9), torch.randperm(26)
    out = dense(ScaledLaplacian()(permuted(data, permutation, order)))[0]
    expected = dense(ScaledLaplacian()(data))[0]
    torch.testing.assert_close(out[permutation][:, permutation], expected)


@pytest.mark.parametrize("num_nodes", [0, 1, 3, 600])
def test_no_edges(num_nodes: int) -> None:
    empty = torch.zeros(2, 0, dtype=torch.long)
    data = Data(x=torch.zeros(num_nodes, 1), edge_index=empty)
    assert ScaledLaplacian()(data).edge_weight.tolist() == [1.0] * num_nodes
    authors = ScaledLaplacian(isolated="authors")(data)
    assert authors.edge_weight.tolist() == [-1.0] * num_nodes
    assert authors.edge_index.tolist() == [list(range(num_nodes))] * 2


@pytest.mark.parametrize("num_nodes", [2, 600])
@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_self_loops_only(weight: float, num_nodes: int) -> None:
    data = Data(edge_index=torch.arange(num_nodes).expand(2, -1), num_nodes=num_nodes)
    data.edge_weight = torch.full((num_nodes,), weight)
    assert ScaledLaplacian()(data).edge_weight.tolist() == [-1.0] * num_nodes
    data.num_nodes = num_nodes + 1  # an isolated node: L is 1 there and 0 elsewhere
    assert ScaledLaplacian()(data).edge_weight.tolist() == [-1.0] * num_nodes + [1.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"largest_eigenvalue": 0.0}, "largest_eigenvalue: expected a number > 0 or None, got 0.0"),
        ({"largest_eigenvalue": math.inf}, "largest_eigenvalue: .*got inf"),
        ({"isolated": "zero"}, 'isolated: expected "formula" or "authors", got \'zero\''),
        ({"symmetrize": "min"}, "symmetrize: expected \"max\" or None, got 'min'"),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ScaledLaplacian(**arguments)


def test_bad_weights() -> None:
    data = random_graph(directed=False, num_edges=12)
    data.edge_weight[4] = -1.0
    with pytest.raises(ValueError, match=r"data\.edge_weight: .*got -1\.0 at edge 4 "):
        ScaledLaplacian()(data)


def test_repr() -> None:
    expected = "ScaledLaplacian(largest_eigenvalue=2.0, isolated='formula', symmetrize=None)"
    assert repr(ScaledLaplacian(2.0)) == expected
