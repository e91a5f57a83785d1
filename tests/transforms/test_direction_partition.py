from __future__ import annotations

import torch
from torch_geometric.data import Data

from tgst.transforms import DirectionPartition


def test_values() -> None:
    # Three roads into a junction and out of it: 0 -> 2, 1 -> 2, 2 -> 3; node 1 has a self loop.
    data = Data(edge_index=torch.tensor([[0, 1, 1, 2], [2, 1, 2, 3]]), num_nodes=5)
    data.edge_weight = torch.tensor([1.0, 2.0, 0.5, 2.0])
    data.edge_length = torch.tensor([10.0, 0.0, 20.0, 30.0])
    out = DirectionPartition()(data)
    assert out.edge_index.tolist() == [
        [0, 1, 1, 2, 2, 2, 3, 0, 2, 3, 4],
        [2, 1, 2, 3, 0, 1, 2, 0, 2, 3, 4],
    ]
    assert out.edge_type.tolist() == [1, 0, 1, 1, 2, 2, 2, 0, 0, 0, 0]
    # In-strengths with self loops: 0: 2, 1: 2.5, 2: 1 + .5 + 2 + 1 = 4.5, 3: 3, 4: 1.
    expected = [1 / 4.5, 2 / 2.5, 0.5 / 4.5, 2 / 3, 1 / 2, 0.5 / 2.5, 2 / 4.5]
    expected += [1 / 2, 1 / 4.5, 1 / 3, 1.0]
    torch.testing.assert_close(out.edge_weight, torch.tensor(expected))
    assert out.edge_length.tolist() == [10, 0, 20, 30, 10, 20, 30, 0, 0, 0, 0]


def test_two_way_road_has_both_labels_both_ways() -> None:
    data = Data(edge_index=torch.tensor([[0, 1], [1, 0]]), num_nodes=2)
    out = DirectionPartition(add_self_loops=False)(data)
    edges = sorted(zip(*out.edge_index.tolist(), out.edge_type.tolist(), strict=True))
    assert edges == [(0, 1, 1), (0, 1, 2), (1, 0, 1), (1, 0, 2)]
    assert out.edge_weight.tolist() == [0.5] * 4
