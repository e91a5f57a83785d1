from __future__ import annotations

import gc

import pytest
import torch
from torch_geometric import EdgeIndex

from tgst.ops import Adjacency, as_adjacency, spmm
from tgst.ops.cache import _cache

from .graphs import GRAPHS, random_graph


def fresh(seed=0):
    graph = random_graph(6, 17, seed=seed)
    return graph.edge_index.clone(), graph.edge_type.clone()


def assert_same(found, wanted):
    for field, expected in zip(found, wanted, strict=True):
        assert torch.equal(field, expected)


def test_sorts_once_per_tensor():
    edge_index, edge_type = fresh()
    first = as_adjacency(edge_index, edge_type, 6, 3)
    assert as_adjacency(edge_index, edge_type, 6, 3) is first
    assert_same(first, Adjacency.build(edge_index, edge_type, 6, 3))
    assert as_adjacency(edge_index.clone(), edge_type, 6, 3) is not first


def test_every_argument_counts():
    edge_index, edge_type = fresh()
    assert as_adjacency(edge_index, edge_type, 6, 3).num_partitions == 3
    assert as_adjacency(edge_index, edge_type, 9, 3).num_nodes == 9
    assert as_adjacency(edge_index, edge_type, 6, 5).num_partitions == 5
    assert as_adjacency(edge_index, None, 6).num_partitions == 1
    assert as_adjacency(edge_index, None, 8).num_nodes == 8
    other = 2 - edge_type
    assert torch.equal(as_adjacency(edge_index, other, 6, 3).label, other)
    assert torch.equal(as_adjacency(edge_index, edge_type, 6, 3).label, edge_type)


@pytest.mark.parametrize(
    "change", ["edge_index", "edge_type", "row_view", "data", "strides", "resize"]
)
def test_in_place_changes_are_seen(change):
    edge_index, edge_type = fresh()
    before = as_adjacency(edge_index, edge_type, 6, 3)
    if change == "edge_index":
        edge_index.copy_(edge_index.flip(0))
    elif change == "edge_type":
        edge_type[0] = (edge_type[0] + 1) % 3
    elif change == "row_view":
        row = edge_index[1]
        row.fill_(5)
    elif change == "data":
        edge_index.data = edge_index.flip(0)
    elif change == "strides":
        edge_index, edge_type = edge_index[:, :2].clone(), edge_type[:2].clone()
        edge_index[0, 1] = (edge_index[1, 0] + 1) % 6  # differs from its transpose
        before = as_adjacency(edge_index, edge_type, 6, 3)
        edge_index.data = edge_index.data.t()
    else:
        edge_index.resize_(2, 16)
        edge_type.resize_(16)
    after = as_adjacency(edge_index, edge_type, 6, 3)
    assert after is not before
    assert_same(after, Adjacency.build(edge_index, edge_type, 6, 3))


def test_a_changed_value_is_validated_again():
    edge_index, edge_type = fresh()
    as_adjacency(edge_index, edge_type, 6, 3)
    edge_index[0, 4] = 6
    with pytest.raises(ValueError, match="edge 4 has source 6"):
        as_adjacency(edge_index, edge_type, 6, 3)


def test_reused_addresses():
    addresses = []
    for seed in range(200):
        edge_index = random_graph(6, 17, seed=seed).edge_index
        addresses.append(edge_index.data_ptr())
        assert torch.equal(as_adjacency(edge_index, None, 6).source, edge_index[0])
        del edge_index
    assert len(set(addresses)) < len(addresses)  # else the test shows nothing


def test_entries_die_with_their_tensors():
    gc.collect()
    entries = len(_cache)
    edge_index, edge_type = fresh()
    kept = as_adjacency(edge_index, edge_type, 6, 3)
    as_adjacency(edge_index, None, 6)
    assert len(_cache) == entries + 1
    assert len(_cache[edge_index]) == 2
    del edge_type
    assert len(_cache[edge_index]) == 1
    del edge_index
    assert len(_cache) == entries
    assert kept.num_edges == 17


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_filled_in_inference_mode_and_used_in_training(mode):
    edge_index, edge_type = fresh()
    with mode():
        first = as_adjacency(edge_index, edge_type, 6, 3)
    weight = torch.randn(17, requires_grad=True)
    second = as_adjacency(edge_index, edge_type, 6, 3)
    assert second is first
    spmm(second, torch.ones(6, 2), weight).sum().backward()
    assert torch.equal(weight.grad, torch.full((17,), 2.0))


def test_inference_tensors_are_sorted_every_time():
    with torch.inference_mode():
        edge_index, edge_type = fresh()
        wanted = Adjacency.build(edge_index, edge_type, 6, 3)
        assert_same(as_adjacency(edge_index, edge_type, 6, 3), wanted)
        edge_index.copy_(edge_index.flip(0))  # no version to see this by
        assert torch.equal(as_adjacency(edge_index, edge_type, 6, 3).source, wanted.target)


def test_edge_index_class():
    plain, _ = fresh()
    edge_index = EdgeIndex(plain, sparse_size=(6, 6))
    first = as_adjacency(edge_index, None, 6)
    assert as_adjacency(edge_index, None, 6) is first
    assert_same(first, Adjacency.build(plain, None, 6))


def test_nothing_is_remembered_inside_torch_func():
    edge_index, _ = fresh()

    def loss(weight):
        return spmm(as_adjacency(edge_index, None, 6), torch.ones(6, 1), weight).sum()

    assert torch.equal(torch.func.grad(loss)(torch.randn(17)), torch.ones(17))
    adjacency = as_adjacency(edge_index, None, 6)
    assert not any(torch._C._functorch.is_functorch_wrapped_tensor(field) for field in adjacency)


def test_an_adjacency_passes_through():
    adjacency = random_graph(6, 17).adjacency()
    assert as_adjacency(adjacency, None, 6, 3) is adjacency
    assert as_adjacency(adjacency, num_partitions=3) is adjacency
    for empty in (random_graph(6, 0), GRAPHS["no_nodes"]):
        adjacency = empty.adjacency()
        assert as_adjacency(adjacency, None, empty.num_nodes, 3) is adjacency


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None, 7, 3), ValueError, "edge_index: expected an Adjacency of 7 nodes, got 6"),
        ((None, 6, 2), ValueError, "with num_partitions=2, got num_partitions=3"),
        ((None, 6, torch.tensor(3)), TypeError, "num_partitions: expected an int, got Tensor"),
        ((torch.zeros(17).long(), 6, 3), ValueError, "edge_type: expected None beside an Adj"),
    ],
)
def test_sizes_of_an_adjacency(arguments, error, message):
    with pytest.raises(error, match=message):
        as_adjacency(random_graph(6, 17).adjacency(), *arguments)


def test_errors_of_a_tensor():
    edge_index, edge_type = fresh()
    with pytest.raises(TypeError, match="edge_type: expected a Tensor, got list"):
        as_adjacency(edge_index, edge_type.tolist(), 6, 3)
    with pytest.raises(TypeError, match="num_partitions: expected an int, got Tensor"):
        as_adjacency(edge_index, edge_type, 6, torch.tensor(3))
    with pytest.raises(TypeError, match="num_nodes: expected an int, got Tensor"):
        as_adjacency(edge_index, edge_type, torch.tensor(6), 3)
