"""All suites, one after the other, and a report: ``python -m benchmarks --suite all --out DIR``.

Each suite runs in a process of its own, so that one that fails, or that the system ends, leaves the
others alone. ``DIR/report.md`` collects the tables; ``--report`` writes it from what is there.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.records import SUITES
from benchmarks.report import report

ON_CPU_ALONE = ("layers", "threads")  # they know no other device


def run(suite: str, arguments: Sequence[str]) -> str:
    """Run a suite; return "ok" and its minutes, or how it ended."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{suite}", *arguments], check=False)
    minutes = f"{(time.perf_counter() - start) / 60:.1f} minutes"
    return f"ok, {minutes}" if done.returncode == 0 else f"ended with {done.returncode}, {minutes}"


def arguments_for(suite: str, arguments: argparse.Namespace) -> list[str]:
    """Return what a suite is told; what was not given is left to the suite."""
    given = ["--out", str(arguments.out), "--seed", str(arguments.seed)]
    if arguments.repetitions is not None:
        given += ["--repetitions", str(arguments.repetitions)]
    if arguments.device != "cpu" and suite not in ON_CPU_ALONE:
        given += ["--device", arguments.device]
    given += ["--keep_memory"] if arguments.keep_memory else []
    return given + (["--quick"] if arguments.quick else [])


def main(arguments_given: Sequence[str] | None = None) -> None:
    """Run the suites and write the report."""
    arguments = _parser().parse_args(arguments_given)
    suites = SUITES if "all" in arguments.suite else tuple(dict.fromkeys(arguments.suite))
    ended = {}
    for suite in () if arguments.report else suites:
        print(f"\n== {suite}", flush=True)
        ended[suite] = run(suite, arguments_for(suite, arguments))
        print(f"== {suite}: {ended[suite]}", flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "report.md").write_text(report(arguments.out, ended))
    print(f"wrote {arguments.out / 'report.md'}")
    failed = [suite for suite, end in ended.items() if not end.startswith("ok")]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--suite", nargs="+", choices=["all", *SUITES], default=["all"])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--repetitions", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--keep_memory", action="store_true", help="for all rivals of all suites")
    parser.add_argument("--quick", action="store_true", help="small sizes: only to see it work")
    parser.add_argument("--report", action="store_true", help="write the report alone")
    return parser


if __name__ == "__main__":
    main()
