"""What holds for every partition: the contract of tgst.transforms.Partition."""

from __future__ import annotations

import copy
import pickle
from functools import partial

import pytest
import torch
from torch.utils.data import IterDataPipe
from torch_geometric.data import Data

import tgst.transforms
from tests.transforms.graphs import (
    assert_tags_follow,
    dense,
    permuted,
    random_graph,
    tagged,
)
from tgst.transforms import (
    DiffusionPartition,
    DirectionPartition,
    DistancePartition,
    Partition,
    SpatialPartition,
    UniformPartition,
)

PARTITIONS = [
    UniformPartition,
    partial(UniformPartition, max_hop=3),
    DistancePartition,
    partial(DistancePartition, max_hop=3),
    partial(DistancePartition, max_hop=4, dilation=2),
    DirectionPartition,
    DiffusionPartition,
    partial(DiffusionPartition, max_steps=3),
    partial(DiffusionPartition, max_steps=2, walk="authors"),
]
# Their centre is a node: it has to exist, and to move with the nodes when they are renamed.
CENTERED = [
    partial(SpatialPartition, center=0),
    partial(SpatialPartition, center=0, max_hop=3),
    partial(SpatialPartition, center=2, max_hop=2, dilation=2),
]


def over(partitions):
    return pytest.mark.parametrize("partition", partitions, ids=lambda p: repr(p()))


every_partition = over([*PARTITIONS, *CENTERED])
without_center = over(PARTITIONS)
normalizing = over([*PARTITIONS[:6], *CENTERED])


@every_partition
def test_input_is_not_changed(partition: type[Partition]) -> None:
    data = tagged(random_graph())
    before = copy.deepcopy(data.to_dict())
    out = partition()(data)
    assert out.edge_index.size(1) != data.edge_index.size(1)
    assert data.to_dict().keys() == before.keys()
    for key, value in before.items():
        same = torch.equal(data[key], value) if torch.is_tensor(value) else data[key] == value
        assert same, key


@every_partition
def test_attributes_follow_their_edges(partition: type[Partition]) -> None:
    data = tagged(random_graph())
    transform = partition()
    out = transform(data)
    backward = torch.zeros_like(out.edge_flag)
    if isinstance(transform, DirectionPartition | DiffusionPartition):
        backward = out.edge_type > transform.num_partitions // 2
    assert_tags_follow(out, data, backward)
    kept = out.edge_number[out.edge_number > 0].unique()
    loops_only = getattr(transform, "dilation", 1) > 1
    assert kept.tolist() == (data.edge_number[:2] if loops_only else data.edge_number).tolist()


@every_partition
def test_labels_and_number_of_partitions(partition: type[Partition]) -> None:
    transform = partition()
    out = transform(random_graph())
    assert type(transform.num_partitions) is int
    assert out.edge_type.dtype == torch.long
    assert out.edge_type.unique().tolist() == list(range(transform.num_partitions))
    assert "num_partitions" not in out
    if transform.num_partitions > 1 and not isinstance(transform, DiffusionPartition):
        assert torch.equal(out.edge_type == 0, out.edge_index[0] == out.edge_index[1])


@every_partition
def test_every_node_has_one_self_loop(partition: type[Partition]) -> None:
    data = random_graph()
    out = partition()(data)
    loops = out.edge_index[0, (out.edge_index[0] == out.edge_index[1]) & (out.edge_type == 0)]
    assert loops.sort().values.tolist() == list(range(9))
    again = partition(add_self_loops=False)(data)
    first_new = out.edge_index.size(1) - 7  # nodes 0 and 1 have one already
    assert torch.equal(again.edge_index, out.edge_index[:, :first_new])
    assert torch.equal(again.edge_type, out.edge_type[:first_new])
    assert out.edge_index[:, first_new:].tolist() == [[2, 3, 4, 5, 6, 7, 8]] * 2
    assert again.edge_type.max() == out.edge_type.max()


def test_parallel_self_loops_are_kept() -> None:
    data = Data(edge_index=torch.tensor([[1, 1], [1, 1]]), num_nodes=2)
    data.edge_weight = torch.tensor([1.0, 3.0])
    out = UniformPartition()(data)
    assert out.edge_index.tolist() == [[1, 1, 0], [1, 1, 0]]
    assert out.edge_weight.tolist() == [0.25, 0.75, 1.0]


@without_center
def test_permutation(partition: type[Partition]) -> None:
    data, transform = random_graph(), partition()
    generator = torch.Generator().manual_seed(1)
    permutation = torch.randperm(9, generator=generator)
    order = torch.randperm(data.edge_index.size(1), generator=generator)
    matrix = dense(transform(data), transform.num_partitions)
    out = dense(transform(permuted(data, permutation, order)), transform.num_partitions)
    torch.testing.assert_close(out[:, permutation][:, :, permutation], matrix)
    assert not torch.allclose(out, matrix)


@every_partition
def test_isolated_node_has_its_self_loop_alone(partition: type[Partition]) -> None:
    transform = partition()
    matrix = dense(transform(random_graph()), transform.num_partitions)[:, :, 8]
    expected = torch.zeros_like(matrix)
    expected[0, 8] = 1
    assert torch.equal(matrix, expected)


