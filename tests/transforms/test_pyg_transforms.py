"""PyG's transforms before and after ours: edge attributes stay in step, or an error is raised."""

import pytest
import torch
import torch_geometric.transforms as T
from torch_geometric.data import Data

from tgst.nn import EdgeImportance, PartitionConv
from tgst.nn.models import TrafficSTGCN
from tgst.transforms import (
    DiffusionPartition,
    DirectionPartition,
    DistancePartition,
    FirstOrderKernel,
    GaussianKernel,
    ScaledLaplacian,
    UniformPartition,
    check_edge_ids,
)

OURS = {
    "uniform": UniformPartition(),
    "distance": DistancePartition(max_hop=2),
    "direction": DirectionPartition(),
    "diffusion": DiffusionPartition(max_steps=2),
    "laplacian": ScaledLaplacian(symmetrize="max"),
    "first order": FirstOrderKernel(symmetrize="max"),
    "gaussian": GaussianKernel(sigma=2.0, threshold=0.1),
}
LABELS = {"distance": 3, "direction": 3, "diffusion": 5}


def graph():
    """Two-way pairs, a given self loop among the edges, node 5 isolated."""
    edge_index = torch.tensor([[3, 0, 1, 2, 3, 1, 2, 0], [0, 1, 2, 3, 3, 0, 1, 4]])
    data = Data(edge_index=edge_index, pos=torch.randn(6, 2), y=torch.zeros(6))
    data.x = torch.randn(6, 3, 2)
    data.n_id = torch.arange(6)
    return data


def prepared(ours):
    data = graph()
    if ours == "gaussian":
        data.edge_length = torch.linspace(0.5, 2.0, 8)
    data = OURS[ours](data)
    data.edge_ends = data.edge_index.T.clone()
    data.edge_given = data.edge_weight.clone()
    return data


def use(data, ours):
    """What a user does next: the check, then a layer with labels and learnt factors per edge."""
    check_edge_ids(data)
    labels = LABELS.get(ours, 1)
    edge_type = data.get("edge_type") if labels > 1 else None
    weight = EdgeImportance(100)(data.edge_weight, data.e_id)
    return PartitionConv(2, 4, labels)(data.x, data.edge_index, edge_type, weight)


def assert_in_step(data, before, weights=True):
    """Every edge has the label, weight and ends of the edge with its id."""
    assert torch.equal(data.n_id[data.edge_index], before.edge_index[:, data.e_id])
    assert torch.equal(data.n_id[data.edge_index], data.edge_ends.T)
    for name in ("edge_type", "edge_weight") if weights else ("edge_type",):
        assert (name in data) == (name in before)
        if name in before:
            assert torch.equal(data[name], before[name][data.e_id])


KEEP = {
    "RemoveIsolatedNodes": T.RemoveIsolatedNodes(),
    "LargestConnectedComponents": T.LargestConnectedComponents(),
    "Distance": T.Distance(),
    "Cartesian": T.Cartesian(),
    "RandomNodeSplit": T.RandomNodeSplit(),
    "NormalizeFeatures": T.NormalizeFeatures(),
    "ToDevice": T.ToDevice("cpu"),
    "Compose": T.Compose([T.ToDevice("cpu"), T.LargestConnectedComponents()]),
}


@pytest.mark.parametrize("ours", OURS)
@pytest.mark.parametrize("name", KEEP)
def test_these_keep_step_afterwards(ours, name):
    before = prepared(ours)
    data = KEEP[name](before.clone())
    assert data.num_edges > 0
    assert_in_step(data, before)
    check_edge_ids(data, before)
    assert use(data, ours).isfinite().all()


@pytest.mark.parametrize("ours", OURS)
def test_a_split_of_the_edges_keeps_step(ours):
    torch.manual_seed(0)
    before = prepared(ours)
    for part in T.RandomLinkSplit(is_undirected=False, num_val=0.2, num_test=0.2)(before.clone()):
        assert 0 < part.num_edges < before.num_edges
        assert_in_step(part, before)
        use(part, ours)


@pytest.mark.parametrize("ours", OURS)
def test_a_normalisation_alone_changes_the_weights_alone(ours):
    before = prepared(ours)
    data = T.GCNNorm(add_self_loops=False)(before.clone())
    assert_in_step(data, before, weights=False)
    assert torch.equal(data.edge_given, before.edge_weight)
    use(data, ours)


