r"""
A road network of your own
==========================

From a :mod:`networkx` graph, as OSMnx or your own tables give it, to a forecast of the speeds on
it: read the graph, turn lengths into weights and directions into labels, train
:class:`tgst.nn.models.TrafficSTGCN`, and draw the forecasts and the network.
"""

# %%
# The town
# --------
#
# OSMnx returns a :class:`networkx.MultiDiGraph`: nodes are junctions with their place ``x`` and
# ``y``, edges are the carriageways between them, with ``length`` in metres. Read back from a file,
# numbers are strings; ``lanes`` is often missing; and two carriageways may join the same two
# junctions. The town built here has all of that: a centre, three ring roads, eight streets from
# the centre to the outskirts, and gates outside.

import math

import networkx as nx
import torch
from torch_geometric.utils import scatter

import tgst

RINGS, STREETS = (700.0, 1600.0, 2700.0), 8
GATE = 3900.0  # metres from the centre

town = nx.MultiDiGraph(crs="EPSG:32632")  # what OSMnx writes for places in metres


def add_junction(name: str, radius: float, street: int) -> None:
    angle = 2 * math.pi * street / STREETS + 0.15 * math.sin(radius + 3 * street)
    town.add_node(name, x=str(radius * math.cos(angle)), y=str(radius * math.sin(angle)))


def add_road(
    tail: str, head: str, detour: float = 1.1, oneway: bool = False, **attributes: str
) -> None:
    ends = [[float(town.nodes[name][axis]) for axis in "xy"] for name in (tail, head)]
    length = f"{detour * math.dist(*ends):.1f}"
    town.add_edge(tail, head, length=length, **attributes)
    if not oneway:
        town.add_edge(head, tail, length=length, **attributes)


add_junction("centre", 0.0, 0)
for street in range(STREETS):
    main = street % 2 == 0  # every second street is a main road, and leads to a gate
    road = {"lanes": "2", "maxspeed": "70"} if main else {"maxspeed": "50"}
    inner = "centre"
    for ring, radius in enumerate((*RINGS, GATE) if main else RINGS):
        name = f"gate {street}" if radius == GATE else f"ring{ring} {street}"
        add_junction(name, radius, street)
        add_road(inner, name, **road)
        inner = name
for ring in range(len(RINGS)):
    outermost = ring == len(RINGS) - 1
    road = {"lanes": "2", "maxspeed": "80"} if outermost else {"maxspeed": "50"}
    for street in range(STREETS):
        ends = f"ring{ring} {street}", f"ring{ring} {(street + 1) % STREETS}"
        add_road(*ends, oneway=ring == 0, **road)  # the innermost ring is one-way
add_road("ring1 1", "ring1 2", detour=1.6, maxspeed="30")  # an old road beside the ring

print(town)
print(town.edges["centre", "ring0 0", 0], town.edges["centre", "ring0 1", 0], sep="\n")

# %%
# From networkx to PyG
# --------------------
#
# :func:`tgst.utils.from_networkx` takes the attributes that it is asked for and no others, parses
# numbers in strings, and says which node or edge lacks one. ``parallel="min"`` keeps the shortest
# of parallel edges with all its attributes; ``defaults`` stands in for missing values.

roads = tgst.utils.from_networkx(
    town,
    length="length",
    edge_attrs=["lanes", "maxspeed"],
    defaults={"lanes": 1},
    parallel="min",
)
print(roads)
print(town.number_of_edges() - roads.num_edges, "parallel edges left")
print("first junctions:", roads.node_id[:3])

# %%
# ``pos`` holds the places (``x`` and ``y`` are taken by themselves from a graph with a ``crs``, as
# OSMnx writes it), ``edge_length`` the lengths in metres and ``node_id`` the names; ``edge_lanes``
# and ``edge_maxspeed`` are what else was asked for. Next come the weights. The Gaussian kernel
#
# .. math:: w_e = \exp(-d_e^2 / \sigma^2)
#
# makes short roads strong, and leaves out those below the threshold. Then
# :class:`tgst.transforms.DirectionPartition` labels the edges (0: the junction itself, 1: from
# upstream, 2: from downstream) and normalises: the weights that enter a junction sum to 1.

weighted = tgst.transforms.GaussianKernel(sigma=1500.0, threshold=0.1)(roads)
data = tgst.transforms.DirectionPartition()(weighted)
print(f"{roads.num_edges} roads, {weighted.num_edges} above the threshold, {data.num_edges} edges")

# %%
# Readings
# --------
#
# With detectors of your own this is where :meth:`Series.from_frame()
# <tgst.data.Series.from_frame>` reads their table. Here :class:`tgst.datasets.SimulatedTraffic`
# simulates twelve days on the same roads; it takes a :class:`networkx.DiGraph` with ``length`` in
# metres, ``lanes`` and ``speed`` in km/h.

network = nx.DiGraph()
columns = (roads.edge_length, roads.edge_lanes, roads.edge_maxspeed)
for (tail, head), length, lanes, speed in zip(roads.edge_index.T.tolist(), *columns, strict=True):
    network.add_edge(tail, head, length=float(length), lanes=float(lanes), speed=float(speed))
traffic = tgst.datasets.SimulatedTraffic(
    network, days=12, start="2024-01-08", demand=1.2, dropout=0.005
)
print(traffic.series)

# %%
# Its readings belong to roads. A junction gets the mean over the roads that lead into it, and
# counts as observed where all of these are. A :class:`tgst.data.Series` names its nodes as the
# graph does; values are ``[N, T, C]``, here one channel, the speed in km/h every 5 minutes.

