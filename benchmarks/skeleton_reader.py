"""Time to read an NTU RGB+D ``.skeleton`` file, beside a loop over its lines.

``python -m benchmarks.skeleton_reader`` writes synthetic files of 300 frames with one and two
bodies, reads each in turns with :func:`tgst.data.read_ntu_skeleton` and with a plain loop, checks
that both give the same positions, and writes ``skeleton_reader.json`` and ``skeleton_reader.md``:
medians and their ratio.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import machine
from benchmarks.seeds import write
from tgst.data import read_ntu_skeleton

FRAMES, JOINTS = 300, 25


def synthetic(bodies: int) -> str:
    """Return the text of a file in the published layout."""
    generator = np.random.default_rng(0)
    lines = [str(FRAMES)]
    for _ in range(FRAMES):
        lines.append(str(bodies))
        for body in range(bodies):
            lines += [f"{72057594037931101 + body} 0 1 1 1 1 0 0.1 -0.2 2", str(JOINTS)]
            for cells in generator.normal(size=(JOINTS, 11)).tolist():
                lines.append(" ".join(f"{cell:.7g}" for cell in cells) + " 2")
    return "\n".join(lines) + "\n"


def loop(path: Path) -> np.ndarray:
    """Read the positions line by line: bodies, frames, joints, coordinates."""
    with path.open() as file:
        frames = []
        for _ in range(int(file.readline())):
            bodies = []
            for _ in range(int(file.readline())):
                file.readline()
                count = int(file.readline())
                cells = [[float(cell) for cell in file.readline().split()] for _ in range(count)]
                bodies.append([row[:3] for row in cells])
            frames.append(bodies)
    return np.asarray(frames, np.float32).swapaxes(0, 1)


def medians(rivals: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each, measured in turns."""
    times: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, run in rivals.items():
            start = time.perf_counter()
            run()
            times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(each) for name, each in times.items()}


def measure(bodies: int, folder: Path, rounds: int) -> dict[str, float]:
    path = folder / f"S001C001P001R001A{bodies:03d}.skeleton"
    path.write_text(synthetic(bodies))
    clip = read_ntu_skeleton(path, bodies="file_order")
    np.testing.assert_allclose(clip.positions, loop(path), rtol=1e-6)
    rivals = {"read_ntu_skeleton": lambda: read_ntu_skeleton(path), "loop": lambda: loop(path)}
    return medians(rivals, rounds)


def markdown(about: dict[str, Any], results: dict[int, dict[str, float]]) -> str:
    packages = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines = [
        "# Reading an NTU RGB+D file of 300 frames",
        "",
        f"Medians of {about['rounds']} readings in turns, milliseconds; synthetic files. "
        f"{about['hardware']}; {packages}; {about['date']}; `{about['command']}`.",
        "",
        "| bodies | read_ntu_skeleton | loop over lines | ratio |",
        "|---|---|---|---|",
    ]
    for bodies, times in results.items():
        ours, rival = times["read_ntu_skeleton"], times["loop"]
        lines.append(f"| {bodies} | {ours:.1f} | {rival:.1f} | {rival / ours:.1f} |")
    return "\n".join([*lines, ""])


def main(arguments_given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.skeleton_reader", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args(arguments_given)
    command = f"python -m benchmarks.skeleton_reader --rounds {arguments.rounds}"
    about = {**machine(), "rounds": arguments.rounds, "command": command}
    with tempfile.TemporaryDirectory() as folder:
        results = {bodies: measure(bodies, Path(folder), arguments.rounds) for bodies in (1, 2)}
    record = {**about, "milliseconds": {str(bodies): each for bodies, each in results.items()}}
    write("skeleton_reader", arguments.out, record, markdown(about, results))


if __name__ == "__main__":
    main()
