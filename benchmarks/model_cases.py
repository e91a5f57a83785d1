"""The cases of the benchmark of models: traffic on three graphs, skeletons, a city grid."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, l1_loss

from benchmarks import dense_resnet, dense_traffic, skeleton_step
from benchmarks.contenders import (
    COMPILED,
    COMPILED_BF16,
    EAGER,
    INFERENCE,
    TRAINING,
    Case,
    Contender,
    Target,
    relative_difference,
)
from benchmarks.peers import BATCHED, LOOP, STCONV, STCONV_WIDE, traffic_peers
from benchmarks.sensor_graph import SensorGraph, sensor_graph
from tgst.nn import fuse
from tgst.nn.models import STResNet
from tgst.ops import Adjacency

DENSE, OURS, FOLDED = "dense", "ours", "ours, norms folded"
HISTORY = HORIZON = 12
DROPOUT = 0.5  # as published


class Traffic(NamedTuple):
    """Nodes, edges and batch of a traffic case, and how many times faster it is to be."""

    nodes: int
    edges: int
    batch: int
    least: float | None = None
    least_over_loop: float | None = None


TRAFFIC = (
    Traffic(207, 1_722, 32, 1.6, 10.0),
    Traffic(2_000, 16_000, 8, 2.5, 10.0),
    Traffic(8_600, 201_000, 2, 6.0, 10.0),
)


def traffic(size: Traffic, seed: int, check_batch: int = 2, peers: bool = True) -> Case:
    """Return the case of TrafficSTGCN; its agreement is that of a smaller batch."""
    graph = sensor_graph(size.nodes, size.edges, seed)
    dense, ours = traffic_models(graph, torch.float32, seed, DROPOUT)
    others, absent = traffic_peers(dense, graph) if peers else ({}, {})
    x = torch.randn(size.batch, 1, HISTORY, size.nodes)
    y = torch.randn(size.batch, HORIZON, 1, size.nodes)
    edges = (graph.adjacency(), None, graph.scaled_weight.float())
    contenders = {DENSE: Contender(dense, (x,), (x[:1],), y, l1_loss)}
    contenders[OURS] = Contender(
        ours,
        (dense_traffic.series(x).contiguous(), *edges),
        (dense_traffic.series(x[:1]).contiguous(), *edges),
        y.permute(3, 0, 1, 2).contiguous(),
        l1_loss,
    )
    for name, model in others.items():
        contenders[name] = contenders[DENSE]._replace(model=model)
    return Case(
        f"traffic-{size.nodes}",
        f"TrafficSTGCN, N = {size.nodes:,}, {graph.edge_index.size(1):,} edges, batch "
        f"{size.batch}, {HISTORY} steps in, {HORIZON} out, dropout {DROPOUT}",
        contenders,
        (DENSE, OURS),
        absent,
        traffic_agreement(graph, check_batch, seed),
        traffic_targets(size),
    )


def traffic_models(graph: SensorGraph, dtype: torch.dtype, seed: int, dropout: float = 0.0):
    """Return the dense model and ours with the same weights."""
    torch.manual_seed(seed)
    dense = dense_traffic.DenseTrafficSTGCN(graph.matrix(dtype), 1, HORIZON, dropout=dropout)
    dense = dense.to(dtype)
    return dense, dense_traffic.sparse_model(dense, 1, HORIZON)


def traffic_targets(size: Traffic) -> tuple[Target, ...]:
    """Return the targets of a training step."""
    found = []
    if size.least is not None:
        found += [Target(OURS, DENSE, TRAINING, mode, size.least) for mode in (EAGER, COMPILED)]
    if size.least_over_loop is not None:
        rivals = (LOOP, STCONV, STCONV_WIDE)
        found += [Target(OURS, name, TRAINING, EAGER, size.least_over_loop) for name in rivals]
    return tuple(found)


def traffic_agreement(graph: SensorGraph, batch: int, seed: int) -> dict[str, float]:
    """Return differences from the dense model in double precision, without dropout."""
    dense, ours = traffic_models(graph, torch.float64, seed)
    x = torch.randn(batch, 1, HISTORY, graph.num_nodes, dtype=torch.float64)
    y = torch.randn(batch, HORIZON, 1, graph.num_nodes, dtype=torch.float64)
    expected = dense(x)
    l1_loss(expected, y).backward()
    expected = expected.detach()
    out = ours(dense_traffic.series(x), graph.adjacency(), None, graph.scaled_weight)
    out = out.permute(1, 2, 3, 0)
    l1_loss(out, y).backward()
    found = {
        "output": relative_difference(out, expected),
        "gradient": dense_traffic.gradient_difference(dense, ours),
    }
    others, _ = traffic_peers(dense, graph)
    with torch.no_grad():
        found[f"output of {BATCHED}"] = relative_difference(others[BATCHED](x), expected)
    return found


def skeleton(size: skeleton_step.Size, check: skeleton_step.Size, seed: int) -> Case:
    """Return the case of SkeletonSTGCN."""
    given = skeleton_step.rivals(size, torch.float32, seed)
    agreement = skeleton_step.agreement(skeleton_step.rivals(check, torch.float64, seed))
    agreement["output with folded norms"] = folded_difference(check, seed)
    dense, ours = skeleton_contenders(given)
    folded = ours._replace(model=folded_model(ours.model), trains=False)
    return Case(
        "skeleton",
        f"SkeletonSTGCN, {size.clips} clips of {size.persons} persons, {size.frames} frames, "
        f"{size.skeleton}, {len(size.widths)} blocks",
        {DENSE: dense, OURS: ours, FOLDED: folded},
        (DENSE, OURS),
        {},
        agreement,
        (
            *(Target(OURS, DENSE, TRAINING, mode, 1.2) for mode in (EAGER, COMPILED)),
            Target(FOLDED, DENSE, INFERENCE, EAGER, 1.25),
        ),
    )


def skeleton_contenders(given: skeleton_step.Rivals) -> tuple[Contender, Contender]:
    """Return the dense model and ours, on the same clips."""
    clips, graph = given.clips, given.graph
    dense = Contender(given.dense, (clips,), (clips[:1],), given.labels, cross_entropy)
    partitions = given.sparse.num_partitions
    adjacency = Adjacency.build(graph.edge_index, graph.edge_type, graph.num_nodes, partitions)
    edges = (adjacency, None, graph.edge_weight)
    x = clips.permute(3, 0, 4, 2, 1).contiguous()
    ours = Contender(
        given.sparse,
        (x, *edges),
        (x[:, :1].contiguous(), *edges),
        given.labels,
        cross_entropy,
        {"person_dim": 2},
    )
    return dense, ours


def folded_model(model: nn.Module) -> nn.Module:
    """Return a copy for inference with the normalisations folded into the convolutions."""
    return fuse(deepcopy(model).eval())


def folded_difference(size: skeleton_step.Size, seed: int) -> float:
    """Return what folding changes in double precision, with moved statistics."""
    given = skeleton_step.rivals(size, torch.float64, seed)
    _, ours = skeleton_contenders(given)
    ours.model.train()
    ours.model(*ours.batch, **ours.keywords)
    folded = folded_model(ours.model)
    with torch.no_grad():
        expected = ours.model.eval()(*ours.batch, **ours.keywords)
        return relative_difference(folded(*ours.batch, **ours.keywords), expected)


class Grid(NamedTuple):
    """Batch, rows and columns, residual units and their width of a grid case."""

    batch: int = 8
    rows: int = 32
    columns: int = 32
    units: int = 12
    width: int = 64


FRAMES = (3, 1, 1)


def grid(size: Grid, check: Grid, seed: int) -> Case:
    """Return the case of STResNet: the same 2-D convolutions on both sides."""
    plain, ours, frames, target = grid_models(size, torch.float32, seed)
    single = tuple(x[:1] for x in frames)
    contenders = {
        DENSE: Contender(plain, frames, single, target, l1_loss),
        OURS: Contender(ours, frames, single, target, l1_loss),
    }
    return Case(
        "grid",
        f"STResNet (L{size.units}), {size.batch} frames of {size.rows} x {size.columns} cells; "
        "both sides are the same dense 2-D convolutions, so that about 1 is expected",
        contenders,
        (DENSE, OURS),
        {},
        grid_agreement(check, seed),
        (),
    )


def grid_models(
    size: Grid, dtype: torch.dtype, seed: int
) -> tuple[dense_resnet.PlainResNet, STResNet, tuple[Tensor, ...], Tensor]:
    """Return the plain model and ours with the same weights, inputs and what is to be predicted."""
    torch.manual_seed(seed)
    cells = (size.rows, size.columns)
    plain = dense_resnet.PlainResNet(cells, FRAMES, size.units, size.width).to(dtype)
    ours = STResNet(
        *cells,
        closeness=FRAMES[0],
        period=FRAMES[1],
        trend=FRAMES[2],
        num_units=size.units,
        hidden_channels=size.width,
    ).to(dtype)
    dense_resnet.copy_weights(plain, ours)
    frames = tuple(torch.randn(size.batch, 2 * count, *cells, dtype=dtype) for count in FRAMES)
    return plain, ours, frames, torch.randn(size.batch, 2, *cells, dtype=dtype)


def grid_agreement(size: Grid, seed: int) -> dict[str, float]:
    """Return differences from the plain model in double precision."""
    plain, ours, frames, target = grid_models(size, torch.float64, seed)
    expected, out = plain(*frames), ours(*frames)
    l1_loss(expected, target).backward()
    l1_loss(out, target).backward()
    return {
        "output": relative_difference(out, expected),
        "gradient": dense_resnet.gradient_difference(plain, ours),
    }


def cases(quick: bool) -> dict[str, Callable[[int], Case]]:
    """Return how each case is set up, by name; tiny ones only to see it work."""
    if quick:
        size = skeleton_step.Size(2, 2, 8, (8, 8, 16), (1, 1, 2))
        return {
            "traffic-30": lambda seed: traffic(Traffic(30, 120, 2, 1.6, 10.0), seed),
            "skeleton": lambda seed: skeleton(size, size, seed),
            "grid": lambda seed: grid(Grid(2, 4, 5, 2, 8), Grid(2, 4, 5, 2, 8), seed),
        }
    check = skeleton_step.Size(clips=1, frames=40)
    found: dict[str, Callable[[int], Any]] = {
        f"traffic-{size.nodes}": lambda seed, size=size: traffic(size, seed, check_batch=1)
        for size in TRAFFIC
    }
    found["skeleton"] = lambda seed: skeleton(skeleton_step.Size(), check, seed)
    found["grid"] = lambda seed: grid(Grid(), Grid(2, 8, 8), seed)
    return found


def device_cases() -> dict[str, Callable[[int], Case]]:
    """Return the cases for a GPU, of the sizes that it takes to fill one."""
    size = Traffic(8_600, 201_000, 64)
    clips = skeleton_step.Size(64, 2, 300, skeleton="ntu-25")
    check = clips._replace(clips=1, frames=40)

    def large_traffic(seed: int) -> Case:
        targets = (
            *(Target(OURS, DENSE, TRAINING, mode, 3.0) for mode in (EAGER, COMPILED)),
            Target(OURS, DENSE, TRAINING, EAGER, 3.0, quantity="peak_bytes"),
        )
        return traffic(size, seed, check_batch=1, peers=False)._replace(targets=targets)

    def large_skeleton(seed: int) -> Case:
        targets = (
            Target(OURS, DENSE, TRAINING, COMPILED_BF16, 2.5, rival_mode=EAGER),
            Target(OURS, DENSE, TRAINING, COMPILED_BF16, 1.2),
        )
        return skeleton(clips, check, seed)._replace(targets=targets)

    return {f"traffic-{size.nodes}": large_traffic, "skeleton": large_skeleton}