head = torch.tensor([head for _, head in network.edges])
speed = scatter(traffic.series.values[..., :1], head, dim=0, reduce="mean")
mask = scatter(traffic.series.mask.long(), head, dim=0, reduce="min").bool()
series = tgst.data.Series(speed, traffic.series.timestamps, mask, roads.node_id, ("speed",))
print(series)

# %%
# Training
# --------
#
# Ten days train, one validates, one tests. A window is 12 steps of history (one hour) and 12 steps
# to forecast. :class:`~tgst.loader.WindowLoader` gives ``x`` as ``[N, B, 12, 1]`` in km/h,
# ``mask``, targets ``y``, and the time of day as two covariates. The scaler is fitted on the
# training days. The model takes three channels (speed, sine and cosine of the time of day); with
# ``residual=True`` it predicts the change from the last reading. Missing inputs are set to the
# mean.

SPLIT = (10 / 12, 1 / 12, 1 / 12)
options = {"split": SPLIT, "time_of_day": True}
loaders = {
    "train": tgst.loader.WindowLoader(series, part="train", **options),
    "val": tgst.loader.WindowLoader(series, part="val", stride=3, **options),
    "test": tgst.loader.WindowLoader(series, part="test", stride=3, **options),
}
stop = tgst.data.split_rows(series.num_steps, SPLIT)["train"].stop
scaler = tgst.data.StandardScaler().fit(series, stop=stop)

torch.manual_seed(0)
model = tgst.nn.models.TrafficSTGCN(
    in_channels=3,
    out_channels=1,
    kernel="partition",
    num_partitions=3,
    channels=[[32, 16, 32], [32, 16, 32]],
    residual=True,
)


def forecast(batch: tgst.loader.WindowBatch) -> torch.Tensor:
    r"""Return speeds [N, B, 12, 1] in km/h."""
    x = scaler.transform(batch.x) * batch.mask.unsqueeze(-1)
    day = batch.covariates[:, :, : x.size(2)].expand(len(x), -1, -1, -1)
    out = model(torch.cat([x, day], dim=-1), data.edge_index, data.edge_type, data.edge_weight)
    return scaler.inverse_transform(out)


@torch.no_grad()
def mean_error(loader: tgst.loader.WindowLoader) -> torch.Tensor:
    r"""Return the mean absolute error at each of the 12 steps in km/h."""
    metric = tgst.metrics.MaskedMAE(horizon=12)
    for batch in loader:
        metric.update(forecast(batch), batch.y, batch.y_mask)
    return metric.compute()


EPOCHS = 8
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
for epoch in range(EPOCHS):
    for batch in loaders["train"]:
        loss = tgst.metrics.masked_mae(forecast(batch), batch.y, batch.y_mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    schedule.step()
    if epoch % 2 == 1:
        error = float(mean_error(loaders["val"]).mean())
        print(f"epoch {epoch + 1:2}, validation: mean absolute error {error:.2f} km/h")

# %%
# Against two baselines
# ---------------------
#
# The last value forecasts that nothing changes; the historical mean is that of the junction at
# this time of day. Both are in :mod:`tgst.train`, and :func:`tgst.train.baseline_scores` gives
# their error at each step.

baselines = {
    "last value": tgst.train.LastValue().fit(series, stop),
    "historical mean": tgst.train.HistoricalMean().fit(series, stop),
}
scores = tgst.train.baseline_scores(loaders["test"], baselines)
errors = {"TrafficSTGCN": mean_error(loaders["test"])}
errors |= {name: score["mae"] for name, score in scores.items()}
print("mean absolute error on the last day, km/h")
print(f"{'minutes ahead':16}{15:7}{30:7}{60:7}")
for name, error in errors.items():
    print(f"{name:16}" + "".join(f"{float(error[step - 1]):7.2f}" for step in (3, 6, 12)))

# %%
# Plots
# -----
#
# :func:`tgst.visualize.plot_network` draws each junction at its place, coloured by its own error
# over all horizon steps.

with torch.no_grad():
    forecasts = [forecast(batch)[..., 0] for batch in loaders["test"]]
total, count = torch.zeros(data.num_nodes), torch.zeros(data.num_nodes)
for out, batch in zip(forecasts, loaders["test"], strict=True):
    total += ((out - batch.y[..., 0]).abs() * batch.y_mask).sum(dim=(1, 2))
    count += batch.y_mask.sum(dim=(1, 2))
error = total / count
map_of_errors = tgst.visualize.plot_network(roads, error, unit="km/h", position_unit="m")

# %%
# :func:`tgst.visualize.plot_forecast` draws readings, and what was forecast for these moments 15
# and 60 minutes before, at a few junctions: here the three with the largest error. Gaps are
# readings that are missing. To the right is the error at each step, for the model and the two
# baselines.

forecast_of_a_day = tgst.visualize.plot_forecast(
    series.timestamps,
    series.values[..., 0],
    prediction=torch.cat(forecasts, dim=1),  # [N, windows, 12]
    rows=torch.cat([batch.start for batch in loaders["test"]]) + 12,  # of the first forecast
    errors=errors,
    mask=series.mask,
    nodes=error.topk(3).indices.tolist(),
    steps=(3, 12),
    node_id=series.node_id,
    unit="km/h",
)

# %%
# ``forecast_of_a_day.savefig("forecast.png")`` keeps a figure. The model does not depend on the
# number of junctions: with other ``data`` and ``series`` the same weights run on another town.
