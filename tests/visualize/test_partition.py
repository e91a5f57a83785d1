from __future__ import annotations

import matplotlib
import numpy as np
import pytest
import torch
import torch_geometric.utils
from matplotlib.collections import EllipseCollection, LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_hex
from torch_geometric.data import Data

from tgst.transforms import DirectionPartition, SpatialPartition
from tgst.utils import Skeleton
from tgst.visualize import plot_partition
from tgst.visualize.partition import COLORS, OTHER, VECTOR_EDGES

GREY = to_hex(OTHER)
# Node 1 in the middle of a T: 0 left, 2 right, 3 below.
POSITION = torch.tensor([[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, -2.0]])


def labelled(pos=POSITION):
    edge_index = torch.tensor([[0, 1, 1, 1, 2, 3], [1, 2, 3, 0, 1, 1]])
    return SpatialPartition(0)(Data(edge_index=edge_index, pos=pos, num_nodes=4))


def arrows(figure):
    """Colour of every arrow, by where its tail and its tip are."""
    found = []
    for collection in figure.axes[0].collections:
        if isinstance(collection, PolyCollection):
            color = to_hex(collection.get_facecolor()[0])
            for path in collection.get_paths():
                corners = path.vertices[:7]
                found.append(((corners[0] + corners[6]) / 2, corners[3], color))
    return found


def by_nodes(figure, position):
    """Colour of every arrow, by the nodes that its ends are nearest to."""
    place = np.asarray(position)

    def nearest(point):
        return int(np.linalg.norm(place - point, axis=1).argmin())

    return {(nearest(tail), nearest(tip)): color for tail, tip, color in arrows(figure)}


def nodes_of(figure):
    (circles,) = (c for c in figure.axes[0].collections if isinstance(c, EllipseCollection))
    return circles


def node_colors(figure):
    return [to_hex(color) for color in nodes_of(figure).get_facecolor()]


def test_every_edge_is_an_arrow_in_the_colour_of_its_label():
    data = labelled()
    figure = plot_partition(data)
    pairs = zip(*data.edge_index.tolist(), data.edge_type.tolist(), strict=True)
    expected = {(j, i): to_hex(COLORS[label]) for j, i, label in pairs if i != j}
    assert by_nodes(figure, POSITION) == expected
    assert len(arrows(figure)) == 6
    assert node_colors(figure) == [to_hex(COLORS[0])] * 4
    np.testing.assert_allclose(nodes_of(figure).get_offsets(), POSITION)


def test_both_directions_lie_side_by_side():
    pair = [(tail, tip) for tail, tip, _ in arrows(plot_partition(labelled())) if tip[0] < 0.01]
    pair = [(tail, tip) for tail, tip in pair if tail[0] < 0.01 and abs(tail[1] - tip[1]) < 0.1]
    (tail, tip), (back_tail, back_tip) = sorted(pair, key=lambda ends: ends[0][0])
    assert tail[1] == tip[1] < 0 < back_tail[1] == back_tip[1]  # each keeps to its right
    assert -1 < tail[0] < tip[0] < 0
    assert -1 < back_tip[0] < back_tail[0] < 0


def test_around_a_root_only_what_it_receives():
    figure = plot_partition(labelled(), root=1)
    blue, far, near = (to_hex(color) for color in COLORS[:3])
    assert by_nodes(figure, POSITION) == {(0, 1): near, (2, 1): far, (3, 1): far}
    assert node_colors(figure) == [near, blue, far, far]
    assert [width > 1 for width in nodes_of(figure).get_linewidths()] == [0, 1, 0, 0]
    figure = plot_partition(labelled(), root=3)
    assert node_colors(figure) == [GREY, near, GREY, blue]
    (lines,) = (c for c in figure.axes[0].collections if isinstance(c, LineCollection))
    assert len(lines.get_segments()) == 6
    assert to_hex(lines.get_color()[0]) == GREY


def test_legend_and_centre():
    figure = plot_partition(labelled(), center=0, names=["itself", "from out", "from in"])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["itself", "from out", "from in"]
    shown = [to_hex(patch.get_facecolor()) for patch in legend.get_patches()]
    assert shown == [to_hex(color) for color in COLORS[:3]]
    (cross,) = (c for c in figure.axes[0].collections if isinstance(c, PathCollection))
    assert cross.get_offsets().tolist() == [[-1, 0]]
    figure.draw_without_rendering()
    right = max(circle[0] for circle in POSITION.tolist())
    assert legend.get_window_extent().x0 > figure.axes[0].transData.transform((right, 0))[0]
    default = plot_partition(labelled()).legends[0]
    assert [text.get_text() for text in default.get_texts()] == ["label 0", "label 1", "label 2"]


@pytest.mark.parametrize("name", Skeleton.names())
def test_every_skeleton_in_its_pose(name):
    skeleton = Skeleton.named(name)
    data = SpatialPartition(skeleton.center or 0)(skeleton.data())
    data.pos = torch.randn(skeleton.num_joints, 3)  # the pose goes before
    figure = plot_partition(data, skeleton=name, center=skeleton.center)
    np.testing.assert_allclose(nodes_of(figure).get_offsets(), skeleton.pose)
    pairs = zip(*data.edge_index.tolist(), data.edge_type.tolist(), strict=True)
    expected = {(j, i): to_hex(COLORS[label]) for j, i, label in pairs if i != j}
    assert by_nodes(figure, skeleton.pose) == expected
    figure.draw_without_rendering()


