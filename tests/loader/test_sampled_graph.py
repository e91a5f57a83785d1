"""The graph of a batch, as :class:`tgst.loader.NeighborWindowLoader` gives it."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch_geometric import EdgeIndex
from torch_geometric.data import Data
from torch_geometric.transforms import ToUndirected

from tests.loader.test_neighbor_window_loader import (
    NODES,
    STEPS,
    loader,
    roads,
    same,
    series_of,
)
from tgst.data import Series
from tgst.loader import WindowLoader
from tgst.transforms import DirectionPartition


def test_weights_are_rescaled_or_left_alone():
    data = DirectionPartition(normalize=None)(roads())
    exact = torch.zeros(NODES, dtype=torch.float64)
    exact.index_add_(0, data.edge_index[1], data.edge_weight)
    for batch in loader(data, rescale=False):
        assert torch.equal(batch.edge_weight, data.edge_weight[batch.e_id])
    for batch in loader(data, num_neighbors=[-1, -1]):
        assert torch.equal(batch.edge_weight, data.edge_weight[batch.e_id])
    for batch in loader(data, method="weighted", num_neighbors=[2]):
        target = batch.edge_index[1]
        total = torch.zeros(batch.num_nodes, dtype=torch.float64)
        total.index_add_(0, target, batch.edge_weight)
        seeds = batch.n_id[: batch.batch_size]
        torch.testing.assert_close(total[: len(seeds)], exact[seeds])
    batch = next(iter(loader(data)))
    factor = batch.edge_weight / data.edge_weight[batch.e_id]
    degree = torch.bincount(data.edge_index[1], minlength=NODES) - 1  # but for the self loop
    target = batch.n_id[batch.edge_index[1]]
    expected = (degree[target] / 2).clamp(min=1).masked_fill(batch.edge_type == 0, 1)
    torch.testing.assert_close(factor, expected.double())


def test_graph_without_weights():
    data = roads()
    del data.edge_weight
    batch = next(iter(loader(data)))
    assert batch.edge_weight.dtype == torch.float64
    assert batch.edge_weight.max() > 1
    assert torch.equal(batch.e_id, batch.e_id.unique()[batch.e_id.argsort().argsort()])
    assert torch.equal(batch.n_id[batch.edge_index], data.edge_index[:, batch.e_id])
    for options in ({"rescale": False}, {"num_neighbors": [-1]}):
        assert "edge_weight" not in next(iter(loader(data, **options)))


def test_rescaling_of_other_weights():
    """Counts are integers, and weights may have several columns."""
    data = DirectionPartition(normalize=None)(roads())
    factor = [batch.edge_weight / data.edge_weight[batch.e_id] for batch in loader(data)]
    assert any((part % 1 > 0).any() for part in factor)
    weights = [
        torch.randint(1, 9, (data.num_edges,), generator=torch.Generator().manual_seed(0)),
        torch.rand(data.num_edges, 2, dtype=torch.float64),
    ]
    for weight in weights:
        data.edge_weight = weight
        for batch, scale in zip(loader(data), factor, strict=True):
            columns = scale.unsqueeze(1) if weight.dim() == 2 else scale
            torch.testing.assert_close(batch.edge_weight, weight[batch.e_id] * columns)


def test_attributes_of_nodes_edges_and_graph():
    data = DirectionPartition()(roads())
    nodes, edges = range(NODES), range(data.num_edges)
    data.node_id = [str(node) for node in nodes]
    data.zone = np.arange(NODES) % 7
    data.edge_name = tuple(f"road {edge}" for edge in edges)
    data.edge_lanes = np.arange(data.num_edges)
    data.lambda_max, data.crs, data.scale = torch.tensor(2.0), "EPSG:32632", torch.tensor([1.0, 2])
    data.edge_label_index, data.edge_label = torch.zeros(2, 5, dtype=torch.long), torch.ones(5)
    data.neg_edge_index = torch.zeros(2, data.num_edges, dtype=torch.long)
    for batch in loader(data):
        assert batch.node_id == [str(node) for node in batch.n_id.tolist()]
        assert (batch.zone == batch.n_id.numpy() % 7).all()
        assert batch.edge_name == tuple(f"road {edge}" for edge in batch.e_id.tolist())
        assert (batch.edge_lanes == batch.e_id.numpy()).all()
        assert (float(batch.lambda_max), batch.crs) == (2.0, "EPSG:32632")
        assert batch.scale.tolist() == [1.0, 2.0]
        assert not {"edge_label", "edge_label_index", "neg_edge_index"} & set(batch.keys())
    data.edge_name = ["road 0"]
    with pytest.raises(ValueError, match=r"data.edge_name: expected one entry .* edges, got 1$"):
        loader(data)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_graph_on_the_gpu_gives_the_same_batches():
    data = DirectionPartition()(roads())
    for one, other in zip(loader(data), loader(copy.copy(data).cuda()), strict=True):
        assert same(one, other)


def test_nodes_of_the_series_in_another_order():
    names = [f"junction {number}" for number in range(NODES)]
    order = torch.randperm(NODES, generator=torch.Generator().manual_seed(1))
    series = series_of(node_id=names)
    shuffled = Series(
        series.values[order], series.timestamps, series.mask[order],
        [names[position] for position in order], series.channels,
    )  # fmt: skip
    data = DirectionPartition()(roads())
    data.node_id = names
    for one, other in zip(loader(data, series), loader(data, shuffled), strict=True):
        assert same(one, other)


def test_node_ids_as_a_tensor():
    order = torch.randperm(NODES, generator=torch.Generator().manual_seed(1))
    series = series_of(node_id=order.tolist())
    data = DirectionPartition()(roads())
    data.node_id = torch.arange(NODES)
    for batch in loader(data, series):
        assert torch.equal(batch.node_id, batch.n_id)
        row = order.argsort()[batch.n_id]
        start = int(batch.start)
        assert torch.equal(batch.x[:, 0], series.values[row, start : start + 12])


def test_refuses_other_nodes():
    with pytest.raises(ValueError, match="`series` must have the nodes of `data`, 40, got 39"):
        loader(series=series_of(39))
    data = roads()
    data.node_id = [*range(39), "depot"]
    with pytest.raises(ValueError, match="'depot' without readings, '39' not in the graph"):
        loader(data)


def test_refuses_repeated_edge_ids():
    message = r"data.e_id: expected another id for every edge.*apply transforms .*ToUndirected"
    with pytest.raises(ValueError, match=message):
        loader(ToUndirected()(DirectionPartition()(roads())))
    data = roads()  # without labels
    data.e_id = torch.zeros(data.num_edges, dtype=torch.long)
    with pytest.raises(ValueError, match=message):
        loader(data)
    loader(DirectionPartition()(ToUndirected()(roads())))


def test_as_many_edges_as_nodes():
    """PyG's rule would take e_id for an attribute of nodes here."""
    ring = torch.arange(NODES)
    data = Data(edge_index=torch.stack([ring, ring.roll(-3)]), num_nodes=NODES)
    data.e_id = ring.flip(0)
    data.pos = torch.rand(NODES, 2)
    for batch in loader(data):
        source, target = batch.n_id[batch.edge_index]
        assert torch.equal(batch.e_id, data.e_id[source])
        assert torch.equal(target, source.roll(0) + 3 - NODES * (source + 3 >= NODES))
        assert torch.equal(batch.pos, data.pos[batch.n_id])