BREAK = {
    "AddSelfLoops": T.AddSelfLoops(),
    "AddSelfLoops with weights": T.AddSelfLoops(attr="edge_weight"),
    "RemoveSelfLoops": T.RemoveSelfLoops(),
    "ToUndirected": T.ToUndirected(),
    "ToUndirected mean": T.ToUndirected(reduce="mean"),
    "VirtualNode": T.VirtualNode(),
    "LineGraph": T.LineGraph(),
    "TwoHop": T.TwoHop(),
    "Pad": T.Pad(max_num_nodes=8, max_num_edges=60),
    "RandomLinkSplit of an undirected graph": lambda data: T.RandomLinkSplit(
        is_undirected=True, num_val=0.2, num_test=0.2
    )(data)[0],
}


@pytest.mark.parametrize("ours", OURS)
@pytest.mark.parametrize("name", BREAK)
def test_these_break_step_afterwards_and_an_error_says_so(ours, name):
    data = BREAK[name](prepared(ours))
    with pytest.raises(ValueError, match=r"data\.(e_id|edge_type|edge_weight): expected"):
        check_edge_ids(data)


@pytest.mark.parametrize("ours", ["distance", "direction", "diffusion"])
@pytest.mark.parametrize("name", ["AddRemainingSelfLoops", "GCNNorm"])
def test_self_loops_that_move_away_from_their_labels(ours, name):
    """As many edges as before, with the labels of others where a given self loop was in between."""
    before = prepared(ours)
    data = getattr(T, name)()(before.clone())
    message = r"data\.edge_type: expected label 0 on the self loops"
    if ours == "diffusion":  # has walks that return, which are lost: fewer edges than labels
        message = r"data\.edge_type: expected one entry for each"
    else:
        assert data.num_edges == before.num_edges
        assert not torch.equal(data.edge_ends, data.edge_index.T)
    for check in (check_edge_ids, UniformPartition()):
        with pytest.raises(ValueError, match=message):
            check(data)


@pytest.mark.parametrize("ours", ["distance", "direction", "diffusion"])
def test_removed_duplicates(ours):
    """Parallel edges leave labels over; without any, the edges are sorted and the labels not."""
    data = T.RemoveDuplicatedEdges()(prepared(ours))
    with pytest.raises(ValueError, match=r"data\.(e_id|edge_type): expected"):
        check_edge_ids(data)


SORT = {
    "RemoveDuplicatedEdges": T.RemoveDuplicatedEdges(),
    "AddRemainingSelfLoops": T.AddRemainingSelfLoops(),
    "GCNNorm": T.GCNNorm(),
}


@pytest.mark.parametrize("name", SORT)
def test_edges_of_one_label_that_move_away_from_their_ids(name):
    """The graph itself looks right; next to the graph before, it does not."""
    before = prepared("uniform")
    data = SORT[name](before.clone())
    assert not torch.equal(data.edge_index, before.edge_index)
    assert torch.equal(data.e_id, before.e_id)
    check_edge_ids(data)
    with pytest.raises(ValueError, match=r"data\.e_id: expected that edge .* of full"):
        check_edge_ids(data, before)


@pytest.mark.parametrize("ours", ["laplacian", "first order"])
def test_the_edges_of_a_kernel_that_are_sorted(ours):
    before = prepared(ours)
    data = T.RemoveDuplicatedEdges()(before.clone())
    with pytest.raises(ValueError, match=r"data\.e_id: expected that edge .* of full"):
        check_edge_ids(data, before)


@pytest.mark.parametrize("ours", ["laplacian", "first order"])
def test_self_loops_of_a_kernel_are_last_and_stay(ours):
    before = prepared(ours)
    data = T.AddRemainingSelfLoops()(before.clone())
    assert_in_step(data, before)
    use(data, ours)


def test_a_sparse_tensor_is_refused():
    data = T.ToSparseTensor()(prepared("direction"))
    with pytest.raises(ValueError, match=r"data\.edge_index: expected a tensor"):
        check_edge_ids(data)
    # A tensor of torch, or one of torch_sparse where that is installed.
    error, message = ValueError, r"edge_index: expected a strided"
    if not isinstance(data.adj_t, torch.Tensor):
        error, message = TypeError, r"edge_index: expected a Tensor, .*got SparseTensor"
    with pytest.raises(error, match=message):
        PartitionConv(2, 4)(data.x, data.adj_t)


