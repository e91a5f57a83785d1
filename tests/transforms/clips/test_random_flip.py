from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.transforms.clips.made import apart, make_clip
from tgst.transforms import RandomFlip
from tgst.utils import Skeleton

NAME = "kinect-20"


@pytest.mark.parametrize(("axis", "about"), [(0, 0.0), (2, 0.5), (0, "mean")])
def test_values(axis: int, about: float | str) -> None:
    data = make_clip(dtype=torch.float64)
    out = RandomFlip(NAME, axis=axis, p=1.0, about=about)(data)
    place = float(data.x[data.mask][:, axis].mean()) if about == "mean" else float(about)
    x, seen = apart(data.x).numpy(), apart(data.mask).numpy()
    expected, mask = x.copy(), seen.copy()
    for left, right in Skeleton.named(NAME).pairs:
        expected[:, [left, right]] = x[:, [right, left]]
        mask[:, [left, right]] = seen[:, [right, left]]
    expected[..., axis] = np.where(mask, 2 * place - expected[..., axis], 0)
    np.testing.assert_allclose(apart(out.x).numpy(), expected)
    np.testing.assert_array_equal(apart(out.mask).numpy(), mask)


@pytest.mark.parametrize("about", [0.0, 0.5, "mean"])
def test_twice_is_once_and_back(about: float | str) -> None:
    data = make_clip(dtype=torch.float64)
    flip = RandomFlip(NAME, p=1.0, about=about)
    back = flip(flip(data))
    torch.testing.assert_close(back.x, data.x)
    assert torch.equal(back.mask, data.mask)


def test_probability() -> None:
    data = make_clip()
    torch.manual_seed(0)
    flipped = [not torch.equal(RandomFlip(NAME, p=0.3)(data).x, data.x) for _ in range(300)]
    torch.manual_seed(0)
    assert flipped == [float(torch.rand(())) < 0.3 for _ in range(300)]
    assert not any(not torch.equal(RandomFlip(NAME, p=0)(data).x, data.x) for _ in range(20))


def test_axis_is_a_channel() -> None:
    with pytest.raises(ValueError, match=r"axis: expected one of the 2 channels of data\.x, got 2"):
        RandomFlip(NAME, axis=2)(make_clip(channels=2))
