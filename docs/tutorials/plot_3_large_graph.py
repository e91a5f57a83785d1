r"""
A graph too large for one step
==============================

A training step on a whole graph costs memory and time in proportion to its nodes. Neighbour
sampling takes a few *seed nodes* at a time, and only as much of the graph around them as their
forecasts depend on. :class:`tgst.loader.NeighborWindowLoader` is a
:class:`torch_geometric.loader.NodeLoader` that does so for graphs with time series: each batch is
a small graph with a few windows of readings at its nodes.

This page trains :class:`tgst.nn.models.TrafficSTGCN` on samples of a city of one-way streets,
compares what it computes on a sample with what it computes on the full graph, and evaluates it on
the full graph.
"""

# %%
# The city
# --------
#
# 80 times 80 junctions. Streets are one-way and alternate in direction, as in Manhattan, so that
# every junction inside has two streets that lead in and two that lead out. The graph is built by
# array operations; a graph of :mod:`networkx` would do as well.

import time

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch_geometric.data import Data
from torch_geometric.sampler import NodeSamplerInput

import tgst


def one_way_grid(side: int) -> Data:
    place = torch.arange(side * side).view(side, side)
    even = torch.arange(side) % 2 == 0
    streets = []
    for lines in (place, place.T):  # rows, then columns
        start, stop = lines[:, :-1], lines[:, 1:]
        streets.append(torch.stack([start[even].flatten(), stop[even].flatten()]))
        streets.append(torch.stack([stop[~even].flatten(), start[~even].flatten()]))
    return Data(edge_index=torch.cat(streets, dim=1), num_nodes=side * side)


SIDE = 80
city = one_way_grid(SIDE)
data = tgst.transforms.DirectionPartition()(city)
print(city)
print(data)

# %%
# :class:`tgst.transforms.DirectionPartition` labels the edges (0: the junction itself, 1: from
# upstream, 2: from downstream) and writes weights that are ready to multiply. Transforms come
# before sampling: the weights of the full graph go along with its edges.
#
# Readings
# --------
#
# Congestion travels against the traffic: a jam at a junction slows down the junctions upstream of
# it a little later. Two days of readings, one every 5 minutes, are made by a few array operations
# per step: incidents begin at random and last for 25 minutes; of the congestion at a junction,
# half stays and half moves upstream in each step, and both fade. The speed is 60 km/h without
# congestion, and the detectors have a noise of 0.5 km/h. A :class:`tgst.data.Series` holds the
# readings ``[N, T, C]``.


def travelling_congestion(graph: Data, num_steps: int, seed: int = 0) -> tgst.data.Series:
    generator = torch.Generator().manual_seed(seed)
    num_nodes = graph.num_nodes
    upstream, downstream = graph.edge_index
    share = 1 / torch.bincount(upstream, minlength=num_nodes)[upstream]
    level, blocked = torch.zeros(num_nodes), torch.zeros(num_nodes)
    speeds = torch.empty(num_nodes, num_steps, 1)
    for step in range(-60, num_steps):  # five hours until the city is as busy as it gets
        begins = torch.rand(num_nodes, generator=generator) < 0.001
        blocked = torch.where(begins, 5.0, (blocked - 1).clamp(min=0))
        arriving = torch.zeros(num_nodes).index_add_(0, upstream, share * level[downstream])
        level = 0.95 * (0.5 * level + 0.5 * arriving) + 0.8 * (blocked > 0)
        if step >= 0:
            noise = 0.5 * torch.randn(num_nodes, generator=generator)
            speeds[:, step, 0] = 60 * torch.exp(-level) + noise
    timestamps = np.datetime64("2024-03-04", "s") + 300 * np.arange(num_steps)
    return tgst.data.Series(speeds, timestamps, channels=("speed",))


series = travelling_congestion(city, num_steps=2 * 288)
print(series)

# %%
# Three moments, 20 minutes apart: incidents are dark, and the congestion moves on from them along
# the streets.

figure, panels = plt.subplots(1, 3, figsize=(10, 3.6), sharey=True, layout="constrained")
for axes, step in zip(panels, (100, 104, 108), strict=True):
    image = axes.imshow(series.values[:, step, 0].view(SIDE, SIDE), cmap="magma", vmin=0, vmax=60)
    axes.set(title=f"{str(series.timestamps[step])[11:16]} h", xlabel="street from west to east")
panels[0].set_ylabel("street from north to south")
figure.colorbar(image, ax=panels, label="speed [km/h]", shrink=0.9)
plt.show()

# %%
# Batches
# -------
#
# Each of the two blocks of the model looks one street further: :attr:`num_hops
# <tgst.nn.models.TrafficSTGCN.num_hops>` says so. ``num_neighbors`` has a number per hop, of edges
# to keep per node; labelled edges count one by one, and self loops, which are always kept, do not
# count. A batch takes 64 seed nodes and 4 windows of 12 steps of history and 6 to forecast.

model_options = {"kernel": "partition", "num_partitions": 3, "horizon": 6, "residual": True}
torch.manual_seed(0)
model = tgst.nn.models.TrafficSTGCN(1, 1, channels=[[16, 8, 16]] * 2, **model_options)
print("hops:", model.num_hops)

options = {"horizon": 6, "batch_size": 64, "num_windows": 4}
loader = tgst.loader.NeighborWindowLoader(
    series, data, num_neighbors=[3, 3], part="train", **options
)
batch = next(iter(loader))
print(batch)

