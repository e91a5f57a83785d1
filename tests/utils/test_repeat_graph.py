from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from tgst.nn import EdgeImportance, PartitionConv
from tgst.transforms import DistancePartition
from tgst.utils import repeat_graph


def graph():
    return Data(
        x=torch.randn(3, 4, 2),
        mask=torch.rand(3, 4) > 0.5,
        names=["a", "b", "c"],
        height=np.arange(3),
        edge_index=torch.tensor([[0, 1], [1, 2]]),
        edge_type=torch.tensor([1, 2]),
        edge_weight=torch.tensor([0.25, 0.75]),
        e_id=torch.tensor([5, 6]),
        tail_index=torch.tensor([2, 1, 0]),
        y=torch.tensor([7]),
        name="clip",
    )


def test_values():
    one = graph()
    two = repeat_graph(one, 2)
    assert two.num_nodes == 6
    assert two.edge_index.tolist() == [[0, 1, 3, 4], [1, 2, 4, 5]]
    assert two.edge_type.tolist() == [1, 2, 1, 2]
    assert two.edge_weight.tolist() == [0.25, 0.75, 0.25, 0.75]
    assert two.e_id.tolist() == [5, 6, 5, 6]  # shared, not shifted
    assert two.person.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.equal(two.x, torch.cat([one.x, one.x]))
    assert torch.equal(two.mask, torch.cat([one.mask, one.mask]))
    assert two.names == ["a", "b", "c", "a", "b", "c"]
    assert two.height.tolist() == [0, 1, 2, 0, 1, 2]
    assert two.tail_index.tolist() == [2, 1, 0, 5, 4, 3]
    assert two.y.tolist() == [7]
    assert two.name == "clip"


def test_input_is_not_changed():
    data = graph()
    before = {key: data[key] for key in data.keys()}  # noqa: SIM118
    repeat_graph(data, 3)
    assert set(data.keys()) == set(before)
    assert all(data[key] is value for key, value in before.items())
    assert data.edge_index.tolist() == [[0, 1], [1, 2]]


def test_ids_are_written_where_there_are_none():
    data = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=4)
    out = repeat_graph(data, 2)
    assert out.e_id.tolist() == [0, 1, 0, 1]
    assert out.edge_index.tolist() == [[0, 1, 4, 5], [1, 0, 5, 4]]
    assert out.num_nodes == 8  # isolated nodes count


@pytest.mark.parametrize("count", [0, 1])
def test_none_or_one_copy(count):
    out = repeat_graph(graph(), count)
    assert out.num_nodes == 3 * count
    assert out.x.shape == (3 * count, 4, 2)
    assert out.edge_index.shape == (2, 2 * count)
    assert out.edge_index.dtype == torch.long
    assert out.person.tolist() == [0] * (3 * count)
    assert out.names == ["a", "b", "c"] * count


def test_persons_share_importance_in_a_batch():
    partition = DistancePartition()
    edge_index = torch.tensor([[0, 1, 2], [1, 2, 0]])
    labelled = partition(Data(edge_index=edge_index, num_nodes=3))
    conv = PartitionConv(2, 4, partition.num_partitions).double()
    importance = EdgeImportance(labelled.num_edges).double()
    torch.nn.init.normal_(importance.weight)
    x = torch.randn(3, 3, 5, 2, dtype=torch.float64)  # clip and person, joints, time, channels

    def run(data, x):
        weight = importance(data.edge_weight.double(), data.e_id)
        return conv(x, data.edge_index, data.edge_type, weight)

    batch = Batch.from_data_list([repeat_graph(labelled, 2), repeat_graph(labelled, 1)])
    together = run(batch, x.flatten(0, 1))
    apart = torch.cat([run(labelled, person) for person in x])
    torch.testing.assert_close(together, apart, rtol=1e-12, atol=1e-12)
    assert batch.person.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0]


def test_bad_input():
    with pytest.raises(TypeError, match=r"data: expected one .*Data, got Batch|DataBatch"):
        repeat_graph(Batch.from_data_list([graph()]), 2)
    with pytest.raises(TypeError, match=r"count: expected an int, got 1\.5"):
        repeat_graph(graph(), 1.5)
    with pytest.raises(ValueError, match=r"count: expected a number >= 0, got -1"):
        repeat_graph(graph(), -1)
    with pytest.raises(ValueError, match=r"data\.person: expected a graph of one person"):
        repeat_graph(repeat_graph(graph(), 2), 2)
    with pytest.raises(ValueError, match=r"data\.edge_index: expected a tensor \[2, E\], got None"):
        repeat_graph(Data(x=torch.zeros(2, 1)), 2)
