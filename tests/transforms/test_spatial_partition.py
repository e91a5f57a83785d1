from __future__ import annotations

import copy
import pickle

import networkx as nx
import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.sparse.csgraph import breadth_first_order
from torch_geometric.data import Data

from tests.transforms.graphs import (
    assert_tags_follow,
    dense,
    golden,
    permuted,
    random_graph,
    tagged,
)
from tgst.transforms import DirectionPartition, SpatialPartition, gravity_distance
from tgst.utils import Skeleton, repeat_graph

hops = pytest.mark.parametrize(("max_hop", "dilation"), [(1, 1), (2, 1), (3, 1), (2, 2)])
LAYOUTS = {"openpose": "openpose-18", "ntu-rgb+d": "ntu-25"}


def skeleton_graph(name):
    data = Skeleton.named(name).data()
    data.edge_weight = torch.ones(data.num_edges, dtype=torch.float64)
    return data


def graph(edges, num_nodes, both=True):
    edge_index = torch.tensor(edges, dtype=torch.long).view(-1, 2).T
    edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1) if both else edge_index
    return Data(edge_index=edge_index, num_nodes=num_nodes)


def labels(data):
    pairs = zip(*data.edge_index.tolist(), data.edge_type.tolist(), strict=True)
    return {(source, target): label for source, target, label in pairs}


# -- the released code ----------------------------------------------------------------------------


@hops
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("prefix", "kind"), [("A", "truncated"), ("A_exact", "exact")])
def test_golden(layout, prefix, kind, max_hop, dilation):
    arrays = golden(f"skeleton/partitions_{layout}.npz")
    partition = SpatialPartition(int(arrays["center"]), max_hop, dilation, hop_distance=kind)
    matrix = dense(partition(skeleton_graph(LAYOUTS[layout])), partition.num_partitions)
    expected = arrays[f"{prefix}_spatial_h{max_hop}d{dilation}"]
    torch.testing.assert_close(matrix, expected, atol=1e-12, rtol=0)
    columns = matrix.sum((0, 1))
    torch.testing.assert_close(columns, torch.ones_like(columns), atol=1e-12, rtol=0)


@pytest.mark.parametrize("max_hop", [1, 2, 3])
def test_golden_of_pyskl_stgcn_spatial(max_hop):
    arrays = golden("skeleton/partitions_openpose.npz")
    partition = SpatialPartition(1, max_hop, hop_distance="truncated")
    matrix = dense(partition(skeleton_graph("openpose-18")), partition.num_partitions)
    expected = arrays[f"A_pyskl_stgcn_spatial_h{max_hop}"]
    torch.testing.assert_close(matrix, expected, atol=1e-12, rtol=0)


def test_golden_of_pyskl_spatial_is_a_permutation_of_labels():
    """Identity, inward and outward, each normalised on its own."""
    expected = golden("skeleton/partitions_openpose.npz")["A_pyskl_spatial"]
    partition = SpatialPartition(1, normalize="target_per_partition")
    matrix = dense(partition(skeleton_graph("openpose-18")), partition.num_partitions)
    order = list(partition.paper_order)
    assert order == [0, 2, 1]
    torch.testing.assert_close(matrix[order], expected, atol=1e-12, rtol=0)
    assert not torch.allclose(matrix, expected)


def test_truncated_distances_are_those_of_the_released_code():
    """The first leg edge that the released code misfiles, and one that it does not."""
    data = Skeleton.named("ntu-25").data()
    true = labels(SpatialPartition(20)(data))
    released = labels(SpatialPartition(20, hop_distance="truncated")(data))
    assert (true[20, 1], released[20, 1]) == (2, 2)
    assert (true[1, 0], released[1, 0]) == (2, 2)
    assert (true[0, 12], released[0, 12]) == (2, 1)
    assert (true[12, 0], released[12, 0]) == (1, 1)
    differ = {edge for edge in true if true[edge] != released[edge]}
    assert len(differ) == 16


# -- distances ------------------------------------------------------------------------------------


def expected_labels(data, distance, max_hop=1, dilation=1):
    """The definition, written out over networkx's hops."""
    G = nx.DiGraph(data.edge_index.T.tolist())
    G.add_nodes_from(range(data.num_nodes))
    found = {}
    for source, lengths in nx.all_pairs_shortest_path_length(G, cutoff=max_hop):
        for target, hop in lengths.items():
            if hop % dilation == 0:
                nearer = distance[source] < distance[target]
                found[source, target] = 0 if hop == 0 else 2 * hop // dilation - 1 + nearer
    return found


