from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.transforms.clips.made import make_clip
from tgst.transforms import RandomMove

ANGLE = [-10.0, -5.0, 0.0, 5.0, 10.0]
SCALE = [0.9, 1.0, 1.1]
SHIFT = [-0.2, -0.1, 0.0, 0.1, 0.2]


def _course(candidates: list[float], keys: list[int]) -> np.ndarray:
    drawn = [candidates[i] for i in torch.randint(len(candidates), (len(keys),)).tolist()]
    parts = range(len(keys) - 1)
    return np.concatenate(
        [np.linspace(drawn[i], drawn[i + 1], keys[i + 1] - keys[i]) for i in parts]
    )


@pytest.mark.parametrize("frames", [1, 2, 12, 31])
@pytest.mark.parametrize("move_time", [1, 2, 3])
@pytest.mark.parametrize("move_unobserved", [False, True])
def test_published_formula(frames: int, move_time: int, move_unobserved: bool) -> None:
    data = make_clip(frames=frames, missing=0.2 if frames > 1 else 0.0, dtype=torch.float64)
    torch.manual_seed(3)
    out = RandomMove(move_time=(move_time,), move_unobserved=move_unobserved)(data)
    torch.manual_seed(3)
    torch.randint(1, ())
    nodes = np.arange(0, frames, frames / move_time).round().astype(int)
    keys = [*nodes.tolist(), frames]
    angle, scale, u, v = (_course(values, keys) for values in (ANGLE, SCALE, SHIFT, SHIFT))
    angle = angle * np.pi / 180
    expected = data.x.numpy().copy()
    x, y = expected[..., 0].copy(), expected[..., 1].copy()
    expected[..., 0] = scale * (np.cos(angle) * x - np.sin(angle) * y) + u
    expected[..., 1] = scale * (np.sin(angle) * x + np.cos(angle) * y) + v
    if not move_unobserved:
        expected[~data.mask.numpy()] = 0
    np.testing.assert_allclose(out.x.numpy(), expected, atol=1e-12)
    assert torch.equal(out.x[..., 2], data.x[..., 2])


def test_given_lists() -> None:
    data = make_clip(missing=0.0, dtype=torch.float64)
    out = RandomMove(angle=[90.0], scale=[2.0], shift=[0.5])(data)
    torch.testing.assert_close(out.x[..., 0], -2 * data.x[..., 1] + 0.5, atol=1e-12, rtol=0)
    torch.testing.assert_close(out.x[..., 1], 2 * data.x[..., 0] + 0.5, atol=1e-12, rtol=0)


def test_numbers_of_parts_are_drawn() -> None:
    data = make_clip(frames=9, missing=0.0, dtype=torch.float64)
    still = RandomMove(angle=[0.0], scale=[1.0], move_time=(1, 3))
    bends = set()
    for seed in range(20):
        torch.manual_seed(seed)
        course = (still(data).x - data.x)[0, :, 0]
        bends.add(bool(course.diff().diff().abs().max() > 1e-5))
    assert bends == {False, True}


def test_one_channel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"data\.x: expected two coordinates or more, got 1 ch"):
        RandomMove()(make_clip(channels=1))
