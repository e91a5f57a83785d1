"""Synthetic output of OpenPose and Kinetics-skeleton."""

from __future__ import annotations

import json
from pathlib import Path


def joint(start: float, frame: int, number: int) -> list[float]:
    r"""x, y and confidence; each entry can be told apart."""
    return [start + frame + number / 32, start + number / 16, 0.5]


def write_video(folder: Path, frames: int = 3, start: float = 100.0, first: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(frames):
        pose = [value for number in range(18) for value in joint(start, frame, number)]
        path = folder / f"{folder.name}_{first + frame:012d}_keypoints.json"
        path.write_text(json.dumps({"people": [{"pose_keypoints_2d": pose}]}))
    return folder


def write_kinetics_clip(path: Path, label: int, frames: int = 3, persons: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = []
    for frame in range(frames):
        skeletons = []
        for person in range(persons):
            joints = [joint(person / 4, frame / 64, number / 8) for number in range(18)]
            pose = [value for x, y, _ in joints for value in (x, y)]
            skeletons.append({"pose": pose, "score": [0.25 + person / 4] * 18})
        data.append({"frame_index": frame + 1, "skeleton": skeletons})
    content = {"data": data, "label": f"action {label}", "label_index": label}
    path.write_text(json.dumps(content))