def networkx_distance(data, centers):
    G = nx.DiGraph(data.edge_index.T.tolist())
    G.add_nodes_from(range(data.num_nodes))
    found = nx.multi_source_dijkstra_path_length(G.reverse(), set(centers))
    return [found.get(node, float("inf")) for node in range(data.num_nodes)]


@pytest.mark.parametrize("directed", [True, False])
@pytest.mark.parametrize("centers", [(3,), (3, 0), (8,), (8, 2, 5)])
@pytest.mark.parametrize(("max_hop", "dilation"), [(1, 1), (3, 1), (4, 2)])
def test_labels_of_a_random_graph(directed, centers, max_hop, dilation):
    data = random_graph(directed=directed, num_edges=10)  # node 8 is isolated
    out = SpatialPartition(list(centers), max_hop, dilation)(data)
    distance = networkx_distance(data, centers)
    assert distance[8] == (0 if 8 in centers else float("inf"))
    assert labels(out) == expected_labels(data, distance, max_hop, dilation)
    assert len(labels(out)) == out.num_edges


def test_hops_follow_the_direction_towards_the_centre():
    """A one-way ring 0 -> 1 -> 2 -> 3 -> 0: whoever drives from 1 to 0 passes 2 and 3."""
    ring = graph([(0, 1), (1, 2), (2, 3), (3, 0)], 4, both=False)
    found = labels(SpatialPartition(0)(ring))  # distances 0, 3, 2, 1
    assert found == {
        **{(node, node): 0 for node in range(4)},
        (0, 1): 2,
        (1, 2): 1,
        (2, 3): 1,
        (3, 0): 1,
    }


def test_the_nearest_of_several_centres_counts():
    path = graph([(i, i + 1) for i in range(6)], 7)
    one, two = labels(SpatialPartition(0)(path)), labels(SpatialPartition((0, 6))(path))
    assert one[4, 5] == 2
    assert one[5, 4] == 1
    assert two[4, 5] == 1  # 5 is one hop from node 6
    assert two[5, 4] == 2
    assert two[2, 3] == 2
    assert two[4, 3] == 2


def test_equal_distances_are_label_one_in_both_directions():
    found = labels(SpatialPartition(0)(graph([(0, 1), (0, 2), (1, 2)], 3)))
    assert found[1, 2] == found[2, 1] == 1


def test_components_without_a_centre_tie():
    data = Skeleton.named("mediapipe-pose-33").data()
    for kind in ("exact", "truncated"):
        found = labels(SpatialPartition(0, hop_distance=kind)(data))
        assert {found[edge] for edge in ((9, 10), (10, 9), (11, 13), (13, 11), (23, 24))} == {1}
    assert labels(SpatialPartition((0, 9, 11))(data))[11, 13] == 2
    out = SpatialPartition(0)(data)
    columns = dense(out, 3).sum((0, 1))
    torch.testing.assert_close(columns, torch.ones(33, dtype=torch.float64))


def test_isolated_nodes_self_loops_and_empty_graphs():
    lone = SpatialPartition(0)(graph([(0, 1)], 3))
    assert labels(lone) == {(0, 1): 2, (1, 0): 1, (0, 0): 0, (1, 1): 0, (2, 2): 0}
    assert lone.edge_weight.tolist() == [0.5, 0.5, 0.5, 0.5, 1.0]
    loops = SpatialPartition(1, max_hop=3)(graph([(0, 0), (1, 1)], 2, both=False))
    assert labels(loops) == {(0, 0): 0, (1, 1): 0}
    assert loops.edge_weight.tolist() == [1.0, 1.0]
    bare = SpatialPartition(1)(graph([], 2))
    assert labels(bare) == {(0, 0): 0, (1, 1): 0}
    none = SpatialPartition(distance=[])(graph([], 0))
    assert none.edge_index.shape == (2, 0)
    assert none.edge_type.dtype == torch.long


def test_parallel_edges_and_strengths():
    """Weights are strengths, not lengths: they do not move the distance."""
    data = graph([(0, 1), (0, 1), (1, 2)], 3, both=False)
    data = graph(data.edge_index.T.tolist(), 3)
    data.edge_weight = torch.tensor([1.0, 2.0, 100.0, 1.0, 2.0, 100.0])
    out = SpatialPartition(0)(data)
    assert out.edge_type.tolist() == [2, 2, 2, 1, 1, 1, 0, 0, 0]
    expected = [1 / 104, 2 / 104, 100 / 101, 1 / 4, 2 / 4, 100 / 104, 1 / 4, 1 / 104, 1 / 101]
    torch.testing.assert_close(out.edge_weight, torch.tensor(expected))


