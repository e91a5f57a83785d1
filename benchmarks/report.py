"""The report of ``python -m benchmarks``: the tables of all suites that are in a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.records import SUITES

_NAMES = ("rival", "contender", "name", "model", "backend")
_IMPORT = re.compile(r"import|not installed|No module|needs the package")
NO_CUDA = "not measured on CUDA"


def report(folder: Path, ended: Mapping[str, str] | None = None) -> str:
    """Collect the Markdown of the suites, what they could not import, and how they ended."""
    records = {suite: _record(folder, suite) for suite in SUITES}
    there = {suite: record for suite, record in records.items() if record is not None}
    lines = ["# Benchmarks", "", *_overview(folder, there, ended or {}), ""]
    lines += [_device_line(there), ""]
    missing = {}
    for record in there.values():
        missing.update(dict(not_importable(record)))
    if missing:
        lines += ["Rivals that could not be imported, and have not been measured:", ""]
        lines += [*(f"* {name}: {reason}" for name, reason in sorted(missing.items())), ""]
    for suite in there:
        text = (folder / f"{suite}.md").read_text()
        lines += [re.sub(r"^#", "##", text, flags=re.MULTILINE).rstrip("\n"), ""]
        if (folder / f"{suite}.png").exists():
            lines += [f"![{suite}]({suite}.png)", ""]
    return "\n".join(lines)


def _record(folder: Path, suite: str) -> dict[str, Any] | None:
    if not (folder / f"{suite}.json").exists() or not (folder / f"{suite}.md").exists():
        return None
    return json.loads((folder / f"{suite}.json").read_text())


def _overview(
    folder: Path, there: Mapping[str, dict[str, Any]], ended: Mapping[str, str]
) -> list[str]:
    lines = [
        "| suite | date | hardware | threads | commit | this run |",
        "|---|---|---|---|---|---|",
    ]
    for suite in SUITES:
        record = there.get(suite, {})
        cells = [str(record.get(key) or "-") for key in ("date", "hardware", "threads", "commit")]
        state = ended.get(suite, "as it was" if record else "not run")
        lines.append(f"| {suite} | {' | '.join(cells)} | {state} |")
    return lines


def _device_line(there: Mapping[str, dict[str, Any]]) -> str:
    on = {
        suite: record["device"]
        for suite, record in there.items()
        if str(record.get("device", "cpu")).startswith("cuda")
    }
    if not on:
        return f"All of this was measured on CPU; {NO_CUDA}."
    told = ", ".join(f"{suite} on {device}" for suite, device in on.items())
    rest = [suite for suite in there if suite not in on]
    return f"Measured on CUDA: {told}." + (f" {', '.join(rest)}: {NO_CUDA}." if rest else "")


def not_importable(record: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Find, anywhere in a record, what could not be imported, and why."""
    if isinstance(record, dict):
        for key in ("not_importable", "absent"):
            yield from record.get(key, {}).items()
        names = [record[key] for key in _NAMES if isinstance(record.get(key), str)]
        name = names[0] if names else name
        reason = record.get("reason")
        if isinstance(reason, str) and _IMPORT.search(reason):
            yield name, reason
    values = record.values() if isinstance(record, dict) else record
    for value in values if isinstance(record, (dict, list)) else ():
        if isinstance(value, (dict, list)):
            yield from not_importable(value, name)
