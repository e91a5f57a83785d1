from __future__ import annotations

import re

import pytest
import torch

from tgst.ops import explain_choice
from tgst.ops.choose import choose_backend

from .graphs import GRAPHS, operands, random_graph

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("rows_out", "rows_in", "edges", "backend"),
    [
        (25, 25, 75, "embedding_bag"),
        (10, 10, 39, "embedding_bag"),
        (10, 10, 40, "dense"),
        (30, 10, 40, "embedding_bag"),
        (30, 10, 120, "dense"),
        (200_000, 200_000, 600_000, "embedding_bag"),
    ],
)
def test_share_of_edges_decides_on_cpu(rows_out, rows_in, edges, backend):
    assert choose_backend(rows_out, rows_in, edges, CPU) == backend


def test_other_devices():
    assert choose_backend(10, 10, 100, torch.device("cuda")) == "embedding_bag"
    assert choose_backend(10, 10, 100, torch.device("mps")) == "reference"


def test_compiled_code_does_not_look_at_sizes():
    @torch.compile(fullgraph=True, backend="eager")
    def chosen(x):
        return x + (1 if choose_backend(10, 10, 100, CPU) == "embedding_bag" else 2)

    assert chosen(torch.zeros(1)).item() == 1


@pytest.mark.parametrize(
    ("graph", "fold", "expected"),
    [
        (random_graph(4, 8), None, "dense: 8 edges among 4 x 4 pairs of rows are 50.00%"),
        (random_graph(4, 8), "target", "embedding_bag: 8 edges among 12 x 4 .* 16.67%"),
        (random_graph(4, 8), "source", "embedding_bag: 8 edges among 4 x 12 .* 16.67%"),
        (GRAPHS["no_nodes"], None, "dense: 0 edges"),
    ],
)
def test_explanation(graph, fold, expected):
    x, _, _ = operands(graph, fold)
    assert re.match(expected, explain_choice(graph.adjacency(), x, fold=fold))


def test_explanation_on_another_device():
    adjacency = random_graph(4, 8).adjacency()
    assert explain_choice(adjacency, torch.zeros(4, 1, device="meta")).startswith("reference: ")