def test_a_road_graph_has_labels_of_its_own_and_a_layout():
    edge_index = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
    data = DirectionPartition()(Data(edge_index=edge_index, num_nodes=5))
    figure = plot_partition(data)
    place = np.asarray(nodes_of(figure).get_offsets())
    assert len(np.unique(place.round(6), axis=0)) == 5
    pairs = zip(*data.edge_index.tolist(), data.edge_type.tolist(), strict=True)
    expected = {(j, i): to_hex(COLORS[label]) for j, i, label in pairs if i != j}
    assert by_nodes(figure, place) == expected
    given = plot_partition(data, pos=np.arange(15).reshape(5, 3) ** 2)
    assert nodes_of(given).get_offsets()[1].tolist() == [9, 16]


def test_colours_start_again_after_the_last():
    data = labelled()
    data.edge_type[0] = len(COLORS) + 1
    figure = plot_partition(data)
    assert by_nodes(figure, POSITION)[0, 1] == to_hex(COLORS[1])
    assert len(figure.legends[0].get_patches()) == len(COLORS) + 2


def ring(size):
    nodes = torch.arange(size)
    angle = 2 * torch.pi * nodes / size
    edge_index = torch.stack([nodes, (nodes + 1) % size])
    edge_index = torch.cat([edge_index, edge_index.flip(0)], dim=1)
    pos = torch.stack([angle.cos(), angle.sin()], dim=1)
    return SpatialPartition(0)(Data(edge_index=edge_index, pos=pos, num_nodes=size))


@pytest.mark.parametrize("root", [None, 5])
def test_many_edges_are_pixels_in_a_vector_file(root):
    for size, pixels in ((100, False), (VECTOR_EDGES, True)):
        drawn = plot_partition(ring(size), root).axes[0].collections
        assert len(drawn) > 1
        assert all(bool(collection.get_rasterized()) == pixels for collection in drawn)


def test_the_surroundings_of_a_node_of_a_large_graph():
    data = ring(3000)
    nodes, _, _, _ = torch_geometric.utils.k_hop_subgraph(40, 3, data.edge_index)
    figure = plot_partition(data.subgraph(nodes))
    assert nodes.tolist() == list(range(37, 44))
    np.testing.assert_allclose(nodes_of(figure).get_offsets(), data.pos[nodes])
    out, back = to_hex(COLORS[2]), to_hex(COLORS[1])  # the centre, node 0, is beyond node 37
    expected = {(i, i + 1): out for i in range(6)} | {(i + 1, i): back for i in range(6)}
    assert by_nodes(figure, data.pos[nodes]) == expected


@pytest.mark.parametrize("center", [0, np.int64(0), (0,), torch.tensor(0), torch.tensor([0])])
def test_the_centre_may_be_any_number(center):
    (cross,) = (
        c
        for c in plot_partition(labelled(), center=center).axes[0].collections
        if isinstance(c, PathCollection)
    )
    assert cross.get_offsets().tolist() == [[-1, 0]]


@pytest.mark.parametrize("num_nodes", [0, 1])
def test_graphs_without_edges(num_nodes):
    data = Data(edge_index=torch.zeros(2, 0, dtype=torch.long), num_nodes=num_nodes)
    figure = plot_partition(SpatialPartition(distance=[0.0] * num_nodes)(data))
    figure.draw_without_rendering()
    assert len(nodes_of(figure).get_offsets()) == num_nodes


def test_no_global_state_of_matplotlib():
    from matplotlib import pyplot

    before, figures = dict(matplotlib.rcParams), pyplot.get_fignums()
    plot_partition(labelled())
    assert dict(matplotlib.rcParams) == before
    assert pyplot.get_fignums() == figures


def test_bad_input():
    data = labelled()
    with pytest.raises(ValueError, match=r"root: expected nodes in 0\.\.3, got 4"):
        plot_partition(data, root=4)
    with pytest.raises(ValueError, match=r"center: expected nodes in 0\.\.3, got -1"):
        plot_partition(data, center=[0, -1])
    with pytest.raises(ValueError, match=r"center: expected nodes in 0\.\.3, got 'gravity'"):
        plot_partition(data, center="gravity")
    with pytest.raises(ValueError, match=r"names: expected one for each of 3 labels, got 2"):
        plot_partition(data, names=["a", "b"])
    with pytest.raises(ValueError, match=r"pos: expected shape \[4, \*\], got \[3, 2\]"):
        plot_partition(data, pos=POSITION[:3])
    with pytest.raises(ValueError, match=r"data: expected the 18 joints of skeleton 'openpose-18'"):
        plot_partition(data, skeleton="openpose-18")
    data.edge_type = None
    with pytest.raises(ValueError, match=r"data\.edge_type: expected the labels of a partition"):
        plot_partition(data)
