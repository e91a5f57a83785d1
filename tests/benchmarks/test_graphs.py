from __future__ import annotations

import pytest
import torch

from benchmarks.graphs import random_graph, road_graph, shuffled


@pytest.mark.parametrize(("nodes", "degree"), [(5, 3), (25, 24), (25, 40), (3000, 4)])
def test_random_graphs_have_different_pairs(nodes, degree):
    edge_index = random_graph(nodes, degree, seed=0)
    wanted = min(nodes * degree, nodes * nodes)
    assert edge_index.shape == (2, wanted)
    assert (edge_index[0] * nodes + edge_index[1]).unique().numel() == wanted
    assert 0 <= int(edge_index.min()) <= int(edge_index.max()) < nodes
    assert torch.equal(edge_index, random_graph(nodes, degree, seed=0))
    # In no order, so that nothing has been sorted for anyone.
    assert not bool((edge_index[1].diff() >= 0).all())


def test_roads_join_neighbouring_crossings():
    nodes = 2000
    data = road_graph(nodes, seed=0)
    source, target = data.edge_index
    assert 2.5 < data.num_edges / nodes < 3.2
    length = (data.pos[source] - data.pos[target]).norm(dim=1)
    assert length.max() < 5 / 3 * 2**0.5
    there = {tuple(edge) for edge in data.edge_index.t().tolist()}
    assert len(there) == data.num_edges
    assert {(b, a) for a, b in there} == there
    # Numbered row by row: a step is a column or a row of crossings.
    assert set((source - target).abs().tolist()) == {1, 44}


def test_shuffled_roads_are_the_same_roads():
    data = road_graph(400, seed=0)
    mixed = shuffled(data, seed=1)

    def roads(graph):
        places = graph.pos[graph.edge_index].transpose(0, 1).flatten(1)
        return sorted(map(tuple, places.tolist()))

    assert roads(mixed) == roads(data)
    assert not torch.equal(mixed.edge_index, data.edge_index)
