from __future__ import annotations

import torch

from tests.transforms.clips.made import make_clip
from tgst.transforms import RandomChoose


def test_longer_clips_are_cropped() -> None:
    data, starts = make_clip(), set()
    data.x[..., 0] = torch.arange(12.0)
    for seed in range(60):
        torch.manual_seed(seed)
        out = RandomChoose(8)(data)
        start = int(out.x[0, 0, 0])
        assert torch.equal(out.x, data.x[:, start : start + 8])
        assert torch.equal(out.mask, data.mask[:, start : start + 8])
        starts.add(start)
    assert starts == {0, 1, 2, 3, 4}


def test_shorter_clips_are_padded_before_and_after() -> None:
    data, starts = make_clip(missing=0.0), set()
    for seed in range(40):
        torch.manual_seed(seed)
        out = RandomChoose(14)(data)
        start = int(out.mask[0].byte().argmax())
        assert torch.equal(out.x[:, start : start + 12], data.x)
        assert bool((out.x[~out.mask] == 0).all())
        assert int(out.mask.sum()) == 12 * 40
        starts.add(start)
    assert starts == {0, 1, 2}


def test_shorter_clips_stay_without_padding() -> None:
    data = make_clip()
    assert torch.equal(RandomChoose(14, auto_pad=False)(data).x, data.x)
    assert RandomChoose(5, auto_pad=False)(data).x.size(1) == 5
