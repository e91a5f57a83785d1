from __future__ import annotations

import copy
import io
import pickle

import numpy as np
import pytest
import torch
from torch_geometric import EdgeIndex

from tgst.ops import Adjacency

from .graphs import GRAPHS, random_graph


@pytest.mark.parametrize("name", GRAPHS)
def test_orders_and_pointers(name):
    graph = GRAPHS[name]
    adjacency = graph.adjacency()
    source, target = graph.edge_index.tolist()
    labels = graph.edge_type.tolist()
    nodes = graph.num_nodes
    assert adjacency.source.tolist() == source
    assert adjacency.target.tolist() == target
    assert adjacency.label.tolist() == labels

    def expected(rows, num_rows):
        order = sorted(range(len(rows)), key=lambda e: rows[e])  # sorted() is stable
        return [sum(r < row for r in rows) for row in range(num_rows + 1)], order

    def folded(ends):
        partitions = graph.num_partitions
        return [end * partitions + label for label, end in zip(labels, ends, strict=True)]

    found = [field.tolist() for field in adjacency[3:]]
    rows = nodes * graph.num_partitions
    assert found == [
        *expected(target, nodes),
        *expected(source, nodes),
        *expected(folded(target), rows),
        *expected(folded(source), rows),
    ]


def test_properties():
    adjacency = random_graph(5, 12, num_partitions=3).adjacency()
    assert (adjacency.num_nodes, adjacency.num_edges, adjacency.num_partitions) == (5, 12, 3)
    assert GRAPHS["no_nodes"].adjacency().num_partitions == 1


def test_one_partition_shares_the_plain_orders():
    adjacency = GRAPHS["one_partition"].adjacency()
    assert adjacency.ptr_label_in is adjacency.ptr_in
    assert adjacency.order_label_out is adjacency.order_out


def test_the_tensors_are_copies():
    graph = random_graph(6, 17)
    adjacency = Adjacency.build(graph.edge_index, graph.edge_type, 6, 3)
    before = [field.clone() for field in adjacency]
    graph.edge_index.zero_()
    graph.edge_type.zero_()
    for field, kept in zip(adjacency, before, strict=True):
        assert torch.equal(field, kept)


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("edge_type", ["int32", "int64"])
@pytest.mark.parametrize("edge_index", ["int32", "int64"])
def test_both_widths_of_integers(edge_index, edge_type, name):
    graph = GRAPHS[name]
    dtypes = getattr(torch, edge_index), getattr(torch, edge_type)
    pair = graph.edge_index.to(dtypes[0]), graph.edge_type.to(dtypes[1])
    adjacency = Adjacency.build(*pair, *graph[2:])
    for field, wanted in zip(adjacency, graph.adjacency(), strict=True):
        assert field.dtype == dtypes[0]
        assert torch.equal(field.long(), wanted)
    for field in adjacency:
        assert all(field.data_ptr() != tensor.data_ptr() or not len(field) for tensor in pair)


def test_number_of_nodes_from_the_edges():
    assert Adjacency.build(torch.tensor([[0, 4], [2, 1]])).num_nodes == 5
    assert Adjacency.build(torch.empty(2, 0, dtype=torch.long)).num_nodes == 0


def test_edge_index_class_and_strided_rows():
    plain = torch.tensor([[0, 2, 1], [1, 0, 0]])
    expected = Adjacency.build(plain, num_nodes=3)
    for other in (EdgeIndex(plain, sparse_size=(3, 3)), plain.t().contiguous().t()):
        for field, wanted in zip(Adjacency.build(other, num_nodes=3), expected, strict=True):
            assert type(field) is torch.Tensor
            assert torch.equal(field, wanted)


def test_no_field_name_begins_another():
    # torch.export replaces names in the text of its guards.
    names = Adjacency._fields
    assert not [(a, b) for a in names for b in names if a != b and b.startswith(a)]


