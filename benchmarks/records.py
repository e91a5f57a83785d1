"""What all suites of ``python -m benchmarks`` share: arguments, a log to go on from, and files."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import CHANGES, machine
from tgst.ops import keep_memory

SUITES = ("spmm", "layers", "models", "dense_vs_sparse", "scale", "threads", "dispatch")


def parser(name: str, description: str | None, repetitions: int) -> argparse.ArgumentParser:
    """Return the arguments that every suite has."""
    arguments = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=description
    )
    arguments.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments.add_argument("--repetitions", type=int, default=repetitions)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    arguments.add_argument(
        "--quick", action="store_true", help="small sizes and 3 repetitions: only to see it work"
    )
    arguments.add_argument(
        "--afresh", action="store_true", help="measure all, also what a run broken off has measured"
    )
    arguments.add_argument(
        "--keep_memory",
        action="store_true",
        help="let the process keep freed memory, for all rivals: see tgst.ops.keep_memory",
    )
    return arguments


def parse(
    arguments: argparse.ArgumentParser, given: Sequence[str] | None
) -> tuple[argparse.Namespace, dict[str, Any]]:
    """Return the parsed arguments, and what a record says about its run."""
    parsed = arguments.parse_args(given)
    if parsed.quick:
        parsed.repetitions = min(3, parsed.repetitions)
    if parsed.keep_memory and not keep_memory():
        arguments.error("--keep_memory: expected glibc, whose setting it is")
    command = [*arguments.prog.split(), *(sys.argv[1:] if given is None else given)]
    about = {
        **machine(),
        "command": shlex.join(command),
        "seed": parsed.seed,
        "repetitions": parsed.repetitions,
        "device": device_name(parsed.device),
        "keep_memory": parsed.keep_memory,
    }
    return parsed, about


def device_name(device: torch.device) -> str:
    """Return "cpu", or the name of the accelerator."""
    if device.type == "cuda":
        return f"cuda: {torch.cuda.get_device_name(device)}"
    return device.type


class Log:
    """The rows measured so far, a line per point: a run that was broken off goes on from it.

    It is taken up only by a run of the same command, commit and machine, and not while files differ
    from the commit, as nobody knows whether they still are the same. A point at which two runs
    ended is not tried again, and is named in ``about``, what the record says about its run.
    """

    def __init__(self, out: Path, name: str, about: dict[str, Any], afresh: bool = False) -> None:
        self.path = out / f"{name}.partial.jsonl"
        self.done: dict[str, list[dict[str, Any]]] = {}
        self.begun: dict[str, int] = {}
        same = {key: value for key, value in about.items() if key not in ("date", "left_out")}
        same["command"] = same["command"].replace(" --afresh", "")
        head = json.dumps(same, sort_keys=True)
        self.left_out: list[str] = []
        about["left_out"] = self.left_out
        out.mkdir(parents=True, exist_ok=True)
        afresh = afresh or str(about["commit"]).endswith(CHANGES)
        if not afresh and self.path.exists() and not self._read(head):
            self.done, self.begun = {}, {}
        if not self.done and not self.begun:
            self.path.write_text(head + "\n")

    def _read(self, head: str) -> bool:
        first, *lines = self.path.read_text().splitlines() or [""]
        for line in lines if first == head else []:
            try:
                entry = json.loads(line)
            except ValueError:  # cut off while it was written
                continue
            key = entry["point"]
            self.begun[key] = self.begun.get(key, 0) + 1
            if "rows" in entry:
                self.done[key] = entry["rows"]
        return first == head

    def rows(self, point: Any, measure: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
        """Return the rows of a point: those that are there, or what ``measure`` gives."""
        key = json.dumps(point)
        if key in self.done:
            return self.done[key]
        if self.begun.get(key, 0) >= 2:
            print(f"{key}: left out, two runs ended there", flush=True)
            self.left_out.append(key)
            return []
        self._write({"point": key})
        rows = measure()
        self._write({"point": key, "rows": rows})
        return rows

    def _write(self, entry: dict[str, Any]) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")

    def close(self) -> None:
        """Remove the log, once the record is written."""
        self.path.unlink(missing_ok=True)


def write(
    out: Path, name: str, about: dict[str, Any], rows: list[dict[str, Any]], text: str
) -> None:
    """Write ``NAME.json`` and ``NAME.md``."""
    out.mkdir(parents=True, exist_ok=True)
    record = json.dumps({**about, "rows": rows}, indent=1)
    (out / f"{name}.json").write_text(record + "\n")
    (out / f"{name}.md").write_text(text.rstrip("\n") + "\n")
    print(f"wrote {out / name}.json and {name}.md")


def measured_on(about: dict[str, Any]) -> str:
    """Put machine, versions, commit and command into a sentence."""
    packages = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    commit = f"commit {about['commit']}; " if about.get("commit") else ""
    device = "" if about.get("device", "cpu") == "cpu" else f"{about['device']}; "
    ended = "; ".join(about.get("left_out", ()))
    return (
        f"{device}{about['hardware']}, {about['threads']} threads; {packages}; {commit}"
        f"{about['date']}; `{about['command']}` (seed {about['seed']})."
        + (" Freed memory was kept (`tgst.ops.keep_memory`)." if about.get("keep_memory") else "")
        + (f" Left out, as two runs ended there: {ended}." if ended else "")
    )


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    return [
        f"| {' | '.join(head)} |",
        f"|{'---|' * len(head)}",
        *(f"| {' | '.join(line)} |" for line in lines),
        "",
    ]


def number(value: float | None, digits: int = 3) -> str:
    """Print a time with three digits, without an exponent."""
    if value is None:
        return "-"
    if value >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def geometric_mean(values: Sequence[float]) -> float:
    """Return the geometric mean, nan of nothing."""
    if not values:
        return float("nan")
    logarithms = torch.tensor(values, dtype=torch.float64).log()
    return float(logarithms.mean().exp())
