from __future__ import annotations

import torch

from tests.transforms.clips.made import make_clip
from tgst.transforms import RandomShift


def test_span_moves_as_a_whole() -> None:
    data = make_clip(missing=0.0)
    data.mask[:, [0, 1, 5, 10, 11]] = False  # frame 5 is a gap within the span of 2..9
    data.x[~data.mask] = 0
    starts = set()
    for seed in range(60):
        torch.manual_seed(seed)
        out = RandomShift()(data)
        start = int(out.mask[0].byte().argmax())
        assert torch.equal(out.x[:, start : start + 8], data.x[:, 2:10])
        assert torch.equal(out.mask[:, start : start + 8], data.mask[:, 2:10])
        assert int(out.mask.sum()) == int(data.mask.sum())
        starts.add(start)
    assert starts == {0, 1, 2, 3, 4}


def test_full_clips_stay() -> None:
    data = make_clip()
    assert torch.equal(RandomShift()(data).x, data.x)
