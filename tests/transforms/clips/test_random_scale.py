from __future__ import annotations

import pytest
import torch

from tests.transforms.clips.made import make_clip
from tgst.transforms import RandomScale


@pytest.mark.parametrize("scale", [0.2, (0.1, 0.2, 0.3)])
@pytest.mark.parametrize("isotropic", [False, True])
def test_values(scale: float | tuple[float, ...], isotropic: bool) -> None:
    data = make_clip(channels=4)
    torch.manual_seed(3)
    out = RandomScale(scale, isotropic)(data)
    torch.manual_seed(3)
    draw = torch.rand(1 if isotropic else 3) * 2 - 1
    factor = 1 + draw * torch.tensor(scale)
    torch.testing.assert_close(out.x[..., :3], data.x[..., :3] * factor)
    assert torch.equal(out.x[..., 3], data.x[..., 3])


def test_one_factor_keeps_angles() -> None:
    data = make_clip(missing=0.0)
    out = RandomScale(0.5, isotropic=True)(data)
    ratio = out.x / data.x
    torch.testing.assert_close(ratio, ratio[0, 0, 0].expand_as(ratio))
    assert 0.5 <= ratio[0, 0, 0] <= 1.5


def test_one_number_per_axis() -> None:
    with pytest.raises(ValueError, match=r"scale: expected one number per each of 2 axes"):
        RandomScale((0.1, 0.1, 0.1))(make_clip(channels=2))
