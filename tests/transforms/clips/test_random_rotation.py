from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from tests.transforms.clips.made import make_clip
from tgst.transforms import RandomRotation
from tgst.utils import Skeleton


def _draw(count: int) -> np.ndarray:
    return torch.rand(count, dtype=torch.float64).numpy() * 2 - 1


@pytest.mark.parametrize("theta", [0.3, (0.2, 0.5, 0.1)])
def test_about_all_axes(theta: float | tuple[float, ...]) -> None:
    data = make_clip(dtype=torch.float64)
    torch.manual_seed(3)
    out = RandomRotation(theta)(data)
    torch.manual_seed(3)
    angles = _draw(3) * np.asarray(theta)
    matrix = Rotation.from_euler("xyz", angles).as_matrix()  # lower case: about fixed axes
    np.testing.assert_allclose(out.x.numpy(), data.x.numpy() @ matrix.T, atol=1e-12)
    assert bool((out.x[~data.mask] == 0).all())


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_about_one_axis(axis: str) -> None:
    data = make_clip(dtype=torch.float64)
    torch.manual_seed(4)
    out = RandomRotation(0.8, axis=axis)(data)
    torch.manual_seed(4)
    matrix = Rotation.from_euler(axis, 0.8 * _draw(1)[0]).as_matrix()
    np.testing.assert_allclose(out.x.numpy(), data.x.numpy() @ matrix.T, atol=1e-12)
    number = "xyz".index(axis)
    torch.testing.assert_close(out.x[..., number], data.x[..., number])


@pytest.mark.parametrize("axis", [None, "z"])
def test_flat_clips_turn_in_their_plane(axis: str | None) -> None:
    data = make_clip(channels=3, dtype=torch.float64)  # x, y and a confidence
    torch.manual_seed(5)
    out = RandomRotation(0.4, axis=axis, num_coordinates=2)(data)
    torch.manual_seed(5)
    angle = 0.4 * _draw(1)[0]
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    np.testing.assert_allclose(out.x[..., :2].numpy(), data.x[..., :2].numpy() @ matrix.T)
    assert torch.equal(out.x[..., 2], data.x[..., 2])


def test_bone_lengths_stay() -> None:
    data = make_clip(persons=1, missing=0.0, dtype=torch.float64)
    source, target = Skeleton.named("kinect-20").edge_index
    out = RandomRotation(3.0)(data)
    before = (data.x[source] - data.x[target]).norm(dim=-1)
    torch.testing.assert_close((out.x[source] - out.x[target]).norm(dim=-1), before)


def test_angles_fill_the_range() -> None:
    data = make_clip(persons=1, frames=1, missing=0.0, dtype=torch.float64)
    data.x[:] = torch.tensor([1.0, 0.0, 0.0])
    torch.manual_seed(0)
    turned = torch.stack([RandomRotation(0.5, axis="z")(data).x[0, 0] for _ in range(300)])
    angle = torch.atan2(turned[:, 1], turned[:, 0])
    assert -0.5 <= angle.min() < -0.45
    assert 0.45 < angle.max() <= 0.5
    assert abs(angle.mean()) < 0.05


def test_bad_clips() -> None:
    with pytest.raises(ValueError, match="axis: expected \"z\" or None for flat clips, got 'y'"):
        RandomRotation(axis="y")(make_clip(channels=2))
    with pytest.raises(ValueError, match=r"num_coordinates: expected 2 or 3 .* to rotate, got 1"):
        RandomRotation(num_coordinates=1)(make_clip())
