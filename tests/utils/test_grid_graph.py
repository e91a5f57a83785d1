from __future__ import annotations

import pytest
import torch
import torch_geometric.utils
from torch_geometric.data import Batch

from tgst.utils import grid_graph


def brute_force(height, width, connectivity, radius=1, wrap=(False, False), holes=()):
    """Every pair of kept cells whose shortest offset is within reach, by target, then offset."""
    kept = [c for c in range(height * width) if c not in holes]
    edges = []
    for target, cell in enumerate(kept):
        for dr in range(-radius, radius + 1):
            for dc in range(-radius, radius + 1):
                distance = abs(dr) + abs(dc) if connectivity == 4 else max(abs(dr), abs(dc))
                row, column = cell // width + dr, cell % width + dc
                row, column = (
                    row % height if wrap[0] else row,
                    column % width if wrap[1] else column,
                )
                inside = 0 <= row < height and 0 <= column < width
                if 0 < distance <= radius and inside and row * width + column in kept:
                    edges.append((kept.index(row * width + column), target))
    return edges


def edges_of(data):
    return list(zip(*data.edge_index.tolist(), strict=True))


def test_values_of_a_small_grid():
    data = grid_graph(2, 3)
    data.validate()
    # 0 1 2
    # 3 4 5
    assert edges_of(data) == [
        *((1, 0), (3, 0)),
        *((0, 1), (2, 1), (4, 1)),
        *((1, 2), (5, 2)),
        *((0, 3), (4, 3)),
        *((1, 4), (3, 4), (5, 4)),
        *((2, 5), (4, 5)),
    ]
    assert data.e_id.tolist() == list(range(14))
    assert data.cell.tolist() == list(range(6))
    assert data.node_id == ["0,0", "0,1", "0,2", "1,0", "1,1", "1,2"]
    assert data.pos.tolist() == [[0, 1], [1, 1], [2, 1], [0, 0], [1, 0], [2, 0]]  # y upwards
    assert (data.num_nodes, data.height, data.width) == (6, 2, 3)


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize("wrap", [False, True, "height", "width"])
@pytest.mark.parametrize("radius", [1, 2])
def test_against_a_loop_over_cells(connectivity, wrap, radius):
    holes = (0, 7, 13, 14)
    mask = torch.ones(5, 6, dtype=torch.bool)
    mask.view(-1)[list(holes)] = False
    data = grid_graph(5, 6, connectivity, radius=radius, wrap=wrap, mask=mask)
    around = (wrap in (True, "height"), wrap in (True, "width"))
    assert edges_of(data) == brute_force(5, 6, connectivity, radius, around, holes)
    assert len(set(edges_of(data))) == data.num_edges
    assert data.is_undirected()
    assert not data.has_self_loops()


def test_torus_is_regular():
    data = grid_graph(3, 4, 8, wrap=True)
    assert torch_geometric.utils.degree(data.edge_index[1], 12).tolist() == [8] * 12


def test_same_edges_and_places_as_pyg():
    ours = grid_graph(4, 5, 8)
    edge_index, pos = torch_geometric.utils.grid(4, 5)  # with self loops
    edge_index, _ = torch_geometric.utils.remove_self_loops(edge_index)
    assert set(edges_of(ours)) == set(zip(*edge_index.tolist(), strict=True))
    assert torch.equal(ours.pos, pos)


def test_holes_are_left_out_and_nodes_numbered_on():
    mask = torch.tensor([[True, False, True], [True, True, False]])
    data = grid_graph(2, 3, mask=mask)
    assert data.cell.tolist() == [0, 2, 3, 4]
    assert data.node_id == ["0,0", "0,2", "1,0", "1,1"]
    assert edges_of(data) == [(2, 0), (0, 2), (3, 2), (2, 3)]
    assert data.pos.tolist() == [[0, 1], [2, 1], [0, 0], [1, 0]]


def test_a_grid_of_one_row_and_of_one_cell():
    assert edges_of(grid_graph(1, 3, 8)) == [(1, 0), (0, 1), (2, 1), (1, 2)]
    single = grid_graph(1, 1)
    assert single.edge_index.shape == (2, 0)
    assert single.num_nodes == 1


def test_in_a_batch():
    batch = Batch.from_data_list([grid_graph(2, 2), grid_graph(2, 2)])
    assert batch.cell.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    assert batch.edge_index.max() == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"height": 0}, "height: expected at least 1, got 0"),
        ({"width": -1}, "width: expected at least 1, got -1"),
        ({"radius": 0}, "radius: expected at least 1, got 0"),
        ({"connectivity": 6}, "connectivity: expected 4 or 8, got 6"),
        ({"wrap": "rows"}, "wrap: expected True, False, 'height' or 'width', got 'rows'"),
        ({"wrap": True, "height": 2}, "height: expected at least 3 cells where borders wrap"),
        ({"wrap": "width", "radius": 2}, r"width: expected at least 5 cells .*, got 4"),
        ({"mask": torch.ones(4, 3) > 0}, r"mask: expected torch.bool \[H, W\] = \[3, 4\], got"),
        ({"mask": torch.ones(3, 4)}, r"\[3, 4\], got torch.float32 \[3, 4\]"),
        ({"mask": [[True]]}, r"\[3, 4\], got <class 'list'>"),
        ({"mask": torch.zeros(3, 4) > 0}, "mask: expected at least one cell that is True"),
    ],
)
def test_what_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        grid_graph(**{"height": 3, "width": 4, **arguments})


def test_sizes_are_integers():
    with pytest.raises(TypeError, match="height: expected an int, got float"):
        grid_graph(3.0, 4)
