from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch_geometric.data import Data

from tests.transforms.graphs import dense, random_graph
from tgst.transforms import DiffusionPartition


def _walks(data: Data) -> tuple[Tensor, Tensor]:
    """The paper's two matrices, from the adjacency W[from, to] without self loops."""
    weight = dense(data)[0].fill_diagonal_(0)
    forward = (weight / weight.sum(1, keepdim=True)).nan_to_num(0.0)
    backward = (weight.T / weight.T.sum(1, keepdim=True)).nan_to_num(0.0)
    return forward, backward


@pytest.mark.parametrize("max_steps", [1, 2, 3])
@pytest.mark.parametrize("walk", ["paper", "authors"])
def test_powers_of_both_walks(walk: str, max_steps: int) -> None:
    data = random_graph()
    partition = DiffusionPartition(max_steps, walk=walk)
    # Rows of the operator are targets; dense() has sources in rows.
    operators = dense(partition(data), partition.num_partitions).mT
    d_out_w, d_in_wt = _walks(data)
    upstream, downstream = (d_in_wt, d_out_w) if walk == "paper" else (d_out_w.T, d_in_wt.T)
    torch.testing.assert_close(operators[0], torch.eye(9, dtype=torch.float64))
    for step in range(1, max_steps + 1):
        expected = torch.linalg.matrix_power(upstream, step)
        torch.testing.assert_close(operators[step], expected)
        expected = torch.linalg.matrix_power(downstream, step)
        torch.testing.assert_close(operators[max_steps + step], expected)


def test_paper_averages_and_authors_conserve() -> None:
    # 0 and 1 lead to 2, 2 leads to 3, twice as strong from 1.
    data = Data(edge_index=torch.tensor([[0, 1, 2], [2, 2, 3]]), num_nodes=4)
    data.edge_weight = torch.tensor([1.0, 2.0, 1.0])
    out = DiffusionPartition(add_self_loops=False)(data)
    assert out.edge_index.tolist() == [[0, 1, 2, 2, 2, 3], [2, 2, 3, 0, 1, 2]]
    assert out.edge_type.tolist() == [1, 1, 1, 2, 2, 2]
    torch.testing.assert_close(out.edge_weight, torch.tensor([1 / 3, 2 / 3, 1, 1, 1, 1]))
    out = DiffusionPartition(walk="authors", add_self_loops=False)(data)
    torch.testing.assert_close(out.edge_weight, torch.tensor([1, 1, 1, 1 / 3, 2 / 3, 1]))


def test_parallel_edges_stay_parallel_and_share() -> None:
    data = Data(edge_index=torch.tensor([[0, 0], [1, 1]]), num_nodes=2)
    data.edge_weight = torch.tensor([1.0, 3.0])
    out = DiffusionPartition(add_self_loops=False)(data)
    assert out.edge_weight.tolist() == [0.25, 0.75, 0.25, 0.75]


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match=r"max_steps: expected a number >= 1, got 0"):
        DiffusionPartition(max_steps=0)
    with pytest.raises(TypeError, match=r"max_steps: expected an int, got tensor\(2\) \(Tensor\)"):
        DiffusionPartition(torch.tensor(2))
    with pytest.raises(TypeError, match=r"max_steps: expected an int, got 2\.0 \(float\)"):
        DiffusionPartition(2.0)
    with pytest.raises(ValueError, match=r'walk: expected "paper" or "authors", got "?\'?lazy'):
        DiffusionPartition(walk="lazy")
    assert DiffusionPartition(max_steps=3).num_partitions == 7
