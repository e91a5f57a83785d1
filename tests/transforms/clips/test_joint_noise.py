from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.transforms.clips.made import apart, make_clip
from tgst.transforms import JointNoise


def _unit_noise(shape: list[int]) -> np.ndarray:
    direction = torch.randn(shape).numpy()
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    return torch.randn([*shape[:-1], 1]).numpy() * direction


def _diagonals(data, whole_clip: bool) -> np.ndarray:
    """The diagonal of the box of each person in each frame, [M, 1, T, 1]."""
    x, seen = apart(data.x).numpy(), apart(data.mask).numpy()
    out = np.zeros((2, 1, 12, 1))
    for person, frame in np.ndindex(2, 12):
        points = x[seen] if whole_clip else x[person, :, frame][seen[person, :, frame]]
        out[person, 0, frame] = np.linalg.norm(points.max(0) - points.min(0))
    return out


@pytest.mark.parametrize("size", ["frame", "clip", None])
@pytest.mark.parametrize("shared", [False, True])
def test_values(size: str | None, shared: bool) -> None:
    data = make_clip()
    torch.manual_seed(3)
    out = JointNoise(0.05, size=size, shared=shared)(data)
    torch.manual_seed(3)
    noise = 0.05 * _unit_noise([1, 20, 1, 3] if shared else [2, 20, 12, 3])
    if size is not None:
        noise = noise * _diagonals(data, size == "clip")
    noise = np.broadcast_to(noise, (2, 20, 12, 3)) * apart(data.mask).numpy()[..., None]
    np.testing.assert_allclose((apart(out.x) - apart(data.x)).numpy(), noise, atol=1e-5)


def test_length_has_the_standard_deviation() -> None:
    data = make_clip(frames=200, missing=0.0, dtype=torch.float64)
    torch.manual_seed(0)
    moved = JointNoise(0.1, size=None)(data).x - data.x
    assert abs(moved.norm(dim=-1).square().mean().sqrt() - 0.1) < 0.003
    assert bool((moved.mean((0, 1)).abs() < 0.003).all())


def test_confidence_stays() -> None:
    data = make_clip(channels=4)
    out = JointNoise(0.1)(data)
    assert torch.equal(out.x[..., 3], data.x[..., 3])
    assert not torch.equal(out.x[..., :3], data.x[..., :3])


def test_a_frame_without_anybody_adds_nothing() -> None:
    data = make_clip(missing=0.0)
    data.mask[:, 4], data.x[:, 4] = False, 0
    out = JointNoise(0.1)(data)
    assert bool((out.x[:, 4] == 0).all())
    assert bool(out.x.isfinite().all())
