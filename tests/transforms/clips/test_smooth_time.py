from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from tests.transforms.clips.made import make_clip
from tgst.transforms import SmoothTime


@pytest.mark.parametrize("sigma", [None, 0.8])
@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("window", [1, 3, 7, 31])
def test_values(sigma: float | None, missing: float, window: int) -> None:
    data = make_clip(missing=missing, dtype=torch.float64)
    out = SmoothTime(window, sigma)(data)
    x, seen, half = data.x.numpy(), data.mask.numpy(), window // 2
    expected = np.zeros_like(x)
    for node, frame in zip(*np.nonzero(seen), strict=True):
        total = weights = 0.0
        for other in range(max(frame - half, 0), min(frame + half + 1, 12)):
            weight = 1.0 if sigma is None else np.exp(-(((other - frame) / sigma) ** 2) / 2)
            if seen[node, other]:
                total, weights = total + weight * x[node, other], weights + weight
        expected[node, frame] = total / weights
    np.testing.assert_allclose(out.x.numpy(), expected, atol=1e-12)
    assert torch.equal(out.mask, data.mask)


def test_gaussian_window_in_the_middle_as_scipy() -> None:
    data = make_clip(frames=30, missing=0.0, dtype=torch.float64)
    out = SmoothTime(9, sigma=1.0)(data)
    expected = gaussian_filter1d(data.x.numpy(), 1.0, axis=1, radius=4)
    np.testing.assert_allclose(out.x[:, 4:-4].numpy(), expected[:, 4:-4], atol=1e-12)


def test_a_joint_at_rest_stays() -> None:
    data = make_clip(missing=0.3)
    data.x = torch.where(data.mask.unsqueeze(-1), data.x.new_tensor([1.0, -2.0, 3.0]), 0.0)
    torch.testing.assert_close(SmoothTime(5)(data).x, data.x)
