"""What a result was measured on."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

PACKAGES = ("torch", "torch-geometric", "torch-scatter", "triton", "dgl", "lightning", "numpy")
CHANGES = "+changes"  # after a commit from which files differ


def machine() -> dict[str, Any]:
    """Return date, hardware, threads and versions for the head of a result file."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "hardware": f"{processor()}, {cores} cores",
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "commit": commit(),
    }


def commit(folder: Path = Path(__file__).parent) -> str | None:
    """Return the commit that is checked out, with "+changes" if files differ from it (results do
    not count); None outside of a checkout.
    """
    try:
        found = _git(folder, "rev-parse", "--short=12", "HEAD")
        tracked = (
            "--porcelain",
            "--untracked-files=no",
            "--",
            ":/",
            ":(top,exclude,glob)**/results/**",
        )
        changes = _git(folder, "status", *tracked)
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{found}{CHANGES}" if changes else found


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def processor() -> str:
    """Return the name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def versions() -> dict[str, str]:
    """Return the versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