def test_parallel_edges_are_one_hop():
    """A square whose one side is doubled: node 3 stays farther than node 1."""
    found = labels(SpatialPartition(0)(graph([(0, 1), (0, 1), (1, 3), (0, 2), (2, 3)], 4)))
    assert (found[0, 1], found[1, 3], found[2, 3]) == (2, 2, 2)
    assert (found[1, 0], found[3, 1], found[3, 2]) == (1, 1, 1)


@pytest.mark.parametrize("kind", ["ring roads", "path"])
def test_a_graph_of_30_000_nodes_against_scipy(kind):
    size, center = 30_000, 17
    nodes = torch.arange(size)
    edge_index = torch.stack([nodes[:-1], nodes[1:]])
    if kind == "ring roads":
        shortcut = torch.randint(size, (2, 30_000), generator=torch.Generator().manual_seed(0))
        edge_index = torch.cat([edge_index, shortcut[:, shortcut[0] != shortcut[1]]], dim=1)
    edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    out = SpatialPartition(center)(Data(edge_index=edge_index, num_nodes=size))
    entries = (np.ones(edge_index.size(1)), edge_index.numpy())
    matrix = sparse.coo_array(entries, shape=(size, size)).tocsr()
    order, before = breadth_first_order(matrix, center)
    distance = np.zeros(size)
    for node in order[1:]:
        distance[node] = distance[before[node]] + 1
    source, target = edge_index.numpy()
    expected = 1 + (distance[source] < distance[target])
    assert np.array_equal(out.edge_type[: edge_index.size(1)].numpy(), expected)
    assert not out.edge_type[edge_index.size(1) :].any()


def test_truncation_at_the_largest_hop():
    path = graph([(i, i + 1) for i in range(5)], 6)
    found = labels(SpatialPartition(0, max_hop=2, hop_distance="truncated")(path))
    distance = [0, 1, 2, *[float("inf")] * 3]
    assert found == expected_labels(path, distance, max_hop=2)
    assert found[2, 3] == 2
    assert found[3, 4] == found[4, 3] == 1


# -- the paper's forms ----------------------------------------------------------------------------


def test_paper_order_of_more_hops():
    partition = SpatialPartition(0, max_hop=2)
    assert partition.paper_order == (0, 2, 1, 4, 3)
    path = graph([(0, 1), (1, 2)], 3)
    out = partition(path)
    paper = torch.tensor(partition.paper_order)
    assert torch.equal(paper[paper], torch.arange(5))  # the same both ways
    found = labels(Data(edge_index=out.edge_index, edge_type=paper[out.edge_type]))
    assert found[0, 1] == 1  # nearer: centripetal
    assert found[1, 0] == 2  # farther: centrifugal
    assert (found[0, 2], found[2, 0]) == (3, 4)


def test_given_distances():
    path = graph([(0, 1), (1, 2)], 3)
    found = labels(SpatialPartition(distance=[0.5, 0.1, 0.1])(path))
    assert (found[0, 1], found[1, 0], found[1, 2], found[2, 1]) == (1, 2, 1, 1)
    again = labels(SpatialPartition(distance=torch.tensor([5, 1, 1]))(path))
    assert again == found


def test_symmetric_normalisation_of_the_paper():
    """Lambda^-1/2 A Lambda^-1/2 with 0.001 added to every degree of each partition."""
    skeleton = Skeleton.named("msr-20")
    data = skeleton_graph("msr-20")
    generator = torch.Generator().manual_seed(3)
    distance = torch.rand(20, generator=generator)
    out = SpatialPartition(distance=distance, normalize="symmetric")(data)
    matrix = dense(out, 3)
    binary = torch.zeros(3, 20, 20, dtype=torch.float64)
    binary[0] = torch.eye(20)
    for a, b in skeleton.edges:
        for source, target in ((a, b), (b, a)):
            binary[2 if distance[source] < distance[target] else 1, source, target] = 1
    degree = binary.sum(1) + 0.001
    expected = binary / (degree[:, :, None] * degree[:, None, :]).sqrt()
    torch.testing.assert_close(matrix, expected, atol=1e-12, rtol=1e-12)


