from __future__ import annotations

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.collections import LineCollection, PathCollection
from torch_geometric.data import Data

from tgst.visualize import plot_network
from tgst.visualize.layout import SMALL_COMPONENT

POSITION = torch.tensor([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0], [1.0, 3.0]])
ERROR = torch.tensor([3.0, 1.0, 4.0, 1.5, 9.0])
# both directions of 0-1, 1-2 once, a self loop, 2-3; node 4 alone
EDGES = torch.tensor([[0, 1, 1, 3, 2], [1, 0, 2, 3, 3]])


def network(pos=POSITION):
    return Data(edge_index=EDGES, pos=pos, num_nodes=5)


def parts(figure):
    axes = figure.axes[0]
    (edges,) = (c for c in axes.collections if isinstance(c, LineCollection))
    nodes = [c for c in axes.collections if isinstance(c, PathCollection)]
    return axes, edges, nodes


def test_nodes_carry_their_error_at_their_position():
    figure = plot_network(network(), ERROR)
    axes, _, (nodes,) = parts(figure)
    by_position = {
        tuple(place): error
        for place, error in zip(nodes.get_offsets().tolist(), nodes.get_array(), strict=True)
    }
    expected = {tuple(p): e for p, e in zip(POSITION.tolist(), ERROR.tolist(), strict=True)}
    assert by_position == expected
    assert nodes.get_array()[-1] == 9  # the worst node on top
    assert nodes.get_clim() == (1, 9)
    assert axes.get_aspect() == 1


def test_nodes_at_one_place_lie_side_by_side():
    place = POSITION.clone()
    place[3] = place[1]
    figure = plot_network(network(place), ERROR)
    _, _, (nodes,) = parts(figure)
    drawn = dict(zip(nodes.get_array().tolist(), nodes.get_offsets().tolist(), strict=True))
    for node in (0, 2, 4):
        assert drawn[ERROR[node].item()] == place[node].tolist()
    pair = np.array([drawn[ERROR[1].item()], drawn[ERROR[3].item()]])
    np.testing.assert_allclose(pair.mean(axis=0), place[1], atol=1e-12)
    figure.draw_without_rendering()
    apart = np.linalg.norm(np.diff(figure.axes[0].transData.transform(pair), axis=0))
    diameter = np.sqrt(nodes.get_sizes()[0]) * figure.dpi / 72
    assert 0.7 * diameter < apart < 1.5 * diameter


def test_edges_join_their_nodes_once():
    _, edges, _ = parts(plot_network(network(), ERROR))
    segments = {tuple(map(tuple, segment.tolist())) for segment in edges.get_segments()}
    expected = {tuple(map(tuple, POSITION[[i, j]].tolist())) for i, j in ((0, 1), (1, 2), (2, 3))}
    assert len(edges.get_segments()) == 3
    assert segments == expected


def test_units_and_limits():
    figure = plot_network(
        network(), ERROR, label="RMSE", unit="km/h", position_unit="m", limits=(2, 5)
    )
    axes, _, (nodes,) = parts(figure)
    assert figure.axes[1].get_ylabel() == "RMSE [km/h]"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x [m]", "y [m]")
    assert nodes.get_clim() == (2, 5)
    assert nodes.colorbar.extend == "both"  # errors lie beyond either end
    low, high = plot_network(network(), ERROR, limits=(0, 5)), plot_network(network(), ERROR)
    assert parts(low)[2][0].colorbar.extend == "max"
    assert parts(high)[2][0].colorbar.extend == "neither"


def test_default_colormap_is_perceptually_uniform():
    _, _, (nodes,) = parts(plot_network(network(), ERROR))
    red, green, blue = nodes.cmap(np.linspace(0, 1, 64))[:, :3].T
    lightness = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    assert (np.diff(lightness) < 0).all()  # larger errors are darker throughout


