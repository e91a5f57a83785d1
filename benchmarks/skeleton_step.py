"""One training step of ST-GCN: this package against the published dense formulation.

``python -m benchmarks.skeleton_step --out benchmarks/results`` writes ``skeleton_step.json`` and
``skeleton_step.md``: forward and backward of the ten published blocks on openpose-18 (spatial
partition, learnable importance), medians of interleaved repetitions, the peak memory beyond
gradients and what the forward pass keeps for the backward pass. Both models have the same weights;
their outputs and gradients are compared in double precision.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch_geometric.data import Batch, Data

from benchmarks.dense_stgcn import (
    STRIDES,
    WIDTHS,
    DenseSTGCN,
    copy_weights,
    gradient_difference,
)
from benchmarks.machine import machine
from tgst.nn.models import SkeletonSTGCN
from tgst.ops.measure import peak_extra_bytes, time_interleaved
from tgst.transforms import SpatialPartition
from tgst.utils import Skeleton, repeat_graph

DENSE, STATIC, UNION = "dense (N, C, T, V)", "ours, [V, B, M, T, C]", "ours, Batch of clips"
CLASSES = 400
CPU = torch.device("cpu")


class Size(NamedTuple):
    """Clips of a batch, persons of a clip, frames, widths and strides of the blocks, skeleton."""

    clips: int = 4
    persons: int = 2
    frames: int = 150
    widths: Sequence[int] = WIDTHS
    strides: Sequence[int] = STRIDES
    skeleton: str = "openpose-18"


class Rivals(NamedTuple):
    """Two models with equal weights, and how each is run to its logits."""

    dense: DenseSTGCN
    sparse: SkeletonSTGCN
    edges: Tensor
    logits: dict[str, Callable[[], Tensor]]
    labels: Tensor
    clips: Tensor
    graph: Data


def rivals(size: Size, dtype: torch.dtype, seed: int) -> Rivals:
    """Set both models up on the same clips."""
    torch.manual_seed(seed)
    skeleton = Skeleton.named(size.skeleton)
    partition = SpatialPartition(center=skeleton.center)
    graph = partition(skeleton.data())
    edges = torch.stack([graph.edge_type, *graph.edge_index])
    joints, partitions = skeleton.num_joints, partition.num_partitions
    matrices = torch.zeros(partitions, joints, joints)
    matrices[tuple(edges)] = graph.edge_weight
    dense = DenseSTGCN(matrices, 3, CLASSES, size.widths, size.strides).to(dtype)
    sparse = SkeletonSTGCN(
        3,
        CLASSES,
        partitions,
        num_edges=edges.size(1),
        num_joints=joints,
        channels=size.widths,
        strides=size.strides,
    ).to(dtype)
    copy_weights(sparse, dense, edges)
    clips = torch.randn(size.clips, 3, size.frames, joints, size.persons, dtype=dtype)
    graph.edge_weight = graph.edge_weight.to(dtype)
    logits = {
        DENSE: lambda: dense(clips),
        STATIC: _static(sparse, graph, clips),
        UNION: _union(sparse, graph, clips),
    }
    labels = torch.randint(CLASSES, (size.clips,))
    return Rivals(dense, sparse, edges, logits, labels, clips, graph)


def _static(model: SkeletonSTGCN, graph: Data, clips: Tensor) -> Callable[[], Tensor]:
    x = clips.permute(3, 0, 4, 2, 1).contiguous()
    return lambda: model(x, graph.edge_index, graph.edge_type, graph.edge_weight, person_dim=2)


def _union(model: SkeletonSTGCN, graph: Data, clips: Tensor) -> Callable[[], Tensor]:
    persons = clips.size(-1)
    batch = Batch.from_data_list([repeat_graph(graph, persons)] * clips.size(0))
    x = clips.permute(0, 4, 3, 2, 1).flatten(0, 2).contiguous()
    given = {"batch": batch.batch, "e_id": batch.e_id, "batch_size": clips.size(0)}
    return lambda: model(x, batch.edge_index, batch.edge_type, batch.edge_weight, **given)


def step(given: Rivals, name: str) -> Callable[[], list[Tensor]]:
    """Return one forward and backward pass; the step of the optimiser is the same for all."""
    model = given.dense if name == DENSE else given.sparse

    def run() -> list[Tensor]:
        model.zero_grad()
        loss = cross_entropy(given.logits[name](), given.labels)
        loss.backward()
        return [loss, *(p.grad for p in model.parameters() if p.grad is not None)]

    return run


def agreement(given: Rivals) -> dict[str, float]:
    """Return the largest relative differences from the dense model."""
    expected = given.logits[DENSE]().detach()
    step(given, DENSE)()
    found = {"output": 0.0, "gradient": 0.0}
    for name in (STATIC, UNION):
        difference = (given.logits[name]().detach() - expected).abs().max() / expected.abs().max()
        step(given, name)()
        gradient = gradient_difference(given.sparse, given.dense, given.edges)
        found["output"] = max(found["output"], float(difference))
        found["gradient"] = max(found["gradient"], gradient)
    return found


def kept_bytes(logits: Callable[[], Tensor]) -> int:
    """Count the memory that a forward pass keeps for the backward pass."""
    kept: dict[int, int] = {}
    tensors = []

    def keep(tensor: Tensor) -> Tensor:
        tensors.append(tensor)  # so that no address is used twice
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        logits()
    return sum(kept.values())


def measure(size: Size, repetitions: int, threads: list[int], seed: int) -> list[dict[str, Any]]:
    given = rivals(size, torch.float32, seed)
    steps = {name: step(given, name) for name in given.logits}
    memory = {name: peak_extra_bytes(run, CPU) for name, run in steps.items()}
    kept = {name: kept_bytes(logits) for name, logits in given.logits.items()}
    rows = []
    for count in threads:
        torch.set_num_threads(count)
        times = time_interleaved(steps, repetitions, CPU)
        for name, timing in times.items():
            rows.append(
                {
                    "formulation": name,
                    "threads": count,
                    "step_ms": timing.median,
                    "step_spread_ms": timing.spread,
                    "speed_up": times[DENSE].median / timing.median,
                    "peak_bytes": memory[name],
                    "kept_bytes": kept[name],
                }
            )
            print(rows[-1], flush=True)
    return rows


def markdown(about: dict[str, Any], rows: list[dict[str, Any]]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [
        "# One training step of ST-GCN",
        "",
        f"{about['hardware']}; {packages}; {about['date']}; `{about['command']}` (seed "
        f"{about['seed']}). {about['clips']} clips of {about['persons']} persons, "
        f"{about['frames']} frames, openpose-18, exact spatial partition, {about['blocks']} "
        "blocks, learnable importance, float32, no dropout. Forward and backward without the "
        f"optimiser: median of {about['repetitions']} interleaved samples and the distance "
        "between their quartiles. Peak memory is beyond weights and gradients. Largest difference "
        f"from the dense model in float64: outputs {about['agreement']['output']:.1e}, gradients "
        f"{about['agreement']['gradient']:.1e} of the largest.",
        "",
        "| formulation | threads | step ms | speed-up | peak MiB | kept for backward MiB |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *map(_markdown_row, rows), ""])


def _markdown_row(row: dict[str, Any]) -> str:
    return (
        f"| {row['formulation']} | {row['threads']} | {row['step_ms']:.0f} ± "
        f"{row['step_spread_ms']:.0f} | {row['speed_up']:.2f} | {row['peak_bytes'] / 2**20:.0f} | "
        f"{row['kept_bytes'] / 2**20:.0f} |"
    )


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.skeleton_step", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--repetitions", type=int, default=11)
    parser.add_argument("--threads", type=int, nargs="+", default=[2, 1])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--quick", action="store_true", help="a tiny size and 2 repetitions: only to see it work"
    )
    arguments = parser.parse_args(arguments_given)
    given = sys.argv[1:] if arguments_given is None else list(arguments_given)
    size, check = Size(), Size(clips=1, frames=40)
    if arguments.quick:
        size = check = Size(2, 2, 8, (8, 8, 16), (1, 1, 2))
        arguments.repetitions = 2
    about = {
        **machine(),
        "command": shlex.join(["python", "-m", "benchmarks.skeleton_step", *given]),
        "seed": arguments.seed,
        "repetitions": arguments.repetitions,
        "blocks": len(size.widths),
        **{name: getattr(size, name) for name in ("clips", "persons", "frames")},
        "agreement": agreement(rivals(check, torch.float64, arguments.seed)),
    }
    rows = measure(size, arguments.repetitions, arguments.threads, arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    record = json.dumps({**about, "rows": rows}, indent=1)
    (arguments.out / "skeleton_step.json").write_text(record + "\n")
    (arguments.out / "skeleton_step.md").write_text(markdown(about, rows))
    print(f"wrote {arguments.out / 'skeleton_step.json'} and skeleton_step.md")


if __name__ == "__main__":
    main()
