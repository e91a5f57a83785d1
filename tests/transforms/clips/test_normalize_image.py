from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.transforms.clips.made import make_clip
from tgst.transforms import NormalizeImage


def test_pyskl() -> None:
    data = make_clip(dtype=torch.float64)
    x, y = data.x[..., 0].numpy(), data.x[..., 1].numpy()
    seen = data.mask.numpy()
    out = NormalizeImage()(data).x
    np.testing.assert_allclose(out[..., 0], np.where(seen, (x - 960) / 960, 0))
    np.testing.assert_allclose(out[..., 1], np.where(seen, (y - 540) / 540, 0))
    assert torch.equal(out[..., 2], data.x[..., 2])


def test_stgcn() -> None:
    data = make_clip(missing=0.0, dtype=torch.float64)
    out = NormalizeImage(width=1, height=1, extent=1.0)(data)
    torch.testing.assert_close(out.x[..., :2], data.x[..., :2] - 0.5)
    out = NormalizeImage(width=340, height=256, extent=1.0)(data)
    size = torch.tensor([340.0, 256.0], dtype=torch.float64)
    torch.testing.assert_close(out.x[..., :2], data.x[..., :2] / size - 0.5)


def test_box_does_not_depend_on_place_and_size() -> None:
    data = make_clip(dtype=torch.float64)
    box = NormalizeImage(None, None)
    out = box(data)
    points = data.x[data.mask][:, :2].numpy()
    low, high = points.min(0), points.max(0)
    expected = 2 * (points - (low + high) / 2) / (high - low).max()
    np.testing.assert_allclose(out.x[out.mask][:, :2].numpy(), expected, atol=1e-12)
    assert abs(float(out.x[..., :2].abs().max()) - 1) < 1e-12
    other = data.clone()
    other.x = torch.where(data.mask.unsqueeze(-1), 3 * data.x + 100, 0.0)
    torch.testing.assert_close(box(other).x[..., :2], out.x[..., :2])


def test_a_single_point_is_the_middle() -> None:
    data = make_clip(missing=0.0)
    data.x[..., :2] = 5.0
    assert bool((NormalizeImage(None, None)(data).x[..., :2] == 0).all())


def test_one_channel_is_refused() -> None:
    with pytest.raises(ValueError, match=r"data\.x: expected two coordinates or more, got 1 ch"):
        NormalizeImage()(make_clip(channels=1))