# %%
# The seed nodes come first: ``x`` is ``[n, B, 12, 1]`` for all ``n`` sampled nodes, the targets
# ``y`` are ``[64, B, 6, 1]`` for the seed nodes only. ``n_id`` and ``e_id`` say which nodes and
# edges of ``data`` these are.
#
# A batch has about as many nodes in a city of any size (in a small one the neighbourhoods overlap
# more):

for side in (40, 80, 160, 320):
    grid = tgst.transforms.DirectionPartition()(one_way_grid(side))
    sampler = tgst.loader.NeighborSampler(grid, [3, 3])
    seeds = torch.randperm(grid.num_nodes, generator=torch.Generator().manual_seed(0))[:64]
    sample = sampler.sample_from_nodes(NodeSamplerInput(input_id=None, node=seeds))
    print(f"{grid.num_nodes:7} nodes: {len(sample.node):4} of them in a batch")

# %%
# Training
# --------
#
# The loop of any neighbour sampling: the loss counts the seed nodes only. An epoch takes every
# node once, each batch with windows of its own.

stop = tgst.data.split_rows(series.num_steps)["train"].stop
scaler = tgst.data.StandardScaler().fit(series, stop=stop)


def forecast(part: Data, x: torch.Tensor) -> torch.Tensor:
    r"""Return speeds [n, B, 6, 1] in km/h for readings [n, B, 12, 1] at the nodes of a graph."""
    out = model(scaler.transform(x), part.edge_index, part.edge_type, part.edge_weight)
    return scaler.inverse_transform(out)


optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
losses, began = [], time.perf_counter()
for _ in range(3):
    for batch in loader:
        out = forecast(batch, batch.x)[: batch.batch_size]
        loss = tgst.metrics.masked_mae(out, batch.y, batch.y_mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
milliseconds = 1000 * (time.perf_counter() - began) / len(losses)
print(f"{len(losses)} steps of {milliseconds:.0f} ms, loading included")

# %%
# Sampled and full
# ----------------
#
# With all neighbours (``-1``) of as many hops as the model has, the forecasts at the seed nodes
# are those of the full graph, up to rounding. With fewer neighbours they are estimates: the
# weights of the edges that are kept are multiplied so that they make up, on average, for those
# that were left out (``rescale``).

model.eval()
window = tgst.loader.WindowLoader(series, horizon=6, part="val", batch_size=1)
whole = next(iter(window))
with torch.no_grad():
    on_full_graph = forecast(data, whole.x)

differences = {}
for number in (-1, 3, 2, 1):
    sampled = tgst.loader.NeighborWindowLoader(
        series,
        data,
        horizon=6,
        batch_size=1024,
        num_neighbors=[number] * model.num_hops,
        part="val",
        pairing="all",
    )
    batch = next(iter(sampled))  # in order without shuffling: the first nodes, the first window
    assert torch.equal(batch.start, whole.start)
    with torch.no_grad():
        out = forecast(batch, batch.x)[: batch.batch_size]
    difference = (out - on_full_graph[batch.n_id[: batch.batch_size]]).abs()
    name = "all" if number == -1 else str(number)
    differences[name] = difference.flatten()
    print(
        f"{name:>3} neighbours per hop: mean difference {float(difference.mean()):.2g} km/h, "
        f"{batch.num_nodes} nodes and {batch.num_edges} edges for {batch.batch_size} seed nodes"
    )

# %%
# Evaluation on the full graph
# ----------------------------
#
# Nothing ties the weights of the model to samples: without gradients the city fits into one step.
# The test rows are the last fifth of the two days; the baseline forecasts that the last reading
# stays. Congestion that is on its way to a junction does not show in the junction's own last
# reading, but at its neighbours downstream.

test = tgst.loader.WindowLoader(series, horizon=6, part="test", stride=6, batch_size=2)
errors = {name: tgst.metrics.MaskedMAE(horizon=6) for name in ("TrafficSTGCN", "last value")}
with torch.no_grad():
    for batch in test:
        errors["TrafficSTGCN"].update(forecast(data, batch.x), batch.y)
        errors["last value"].update(batch.x[:, :, -1:].expand(-1, -1, 6, -1), batch.y)
print("mean absolute error at all junctions, km/h")
print(f"{'minutes ahead':14}" + "".join(f"{5 * step:7}" for step in range(1, 7)))
for name, error in errors.items():
    print(f"{name:14}" + "".join(f"{float(value):7.2f}" for value in error.compute()))

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.6), layout="constrained")
smooth = np.convolve(losses, np.ones(20) / 20, mode="valid")
left.plot(losses, color="0.8", label="each step")
left.plot(np.arange(20, len(losses) + 1), smooth, label="mean of 20 steps")
left.set(xlabel="step", ylabel="training loss [km/h]", ylim=(0, None), title="training on samples")
left.legend(frameon=False)
middle.boxplot(
    list(differences.values()),
    tick_labels=list(differences),
    whis=(5, 95),
    showfliers=False,
)
middle.set(
    xlabel="neighbours per hop",
    ylabel="difference [km/h]",
    title="sampled against full graph",
)
for (name, error), style in zip(errors.items(), ("-o", "--s"), strict=True):
    right.plot(5 * np.arange(1, 7), error.compute(), style, label=name)
right.set(
    xlabel="minutes ahead",
    ylabel="mean absolute error [km/h]",
    ylim=(0, None),
    title="test, full graph",
)
right.legend(frameon=False)
for axes in (left, middle, right):
    axes.grid(alpha=0.3)
plt.show()
