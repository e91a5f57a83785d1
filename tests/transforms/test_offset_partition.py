from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch_geometric.data import Batch, Data

from tests.transforms.graphs import assert_tags_follow, tagged
from tgst.transforms import OffsetPartition
from tgst.utils import grid_graph


def offsets_of(data, partition):
    """Source to target to (row, column), off the labels."""
    edges = zip(*data.edge_index.tolist(), data.edge_type.tolist(), strict=True)
    return {(source, target): partition.offsets[label] for source, target, label in edges}


def test_order_of_the_labels():
    assert OffsetPartition().offsets == (
        (0, 0),
        *((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)),
    )
    wide = OffsetPartition(radius=2)
    assert wide.num_partitions == len(wide.offsets) == len(set(wide.offsets)) == 25
    assert wide.offsets[1] == (-2, -2)
    assert wide.offsets[24] == (2, 2)


def test_values_on_a_small_grid():
    data = OffsetPartition()(grid_graph(2, 3, 8))
    # 0 1 2
    # 3 4 5
    label = {
        (s, t): k
        for s, t, k in zip(*data.edge_index.tolist(), data.edge_type.tolist(), strict=True)
    }
    # into 4: from 0, 1, 2 above, 3 at the left, itself, 5 at the right
    assert [label[source, 4] for source in range(6)] == [1, 2, 3, 4, 0, 5]
    assert [label[source, 1] for source in (0, 1, 2, 3, 4, 5)] == [4, 0, 5, 6, 7, 8]
    assert data.edge_weight.tolist() == [1.0] * data.num_edges
    assert data.e_id.tolist() == list(range(data.num_edges))


@pytest.mark.parametrize("radius", [1, 2])
@pytest.mark.parametrize("wrap", [False, True, "width", "height"])
def test_every_edge_leads_over_its_offset(radius, wrap):
    mask = torch.rand(6, 7, generator=torch.Generator().manual_seed(0)) < 0.8
    partition = OffsetPartition(radius)
    data = partition(grid_graph(6, 7, 8, radius=radius, wrap=wrap, mask=mask))
    assert sorted(set(data.edge_type.tolist())) == list(range(partition.num_partitions))
    for (source, target), (row, column) in offsets_of(data, partition).items():
        r, c = divmod(int(data.cell[target]), 7)
        r, c = (r + row, c + column)
        assert wrap in (True, "height") or 0 <= r < 6
        assert wrap in (True, "width") or 0 <= c < 7
        assert int(data.cell[source]) == r % 6 * 7 + c % 7


def test_labels_do_not_depend_on_the_order_of_nodes_and_edges():
    partition, graph = OffsetPartition(), grid_graph(4, 5, 8, wrap=True)
    expected = offsets_of(partition(graph), partition)
    new = torch.randperm(20)  # node i becomes new[i]
    order = torch.randperm(graph.num_edges)
    moved = Data(edge_index=new[graph.edge_index][:, order], num_nodes=20, cell=new.argsort())
    found = offsets_of(OffsetPartition(height=4, width=5)(moved), partition)
    assert found == {(int(new[s]), int(new[t])): at for (s, t), at in expected.items()}


def test_nodes_are_cells_without_cell():
    graph = grid_graph(3, 4, 4)
    expected = OffsetPartition(height=3, width=4)(graph)
    del graph.cell, graph.pos, graph.height, graph.width
    assert torch.equal(OffsetPartition(height=3, width=4)(graph).edge_type, expected.edge_type)
    assert sorted(set(expected.edge_type.tolist())) == [0, 2, 4, 5, 7]


def test_sides_of_two_cells_do_not_wrap():
    data = OffsetPartition()(grid_graph(2, 2, 4))
    label = dict(zip(map(tuple, data.edge_index.T.tolist()), data.edge_type.tolist(), strict=True))
    assert (label[0, 1], label[1, 0], label[0, 2], label[2, 0]) == (4, 5, 2, 7)