def test_gravity_distance_by_hand():
    """Places on a line: the centre of (0, 3, 6) is 3, that of (1, 1, 4) is 2."""
    first = torch.tensor([0.0, 3, 6]).view(3, 1, 1)
    second = torch.tensor([1.0, 1, 4]).view(3, 1, 1)
    torch.testing.assert_close(
        gravity_distance([first, torch.cat([second, second], dim=1)]),
        torch.tensor([(3 + 1 + 1) / 3, (0 + 1 + 1) / 3, (3 + 2 + 2) / 3], dtype=torch.float64),
    )


def test_gravity_distance_averages_frames_of_all_persons():
    x = torch.randn(4, 6, 3, dtype=torch.float64)  # two persons of two joints
    data = repeat_graph(Data(edge_index=torch.zeros(2, 0, dtype=torch.long), num_nodes=2), 2)
    data.x = x
    both = torch.cat([x[:2], x[2:]], dim=1)
    expected = (both - both.mean(0)).norm(dim=-1).mean(1)
    torch.testing.assert_close(gravity_distance([data]), expected)
    as_batch_dim = torch.stack([x[:2], x[2:]], dim=1)
    torch.testing.assert_close(gravity_distance(iter([as_batch_dim])), expected)
    flat = (both - both.mean(0))[..., :2].norm(dim=-1).mean(1)
    torch.testing.assert_close(gravity_distance([data], num_coordinates=2), flat)


def test_gravity_distance_of_observed_joints():
    x = torch.tensor([[0.0, 1], [4, 3], [float("nan"), 8]]).unsqueeze(-1)
    mask = torch.tensor([[1, 1], [1, 1], [0, 1]], dtype=torch.bool)
    distance = gravity_distance([Data(x=x, mask=mask)])
    expected = torch.tensor([(2 + 3) / 2, (2 + 1) / 2, 4], dtype=torch.float64)
    torch.testing.assert_close(distance, expected)


def test_gravity_centre_of_the_graph_itself():
    x = torch.randn(18, 5, 2)
    data = Skeleton.named("openpose-18").data()
    data.x = x
    expected = labels(SpatialPartition(distance=gravity_distance([x]))(data))
    partition = SpatialPartition("gravity")
    assert labels(partition(data)) == expected
    assert partition.center == "gravity"  # the distances are not kept
    data.pos = torch.tensor(Skeleton.named("openpose-18").pose)
    middle = (data.pos - data.pos.mean(0)).norm(dim=1)
    found = labels(partition(data))
    assert found == labels(SpatialPartition(distance=middle)(data)) != expected
    masked = Data(x=x, edge_index=data.edge_index, mask=torch.rand(18, 5) > 0.3)
    distance = gravity_distance([masked])
    assert labels(partition(masked)) == labels(SpatialPartition(distance=distance)(masked))


# -- the contract of partitions -------------------------------------------------------------------


@pytest.mark.parametrize("center", [0, (0, 4), "gravity"])
@pytest.mark.parametrize("max_hop", [1, 2])
def test_contract(center, max_hop):
    data = tagged(random_graph())
    data.pos = torch.randn(9, 2, generator=torch.Generator().manual_seed(1))
    before = copy.deepcopy(data.to_dict())
    partition = SpatialPartition(center, max_hop)
    out = partition(data)
    assert_tags_follow(out, data)
    for key, value in before.items():
        assert torch.equal(data[key], value) if torch.is_tensor(value) else data[key] == value
    columns = dense(out, partition.num_partitions).sum((0, 1))
    torch.testing.assert_close(columns, torch.ones(9, dtype=torch.float64))
    again = pickle.loads(pickle.dumps(partition))
    assert labels(again(data)) == labels(out)
    assert repr(again) == repr(partition)


def test_nodes_may_be_renamed():
    data = random_graph()
    generator = torch.Generator().manual_seed(2)
    names = torch.randperm(9, generator=generator)
    order = torch.randperm(data.num_edges, generator=generator)
    renamed = SpatialPartition(int(names[3]), max_hop=2)(permuted(data, names, order))
    expected = dense(SpatialPartition(3, max_hop=2)(data), 5)
    torch.testing.assert_close(dense(renamed, 5)[:, names][:, :, names], expected)


def test_roads_after_their_direction_was_labelled():
    """Only given edges matter, so another partition may go before."""
    data = graph([(0, 1), (1, 2), (2, 0)], 3, both=False)
    out = SpatialPartition(2)(DirectionPartition()(data))
    assert labels(out)[2, 1] == 2
    assert labels(out)[1, 2] == 1


