"""Training on sampled neighbourhoods: Sydney, and the cost of a step against the number of nodes.

``python -m benchmarks.sampling --root DIR`` simulates traffic on the road network of Sydney (33,113
junctions; ``DIR`` holds ``Sydney_net.tntp`` and ``Sydney_node.tntp``), trains on it by sampling,
measures steps on tori of growing size, and writes ``sampling.json`` and ``sampling.md``. Every
measurement runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import shlex
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import machine
from benchmarks.sampled_training import steps_on_torus, sydney_readings, train_on_sydney

SIDES = (45, 90, 182, 361, 708)  # 2 thousand to half a million nodes, as many nodes per step


def measured(function: Callable[..., dict], *arguments: Any) -> dict[str, Any]:
    """Return what a function gives in a new process, and the peak memory of that process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        threads = torch.get_num_threads()
        return pool.submit(_with_peak_memory, function, arguments, threads).result()


def _with_peak_memory(function: Callable[..., dict], arguments: tuple, threads: int) -> dict:
    torch.set_num_threads(threads)
    result = function(*arguments)
    kibibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {**result, "peak_gib": kibibytes / 2**20}


def markdown(record: dict[str, Any]) -> str:
    """Return the tables of a record."""
    packages = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    about = (
        f"{record['hardware']}, {record['threads']} thread(s); {packages}; {record['date']}; "
        f"`{record['command']}`."
    )
    return "\n".join(["# Training on sampled neighbourhoods", "", about, "", *_sydney(record), ""
                      , *_torus(record), ""])  # fmt: skip


def _sydney(record: dict[str, Any]) -> list[str]:
    readings, run = record["readings"], record["sydney"]
    lines = [
        "## Sydney",
        "",
        f"{run['nodes']:,} junctions, {run['roads']:,} roads, {run['edges']:,} edges with labels. "
        f"Simulated traffic on every road, {readings['days']} working days from an empty network, "
        f"{readings['steps']} readings of speed and flow ({readings['seconds']:.0f} s, peak "
        f"memory {readings['peak_gib']:.1f} GiB); at a junction the flow is that of the roads "
        "that lead into it, the speed their mean by flow, and a reading is missing if one of "
        "theirs is. The first half of the time trains, the next quarter validates. Roads: "
        "Transportation Networks for Research, https://github.com/bstabler/TransportationNetworks.",
        "",
        f'`TrafficSTGCN(kernel="partition", norm="channel")`, batches of {run["batch_size"]:,} '
        f"seed nodes and {run['num_windows']} window(s), neighbours {run['num_neighbors']}, "
        f"{run['steps']} steps ({run['epochs']} passes over the nodes) in "
        f"{run['minutes']:.1f} minutes. A step has {run['nodes_per_step']:,.0f} nodes and "
        f"{run['edges_per_step']:,.0f} edges in the median and takes "
        f"{run['step_ms']:.0f} ms, {run['load_ms']:.0f} ms of them for sampling and reading. "
        f"**Peak memory of the training process: {run['peak_gib']:.2f} GiB.** Training loss, "
        f"standardised: {run['first_loss']:.3f} in the first twentieth of the steps, "
        f"{run['last_loss']:.3f} in the last.",
        "",
        f"Validation, one seed (0), on {run['val_nodes']:,} random junctions with windows that "
        "start an hour apart; the samples are drawn like those of training. Length and learning "
        "rates of the training were set after one shorter run had been scored on the same part.",
        "",
        "| MAE, 5 to 60 minutes ahead | flow, vehicles/h | speed, km/h |",
        "|---|---|---|",
    ]
    for name, errors in run["mae"].items():
        lines.append(f"| {name} | {errors['flow']:.2f} | {errors['speed']:.3f} |")
    return lines


def _torus(record: dict[str, Any]) -> list[str]:
    run = record["torus"][0]
    lines = [
        "## Cost of a step against the number of nodes",
        "",
        "A torus of two-way roads: every node has four roads in and four out, eight labelled "
        f"edges and a self loop. {run['batch_size']} seed nodes, neighbours "
        f"{run['num_neighbors']}; median of {run['steps']} steps.",
        "",
        "| nodes | edges | nodes per step | step, ms | of it loading, ms | per node and step, µs "
        "| peak memory, GiB | readings, GiB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run in record["torus"]:
        each = 1000 * run["step_ms"] / run["nodes_per_step"]
        lines.append(
            f"| {run['nodes']:,} | {run['edges']:,} | {run['nodes_per_step']:,.0f} | "
            f"{run['step_ms']:.0f} | {run['load_ms']:.1f} | {each:.0f} | {run['peak_gib']:.2f} | "
            f"{run['readings_gib']:.2f} |"
        )
    return lines


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sampling", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the network's files")
    parser.add_argument("--epochs", type=int, default=12, help="of training on Sydney")
    parser.add_argument("--days", type=int, default=2, help="of simulated traffic")
    parser.add_argument("--steps", type=int, default=30, help="per torus")
    parser.add_argument("--work", type=Path, default=Path("runs/sampling"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args(arguments_given)
    options.work.mkdir(parents=True, exist_ok=True)
    given = ["--epochs", str(options.epochs), "--days", str(options.days)]
    command = ["python", "-m", "benchmarks.sampling", "--root", "DIR", *given]
    record = {
        **machine(),
        "command": shlex.join([*command, "--steps", str(options.steps)]),
        "readings": measured(sydney_readings, options.root, options.work, options.days),
        "sydney": measured(train_on_sydney, options.work, options.epochs),
        "torus": [measured(steps_on_torus, side, options.steps) for side in SIDES],
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "sampling.json").write_text(json.dumps(record, indent=1) + "\n")
    (options.out / "sampling.md").write_text(markdown(record))
    print(markdown(record))


if __name__ == "__main__":
    main()