@pytest.mark.parametrize("ours", ["direction", "uniform"])
def test_errors_reach_the_user_without_the_check(ours):
    """The next transform, the layer and the model notice short labels and repeated ids."""
    short = T.AddSelfLoops(attr="edge_weight")(prepared(ours))
    labels = LABELS.get(ours, 1)
    edges = (short.edge_index, short.edge_type, short.edge_weight)
    with pytest.raises(ValueError, match=r"edge_type: expected shape"):
        PartitionConv(2, 4, labels)(short.x, *edges)
    model = TrafficSTGCN(2, 1, kernel="partition", num_partitions=labels)
    with pytest.raises(ValueError, match=r"edge_type: expected shape"):
        model(torch.randn(6, 12, 2), *edges)
    with pytest.raises(ValueError, match=r"edge_weight: expected shape"):
        EdgeImportance(100)(short.edge_weight, short.e_id)
    for broken in (short, T.ToUndirected()(prepared(ours))):
        for transform in (UniformPartition(), DirectionPartition(), FirstOrderKernel()):
            with pytest.raises(ValueError, match=r"data\.(e_id|edge_type): expected"):
                transform(broken)


BEFORE = {
    "AddSelfLoops": T.AddSelfLoops(attr="edge_weight"),
    "AddRemainingSelfLoops": T.AddRemainingSelfLoops(attr="edge_weight"),
    "ToUndirected": T.ToUndirected(),
    "RemoveSelfLoops": T.RemoveSelfLoops(),
    "RemoveDuplicatedEdges": T.RemoveDuplicatedEdges(),
    "RemoveIsolatedNodes": T.RemoveIsolatedNodes(),
    "LargestConnectedComponents": T.LargestConnectedComponents(),
    "GCNNorm": T.GCNNorm(),
    "VirtualNode": T.VirtualNode(),
    "RandomNodeSplit": T.RandomNodeSplit(),
    "Distance": T.Distance(),
    "TwoHop": T.TwoHop(),
}


@pytest.mark.parametrize("ours", [name for name in OURS if name != "gaussian"])
@pytest.mark.parametrize("name", BEFORE)
def test_before_ours(ours, name):
    """What comes out is what our transform makes of the edges alone."""
    data = graph()
    if name != "TwoHop":
        data.edge_weight = torch.rand(8) + 0.1
    if name == "LargestConnectedComponents":
        data.edge_length = torch.arange(8.0)
    changed = BEFORE[name](data)
    out = T.Compose([BEFORE[name], OURS[ours]])(data)
    bare = Data(edge_index=changed.edge_index, num_nodes=changed.num_nodes)
    if "edge_weight" in changed:
        bare.edge_weight = changed.edge_weight
    expected = OURS[ours](bare)
    assert torch.equal(out.edge_index, expected.edge_index)
    for key in ("edge_type", "edge_weight", "e_id"):
        if key in expected:  # VirtualNode writes labels of its own, which a kernel carries along
            assert torch.equal(out[key], expected[key])
    check_edge_ids(out)


@pytest.mark.parametrize("name", ["AddSelfLoops", "AddRemainingSelfLoops", "RemoveSelfLoops"])
@pytest.mark.parametrize("ours", [name for name in OURS if name != "gaussian"])
def test_before_ours_with_attributes_that_fall_short(ours, name):
    data = graph()
    data.edge_weight = torch.ones(8)
    data.edge_length = torch.arange(8.0)
    short = BEFORE[name](data)
    with pytest.raises(ValueError, match=r"data\.edge_length: expected one entry for each of the"):
        OURS[ours](short)


def test_to_undirected_before_ours_with_ids():
    """The ids of a graph that has no labels yet are written anew, not refused."""
    data = graph()
    data.e_id = torch.arange(8)
    out = T.Compose([T.ToUndirected(), DirectionPartition()])(data)
    assert torch.equal(out.e_id, torch.arange(out.num_edges))
    check_edge_ids(out)
