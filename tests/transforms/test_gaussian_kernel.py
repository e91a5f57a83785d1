from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from tests.transforms.graphs import (
    all_pairs,
    assert_tags_follow,
    dense,
    golden,
    permuted,
    real_data,
    tagged,
)
from tgst.transforms import GaussianKernel


def _graph(length: list[float]) -> Data:
    target = torch.arange(len(length)) + 1
    edge_index = torch.stack([torch.zeros_like(target), target])
    return Data(edge_index=edge_index, edge_length=torch.tensor(length), num_nodes=9)


def test_golden_stgcn() -> None:
    arrays = golden("traffic/weight_matrix.npz")
    data = GaussianKernel(formula="stgcn")(all_pairs(arrays["distance"]))
    weight = dense(data)[0].T
    assert data.edge_index.size(1) == int(arrays["num_edges"])
    assert torch.equal(weight > 0, arrays["W"] > 0)
    torch.testing.assert_close(weight, arrays["W"], atol=1e-14, rtol=0)


def test_arguments_replace_the_constants_of_the_paper() -> None:
    data = _graph([300.0, 400.0])
    out = GaussianKernel(formula="stgcn", sigma=0.5, scale=1000.0, threshold=0.6)(data)
    assert out.edge_index.tolist() == [[0], [1]]
    torch.testing.assert_close(out.edge_weight, torch.tensor([math.exp(-0.36)]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_real_distances_give_the_published_number_of_edges(dtype: torch.dtype) -> None:
    table = np.loadtxt(real_data("pemsd7m_graph") / "W_228.csv", delimiter=",", skiprows=1)
    data = GaussianKernel(formula="stgcn")(all_pairs(torch.from_numpy(table).to(dtype)))
    arrays = golden("traffic/weight_matrix.npz")
    assert data.edge_index.size(1) == int(arrays["w228_num_edges"]) == 1664
    rtol = 1e-12 if dtype == torch.float64 else 1e-6
    torch.testing.assert_close(
        data.edge_weight.double().sum(), arrays["w228_sum"], rtol=rtol, atol=0
    )


def test_dcrnn_takes_the_standard_deviation_of_all_finite_lengths() -> None:
    length = [0.0, 100.0, 200.0, 500.0, math.inf]
    out = GaussianKernel()(_graph(length))
    sigma = np.std(length[:-1])
    expected = np.exp(-((np.array(length[:-1]) / sigma) ** 2))
    kept = expected >= 0.1
    assert kept.tolist() == [True, True, True, False]
    torch.testing.assert_close(out.edge_weight, torch.tensor(expected[kept]).float())
    assert out.edge_weight.dtype == torch.float32
    assert out.edge_index[1].tolist() == [1, 2, 3]


def test_infinite_length_is_no_connection_even_without_threshold() -> None:
    out = GaussianKernel(sigma=100.0, threshold=0.0)(_graph([1e9, math.inf]))
    assert out.edge_index.tolist() == [[0], [1]]
    assert out.edge_weight.tolist() == [0.0]


def test_threshold_itself_stays() -> None:
    assert GaussianKernel(sigma=1.0, threshold=1.0)(_graph([0.0, 1.0])).edge_weight.tolist() == [1]


def test_self_loops_stay_with_dcrnn_and_leave_with_stgcn() -> None:
    edge_index = torch.tensor([[0, 0, 1], [0, 1, 1]])
    data = Data(edge_index=edge_index, edge_length=torch.tensor([0.0, 50.0, 70.0]), num_nodes=2)
    assert torch.equal(GaussianKernel(sigma=100.0)(data).edge_index, edge_index)
    assert GaussianKernel(formula="stgcn")(data).edge_index.tolist() == [[0], [1]]


@pytest.mark.parametrize("formula", ["dcrnn", "stgcn"])
def test_attributes_follow_their_edges(formula: str) -> None:
    distance = golden("traffic/weight_matrix.npz")["distance"]
    data = tagged(all_pairs(distance))
    data.edge_type = torch.arange(data.edge_index.size(1))
    data.edge_weight = torch.zeros(3)  # replaced, so its length does not matter
    keys = sorted(data.keys())
    out = GaussianKernel(formula=formula)(data)
    assert 0 < out.edge_index.size(1) < data.edge_index.size(1)
    assert_tags_follow(out, data)
    assert torch.equal(out.edge_type + 100, out.edge_number)
    source, target = out.edge_index
    assert torch.equal(out.edge_length, distance[target, source])
    assert sorted(data.keys()) == keys  # the input stays as it was
    assert data.edge_index.size(1) == 1600
    assert data.edge_weight.numel() == 3
    assert out.num_nodes == 40


def test_permutation() -> None:
    data = all_pairs(golden("traffic/weight_matrix.npz")["distance"])
    permutation, order = torch.randperm(40), torch.randperm(1600)
    out = GaussianKernel()(permuted(data, permutation, order))
    weight = dense(GaussianKernel()(data))[0]
    torch.testing.assert_close(dense(out)[0][permutation][:, permutation], weight)


@pytest.mark.parametrize("formula", ["dcrnn", "stgcn"])
def test_no_edges(formula: str) -> None:
    out = GaussianKernel(formula=formula)(_graph([]))
    assert out.edge_weight.shape == (0,)
    assert out.edge_index.shape == (2, 0)
    assert out.num_nodes == 9


def test_bad_graphs() -> None:
    with pytest.raises(ValueError, match=r"data\.edge_length: expected the length of every edge"):
        GaussianKernel()(Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2))
    with pytest.raises(ValueError, match=r"data\.edge_length: .*got -3\.0 at edge 1 \(0 -> 2\)"):
        GaussianKernel()(_graph([1.0, -3.0]))
    with pytest.raises(ValueError, match=r"data\.edge_length: .*got nan at edge 0 \(0 -> 1\)"):
        GaussianKernel()(_graph([math.nan, 1.0]))
    with pytest.raises(
        ValueError, match=r"sigma: .*all lengths are equal.*3 edge\(s\) of length 0"
    ):
        GaussianKernel()(_graph([0.1, 0.1, 0.1]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sigma": 0.0}, "sigma: expected a number > 0, got 0.0"),
        ({"sigma": -1.0}, "sigma: expected a number > 0, got -1.0"),
        ({"sigma": math.nan}, "sigma: expected a number > 0, got nan"),
        ({"threshold": 1.5}, r"threshold: expected a weight in 0\.\.1, got 1.5"),
        ({"scale": 0.0}, "scale: expected a number > 0, got 0.0"),
        ({"formula": "gauss"}, r"formula: expected one of \['dcrnn', 'stgcn'\], got 'gauss'"),
    ],
)
def test_bad_arguments(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GaussianKernel(**arguments)


def test_repr() -> None:
    expected = "GaussianKernel(sigma=None, threshold=0.1, formula='dcrnn', scale=1.0)"
    assert repr(GaussianKernel()) == expected