@pytest.mark.parametrize("copier", ["pickle", "deepcopy", "torch.save"])
def test_round_trips(copier):
    adjacency = random_graph(5, 12).adjacency()
    if copier == "pickle":
        back = pickle.loads(pickle.dumps(adjacency))
    elif copier == "deepcopy":
        back = copy.deepcopy(adjacency)
    else:
        buffer = io.BytesIO()
        torch.save(tuple(adjacency), buffer)
        buffer.seek(0)
        back = Adjacency(*torch.load(buffer, weights_only=True))
    assert type(back) is Adjacency
    for field, wanted in zip(back, adjacency, strict=True):
        assert torch.equal(field, wanted)


PAIRS = torch.tensor([[0, 1, 2], [1, 2, 0]])
LABELS = torch.tensor([0, 1, 0])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([[0], [1]],), TypeError, r"edge_index: expected a Tensor, .* got list"),
        ((PAIRS.float(),), TypeError, r"edge_index: expected .* or torch.int32, got torch.float32"),
        ((PAIRS.short(),), TypeError, r"edge_index: expected dtype torch.int64 or .* torch.int16"),
        (
            (PAIRS.int(), LABELS, 2**30, 2),
            ValueError,
            r"edge_index: expected dtype torch.int64 for 3 edges and 1073741824 nodes in 2 parti",
        ),
        ((PAIRS.t(),), ValueError, r"edge_index: expected shape \[2, E\], got \[3, 2\]"),
        ((PAIRS[0],), ValueError, r"edge_index: expected shape \[2, E\], got \[3\]"),
        ((PAIRS.to_sparse(),), ValueError, r"edge_index: expected a strided .* torch.sparse_coo"),
        (
            (torch.tensor([[0, 1, 3], [1, 3, 0]]), None, 3),
            ValueError,
            r"edge_index: expected node numbers in \[0, 3\), but edge 2 has source 3",
        ),
        (
            (torch.tensor([[0, 1, 2], [1, -7, 5]]), None, 3),
            ValueError,
            r"edge_index: .* but edge 1 has target -7",
        ),
        ((PAIRS, None, 0), ValueError, r"edge_index: .* \[0, 0\), but edge 0 has source 0"),
        ((PAIRS, [0, 1, 0], 3, 2), TypeError, r"edge_type: expected a Tensor, got list"),
        ((PAIRS, LABELS.bool(), 3, 2), TypeError, r"edge_type: expected .* got torch.bool"),
        ((PAIRS, LABELS[:2], 3, 2), ValueError, r"edge_type: expected shape \[3\] .* got \[2\]"),
        ((PAIRS, LABELS[:, None], 3, 2), ValueError, r"edge_type: .* got \[3, 1\]"),
        ((PAIRS, LABELS.to_sparse(), 3, 2), ValueError, r"edge_type: expected a strided"),
        ((PAIRS, LABELS.to("meta"), 3, 2), ValueError, r"edge_type: expected device cpu .* meta"),
        (
            (PAIRS, torch.tensor([0, 1, 2]), 3, 2),
            ValueError,
            r"edge_type: expected labels in \[0, 2\), but edge 2 has label 2",
        ),
        ((PAIRS, LABELS, 3), ValueError, r"edge_type: .* \[0, 1\), but edge 1 has label 1"),
        ((PAIRS, None, 3, 2), ValueError, r"edge_type: .* \(num_partitions=2\), got None"),
        ((PAIRS, LABELS, 3, torch.tensor(2)), TypeError, r"num_partitions: .* int, got Tensor"),
        ((PAIRS, LABELS, 3, 2.0), TypeError, r"num_partitions: expected an int, got float"),
        ((PAIRS, LABELS, 3, True), TypeError, r"num_partitions: expected an int, got bool"),
        ((PAIRS, LABELS, 3, 0), ValueError, r"num_partitions: expected at least 1, got 0"),
        ((PAIRS, None, torch.tensor(3)), TypeError, r"num_nodes: expected an int, got Tensor"),
        ((PAIRS, None, -1), ValueError, r"num_nodes: expected at least 0, got -1"),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        Adjacency.build(*arguments)


def test_numpy_integers_are_ints():
    assert Adjacency.build(PAIRS, LABELS, np.int64(3), np.int32(2)).num_partitions == 2
