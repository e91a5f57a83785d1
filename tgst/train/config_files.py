r"""Configuration files: the shipped ones by name, and the task that one is for."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from pathlib import Path

__all__ = ["TASKS", "config_path", "shipped_configs", "task_of", "with_config_paths"]

# the first is that of a configuration which says nothing
TASKS = ("forecast", "recognition", "grid", "image")


def shipped_configs() -> list[str]:
    r"""Names of the configurations that come with the package."""
    folder = importlib.resources.files("tgst.train") / "configs"
    return sorted(Path(e.name).stem for e in folder.iterdir() if e.name.endswith(".yaml"))


def config_path(name: str) -> str:
    r"""The file of a configuration.

    Args:
        name: A file, or the name of a shipped configuration.

    Raises:
        FileNotFoundError: If it is neither; lists the shipped ones.
    """
    if Path(name).is_file():
        return name
    if name in shipped_configs():
        return str(importlib.resources.files("tgst.train") / "configs" / f"{name}.yaml")
    raise FileNotFoundError(
        f"config {name!r} is neither a file nor a shipped configuration "
        f"({', '.join(shipped_configs())})"
    )


def with_config_paths(arguments: Sequence[str]) -> list[str]:
    r"""Replaces the names of shipped configurations by their files.

    Args:
        arguments: A command line.
    """
    replaced: list[str] = []
    for argument in arguments:
        option, equals, value = argument.partition("=")
        if replaced and replaced[-1] in ("--config", "-c"):
            argument = config_path(argument)
        elif option == "--config" and equals:
            argument = f"{option}={config_path(value)}"
        replaced.append(argument)
    return replaced


def task_of(arguments: Sequence[str]) -> str:
    r"""What a command line is about, as ``--task`` and the ``task:`` of its configurations say it;
    the last one holds.

    Args:
        arguments: A command line, configurations by their files.

    Returns:
        One of :obj:`TASKS`; the first one if nothing says it.

    Raises:
        ValueError: If another task is named; lists the known ones.
    """
    task = TASKS[0]
    for option, value in _options(arguments):
        found = value if option == "--task" else _task_in(value)
        if found is None:
            continue
        if found not in TASKS:
            where = "--task" if option == "--task" else f"task: in {value}"
            raise ValueError(f"{where} must be one of {', '.join(TASKS)}, got {found!r}")
        task = found
    return task


def _options(arguments: Sequence[str]) -> list[tuple[str, str]]:
    """The values of ``--task`` and ``--config`` in their order."""
    found = []
    for index, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if option not in ("--task", "--config", "-c"):
            continue
        if equals:
            found.append((option, value))
        elif index + 1 < len(arguments):
            found.append((option, arguments[index + 1]))
    return found


def _task_in(path: str) -> str | None:
    import yaml

    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None  # the parser says what is wrong with the file
    return content.get("task") if isinstance(content, dict) else None
