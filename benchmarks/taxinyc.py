"""Test scores of TaxiNYC, one hour ahead: ST-ResNet on the grid and STGCN on the graph, over seeds.

``python -m benchmarks.taxinyc --root DIR`` fits the shipped configurations ``grid_taxinyc`` and
``grid_taxinyc_graph`` once per seed and writes ``taxinyc.json`` and ``taxinyc.md``: the test scores
of the best checkpoint by validation beside the baselines, on the same hours.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.seeds import cell, one_seed, origin, summary, write

GRID, GRAPH = "grid_taxinyc", "grid_taxinyc_graph"
ERRORS = ("rmse", "mae")


def rows(results: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return a Markdown row per model; the baselines once, as the grid task has them."""
    scores = summary(results[GRID], [1])
    if results.get(GRAPH):
        model, errors = next(iter(summary(results[GRAPH], [1]).items()))
        first, *others = scores.items()
        scores = dict([first, (model, errors), *others])
    lines = []
    for model, errors in scores.items():
        lines.append(f"| {model} | {' | '.join(cell(errors[name][0]) for name in ERRORS)} |")
    return lines


def table(about: dict[str, Any], results: dict[str, list[dict[str, Any]]]) -> str:
    """Return the scores as Markdown."""
    lines = [
        "# TaxiNYC on a grid of 16 x 8 cells, one hour ahead",
        "",
        "January to August of 2010, 2011 and 2012; test: the last 28 days, 4 to 31 August 2012; "
        "validation: the 28 days before. Trips per hour, over all cells and both flows. The mean "
        "by time of week and the linear models are fitted on what the networks are trained on.",
        "",
        "| | RMSE | MAE |",
        "|---|---|---|",
        *rows(results),
        "",
    ]
    for config, runs in results.items():
        if runs:
            lines += [f"`{config}`: {origin(about, runs)}", ""]
    return "\n".join(lines)


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.taxinyc", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of the data set's files")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--graph_seeds", type=int, nargs="*", default=[0, 1, 2], help="of STGCN")
    parser.add_argument("--runs", type=Path, default=Path("runs/taxinyc"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args(arguments_given)
    seeds = {GRID: arguments.seeds, GRAPH: arguments.graph_seeds}
    command = ["python", "-m", "benchmarks.taxinyc", "--root", "DIR"]
    command += ["--seeds", *map(str, arguments.seeds)]
    command += ["--graph_seeds", *map(str, arguments.graph_seeds)]
    results = {
        config: [one_seed(config, seed, arguments.root, arguments.runs / config) for seed in own]
        for config, own in seeds.items()
    }
    about = {**machine(), "command": shlex.join(command)}
    write("taxinyc", arguments.out, {**about, "results": results}, table(about, results))


if __name__ == "__main__":
    main()
