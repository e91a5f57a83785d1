from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.transforms.clips.made import make_clip
from tgst.transforms import ResampleTime


@pytest.mark.parametrize("length", [1, 5, 12, 30])
def test_complete_clips_as_torch_interpolates(length: int) -> None:
    data = make_clip(missing=0.0, dtype=torch.float64)
    for corners in (True, False):
        out = ResampleTime(length, align_corners=corners)(data)
        expected = torch.nn.functional.interpolate(
            data.x.transpose(1, 2), size=length, mode="linear", align_corners=corners
        )
        torch.testing.assert_close(out.x, expected.transpose(1, 2))
        assert bool(out.mask.all())


def test_ends_stay_with_aligned_corners() -> None:
    data = make_clip(missing=0.0)
    out = ResampleTime(40, align_corners=True)(data)
    assert torch.equal(out.x[:, 0], data.x[:, 0])
    torch.testing.assert_close(out.x[:, -1], data.x[:, -1])


@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize("length", [7, 23])
def test_missing_joints(mode: str, length: int) -> None:
    data = make_clip(missing=0.3, dtype=torch.float64)
    out = ResampleTime(length, mode=mode)(data)
    at = np.clip((np.arange(length) + 0.5) * 12 / length - 0.5, 0, 11)
    x, seen = data.x.numpy(), data.mask.numpy()
    for step, time in enumerate(at):
        low, high = int(time), min(int(time) + 1, 11)
        share = time - low
        near = high if share > 0.5 else low
        for node in range(40):
            expected = x[node, near]
            if mode == "linear" and seen[node, low] and seen[node, high]:
                expected = (1 - share) * x[node, low] + share * x[node, high]
            np.testing.assert_allclose(out.x[node, step].numpy(), expected, atol=1e-12)
            assert bool(out.mask[node, step]) == seen[node, near]


def test_same_length_changes_nothing() -> None:
    data = make_clip()
    assert torch.equal(ResampleTime(12)(data).x, data.x)