def test_node_without_error_is_hollow():
    error = ERROR.clone()
    error[[1, 4]] = float("nan")
    figure = plot_network(network(), error)
    axes, _, (known, hollow) = parts(figure)
    np.testing.assert_array_equal(known.get_array(), [1.5, 3, 4])
    np.testing.assert_array_equal(hollow.get_offsets(), POSITION[[1, 4]])
    assert hollow.get_array() is None
    assert hollow.get_facecolor().tolist() == [[1, 1, 1, 1]]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["nothing observed"]
    figure.draw_without_rendering()
    assert axes.get_legend().get_window_extent().y0 >= axes.get_window_extent().y1
    everything = plot_network(network(), ERROR * float("nan"))
    assert len(parts(everything)[2][1].get_offsets()) == 5


def test_layout_without_positions():
    figure = plot_network(network(pos=None), ERROR)
    axes, edges, (nodes,) = parts(figure)
    assert not axes.axison
    place = dict(zip(nodes.get_array().tolist(), nodes.get_offsets().tolist(), strict=True))
    expected = [
        [place[ERROR[i].item()], place[ERROR[j].item()]] for i, j in ((0, 1), (1, 2), (2, 3))
    ]
    np.testing.assert_allclose(edges.get_segments(), expected)
    distance = np.linalg.norm(np.diff(nodes.get_offsets(), axis=0), axis=1)
    assert (distance > 0.1).all()
    again = parts(plot_network(network(pos=None), ERROR))[2][0]
    np.testing.assert_array_equal(nodes.get_offsets(), again.get_offsets())


def test_unconnected_parts_lie_side_by_side():
    """A square of 10 x 10, one of 5 x 5 and three nodes alone fill the picture."""
    blocks = []
    for first, side in ((0, 10), (100, 5)):
        node = first + torch.arange(side * side).view(side, side)
        blocks.append(torch.stack([node[:, :-1].reshape(-1), node[:, 1:].reshape(-1)]))
        blocks.append(torch.stack([node[:-1].reshape(-1), node[1:].reshape(-1)]))
    data = Data(edge_index=torch.cat(blocks, dim=1), num_nodes=128)
    _, _, (nodes,) = parts(plot_network(data, torch.arange(128.0)))
    place = np.asarray(nodes.get_offsets())  # sorted by error, so by node
    large, small = place[:100], place[100:125]
    assert np.ptp(large, axis=0).max() > 0.5 * np.ptp(place, axis=0).max()
    assert np.ptp(large, axis=0).max() == pytest.approx(2 * np.ptp(small, axis=0).max())
    below = small[:, 1].max() < large[:, 1].min()
    assert below or small[:, 0].min() > large[:, 0].max()
    distance = np.linalg.norm(place[:, None] - place[None], axis=-1) + 99 * np.eye(128)
    assert distance.min() > 0.2


def test_large_part_follows_the_seed():
    nodes = SMALL_COMPONENT + 1
    ring = torch.arange(nodes)
    data = Data(edge_index=torch.stack([ring, (ring + 1) % nodes]), num_nodes=nodes)
    error = torch.rand(nodes, generator=torch.Generator().manual_seed(0))

    def offsets(seed):
        return parts(plot_network(data, error, seed=seed))[2][0].get_offsets()

    first = offsets(1)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, offsets(1))
    assert np.abs(first - offsets(2)).max() > 0.1


def test_network_without_edges():
    data = Data(edge_index=torch.empty(2, 0, dtype=torch.long), pos=POSITION, num_nodes=5)
    _, edges, (nodes,) = parts(plot_network(data, ERROR))
    assert len(edges.get_segments()) == 0
    assert len(nodes.get_offsets()) == 5


def test_global_state_is_left_alone(tmp_path):
    before = dict(matplotlib.rcParams)
    plot_network(network(), ERROR).savefig(tmp_path / "network.png")
    assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "network.png").read_bytes().startswith(b"\x89PNG")


def test_bad_arguments():
    with pytest.raises(ValueError, match=r"error: expected shape \[5\], got \[4\]"):
        plot_network(network(), ERROR[:4])
    with pytest.raises(ValueError, match=r"error: expected shape \[5\], got \[5, 1\]"):
        plot_network(network(), ERROR.unsqueeze(1))
    with pytest.raises(ValueError, match=r"data.pos: expected shape \[5, \*\], got \[3, 2\]"):
        plot_network(Data(edge_index=EDGES, pos=POSITION[:3], num_nodes=5), ERROR)
