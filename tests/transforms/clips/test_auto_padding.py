from __future__ import annotations

import torch

from tests.transforms.clips.made import make_clip
from tgst.transforms import AutoPadding


def test_at_the_end() -> None:
    data = make_clip()
    out = AutoPadding(15)(data)
    assert out.x.shape == (40, 15, 3)
    assert torch.equal(out.x[:, :12], data.x)
    assert torch.equal(out.mask[:, :12], data.mask)
    assert not out.mask[:, 12:].any()
    assert bool((out.x[:, 12:] == 0).all())


def test_at_a_random_position() -> None:
    data, starts = make_clip(missing=0.0), set()
    for seed in range(40):
        torch.manual_seed(seed)
        out = AutoPadding(15, random_position=True)(data)
        start = int(out.mask[0].byte().argmax())
        assert torch.equal(out.x[:, start : start + 12], data.x)
        assert int(out.mask[0].sum()) == 12
        starts.add(start)
    assert starts == {0, 1, 2, 3}


def test_longer_clips_are_not_cropped() -> None:
    data = make_clip()
    for length in (12, 5):
        assert torch.equal(AutoPadding(length)(data).x, data.x)