@pytest.mark.parametrize(
    ("max_hop", "dilation", "expected"), [(1, 1, 3), (3, 1, 7), (2, 2, 3), (5, 2, 5)]
)
def test_number_of_partitions(max_hop, dilation, expected):
    assert SpatialPartition(0, max_hop, dilation).num_partitions == expected


@pytest.mark.parametrize("center", [(3, 0), range(0, 4, 3), np.array([3, 0]), torch.tensor([3, 0])])
def test_centres_in_any_sequence(center):
    data = random_graph()
    out = SpatialPartition(center)(data)
    assert (
        labels(out) == labels(SpatialPartition([0, 3])(data)) != labels(SpatialPartition(3)(data))
    )
    assert labels(SpatialPartition(torch.tensor(3))(data)) == labels(SpatialPartition(3)(data))


def test_repr():
    partition = SpatialPartition(np.int64(3), hop_distance="truncated")
    assert repr(partition).endswith("hop_distance='truncated', distance=None)")
    assert "max_hop=1, dilation=1, center=(3,)" in repr(partition)
    assert "distance=[4]" in repr(SpatialPartition(distance=torch.zeros(4)))


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"center: expected either center or distance, got .*None"):
        SpatialPartition()
    with pytest.raises(ValueError, match=r"center: expected either center or distance"):
        SpatialPartition(1, distance=[0.0])
    with pytest.raises(ValueError, match=r'center: expected nodes or "gravity", got "?\'neck'):
        SpatialPartition("neck")
    with pytest.raises(ValueError, match=r"center: expected one node or more, got none"):
        SpatialPartition([])
    with pytest.raises(TypeError, match=r"center: expected an int, got 1\.5 \(float\)"):
        SpatialPartition([0, 1.5])
    with pytest.raises(ValueError, match=r"hop_distance: expected one of .*, got 'full'"):
        SpatialPartition(0, hop_distance="full")
    with pytest.raises(ValueError, match=r'hop_distance: expected "exact" without centre nodes'):
        SpatialPartition(distance=[0.0], hop_distance="truncated")
    with pytest.raises(ValueError, match=r"max_hop: expected a number >= 1, got 0"):
        SpatialPartition(0, max_hop=0)
    with pytest.raises(ValueError, match=r"distance: expected one number per node, got .*\[1, 2\]"):
        SpatialPartition(distance=[[0.0, 1.0]])
    with pytest.raises(ValueError, match=r"distance: expected numbers, got NaN at node 1"):
        SpatialPartition(distance=[0.0, float("nan")])


def test_bad_graphs():
    path = graph([(0, 1), (1, 2)], 3)
    with pytest.raises(ValueError, match=r"center: expected nodes in 0\.\.2, got 3"):
        SpatialPartition((1, 3))(path)
    with pytest.raises(ValueError, match=r"center: expected nodes in 0\.\.2, got -1"):
        SpatialPartition(-1)(path)
    with pytest.raises(ValueError, match=r"distance: expected one for each of 3 nodes, got 2"):
        SpatialPartition(distance=[0.0, 1.0])(path)
    with pytest.raises(ValueError, match=r"center: expected data\.pos .* got neither"):
        SpatialPartition("gravity")(path)


def test_bad_clips():
    x = torch.zeros(3, 2, 2)
    with pytest.raises(ValueError, match=r"clips: expected every joint to be .* got no clips"):
        gravity_distance([])
    with pytest.raises(ValueError, match=r"clips\[1\]: expected 3 joints as in the first, got 4"):
        gravity_distance([x, torch.zeros(4, 2, 2)])
    with pytest.raises(ValueError, match=r"clips\[0\]: expected finite places"):
        gravity_distance([x / 0])
    with pytest.raises(ValueError, match=r"x of shape \[V, \*, T, C\], got \[3, 2\]"):
        gravity_distance([x[:, 0]])
    mask = torch.tensor([[1, 1], [0, 0], [1, 1]], dtype=torch.bool)
    with pytest.raises(ValueError, match=r"clips: .* got joint 1 never"):
        gravity_distance([Data(x=x, mask=mask)])
    with pytest.raises(ValueError, match=r"mask: expected shape \[3, 2\], got \[3, 1\]"):
        gravity_distance([Data(x=x, mask=mask[:, :1])])
