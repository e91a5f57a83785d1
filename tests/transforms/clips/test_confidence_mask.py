from __future__ import annotations

import pytest
import torch

from tests.transforms.clips.made import make_clip
from tgst.transforms import ConfidenceMask


def test_openpose() -> None:
    data = make_clip(skeleton="openpose-18", missing=0.0)
    data.x[..., 2] = data.x[..., 2].sigmoid()
    data.x[3, 4, 2], data.x[7, 1, 2] = 0.0, torch.nan
    data.mask[5, 5] = False
    out = ConfidenceMask()(data)
    expected = data.mask.clone()
    expected[3, 4] = expected[7, 1] = False
    assert torch.equal(out.mask, expected)
    assert torch.equal(out.x[expected], data.x[expected])
    assert bool((out.x[~expected] == 0).all())


def test_threshold_itself_is_not_observed() -> None:
    data = make_clip(missing=0.0)
    data.x[..., 2] = torch.tensor([0.009, 0.01, 0.011]).repeat(4)
    out = ConfidenceMask(0.01)(data)
    assert out.mask[0, :3].tolist() == [False, False, True]


def test_other_channel_and_drop() -> None:
    data = make_clip(channels=4, missing=0.0)
    data.x[..., 1] = 0.7
    data.x[2, 3, 1] = 0.1
    out = ConfidenceMask(0.5, channel=1, drop=True)(data)
    assert out.x.shape == (40, 12, 3)
    assert torch.equal(out.x[0], data.x[0][:, [0, 2, 3]])
    assert (~out.mask).nonzero().tolist() == [[2, 3]]
    assert ConfidenceMask(drop=True)(data).x.shape == (40, 12, 3)


def test_channel_that_does_not_exist() -> None:
    with pytest.raises(ValueError, match=r"channel: expected one of the 2 channels .*, got 2"):
        ConfidenceMask(channel=2)(make_clip(channels=2))