def test_the_direct_way_counts_within_the_window():
    """On a side of 3 cells the way around is shorter than 2, but borders are not joined there."""
    partition = OffsetPartition(radius=2)
    data = partition(grid_graph(3, 4, 8, radius=2))
    for (source, target), (row, column) in offsets_of(data, partition).items():
        assert (row, column) == (source // 4 - target // 4, source % 4 - target % 4)


def test_contract_of_partitions():
    graph = tagged(grid_graph(3, 3, 8))
    graph.edge_index[:, 0] = 4  # a self loop that is there already, in place of 1 -> 0
    graph.edge_ends = graph.edge_index.T.clone()
    graph.edge_weight = torch.rand(graph.num_edges) + 0.5
    before = copy.copy(graph)
    data = OffsetPartition()(graph)
    assert_tags_follow(data, before)
    loops = data.edge_index[0] == data.edge_index[1]
    assert int(loops.sum()) == 9
    assert torch.equal(data.edge_type == 0, loops)
    assert torch.equal(data.edge_weight[: graph.num_edges], graph.edge_weight)
    assert "edge_type" not in graph
    without = OffsetPartition(add_self_loops=False)(graph)
    assert torch.equal(without.edge_index, graph.edge_index)
    shares = OffsetPartition(normalize="target")(graph).edge_weight
    into = torch.zeros(9).index_add_(0, data.edge_index[1], shares)
    torch.testing.assert_close(into, torch.ones(9))


def test_kernel_and_weight():
    partition = OffsetPartition(2)
    kernel = torch.randn(3, 2, 5, 5)
    weight = partition.weight_from_kernel(kernel)
    assert weight.shape == (25, 2, 3)
    for label, (row, column) in enumerate(partition.offsets):
        assert torch.equal(weight[label], kernel[:, :, 2 + row, 2 + column].T)
    assert torch.equal(partition.kernel_from_weight(weight), kernel)


def test_repr_and_pickle():
    partition = OffsetPartition(height=3)
    partition(grid_graph(3, 4))
    assert repr(partition) == (
        "OffsetPartition(normalize=None, alpha=0.001, add_self_loops=True, fill_value=0.0, "
        "radius=1, height=3, width=None)"
    )
    assert repr(pickle.loads(pickle.dumps(partition))) == repr(partition)


def far_graph():
    return Data(edge_index=torch.tensor([[1, 0], [2, 10]]), num_nodes=25)


def cells(*numbers, dtype=torch.long):
    return Data(
        edge_index=torch.tensor([[0], [1]]), num_nodes=2, cell=torch.tensor(numbers, dtype=dtype)
    )


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            far_graph(),
            r"data.edge_index: expected edges of at most 1 rows and columns on a grid of 5 x 5 "
            r"cells, got edge 1 \(0 -> 10\) over 2 rows and 0 columns",
        ),
        (grid_graph(5, 4), "width: expected 4, that of the graph, got 5"),
        (
            Data(edge_index=torch.tensor([[0], [1]]), num_nodes=24),
            "data: expected a node for every cell of a grid of 5 x 5 = 25 cells, or data.cell, got "
            "24 nodes without it",
        ),
        (cells(3, 25), "data.cell: expected cells of a grid of 5 x 5 = 25 cells, got 25"),
        (cells(3, 3), "data.cell: expected another cell for every node, got 3 twice"),
        (cells(3), r"data.cell: expected torch.int64 \[2\], got torch.int64 \[1\]"),
        (cells(3, 4, dtype=torch.int32), r"expected torch.int64 \[2\], got torch.int32 \[2\]"),
    ],
)
def test_graphs_that_are_refused(data, message):
    with pytest.raises(ValueError, match=message):
        OffsetPartition(height=5, width=5)(data)


def test_size_of_the_grid_is_needed():
    graph = grid_graph(3, 4)
    del graph.width
    with pytest.raises(ValueError, match=r"width: expected the number .* data.width, got None"):
        OffsetPartition()(graph)
    assert OffsetPartition(width=4)(graph).num_edges == graph.num_edges + 12
    graph.width = 0
    with pytest.raises(ValueError, match=r"data.width: expected a number >= 1, got 0"):
        OffsetPartition()(graph)


def test_a_batch_is_refused():
    with pytest.raises(TypeError, match=r"data: expected one torch_geometric.data.Data"):
        OffsetPartition()(Batch.from_data_list([grid_graph(2, 2)]))


def test_a_graph_out_of_a_batch():
    graph = grid_graph(2, 3, 8)
    again = Batch.from_data_list([graph, graph])[1]
    assert torch.equal(OffsetPartition()(again).edge_type, OffsetPartition()(graph).edge_type)


def test_arguments_that_are_refused():
    for name in ("height", "width", "radius"):
        with pytest.raises(ValueError, match=f"{name}: expected a number >= 1, got 0"):
            OffsetPartition(**{name: 0})
    with pytest.raises(TypeError, match=r"height: expected an int, got 3.0"):
        OffsetPartition(height=3.0)
    partition = OffsetPartition()
    with pytest.raises(ValueError, match=r"kernel: expected \[C_out, C_in, 3, 3\] for radius=1"):
        partition.weight_from_kernel(torch.zeros(1, 1, 5, 5))
    with pytest.raises(ValueError, match=r"weight: expected \[9, C_in, C_out\] for radius=1"):
        partition.kernel_from_weight(torch.zeros(3, 1, 1))
