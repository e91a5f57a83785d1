"""SpatialOrder: the curve, the bandwidth, what is permuted, what stays, and what is refused."""

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

import tgst
from tgst.nn import PartitionConv
from tgst.transforms import DirectionPartition, SpatialOrder, check_edge_ids

METHODS = ("hilbert", "rcm")


def shuffled_grid(side=16, dims=2, seed=0):
    """The grid graph of a cube, its nodes and edges in random order, with labels and names."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.cartesian_prod(*[torch.arange(side)] * dims)
    place = place[torch.randperm(len(place), generator=generator)]
    near = (place.unsqueeze(0) - place.unsqueeze(1)).abs().sum(-1) == 1
    edge_index = near.nonzero().T
    edge_index = edge_index[:, torch.randperm(edge_index.size(1), generator=generator)]
    num_nodes, num_edges = len(place), edge_index.size(1)
    return Data(
        x=torch.randn(num_nodes, 3, 2, generator=generator, dtype=torch.float64),
        y=torch.randn(num_nodes, 3, 1, generator=generator),
        mask=torch.rand(num_nodes, 3, generator=generator) > 0.3,
        pos=0.37 * place.double() - 5,
        edge_index=edge_index,
        edge_type=torch.randint(2, (num_edges,), generator=generator),
        edge_weight=torch.rand(num_edges, generator=generator, dtype=torch.float64),
        e_id=torch.arange(num_edges),
        node_id=[f"node {node}" for node in range(num_nodes)],
        num_nodes=num_nodes,
    )


def distance(data):
    source, target = data.edge_index
    return (source - target).abs().double()


def node_edges(data):
    """Every edge by the names of its ends and all that it carries."""
    source, target = data.edge_index.tolist()
    rows = zip(source, target, data.edge_type.tolist(), data.edge_weight.tolist(), strict=True)
    return [(data.node_id[s], data.node_id[t], label, weight) for s, t, label, weight in rows]


@pytest.mark.parametrize(("dims", "bits"), [(2, 1), (2, 4), (2, 6), (3, 1), (3, 3)])
def test_hilbert_steps_to_a_neighbour_and_visits_every_cell(dims, bits):
    side = 2**bits
    place = torch.cartesian_prod(*[torch.arange(side)] * dims)
    place = place[torch.randperm(len(place), generator=torch.Generator().manual_seed(1))]
    data = Data(pos=place.float() * 3 + 100, edge_index=torch.empty(2, 0, dtype=torch.long))
    order = SpatialOrder("hilbert")(data).node_order
    assert order.sort().values.tolist() == list(range(side**dims))
    assert (place[order].diff(dim=0).abs().sum(1) == 1).all()
    # and leaves a quarter (an eighth) of the space only when all of it is visited
    part = (place[order] >= side // 2).long() @ (2 ** torch.arange(dims))
    assert part.unique_consecutive().numel() == 2**dims


@pytest.mark.parametrize("method", METHODS)
def test_neighbours_come_near_each_other(method):
    before = shuffled_grid()
    after = SpatialOrder(method)(before)
    assert distance(after).mean() < 0.2 * distance(before).mean()
    if method == "rcm":  # the bandwidth of a 16 x 16 grid in this order
        assert distance(before).max() > 200
        assert distance(after).max() <= 24
    else:  # half of all neighbours within a few places
        assert distance(after).median() <= 4 < distance(before).median()


@pytest.mark.parametrize("method", METHODS)
def test_everything_of_a_node_moves_with_it(method):
    before = shuffled_grid(6)
    before.groups = tuple(range(36))
    before.count = np.arange(36)
    before.face = before.edge_index[:, :30].repeat(2, 1)[:3]
    before.train_index = torch.tensor([3, 17])
    before.name, before.center = "grid", 1
    kept = before.clone()
    after = SpatialOrder(method)(before)
    order = after.node_order
    assert order.tolist() != list(range(36))
    for name in ("x", "y", "mask", "pos"):
        assert after[name].equal(kept[name][order])
        assert before[name].equal(kept[name])  # the input is left as it is
    assert after.node_id == [kept.node_id[node] for node in order]
    assert after.groups == tuple(order.tolist())
    assert after.count.tolist() == order.tolist()
    assert order[after.train_index].tolist() == [3, 17]
    assert order[after.face].equal(kept.face)
    assert (after.name, after.center, after.num_nodes) == ("grid", 1, 36)
    assert before.edge_index.equal(kept.edge_index)
    assert "node_order" not in before
    assert after.validate()


@pytest.mark.parametrize("method", METHODS)
def test_edges_keep_their_order_and_attributes(method):
    before = shuffled_grid(6)
    after = SpatialOrder(method)(before)
    assert node_edges(after) == node_edges(before)
    assert after.e_id.equal(before.e_id)
    after.n_id = after.node_order
    check_edge_ids(after, before)


@pytest.mark.parametrize("method", METHODS)
def test_layers_give_the_same_outputs(method):
    torch.manual_seed(0)
    before = shuffled_grid(6)
    after = SpatialOrder(method)(before)
    conv = PartitionConv(2, 4, 2).double()
    outs = [conv(d.x, d.edge_index, d.edge_type, d.edge_weight) for d in (before, after)]
    back = torch.empty_like(outs[1])
    back[after.node_order] = outs[1]
    torch.testing.assert_close(back, outs[0])
    assert (outs[1] - outs[0]).abs().max() > 0.1


def test_a_second_order_still_leads_back_to_the_first_numbers():
    before = shuffled_grid(6)
    after = SpatialOrder("rcm")(SpatialOrder("hilbert")(before))
    assert after.x.equal(before.x[after.node_order])
    part = after.subgraph(torch.arange(4, 20))
    assert part.x.equal(before.x[part.node_order])


def test_auto_takes_the_places_where_they_are_known():
    data = shuffled_grid(6)
    by_place, by_edges = (SpatialOrder(method)(data) for method in METHODS)
    assert not by_place.node_order.equal(by_edges.node_order)
    for method in ("auto", None):
        assert SpatialOrder(method)(data).node_order.equal(by_place.node_order)
    data.pos = None
    assert SpatialOrder()(data).node_order.equal(by_edges.node_order)
    assert str(SpatialOrder(None)) == "SpatialOrder(method='auto')"


def test_a_series_follows_by_its_names():
    data = shuffled_grid(4)
    values = torch.arange(16 * 5).view(16, 5, 1).float()  # nodes first
    series = tgst.data.Series(values, np.arange(5).astype("datetime64[h]"), None, data.node_id)
    after = SpatialOrder()(data)
    aligned = series.aligned_to(after.node_id)
    assert torch.as_tensor(aligned.values).equal(values[after.node_order])


def test_as_many_nodes_as_edges():
    # PyG takes a list of that length for nodes', and tells tensors apart by their name.
    data = Data(
        edge_index=torch.tensor([[0, 2, 1], [2, 1, 0]]),
        edge_weight=torch.tensor([0.5, 1.5, 2.5]),
        e_id=torch.tensor([7, 8, 9]),
        edge_name=["a", "b", "c"],
        node_id=["x", "y", "z"],
        mask=torch.tensor([True, False, False]),
        pos=torch.tensor([[1.0, 0.0], [0.0, 0.0], [3.0, 0.0]]),
        num_nodes=3,
    )
    after = SpatialOrder()(data)
    assert after.node_order.tolist() == [1, 0, 2]
    assert after.node_id == ["y", "x", "z"]
    assert after.mask.tolist() == [False, True, False]
    assert after.edge_index.tolist() == [[1, 2, 0], [2, 0, 1]]
    assert after.edge_name == ["a", "b", "c"]
    assert after.e_id.tolist() == [7, 8, 9]
    assert after.edge_weight.tolist() == [0.5, 1.5, 2.5]


@pytest.mark.parametrize("method", METHODS)
def test_isolated_nodes_and_several_components(method):
    data = Data(edge_index=torch.tensor([[0, 5, 2], [4, 1, 2]]), pos=torch.rand(7, 2), num_nodes=7)
    after = SpatialOrder(method)(data)
    assert after.node_order.sort().values.tolist() == list(range(7))
    assert after.node_order[after.edge_index].equal(data.edge_index)
    assert after.num_nodes == 7


@pytest.mark.parametrize("method", METHODS)
def test_no_nodes(method):
    data = Data(edge_index=torch.empty(2, 0, dtype=torch.long), pos=torch.empty(0, 2), num_nodes=0)
    after = SpatialOrder(method)(data)
    assert after.node_order.shape == (0,)
    assert after.num_nodes == 0


def test_equal_places_keep_their_order():
    data = Data(edge_index=torch.empty(2, 0, dtype=torch.long), pos=torch.full((5, 3), 2.5))
    assert SpatialOrder()(data).node_order.tolist() == [0, 1, 2, 3, 4]


def test_a_directed_line_is_unrolled():
    generator = torch.Generator().manual_seed(0)
    name = torch.randperm(40, generator=generator)
    data = Data(edge_index=torch.stack([name[:-1], name[1:]]), num_nodes=40)
    assert distance(SpatialOrder("rcm")(data)).max() == 1


def test_labels_may_come_before_or_after():
    data = shuffled_grid(4)
    del data.edge_type, data.e_id
    data.edge_weight = None
    first = SpatialOrder()(DirectionPartition()(data))
    then = DirectionPartition()(SpatialOrder()(data))
    assert sorted(node_edges(first)) == sorted(node_edges(then))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"pos": None},
            r"data.pos: expected a tensor \[16, 2\] or \[16, 3\] .*got None; method='rc",
        ),
        ({"pos": torch.zeros(16)}, r"data.pos: .*got \[16\]"),
        ({"pos": torch.zeros(16, 1)}, r"data.pos: .*got \[16, 1\]"),
        ({"pos": torch.zeros(15, 2)}, r"data.pos: .*got \[15, 2\]"),
        (
            {"pos": torch.zeros(16, 2).index_fill(0, torch.tensor([9]), torch.nan)},
            r"data.pos: expected finite numbers, got \[nan, nan\] at node 9",
        ),
        (
            {"adj_t": torch.eye(16).to_sparse()},
            "data.adj_t: expected edge_index alone",
        ),
        ({"edge_index": torch.tensor([[0], [16]])}, "data.edge_index: expected nodes in 0..15"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    data = shuffled_grid(4)
    if "edge_index" in change:
        del data.edge_type, data.edge_weight, data.e_id
    for name, value in change.items():
        data[name] = value
    with pytest.raises(ValueError, match=message):
        SpatialOrder("hilbert")(data)


def test_batches_and_unknown_methods_are_refused():
    with pytest.raises(TypeError, match="transform graphs before batching them"):
        SpatialOrder()(Batch.from_data_list([shuffled_grid(2)]))
    with pytest.raises(ValueError, match="method: expected 'auto', 'hilbert' or 'rcm', got 'z'"):
        SpatialOrder("z")