def test_edge_index_of_pyg():
    data = DirectionPartition()(roads())
    plain = list(loader(data))
    data.edge_index = EdgeIndex(data.edge_index, sparse_size=(NODES, NODES))
    for one, other in zip(loader(data), plain, strict=True):
        assert type(one.edge_index) is torch.Tensor
        assert same(one, other)


def test_filled_readings_and_covariates_of_nodes():
    """The same as windows of the whole graph, for nodes in another order than the series."""
    torch.manual_seed(0)
    series = series_of()
    filled = ~series.mask & (torch.rand(series.mask.shape) < 0.5)
    series = Series(series.values, series.timestamps, series.mask, filled=filled)
    own = torch.rand(NODES, STEPS, 3, dtype=torch.float64)
    options = {"time_of_day": True, "covariates": own, "target_channels": [1]}
    whole = WindowLoader(series, 12, 3, **options).dataset
    data = DirectionPartition()(roads())
    data.node_id = [str(node) for node in reversed(range(NODES))]
    for batch in loader(data, series, num_windows=2, **options):
        windows, rows = whole.windows(batch.start), NODES - 1 - batch.n_id
        seeds = rows[: batch.batch_size]
        assert torch.equal(batch.x, windows.x[rows])
        assert torch.equal(batch.mask, windows.mask[rows])
        assert torch.equal(batch.covariates, windows.covariates[rows])
        assert torch.equal(batch.y, windows.y[seeds])
        assert torch.equal(batch.y_mask, windows.y_mask[seeds])
        assert batch.covariates.shape[2:] == (15, 5)
