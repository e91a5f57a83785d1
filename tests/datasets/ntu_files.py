"""Synthetic files in the form of NTU RGB+D."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def positions(frames: int, start: float, spread: float = 1.0) -> np.ndarray:
    r"""Frames, joints, axes: each entry can be told apart."""
    frame, joint, axis = np.ogrid[:frames, :25, :3]
    return start + spread * (frame / 4 + joint / 64 + axis / 512)


def skeleton_text(bodies: dict[int, np.ndarray], frames: int) -> str:
    r"""The text of a file in which the given bodies are in all frames."""
    lines = [str(frames)]
    for frame in range(frames):
        lines.append(str(len(bodies)))
        for body, values in bodies.items():
            lines += [f"{body} 0 1 1 1 1 0 0.1 -0.2 2", "25"]
            lines += [f"{x} {y} {z} 1 2 3 4 0 0 0 1 2" for x, y, z in values[frame]]
    return "\n".join(lines) + "\n"


def write_sample(folder: Path, name: str, frames: int = 3, persons: int = 1) -> Path:
    r"""A file whose first body moves least."""
    folder.mkdir(parents=True, exist_ok=True)
    bodies = {
        72057594037931101 + person: positions(frames, person + 1, person + 1)
        for person in range(persons)
    }
    path = folder / f"{name}.skeleton"
    path.write_text(skeleton_text(bodies, frames))
    return path
