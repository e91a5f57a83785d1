"""What :mod:`benchmarks.sampling` measures."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data

from tgst.data import Series, StandardScaler, read_tntp, split_rows
from tgst.datasets import SimulatedTraffic
from tgst.loader import NeighborWindowLoader
from tgst.metrics import masked_mae
from tgst.nn.models import TrafficSTGCN
from tgst.train.fill import fill_forward
from tgst.transforms import DirectionPartition

CHANNELS = ("speed", "flow")
MONDAY = "2024-01-08"
SPLIT = (0.5, 0.25, 0.25)


def sydney_readings(root: Path, work: Path, days: int) -> dict[str, Any]:
    """Simulate traffic on the roads of Sydney and write the readings of its junctions."""
    start = time.perf_counter()
    data = read_tntp(root / "Sydney_net.tntp", root / "Sydney_node.tntp", length_unit="km")
    source, target = data.edge_index
    network = nx.DiGraph()
    roads = zip(source.tolist(), target.tolist(), *_of_roads(data), strict=True)
    for tail, head, length, lanes, speed in roads:
        network.add_edge(tail, head, length=length, lanes=lanes, speed=speed)
    if network.number_of_edges() < data.num_edges:
        raise ValueError("two roads of Sydney_net.tntp have the same ends")
    traffic = SimulatedTraffic(network, days=days, start=MONDAY)
    place = {f"{tail}-{head}": head for tail, head in network.edges}
    head = torch.tensor([place[name] for name in traffic.series.node_id])
    values, mask = at_junctions(traffic.series, head, data.num_nodes)
    np.save(work / "values.npy", values.numpy())
    np.save(work / "mask.npy", mask.numpy())
    np.save(work / "timestamps.npy", traffic.series.timestamps)
    np.save(work / "edge_index.npy", data.edge_index.numpy())
    steps, seconds = traffic.series.num_steps, time.perf_counter() - start
    return {"days": days, "steps": steps, "seconds": seconds}


def at_junctions(series: Series, head: Tensor, num_nodes: int) -> tuple[Tensor, Tensor]:
    """Return readings [N, T, 2] and mask of the junctions that the roads lead into.

    The flow of a junction is the sum over its roads, its speed their mean weighted by flow (by
    equal weights where nobody drives). A reading is observed if those of all its roads are.
    """
    speed, flow = series.values.unbind(-1)
    weight = flow + 1e-3
    total, product = (
        torch.zeros(num_nodes, series.num_steps).index_add_(0, head, part)
        for part in (weight, weight * speed)
    )
    missing = torch.zeros(num_nodes, series.num_steps)
    if series.mask is not None:
        missing.index_add_(0, head, (~series.mask).float())
    roads = torch.bincount(head, minlength=num_nodes).unsqueeze(1)
    mask = (missing == 0) & (roads > 0)
    flow = torch.where(mask, total - 1e-3 * roads, 0.0).clamp(min=0)
    speed = torch.where(mask, product / total.clamp(min=1e-3), 0.0)
    return torch.stack([speed, flow], dim=-1), mask


def train_on_sydney(work: Path, epochs: int) -> dict[str, Any]:
    """Train on sampled neighbourhoods, and compare with the last value."""
    edge_index = torch.from_numpy(np.load(work / "edge_index.npy"))
    mask = np.load(work / "mask.npy")
    values = np.load(work / "values.npy", mmap_mode="r")
    series = Series(values, np.load(work / "timestamps.npy"), mask, channels=CHANNELS)
    data = DirectionPartition()(Data(edge_index=edge_index, num_nodes=series.num_nodes))
    scaler = StandardScaler().fit(series, stop=split_rows(series.num_steps, SPLIT)["train"].stop)
    options = {"num_neighbors": [8, 8], "batch_size": 1024, "split": SPLIT, "time_of_day": True}
    loader = NeighborWindowLoader(series, data, part="train", **options)
    model = make_model()
    run = train(model, loader, scaler, epochs * len(loader))
    generator = torch.Generator().manual_seed(0)
    val_nodes = torch.randperm(series.num_nodes, generator=generator)[:2048]
    validation = NeighborWindowLoader(
        series, data, part="val", pairing="all", stride=12, num_windows=2, input_nodes=val_nodes,
        **options,
    )  # fmt: skip
    return {
        "nodes": series.num_nodes,
        "roads": edge_index.size(1),
        "edges": data.num_edges,
        "batch_size": options["batch_size"],
        "num_windows": loader.plan.num_windows,
        "num_neighbors": options["num_neighbors"],
        **run,
        "epochs": epochs,
        "val_nodes": len(val_nodes),
        "mae": errors(model, validation, scaler),
    }


def steps_on_torus(side: int, steps: int) -> dict[str, Any]:
    """Measure training steps on a torus of two-way roads with side * side nodes."""
    place = torch.arange(side * side).view(side, side)
    turned = ((place.roll(move, axis)).flatten() for axis in (0, 1) for move in (1, -1))
    edge_index = torch.cat([torch.stack([place.flatten(), head]) for head in turned], dim=1)
    data = DirectionPartition()(Data(edge_index=edge_index, num_nodes=side * side))
    values = torch.rand(side * side, 96, 2, generator=torch.Generator().manual_seed(0))
    timestamps = np.datetime64(MONDAY, "s") + 300 * np.arange(96)
    series = Series(values, timestamps, channels=CHANNELS)
    options = {"num_neighbors": [4, 4], "batch_size": 64, "time_of_day": True}
    loader = NeighborWindowLoader(series, data, part="train", **options)
    run = train(make_model(), loader, StandardScaler().fit(series), steps)
    sizes = {"nodes": side * side, "edges": data.num_edges, "readings_gib": values.nbytes / 2**30}
    return {**sizes, "batch_size": 64, "num_neighbors": [4, 4], **run}


def make_model() -> TrafficSTGCN:
    torch.manual_seed(0)
    return TrafficSTGCN(4, 2, kernel="partition", num_partitions=3, norm="channel", residual=True)


def forecast(model: TrafficSTGCN, batch: Data, scaler: StandardScaler) -> Tensor:
    """Return the standardised forecast [S, B, H, 2] at the seed nodes of a batch."""
    x = scaler.transform(fill_forward(batch.x, batch.mask, scaler.mean))
    day = batch.covariates[:, :, : x.size(2)].expand(len(x), -1, -1, -1)
    x = torch.cat([x, day], dim=-1)
    out = model(x, batch.edge_index, batch.edge_type, batch.edge_weight)
    return out[: batch.batch_size]


def train(
    model: TrafficSTGCN, loader: NeighborWindowLoader, scaler: StandardScaler, steps: int
) -> dict[str, Any]:
    """Train for a number of steps, with a learning rate that falls to zero; return medians."""
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    begin = time.perf_counter()
    loads, whole, losses, nodes, edges = [], [], [], [], []
    for batch, start, loaded in islice(_timed(loader), steps):
        optimizer.zero_grad()
        out = forecast(model, batch, scaler)
        loss = masked_mae(out, scaler.transform(batch.y), batch.y_mask)
        loss.backward()
        optimizer.step()
        schedule.step()
        loads.append(loaded - start)
        whole.append(time.perf_counter() - start)
        losses.append(loss.item())
        nodes.append(batch.num_nodes)
        edges.append(batch.num_edges)
    few = max(1, len(losses) // 20)
    return {
        "steps": len(whole),
        "minutes": (time.perf_counter() - begin) / 60,
        "step_ms": 1000 * statistics.median(whole),
        "load_ms": 1000 * statistics.median(loads),
        "nodes_per_step": statistics.median(nodes),
        "edges_per_step": statistics.median(edges),
        "first_loss": statistics.mean(losses[:few]),
        "last_loss": statistics.mean(losses[-few:]),
    }


@torch.no_grad()
def errors(
    model: TrafficSTGCN, loader: NeighborWindowLoader, scaler: StandardScaler
) -> dict[str, dict[str, float]]:
    """Return the mean absolute error of each channel, of the model and of the last value."""
    model.eval()
    total: dict[str, Tensor] = {}
    count = 0
    for batch in loader:
        size = batch.batch_size
        forecasts = {
            "TrafficSTGCN": scaler.inverse_transform(forecast(model, batch, scaler)),
            "last value": fill_forward(batch.x, batch.mask, scaler.mean)[:size, :, -1:],
        }
        observed = batch.y_mask.unsqueeze(-1)
        count += int(observed.sum())
        for name, out in forecasts.items():
            error = ((out - batch.y).abs() * observed).double().sum(dim=(0, 1, 2))
            total[name] = total.get(name, 0) + error
    mean = {name: (error / count).tolist() for name, error in total.items()}
    return {name: dict(zip(CHANNELS, values, strict=True)) for name, values in mean.items()}


def _timed(loader: NeighborWindowLoader) -> Iterator[tuple[Data, float, float]]:
    """Batches without end, with the moments when each was asked for and when it came."""
    start = time.perf_counter()
    while True:
        for batch in loader:
            yield batch, start, time.perf_counter()
            start = time.perf_counter()


def _of_roads(data: Data) -> tuple[list[float], list[float], list[float]]:
    return data.edge_length.tolist(), data.edge_lanes.tolist(), data.edge_speed.tolist()