@without_center
@pytest.mark.parametrize("num_nodes", [0, 1, 3])
def test_no_edges(partition: type[Partition], num_nodes: int) -> None:
    empty = torch.zeros(2, 0, dtype=torch.long)
    data = Data(x=torch.zeros(num_nodes, 2), edge_index=empty, edge_attr=torch.zeros(0, 4))
    out = partition()(data)
    assert out.edge_index.tolist() == [list(range(num_nodes))] * 2
    assert out.edge_type.tolist() == [0] * num_nodes
    assert out.edge_weight.tolist() == [1.0] * num_nodes
    assert out.edge_attr.shape == (num_nodes, 4)
    bare = partition(add_self_loops=False)(data)
    assert bare.edge_index.shape == (2, 0)
    assert bare.edge_weight.shape == (0,)


@every_partition
def test_zero_degree_gives_zero(partition: type[Partition]) -> None:
    data = Data(edge_index=torch.tensor([[0, 1], [1, 2]]), num_nodes=3)
    data.edge_weight = torch.zeros(2)
    data.edge_given = torch.ones(2)
    out = partition(add_self_loops=False)(data)
    assert out.edge_weight.isfinite().all()
    assert out.edge_weight[out.edge_given > 0].tolist() == [0] * int(out.edge_given.sum())


@normalizing
def test_target_normalisation_is_over_all_partitions(partition: type[Partition]) -> None:
    transform = partition()
    strength = dense(partition(normalize=None)(random_graph()), transform.num_partitions)
    matrix = dense(transform(random_graph()), transform.num_partitions)
    torch.testing.assert_close(matrix, strength / strength.sum(dim=(0, 1)))


@normalizing
def test_normalisation_per_partition(partition: type[Partition]) -> None:
    transform = partition(normalize="target_per_partition")
    strength = dense(partition(normalize=None)(random_graph()), transform.num_partitions)
    matrix = dense(transform(random_graph()), transform.num_partitions)
    expected = (strength / strength.sum(dim=1, keepdim=True)).nan_to_num(0.0)
    torch.testing.assert_close(matrix, expected)


@normalizing
@pytest.mark.parametrize("alpha", [0.001, 0.5])
def test_symmetric_normalisation(partition: type[Partition], alpha: float) -> None:
    transform = partition(normalize="symmetric", alpha=alpha)
    strength = dense(partition(normalize=None)(random_graph()), transform.num_partitions)
    matrix = dense(transform(random_graph()), transform.num_partitions)
    for given, expected in zip(matrix, strength, strict=True):
        root = torch.diag((expected.sum(0) + alpha).rsqrt())
        torch.testing.assert_close(given, root @ expected @ root)


def test_symmetric_normalisation_without_alpha_has_no_nan() -> None:
    data = Data(edge_index=torch.tensor([[0], [1]]), num_nodes=3)
    out = DirectionPartition(normalize="symmetric", alpha=0.0)(data)
    assert out.edge_weight.tolist() == [0, 0, 1, 1, 1]


@normalizing
def test_strength_is_kept_without_normalisation(partition: type[Partition]) -> None:
    data = random_graph()
    out = tagged(data) and partition(normalize=None)(data)
    old = out.edge_number > 0
    assert torch.equal(out.edge_weight[old], data.edge_weight[out.edge_number[old] - 100])
    assert out.edge_weight[~old].unique().tolist() == [1.0]


def test_fill_value() -> None:
    data = Data(edge_index=torch.tensor([[0], [1]]), edge_attr=torch.ones(1, 2), num_nodes=2)
    data.edge_open = torch.tensor([True])
    out = UniformPartition(fill_value=-1.0)(data)
    assert out.edge_attr.tolist() == [[1, 1], [-1, -1], [-1, -1]]
    assert UniformPartition()(data).edge_open.tolist() == [True, False, False]


def test_earlier_labels_and_ids_are_replaced() -> None:
    data = random_graph()
    data.edge_type = torch.full((22,), 7)
    data.e_id = torch.arange(22) + 50
    out = DirectionPartition()(data)
    assert out.edge_type.max() == 2
    assert torch.equal(out.e_id, torch.arange(out.edge_index.size(1)))


@every_partition
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dtype_follows_the_strength(partition: type[Partition], dtype: torch.dtype) -> None:
    data = random_graph()
    data.edge_weight = data.edge_weight.to(dtype)
    assert partition()(data).edge_weight.dtype == dtype


@every_partition
def test_bad_graphs(partition: type[Partition]) -> None:
    data = random_graph()
    data.edge_weight[3] = -0.5
    with pytest.raises(ValueError, match=r"data\.edge_weight: .*got -0\.5 at edge 3 "):
        partition()(data)
    data.edge_weight = torch.ones(3)
    with pytest.raises(ValueError, match=r"data\.edge_weight: expected shape \[22\], got \[3\]"):
        partition()(data)
    data = random_graph()
    data.edge_attr = torch.ones(3)
    with pytest.raises(ValueError, match=r"data\.edge_attr: .*each of the 22 edges, got 3"):
        partition()(data)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"normalize: expected one of .*got 'source'"):
        UniformPartition(normalize="source")
    with pytest.raises(ValueError, match=r"alpha: expected a number >= 0, got -1"):
        UniformPartition(alpha=-1)


@every_partition
def test_pickle(partition: type[Partition]) -> None:
    transform = partition()
    again = pickle.loads(pickle.dumps(transform))
    assert repr(again) == repr(transform)
    assert torch.equal(again(random_graph()).edge_weight, transform(random_graph()).edge_weight)


def test_functional_names_have_the_prefix() -> None:
    names = [name for name in IterDataPipe.functions if name.startswith("tgst_")]
    transforms = [name for name in tgst.transforms.__all__ if name[0].isupper()]
    for transform in transforms:
        words = "".join(f"_{c.lower()}" if c.isupper() else c for c in transform)
        assert transform == "Partition" or f"tgst{words}" in names
